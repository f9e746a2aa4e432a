"""Report metrics on drafts with one known fault each."""

from collections.abc import Callable

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Draft, Finding, HistoryReview
from prescreen.evals.prediction import Prediction, View, record_draft
from prescreen.evals.rate import Measure, Rate
from prescreen.evals.report import score_reports
from prescreen.model.draft import Drafted

MakeCase = Callable[..., Case]
MakeDraft = Callable[..., Draft]


def predict(case: Case, draft: Draft | None, finish: str = "stop", error: str = "") -> Prediction:
    return record_draft(case, Drafted(finalise(case, draft, error), draft, error, finish, 0.1))  # type: ignore[arg-type]


def score(case: Case, draft: Draft | None, view: View = "alone") -> dict[str, Measure]:
    return score_reports([case], [predict(case, draft)], view)


def counts(measure: Measure) -> tuple[int, int]:
    assert isinstance(measure.figure, Rate)
    return measure.figure.right, measure.figure.n


def test_the_reference_itself_is_flawless(make_case: MakeCase, make_draft: MakeDraft) -> None:
    scores = score(make_case(), make_draft())
    for name in ("schema_valid", "complete", "evidence_verbatim", "findings_supported", "findings_recalled"):
        assert counts(scores[name]) == (1, 1), name
    for name in ("findings_invented", "findings_contradicted", "omitted_allergies", "omitted_medications"):
        assert counts(scores[name]) == (0, 1), name
    assert counts(scores["history_invented"]) == (0, 3)


def test_an_invented_finding_and_a_false_quote(make_case: MakeCase, make_draft: MakeDraft) -> None:
    made_up = Finding(name="chest pain", status="present", evidence="my chest hurts")
    draft = make_draft(findings=[*make_draft().findings, made_up])
    scores = score(make_case(), draft)
    assert counts(scores["findings_invented"]) == (1, 2)
    assert counts(scores["evidence_verbatim"]) == (1, 2)
    assert scores["findings_invented"].failures == ("case-0",)


def test_polarity_counts(make_case: MakeCase, make_draft: MakeDraft) -> None:
    denied = Finding(name="itching elbow", status="denied", evidence="my elbow itches")
    scores = score(make_case(), make_draft(findings=[denied]))
    assert counts(scores["findings_contradicted"]) == (1, 1)
    assert counts(scores["findings_supported"]) == (0, 1)
    assert counts(scores["findings_recalled"]) == (0, 1)


HARMS = ("findings_contradicted", "findings_invented", "unasked_denied", "denied_unasked", "doses_uncharted")


def harmed(case: Case, draft: Draft) -> set[str]:
    """The harms a draft does."""
    scores = score(case, draft)
    return {name for name in (*HARMS, "history_invented") if counts(scores[name])[0]}


def with_findings(make_case: MakeCase, make_draft: MakeDraft, *findings: Finding) -> Case:
    """A case whose reference has these findings beside the elbow's."""
    label = make_case().label
    assert label is not None
    reference = make_draft(findings=[*make_draft().findings, *findings])
    turns = ({"speaker": "patient", "text": "no fever at all"},)
    return Case.model_validate(
        make_case().model_dump()
        | {"label": label.model_copy(update={"draft": reference}).model_dump(), "turns": turns}
    )


def test_not_asked_told_as_denied_and_the_reverse_each_have_their_metric(
    make_case: MakeCase, make_draft: MakeDraft
) -> None:
    unasked = Finding(name="joint swelling", status="not asked")
    denied = Finding(name="fever", status="denied", evidence="no fever at all")
    case = with_findings(make_case, make_draft, unasked, denied)
    elbow = make_draft().findings
    assert harmed(case, make_draft(findings=[*elbow, unasked, denied])) == set()
    wrong = unasked.model_copy(update={"status": "denied", "evidence": "no fever at all"})
    assert harmed(case, make_draft(findings=[*elbow, wrong, denied])) == {"unasked_denied"}
    silent = denied.model_copy(update={"status": "not asked", "evidence": ""})
    assert harmed(case, make_draft(findings=[*elbow, unasked, silent])) == {"denied_unasked"}
    opposite = denied.model_copy(update={"status": "present"})
    assert harmed(case, make_draft(findings=[*elbow, unasked, opposite])) == {"findings_contradicted"}
    made_up = unasked.model_copy(update={"status": "present", "evidence": "my joint is swollen"})
    assert harmed(case, make_draft(findings=[*elbow, made_up, denied])) == {"findings_invented"}


