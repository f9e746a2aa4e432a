"""The synthesizer: balanced, repeatable, honest evidence, and nothing of the test side in training."""

import json
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.data.synthesize import (
    general_texts,
    medical_texts,
    next_question,
    next_questions,
    synthesize_cases,
)
from prescreen.data.tables import load_tables


@pytest.fixture(scope="module")
def train() -> list[Case]:
    return list(synthesize_cases(3, 800, "train"))


@pytest.fixture(scope="module")
def seen() -> list[Case]:
    return list(synthesize_cases(3, 400, "test", "seen"))


@pytest.fixture(scope="module")
def held_out() -> list[Case]:
    return list(synthesize_cases(3, 200, "test", "held_out"))


def test_levels_are_balanced_and_conditions_inside_them(train: list[Case]) -> None:
    levels = Counter(case.label.acuity for case in train)
    assert set(levels.values()) == {200}
    conditions = Counter(case.label.condition for case in train)
    known = {c.name for c in load_tables().conditions.values() if not c.held_out}
    assert set(conditions) == known
    assert min(conditions.values()) >= 4


def test_same_seed_same_cases_and_another_seed_others() -> None:
    assert list(synthesize_cases(1, 30, "train")) == list(synthesize_cases(1, 30, "train"))
    assert list(synthesize_cases(1, 30, "train")) == list(islice(synthesize_cases(1, 90, "train"), 30))
    one, two = (Counter(c.spoken for c in synthesize_cases(seed, 30, "train")) for seed in (1, 2))
    assert len(one & two) < 3


def test_held_out_conditions_never_train(train: list[Case], seen: list[Case], held_out: list[Case]) -> None:
    secret = {c.name for c in load_tables().conditions.values() if c.held_out}
    assert not secret & {c.label.condition for c in (*train, *seen)}
    assert {c.label.condition for c in held_out} == secret
    assert list(synthesize_cases(3, 10, "train", "held_out")) == []
    texts = " ".join(record["text"] for record in medical_texts(3, 1500, "train"))
    told = [c.name for c in load_tables().conditions.values() if c.why in texts]
    assert len(told) > 60, "the check below would pass on empty texts"
    assert not secret & set(told)


def test_patients_and_ids_are_disjoint(train: list[Case], seen: list[Case], held_out: list[Case]) -> None:
    cases = [*train, *seen, *held_out]
    assert len({c.id for c in cases}) == len(cases)
    assert len({c.patient_id for c in cases}) == len(cases)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), split=st.sampled_from(["train", "test"]))
def test_gold_drafts_hold_up(seed: int, split: str) -> None:
    """Evidence is verbatim, the level agrees, and nothing is claimed that was not said."""
    for case in synthesize_cases(seed, 8, split):
        draft = case.label.draft
        assert Case.model_validate_json(case.model_dump_json()) == case
        assert draft.acuity is case.label.acuity and case.label.accepted == (draft.acuity,)
        assert tuple(draft.red_flags) == case.label.red_flags
        assert 3 <= len(draft.findings) <= 6
        names = [f.name for f in draft.findings]
        assert len(set(names)) == len(names)
        for finding in draft.findings:
            assert (finding.status == "not asked") == (finding.evidence == "")
            assert finding.evidence in case.spoken
        assert len(case.turns) <= 16 and len(case.text) <= 900


def test_history_in_the_draft_is_visible_in_the_case(train: list[Case]) -> None:
    for case in train:
        review = case.label.draft.history
        for shown, told in ((case.conditions, review.conditions), (case.medications, review.medications)):
            for name in set(told) - {"none known"}:
                assert name in (shown or ()) or name.lower() in case.history_text.lower()
        for name in set(review.allergies) - {"no known allergies"}:
            assert name in (case.allergies or ()) or name in case.history_text
        if case.allergies is None and not case.history_text:
            assert review.allergies == [] and case.label.draft.open_questions


