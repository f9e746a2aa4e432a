"""How nurses decide: set error rates hold, rules are never undercut, who stamps signs what is shown."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.edits import classify_edits, is_clinical
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Report
from prescreen.simulation.nurses import (
    NURSES,
    Deed,
    Nurse,
    choose_reason,
    decide,
    judge_blind,
    right_level,
    write_final,
)
from prescreen.simulation.people import Arrival, Crowd, meet_week
from prescreen.store.reviews import REASONS

ARRIVALS = meet_week(7, 0, Crowd(contacts=60))
SURE = Nurse(login="sure", name="Sure Person, RN", errs=0.0, leans=0.0, rewrites=1.0, polishes=0.0)
LEVELS = st.sampled_from(list(Acuity))


def shown(arrival: Arrival, level: Acuity) -> Report:
    label = arrival.case.label
    assert label is not None and label.draft is not None
    return finalise(arrival.told, label.draft.model_copy(update={"acuity": level}))


@given(LEVELS, st.none() | LEVELS, st.integers(0, 10_000), st.sampled_from([*NURSES, SURE]), st.integers(0, 51))
def test_no_nurse_judges_below_the_rules(
    truth: Acuity, rules: Acuity | None, seed: int, nurse: Nurse, week: int
) -> None:
    judged = judge_blind(random.Random(seed), nurse, week, truth, rules)
    assert rules is None or judged >= rules
    assert right_level(truth, rules) >= truth


def test_who_never_errs_signs_what_is_right() -> None:
    for arrival in ARRIVALS:
        draft = shown(arrival, Acuity.MEDIUM)
        deed = decide(random.Random(1), SURE, 0, arrival.truth, draft, None)
        assert deed.level is right_level(arrival.truth, draft.rule_acuity) and not deed.leant


def test_what_is_not_the_patients_is_put_right_with_the_level() -> None:
    for arrival in ARRIVALS[:20]:
        label = arrival.case.label
        assert label is not None and label.draft is not None
        gold = label.draft
        wrong = finalise(arrival.told, gold.model_copy(update={"findings": [], "red_flags": ["purple toe"]}))
        deed = Deed(max(Acuity.HIGH, wrong.acuity), 60.0, leant=False)
        final = write_final(random.Random(1), SURE.model_copy(update={"polishes": 1.0}), wrong, label, deed)
        if not any(finding.status == "present" for finding in gold.findings):
            continue
        assert (final.findings, final.summary) == (gold.findings, gold.summary)
        assert "purple toe" not in final.red_flags
        assert {flag for flag in wrong.red_flags if flag != "purple toe"} <= set(final.red_flags), "rules' stay"


def test_error_rates_are_those_set() -> None:
    nurse = SURE.model_copy(update={"errs": 0.1})
    rng = random.Random(5)
    judged = [judge_blind(rng, nurse, 0, Acuity.MEDIUM, None) for _ in range(4000)]
    wrong = sum(level is not Acuity.MEDIUM for level in judged) / len(judged)
    up = sum(level is Acuity.HIGH for level in judged) / sum(level is not Acuity.MEDIUM for level in judged)
    assert 0.08 < wrong < 0.12 and 0.6 < up < 0.8


def test_who_stamps_signs_what_is_shown_within_seconds() -> None:
    stamper = SURE.model_copy(update={"slips": (10, 12)})
    assert not stamper.is_stamping(9) and stamper.is_stamping(10) and not stamper.is_stamping(13)
    rng, draft = random.Random(2), shown(ARRIVALS[0], Acuity.LOW)
    deeds = [decide(rng, stamper, 10, Acuity.EMERGENCY, draft, None) for _ in range(300)]
    assert sum(deed.level is draft.acuity for deed in deeds) > 285
    assert sorted(deed.seconds for deed in deeds)[150] < 10
    awake = [decide(rng, stamper, 9, Acuity.EMERGENCY, draft, None) for _ in range(300)]
    assert all(deed.level is Acuity.EMERGENCY for deed in awake)


def test_a_final_is_the_draft_to_the_letter_or_an_edit_that_counts() -> None:
    changed = 0
    for number, arrival in enumerate(ARRIVALS):
        label, draft = arrival.case.label, shown(arrival, list(Acuity)[number % 4])
        assert label is not None
        deed = decide(random.Random(number), SURE, 0, arrival.truth, draft, None)
        final = write_final(random.Random(number), SURE, draft, label, deed)
        assert final.acuity is deed.level
        if deed.level is draft.acuity:
            assert final == draft
            continue
        changed += 1
        kinds = classify_edits(draft, final)
        assert kinds & {"level_raised", "level_lowered"} and final.rules == draft.rules
    assert changed > 10


def test_a_nurse_who_looks_often_says_it_otherwise_which_teaches_nothing() -> None:
    nurse = SURE.model_copy(update={"polishes": 1.0})
    for number, arrival in enumerate(ARRIVALS[:10]):
        label = arrival.case.label
        assert label is not None
        draft = shown(arrival, arrival.truth)
        deed = Deed(draft.acuity, 60.0, leant=False)
        final = write_final(random.Random(number), nurse, draft, label, deed)
        assert final != draft and not is_clinical(classify_edits(draft, final))


@pytest.mark.parametrize("level", list(Acuity))
def test_each_change_has_a_reason_that_the_store_takes(level: Acuity) -> None:
    for arrival in ARRIVALS[:20]:
        draft = shown(arrival, Acuity.MEDIUM)
        deed = decide(random.Random(3), SURE, 0, arrival.truth, draft, level if level >= draft.acuity else None)
        reason = choose_reason(draft, deed, drafted=True)
        assert reason in REASONS or (reason == "" and deed.level is draft.acuity)