def test_a_dose_nobody_charted_or_said(make_case: MakeCase, make_draft: MakeDraft) -> None:
    dosed = make_draft(next_steps=["Give ibuprofen 400 mg."])
    assert harmed(make_case(), dosed) == {"doses_uncharted"}
    charted = make_case(medications=("emollient cream", "ibuprofen 400 mg"))
    assert harmed(charted, dosed) == set()
    assert counts(score(make_case(), make_draft())["doses_uncharted"]) == (0, 1)


def test_hard_words_raise_the_reading_grade(make_case: MakeCase, make_draft: MakeDraft) -> None:
    plain = score(make_case(), make_draft())["reading_grade"]
    hard = make_draft(rationale="Pruritic cubital dermatopathology necessitating multidisciplinary consideration.")
    graded = score(make_case(), hard)["reading_grade"]
    assert plain.value is not None and graded.value is not None and graded.value > plain.value + 3
    assert score(make_case(), None)["reading_grade"].value is None


def test_a_left_out_allergy_is_found(make_case: MakeCase, make_draft: MakeDraft) -> None:
    history = HistoryReview(conditions=["eczema"], medications=["emollient cream"], allergies=["none known"])
    scores = score(make_case(), make_draft(history=history))
    assert counts(scores["omitted_allergies"]) == (1, 1)
    assert scores["omitted_allergies"].failures == ("case-0",)
    assert counts(scores["history_invented"]) == (0, 3)


def test_no_known_allergies_must_be_said_but_in_any_words(make_case: MakeCase, make_draft: MakeDraft) -> None:
    def say(*allergies: str) -> Draft:
        known = HistoryReview(conditions=["eczema"], medications=["emollient cream"], allergies=list(allergies))
        return make_draft(history=known)

    label = make_case().label
    assert label is not None
    case = make_case(allergies=(), label=label.model_copy(update={"draft": say("no known allergies")}))
    assert counts(score(case, say("none known"))["omitted_allergies"]) == (0, 1)
    assert counts(score(case, say())["omitted_allergies"]) == (1, 1)


def test_a_medication_nobody_mentioned_is_invented(make_case: MakeCase, make_draft: MakeDraft) -> None:
    history = HistoryReview(conditions=["eczema"], medications=["emollient cream", "warfarin"], allergies=["latex"])
    assert counts(score(make_case(), make_draft(history=history))["history_invented"]) == (1, 4)


def test_red_flags_by_concept(make_case: MakeCase, make_draft: MakeDraft) -> None:
    label = make_case().label
    assert label is not None
    case = make_case(label=label.model_copy(update={"red_flags": ("spreading redness", "high fever")}))
    scores = score(case, make_draft(red_flags=["redness that is spreading", "stiff neck"]))
    assert counts(scores["red_flag_recall"]) == (1, 2)
    assert counts(scores["red_flag_precision"]) == (1, 2)


def test_no_draft_fails_validity_and_a_crash_is_told_apart(make_case: MakeCase) -> None:
    case = make_case()
    silent = score_reports([case], [predict(case, None, error="the model's answer is no report")], "served")
    assert silent["schema_valid"].figure == Rate(0, 1)
    crashed = score_reports([case], [predict(case, None, "error", "out of memory")], "served")
    assert crashed["schema_valid"].figure == Rate(0, 0, errored=1)
    assert counts(crashed["evidence_verbatim"]) == (0, 0)


@pytest.mark.parametrize("empty", ["summary", "rationale"])
def test_empty_parts_are_incomplete(make_case: MakeCase, make_draft: MakeDraft, empty: str) -> None:
    assert counts(score(make_case(), make_draft(**{empty: ""}))["complete"]) == (0, 1)


def test_unlabelled_case_still_shows_false_quotes(make_case: MakeCase, make_draft: MakeDraft) -> None:
    scores = score(make_case(acuity=None), make_draft(Acuity.LOW))
    assert counts(scores["evidence_verbatim"]) == (1, 1)
    assert counts(scores["findings_supported"]) == (0, 0)


def test_served_view_judges_the_report_the_nurse_gets(make_case: MakeCase) -> None:
    """The draft forgets an allergy of the record; the floor puts it back, and only the served view may say so."""
    case = make_case("c1", allergies=("penicillin",)).model_copy(update={"label": None})
    draft = Draft(
        summary="s",
        history={"conditions": [], "medications": [], "allergies": []},
        findings=[],
        red_flags=[],
        differential=[],
        acuity=Acuity.LOW,
        rationale="r",
        next_steps=["n"],
        open_questions=[],
        uncertainty="low",
    )
    drafted = Drafted(finalise(case, draft), draft, "", "stop", 0.0)
    prediction = record_draft(case, drafted)
    alone, served = (score_reports([case], [prediction], view)["omitted_allergies"] for view in ("alone", "served"))
    assert alone.failures == (case.id,) and served.failures == ()