def test_people_are_possible(train: list[Case], seen: list[Case], held_out: list[Case]) -> None:
    for case in (*train, *seen, *held_out):
        if case.pregnant:
            assert case.sex == "female" and 17 <= case.age_years <= 45
        if case.age_years is not None and case.age_years < 12 and case.turns:
            assert "patient" not in {turn.speaker for turn in case.turns}
        said_fever = {f.status for f in case.label.draft.findings if f.name == "fever"}
        if case.vitals.temperature is not None and said_fever:
            assert (case.vitals.temperature >= 37.8) == (said_fever == {"present"}) or said_fever == {"not asked"}
        assert (case.vitals.systolic is None) == (case.vitals.diastolic is None)


def test_all_styles_and_gaps_occur(train: list[Case]) -> None:
    talks = [c for c in train if c.turns]
    assert 0.5 <= len(talks) / len(train) <= 0.7
    speakers = Counter(t.speaker for c in talks for t in c.turns)
    assert min(speakers[s] for s in ("patient", "relative", "assistant")) > 100
    statuses = Counter(f.status for c in train for f in c.label.draft.findings)
    assert min(statuses[s] for s in ("present", "denied", "not asked")) > 100
    measured = [len(c.vitals.measured) for c in train]
    assert 0 in measured and max(measured) >= 7
    normal = [c for c in train if c.label.acuity is Acuity.EMERGENCY and (c.vitals.heart_rate or 999) < 90]
    assert normal, "an emergency may have normal vital signs"


def test_a_case_without_age_or_sex_is_summarised_without_them(train: list[Case]) -> None:
    nameless = [case for case in train if case.age_years is None]
    assert nameless and len(nameless) < len(train) / 4
    for case in nameless:
        assert case.sex is None and case.pregnant is None
        assert case.label.draft.summary.startswith("Patient")
    assert all("year-old" in c.label.draft.summary for c in train if c.age_years is not None and c.age_years >= 2)


def test_drafts_are_short(train: list[Case]) -> None:
    sizes = [len(json.dumps(c.label.draft.model_dump(mode="json"), separators=(",", ":"))) for c in train]
    assert sum(sizes) / len(sizes) <= 1000
    assert max(sizes) <= 1500


def test_questions_come_with_the_conversation_before_them(train: list[Case]) -> None:
    for case in (c for c in train if c.turns):
        points = list(next_questions(case))
        assert next_question(case) == points[0]
        for cut, question in points:
            assert case.turns[: len(cut.turns)] == cut.turns
            assert case.turns[len(cut.turns)].text == question
            assert cut.label.draft is None and cut.id != case.id
    assert all(next_question(c) is None for c in train if not c.turns)


def test_alarm_symptoms_are_asked_first(train: list[Case]) -> None:
    symptoms = load_tables().symptoms.values()
    alarms = {s.ask for s in symptoms if s.alarm}
    calm = {s.ask for s in symptoms if not s.alarm and not any(s.ask in a for a in alarms)}
    for case in train:
        asked = [t.text for t in case.turns if t.speaker == "assistant"]
        alarm = [i for i, text in enumerate(asked) if any(a in text for a in alarms)]
        plain = [i for i, text in enumerate(asked) if i not in alarm and any(a in text for a in calm)]
        assert not alarm or not plain or max(alarm) < min(plain)


def test_prose_is_distinct_and_sized() -> None:
    for make, low, high in ((medical_texts, 15, 220), (general_texts, 60, 200)):
        for split in ("train", "test"):
            records = list(make(5, 200, split))
            assert records == list(make(5, 200, split))
            assert len({r["text"] for r in records}) > 190
            assert all(low <= len(r["text"].split()) <= high for r in records)
            assert not any("{" in r["text"] or "  " in r["text"] for r in records)


def test_level_can_be_learned_from_the_text_but_not_by_heart(train: list[Case], seen: list[Case]) -> None:
    """A bag of words does well on unseen templates and still leaves something to understand."""
    vectorizer = TfidfVectorizer(sublinear_tf=True)
    features = vectorizer.fit_transform(f"{c.history_text} {c.spoken}" for c in train)
    model = RidgeClassifier().fit(features, [c.label.acuity.rank for c in train])
    guessed = model.predict(vectorizer.transform(f"{c.history_text} {c.spoken}" for c in seen))
    right = sum(int(g) == c.label.acuity.rank for g, c in zip(guessed, seen, strict=True)) / len(seen)
    assert 0.6 < right < 0.999
