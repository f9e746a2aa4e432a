"""Kinds of edit: what is clinical is never called wording, and wording is never called clinical."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.edits import KINDS, classify_edits, is_clinical, is_other
from prescreen.clinic.report import Consideration, Draft, Finding, HistoryReview

DRAFT = Draft(
    acuity=Acuity.MEDIUM,
    summary="Dull ache in the lower back for 3 days after lifting. No numbness. Takes ibuprofen 400 mg.",
    history=HistoryReview(
        conditions=["type 2 diabetes"], medications=["ibuprofen 400 mg"], allergies=["penicillin"]
    ),
    findings=[
        Finding(name="back pain", status="present", evidence="a dull ache"),
        Finding(name="numbness", status="denied", evidence="No numbness"),
    ],
    red_flags=["pain at night"],
    differential=[
        Consideration(condition="muscle strain", supports=["lifting for 3 days"], against=[]),
        Consideration(condition="slipped disc", supports=[], against=["no numbness"]),
    ],
    rationale="Mechanical onset and no warning signs.",
    next_steps=["Examine the back", "Offer advice on moving"],
    open_questions=["Did you fall?", "Any trouble passing water?"],
    uncertainty="moderate",
)
LEVELS = st.sampled_from(list(Acuity))


def change(**changes: object) -> Draft:
    return DRAFT.model_copy(update=changes)


def history(**changes: list[str]) -> Draft:
    return change(history=DRAFT.history.model_copy(update=changes))


def summary(old: str, new: str) -> Draft:
    assert old in DRAFT.summary
    return change(summary=DRAFT.summary.replace(old, new))


CLINICAL: dict[str, tuple[Draft, set[str]]] = {
    "level up": (change(acuity=Acuity.HIGH), {"level_raised"}),
    "level down": (change(acuity=Acuity.LOW), {"level_lowered"}),
    "flag": (change(red_flags=["pain at night", "fever"]), {"red_flag_added"}),
    "no flag": (change(red_flags=[]), {"red_flag_removed"}),
    "finding": (change(findings=[*DRAFT.findings, Finding(name="fever", status="present")]), {"finding_added"}),
    "no finding": (change(findings=DRAFT.findings[:1]), {"finding_removed"}),
    "status": (
        change(findings=[DRAFT.findings[0], DRAFT.findings[1].model_copy(update={"status": "present"})]),
        {"finding_status"},
    ),
    "condition": (history(conditions=["type 1 diabetes"]), {"history_corrected"}),
    "allergy": (history(allergies=["penicillin", "latex"]), {"allergy_added"}),
    "no allergy": (history(allergies=["no known allergies"]), {"allergy_removed"}),
    "dose": (history(medications=["ibuprofen 600 mg"]), {"medication_changed"}),
    "order of conditions": (change(differential=DRAFT.differential[::-1]), {"differential_changed"}),
    "step": (change(next_steps=["Examine the back"]), {"next_steps_changed"}),
    "step denied": (change(next_steps=["Do not examine the back", DRAFT.next_steps[1]]), {"next_steps_changed"}),
    "question": (change(open_questions=["Did you fall?"]), {"question_changed"}),
    "duration": (summary("3 days", "3 weeks"), {"summary_facts"}),
    "number": (summary("3 days", "13 days"), {"summary_facts"}),
    "denial gone": (summary("No numbness", "Numbness"), {"summary_facts"}),
    "denial of what no list names": (summary("No numbness.", "No numbness, no tingling."), {"summary_facts"}),
    "dose in the text": (summary("400 mg", "800 mg"), {"summary_facts"}),
    "drug gone": (summary(" Takes ibuprofen 400 mg.", ""), {"summary_facts"}),
    "quality": (summary("Dull", "Tearing"), {"summary_facts"}),
    "place": (summary("lower back", "chest"), {"summary_facts"}),
    "rationale": (change(rationale="Mechanical onset and two warning signs."), {"rationale_facts"}),
}


@pytest.mark.parametrize("name", CLINICAL)
def test_a_clinical_edit_has_its_kind(name: str) -> None:
    final, kinds = CLINICAL[name]
    assert classify_edits(DRAFT, final) == kinds
    assert is_clinical(kinds)


WORDING: dict[str, Draft] = {
    "case": change(summary=DRAFT.summary.lower(), red_flags=["Pain at night."]),
    "order of sentences": summary("No numbness. Takes ibuprofen 400 mg.", "Takes ibuprofen 400 mg. No numbness."),
    "numbers in words": summary("3 days", "three days"),
    "unit": history(medications=["ibuprofen 400mg"]),
    "grammar": summary("for 3 days after lifting", "for 3 days, after lifting"),
    "order of steps": change(next_steps=DRAFT.next_steps[::-1], open_questions=DRAFT.open_questions[::-1]),
    "step told otherwise": change(next_steps=["Please examine the back.", "Offered advice on moving"]),
    "spaces": summary("Dull ache", "Dull  ache"),
}


@pytest.mark.parametrize("name", WORDING)
def test_a_wording_is_no_clinical_edit(name: str) -> None:
    kinds = classify_edits(DRAFT, WORDING[name])
    assert kinds == {"wording_only"}
    assert not is_clinical(kinds)


def test_nothing_is_no_edit_and_doubt_of_the_model_is_no_clinical_one() -> None:
    assert classify_edits(DRAFT, DRAFT) == frozenset()
    assert not is_clinical(())
    assert not is_clinical(classify_edits(DRAFT, change(uncertainty="high")))


def test_two_durations_changed_places_are_another_statement() -> None:
    one = "Fever for 2 days and headache for 5 days"
    assert is_other(one, "Fever for 5 days and headache for 2 days")
    assert not is_other(one, "Fever for two days and headache for five days.")


def test_a_text_written_anew_is_not_called_wording() -> None:
    assert is_other("Itchy patch beside the elbow", "Something odd happened during yesterday's gardening")


SPOILS: dict[str, Callable[[Draft, str], Draft]] = {
    "summary": lambda d, t: d.model_copy(update={"summary": f"{d.summary} {t}"}),
    "step": lambda d, t: d.model_copy(update={"next_steps": [*d.next_steps, t]}),
    "question": lambda d, t: d.model_copy(update={"open_questions": [*d.open_questions, t]}),
}
FACTS = st.one_of(
    st.integers(11, 999).map(lambda n: f"Pulse {n}."),
    st.integers(11, 99).map(lambda n: f"For {n} hours."),
    st.sampled_from(["fever", "vomiting", "rash", "itching", "wheeze", "joint swelling"]).map(lambda s: f"No {s}."),
    st.sampled_from(["Allergic to latex.", "Chest pain.", "Severe.", "She collapsed."]),
)


@given(st.sampled_from(sorted(SPOILS)), FACTS)
def test_an_added_fact_is_clinical_wherever_it_stands(where: str, fact: str) -> None:
    final = SPOILS[where](DRAFT, fact)
    assert is_clinical(classify_edits(DRAFT, final))
    assert is_clinical(classify_edits(final, DRAFT))


@given(LEVELS, LEVELS, st.sampled_from(sorted(CLINICAL)), st.sampled_from(sorted(CLINICAL)))
def test_the_way_back_is_the_mirror(low: Acuity, high: Acuity, one: str, other: str) -> None:
    before = CLINICAL[one][0].model_copy(update={"acuity": low})
    after = CLINICAL[other][0].model_copy(update={"acuity": high})
    there, back = classify_edits(before, after), classify_edits(after, before)
    turned = {"raised": "lowered", "lowered": "raised", "added": "removed", "removed": "added"}
    mirrored = {"_".join((*k.split("_")[:-1], turned.get(k.split("_")[-1], k.split("_")[-1]))) for k in there}
    assert mirrored == back
    assert there <= set(KINDS)
    assert ("level_raised" in there) == (high > low)


@given(st.sampled_from(sorted(CLINICAL)), st.sampled_from(sorted(WORDING)))
def test_wording_hides_no_clinical_edit(clinical: str, wording: str) -> None:
    final = CLINICAL[clinical][0]
    for field in ("summary", "next_steps", "open_questions"):
        if final.model_dump()[field] == DRAFT.model_dump()[field]:
            final = final.model_copy(update={field: WORDING[wording].model_dump()[field]})
    assert classify_edits(DRAFT, final) >= CLINICAL[clinical][1]
