"""Nothing lowers a rule or a draft; the record is always in the report; invented findings are taken out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.clinic.floor import finalise
from prescreen.clinic.history import parse_history
from prescreen.clinic.numerals import unknown_numbers
from prescreen.clinic.redflags import check_rules, rule_acuity
from prescreen.clinic.report import Consideration, Draft, Finding, HistoryReview, Report
from small_draft import DRAFT

LINE = st.text(max_size=60)
SAID = st.sampled_from(
    [
        "crushing chest pain and sweating",
        "no chest pain, just a cough",
        "runny nose",
        "My face is drooping",
        "itchy elbow",
        "I want to end my life",
        "My knee is swollen",
        "",
    ]
)
NAMED = st.lists(LINE, max_size=12)
DRAFTS = st.builds(
    Draft,
    summary=st.text(max_size=100),
    history=st.builds(HistoryReview, conditions=NAMED, medications=NAMED, allergies=NAMED),
    findings=st.lists(st.builds(Finding, name=LINE, status=st.sampled_from(["present", "denied", "not asked"]),
                                evidence=LINE | SAID), max_size=12),
    red_flags=st.lists(LINE, max_size=6),
    differential=st.lists(
        st.builds(Consideration, condition=LINE, supports=st.just([]), against=st.just([])), max_size=4
    ),
    acuity=st.sampled_from(Acuity),
    rationale=st.text(min_size=0, max_size=400),
    next_steps=st.lists(LINE, max_size=5),
    open_questions=st.lists(LINE, max_size=5),
    uncertainty=st.sampled_from(["low", "moderate", "high"]),
)  # fmt: skip
NAMES = st.none() | st.lists(st.text(min_size=1, max_size=300), max_size=30).map(tuple)
CASES = st.builds(
    Case,
    id=st.just("c"),
    patient_id=st.just("p"),
    source=st.just("test"),
    licence=st.just("none"),
    complaint=SAID | st.text(max_size=800),
    history_text=st.text(max_size=400),
    conditions=NAMES,
    medications=NAMES,
    allergies=NAMES,
    turns=st.lists(
        st.builds(Turn, speaker=st.sampled_from(["patient", "relative", "assistant"]), text=SAID), max_size=2
    ).map(tuple),
)


def make_case(complaint: str, **fields: object) -> Case:
    return Case.model_validate(
        {"id": "c", "patient_id": "p", "source": "test", "licence": "none", "complaint": complaint, **fields}
    )


def make_draft(**fields: object) -> Draft:
    empty = {"conditions": [], "medications": [], "allergies": []}
    blank = {
        "summary": "",
        "history": empty,
        "findings": [],
        "red_flags": [],
        "differential": [],
        "acuity": Acuity.LOW,
    }
    rest = {"rationale": "mild", "next_steps": [], "open_questions": [], "uncertainty": "low"}
    return Draft.model_validate({**blank, **rest, **fields})


@settings(max_examples=150, deadline=None)
@given(CASES, DRAFTS)
def test_nothing_lowers(case: Case, draft: Draft) -> None:
    floor = rule_acuity(check_rules(case))
    report, bare = finalise(case, draft), finalise(case, None)
    assert report.acuity >= draft.acuity
    assert report.acuity in (draft.acuity, floor)
    assert bare.acuity >= Acuity.HIGH and bare.no_draft_reason
    if floor is not None:
        assert report.acuity >= floor and bare.acuity >= floor
    for made in (report, bare):
        assert Report.model_validate_json(made.model_dump_json()) == made


@settings(max_examples=100, deadline=None)
@given(CASES, DRAFTS)
def test_claimed_findings_are_in_the_words(case: Case, draft: Draft) -> None:
    report = finalise(case, draft)
    words = " ".join((case.text + "\n" + "\n".join((*(case.conditions or ()), *(case.medications or ()),
                      *(case.allergies or ())))).lower().split())  # fmt: skip
    for finding in report.findings:
        if finding.status != "not asked":
            assert finding.evidence.strip()
            assert " ".join(finding.evidence.lower().split())[:5] in words or not finding.evidence.isascii()
    kept = len(report.findings) + sum(
        not line.startswith(("history: ", "summary: ")) for line in report.unsupported
    )
    assert kept == len(draft.findings)


def test_the_requests_own_sample() -> None:
    case = make_case(
        "Complains of chest pain and shortness of breath.",
        history_text="Patient has hypertension and type 2 diabetes, no known allergies.",
    )
    for report in (finalise(case, None), finalise(case, make_draft())):
        assert report.acuity is Acuity.EMERGENCY
        assert report.history.conditions == ["hypertension", "type 2 diabetes"]
        assert report.history.allergies == ["no known allergies"]
        assert any("chest pain" in finding.evidence for finding in report.findings) or report.model_acuity
        assert "See the patient now" in report.next_steps[0]
        assert "Chest pain with a cardiac feature" in report.red_flags


def test_a_raised_level_says_which_rule_raised_it() -> None:
    report = finalise(make_case("My face is drooping and my speech is slurred"), make_draft())
    assert (report.model_acuity, report.rule_acuity) == (Acuity.LOW, Acuity.EMERGENCY)
    assert (
        report.rationale.startswith("Rule: ") and "NG128" in report.rationale and report.rationale.endswith("mild")
    )


def test_without_draft_and_rules_nobody_has_assessed_it() -> None:
    report = finalise(make_case("itchy elbow"), None)
    assert report.acuity is Acuity.HIGH and report.model_acuity is None and report.rule_acuity is None
    assert report.no_draft_reason == "no draft; not assessed" and report.uncertainty == "high"
    assert finalise(make_case("itchy elbow"), None, "cut off after 900 tokens").no_draft_reason.startswith(
        "cut off"
    )


def test_invented_findings_and_history_are_listed_not_kept() -> None:
    findings = [
        {"name": "cough", "status": "present", "evidence": "Cough for\n 2  days"},
        {"name": "chest pain", "status": "denied", "evidence": "no chest pain"},
        {"name": "fever", "status": "present", "evidence": ""},
        {"name": "rash", "status": "not asked", "evidence": ""},
        {"name": "quote", "status": "present", "evidence": "it’s sore"},
    ]
    history = {"conditions": ["Asthma", "lupus"], "medications": ["salbutamol"], "allergies": ["latex"]}
    case = make_case(
        "cough for 2 days, it's sore, I use salbutamol", conditions=("asthma",), allergies=("penicillin",)
    )
    report = finalise(case, make_draft(findings=findings, history=history))
    assert [finding.name for finding in report.findings] == ["cough", "rash", "quote"]
    assert report.unsupported == ["chest pain: no chest pain", "fever: ", "history: latex", "history: lupus"]
    assert report.history == HistoryReview(
        conditions=["asthma"], medications=["salbutamol"], allergies=["penicillin"]
    )


def test_allergies_asked_and_not_asked() -> None:
    assert finalise(make_case("cough"), None).history.allergies == ["not asked"]
    assert finalise(make_case("cough", allergies=()), make_draft()).history.allergies == ["no known allergies"]
    assert finalise(make_case("I'm allergic to penicillin"), None).history.allergies == ["penicillin"]
    wrong = make_draft(history={"conditions": [], "medications": [], "allergies": ["no known allergies"]})
    assert finalise(make_case("cough"), wrong).history.allergies == ["not asked"]


def test_lists_stay_within_limits_and_lose_no_history() -> None:
    words = "crushing chest pain, face drooping, vomiting blood, can't breathe, testicle agony, worst headache ever"
    case = make_case(words, conditions=tuple(f"condition {i}" for i in range(40)))
    report = finalise(case, make_draft(red_flags=["extra"] * 6, next_steps=["a", "b", "c", "d", "e"]))
    assert len(report.rules) > 6 == len(report.red_flags)
    assert len(report.next_steps) == 5
    told = "; ".join(report.history.conditions)
    assert len(report.history.conditions) <= 12 and all(f"condition {i}" in told for i in range(40))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient has hypertension and type 2 diabetes, no known allergies.",
         (["hypertension", "type 2 diabetes"], [], [])),
        ("Asthma. Takes salbutamol and beclometasone. Allergic to penicillin and latex.",
         (["Asthma"], ["salbutamol", "beclometasone"], ["penicillin", "latex"])),
        ("PMH: HTN, DM2, MI 2015. Meds: aspirin, ramipril",
         (["HTN", "DM2", "MI 2015"], ["aspirin", "ramipril"], None)),
        ("History of asthma; NKDA", (["asthma"], [], [])),
        ("has no known drug allergies and takes metformin", ([], ["metformin"], [])),
        ("Had a stroke because of AF, and limps", (["Had a stroke because of AF, and limps"], [], None)),
        ("No significant past medical history", (["No significant past medical history"], [], None)),
        ("", ([], [], None)),
    ],
)  # fmt: skip
def test_free_text_history(text: str, expected: tuple) -> None:
    assert tuple(parse_history(text)) == expected


@given(st.text(alphabet="abc ,.", max_size=80))
def test_free_text_history_loses_no_word(text: str) -> None:
    read = parse_history(text)
    kept = (
        " ".join((*read.conditions, *read.medications, *(read.allergies or ())))
        .replace(",", " ")
        .replace(".", " ")
        .split()
    )
    assert sorted(kept) == sorted(word for word in text.replace(",", " ").replace(".", " ").split())


@pytest.mark.parametrize(
    ("summary", "unknown"),
    [
        ("31-year-old woman: sore throat for 6 days, heart rate 104.", []),
        ("4-year-old woman: sore throat for 6 days.", ["summary: 4-year-old woman"]),
        ("Woman with sore throat for 2 weeks, 38.5 degrees.", ["summary: 2 weeks", "summary: 38.5 degrees"]),
        ("Sore throat for 1 hour, BP 120/80.", ["summary: 1 hour"]),
    ],
)
def test_a_number_nobody_gave_is_listed(summary, unknown):
    case = Case(
        id="c", patient_id="p", source="test", licence="none", age_years=31, sex="female",
        complaint="My throat has been sore for six days", vitals=Vitals(heart_rate=104, systolic=120, diastolic=80),
    )  # fmt: skip
    draft = DRAFT.model_copy(update={"summary": summary})
    assert [line for line in finalise(case, draft).unsupported if line.startswith("summary")] == unknown


@given(CASES)
def test_words_of_the_case_itself_are_never_unknown_numbers(case):
    assert unknown_numbers(case.text, case) == []
