"""Pairs differ by one dangerous fault, and neither level, fault nor length prevails."""

from collections import Counter

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.data.faults import FAULTS
from prescreen.data.preference import REASONS, check_lengths, draw_all, draw_pairs, make_pair
from prescreen.data.records import Row
from prescreen.data.synthesize import synthesize_cases
from prescreen.errors import GuardError
from prescreen.model.prompt import parse_draft

CASES = list(synthesize_cases(5, 400, "train", "seen"))
PAIRS = list(draw_pairs(CASES, 280))
GOLD = {case.id: case for case in CASES}


def drafts(pair):
    return parse_draft(pair.chosen[0]["content"]), parse_draft(pair.rejected[0]["content"])


def pairs_of(reason):
    found = [pair for pair in PAIRS if pair.reason == reason]
    assert found, reason
    return found


def test_levels_and_faults_are_balanced():
    levels = Counter(pair.acuity for pair in PAIRS)
    reasons = Counter(pair.reason for pair in PAIRS)
    assert set(levels) == {level.value for level in Acuity} and set(reasons) == set(REASONS)
    assert max(levels.values()) - min(levels.values()) <= 1
    assert max(reasons.values()) <= 1.25 * min(reasons.values())


def test_lengths_do_not_tell_chosen_from_rejected():
    assert 0.9 <= check_lengths(PAIRS) <= 1.1
    for reason in REASONS:
        chosen = sum(len(pair.chosen[0]["content"]) for pair in pairs_of(reason))
        rejected = sum(len(pair.rejected[0]["content"]) for pair in pairs_of(reason))
        assert 0.85 <= chosen / rejected <= 1.15, reason


def test_lengths_that_give_the_answer_away_stop_the_build():
    short = [
        pair.__class__(**{**vars(pair), "rejected": ({"role": "assistant", "content": "x"},)}) for pair in PAIRS
    ]
    with pytest.raises(GuardError, match="times as long"):
        check_lengths(short)


def test_the_chosen_report_is_the_gold_draft():
    for pair in PAIRS:
        if pair.reason in FAULTS:
            assert drafts(pair)[0] == GOLD[pair.case_id].label.draft
            assert pair.chosen != pair.rejected


def test_under_triage_only_lowers_and_over_triage_only_raises():
    for pair in pairs_of("under_triage"):
        chosen, rejected = drafts(pair)
        assert 1 <= chosen.acuity.rank - rejected.acuity.rank <= 2
    for pair in pairs_of("over_triage"):
        chosen, rejected = drafts(pair)
        assert chosen.acuity <= Acuity.MEDIUM and rejected.acuity > chosen.acuity


@pytest.mark.parametrize("reason", ["invented_finding", "missing_red_flag", "false_certainty"])
def test_other_faults_leave_the_level_alone(reason):
    for pair in pairs_of(reason):
        chosen, rejected = drafts(pair)
        assert chosen.acuity == rejected.acuity


def test_the_trace_of_a_rejected_report_fits_its_level():
    for pair in PAIRS:
        if pair.reason in FAULTS:
            assert pair.rejected[0]["thinking"].endswith(f"-> {drafts(pair)[1].acuity.value}")


def test_an_invented_finding_quotes_what_nobody_said():
    for pair in pairs_of("invented_finding"):
        chosen, rejected = drafts(pair)
        new = [finding for finding in rejected.findings if finding not in chosen.findings]
        assert len(new) == 1 and new[0].evidence not in GOLD[pair.case_id].text


def test_a_missing_red_flag_was_there():
    for pair in pairs_of("missing_red_flag"):
        chosen, rejected = drafts(pair)
        assert chosen.red_flags and not rejected.red_flags


def test_urgent_advice_stands_under_pushback():
    for pair in pairs_of("walk_back"):
        assert pair.acuity in ("high", "emergency")
        roles = [message["role"] for message in pair.messages]
        assert roles[0] == "developer" and roles[-2:] == ["assistant", "user"]
        assert "still" in pair.chosen[0]["content"] and "can surely wait" in pair.rejected[0]["content"]


def test_no_chosen_answer_gives_a_dose():
    for pair in pairs_of("dosing_advice"):
        assert "cannot give you a dose" in pair.chosen[0]["content"]
        assert "double the usual" in pair.rejected[0]["content"]


def test_a_fault_that_does_not_fit_makes_no_pair():
    low = next(case for case in CASES if case.label.acuity is Acuity.LOW)
    assert make_pair(low, "under_triage") is None and make_pair(low, "walk_back") is None
    unlabelled = low.model_copy(update={"label": None})
    assert all(make_pair(unlabelled, reason) is None for reason in FAULTS)


def test_refusals_join_as_chosen_answers_of_like_length():
    messages = (
        {"role": "developer", "content": "x"},
        {"role": "user", "content": "Do harm."},
        {"role": "assistant", "content": "I'm sorry, but I cannot help with that, as it would hurt people. " * 2},
    )
    refusals = [Row(f"r{n}", f"r{n}", f"r{n}", "answer", "med_safety_bench", "MIT", messages) for n in range(30)]
    pairs = draw_all(CASES, refusals, 80)
    harmful = [pair for pair in pairs if pair.reason == "harmful_request"]
    assert len(pairs) == 80 and len(harmful) == 10
    for pair in harmful:
        assert 0.6 < len(pair.chosen[0]["content"]) / len(pair.rejected[0]["content"]) < 1.6
        assert pair.messages == messages[:-1]
