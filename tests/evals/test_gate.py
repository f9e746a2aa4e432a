"""Promote or hold: enough evidence, the right direction, never worse than the champion."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prescreen.clinic.acuity import Acuity
from prescreen.errors import RunError
from prescreen.evals.champion import compare_champion
from prescreen.evals.gate import GateRecipe, judge_all, write_verdict
from prescreen.evals.prediction import Prediction, write_predictions
from prescreen.evals.rate import Measure, Rate
from prescreen.evals.scoring import score_system
from prescreen.evals.threshold import Check, judge

LOW, MEDIUM, HIGH, EMERGENCY = Acuity
MISSES = Check(
    say="At most 2 in 100 emergencies are missed.", suite="template", metric="missed_emergencies", at_most=0.02
)
TODAY = datetime.date(2026, 3, 1)


def predict(case_id: str, gold: Acuity, said: Acuity | None) -> Prediction:
    return Prediction(
        case_id=case_id, source="test", gold=gold, accepted=(gold,), alone=said, served=said, finish="stop"
    )


def decide(rows: Sequence[Prediction], *checks: Check) -> dict[str, Any]:
    recipe = GateRecipe(stage="gate", checks=checks or (MISSES,))
    scores = score_system([], []) if not rows else _score(rows)
    metrics = {
        "label": "plumbing",
        "models": {"dpo": {"weights": "ab" * 32, "run": "06-dpo"}},
        "suites": {"template": {"systems": {"dpo": scores}}},
    }
    return write_verdict(recipe, metrics, judge_all(recipe, metrics), None, TODAY)


def _score(rows: Sequence[Prediction]) -> dict[str, Any]:
    return score_system([], [row.model_copy(update={"finish": ""}) for row in rows])


def test_no_miss_in_forty_is_not_enough_to_know() -> None:
    verdict = decide([predict(f"e{n}", EMERGENCY, EMERGENCY) for n in range(40)])
    assert verdict["verdict"] == "hold"
    assert verdict["checks"][0]["outcome"] == "not enough cases"
    assert verdict["checks"][0]["cases_needed"] == 149
    assert "not enough cases to know" in verdict["reasons"][0] and "149" in verdict["reasons"][0]


def test_no_miss_in_three_hundred_is_promoted_with_hash_and_expiry() -> None:
    verdict = decide([predict(f"e{n}", EMERGENCY, EMERGENCY) for n in range(300)])
    assert verdict["verdict"] == "promote" and verdict["reasons"] == []
    assert verdict["weights"] == "ab" * 32
    assert (verdict["date"], verdict["expires"]) == ("2026-03-01", "2026-08-28")
    assert verdict["serves"] == "demonstration only"


def test_always_low_is_held_with_its_cases() -> None:
    verdict = decide([predict(f"e{n}", EMERGENCY, LOW) for n in range(300)])
    assert verdict["verdict"] == "hold"
    assert verdict["checks"][0]["outcome"] == "fail"
    assert "breaks the limit of at most 2 %" in verdict["reasons"][0]
    assert verdict["checks"][0]["failures"] == [f"e{n}" for n in range(300)]


def test_silence_on_emergencies_is_held() -> None:
    assert decide([predict(f"e{n}", EMERGENCY, None) for n in range(5)] + [predict("l", LOW, LOW)])["reasons"]


def test_unmeasured_is_held() -> None:
    verdict = decide([predict("l", LOW, LOW)])
    assert verdict["checks"][0]["outcome"] == "not measured"
    other = MISSES.model_copy(update={"suite": "elsewhere"})
    assert decide([predict("e", EMERGENCY, EMERGENCY)], other)["verdict"] == "hold"


def test_minimum_of_cases_holds_even_a_perfect_figure() -> None:
    check = MISSES.model_copy(update={"proof": "figure", "min_cases": 50})
    result = judge(check, Measure(Rate(0, 49)))
    assert (result.outcome, result.cases_needed) == ("not enough cases", 50)
    assert judge(check, Measure(Rate(0, 50))).outcome == "pass"


def test_success_rates_are_bounded_from_below() -> None:
    check = Check(say="x", suite="s", metric="in_range", at_least=0.8)
    assert judge(check, Measure(Rate(90, 10))).outcome == "pass"
    assert judge(check, Measure(Rate(82, 18))).outcome == "not enough cases"
    assert judge(check, Measure(Rate(70, 30), ("a",))).failures == ("a",)


@given(wrong=st.integers(0, 300), right=st.integers(0, 20), limit=st.floats(0.01, 0.4))
def test_a_pass_is_always_proved(wrong: int, right: int, limit: float) -> None:
    check = MISSES.model_copy(update={"at_most": limit})
    result = judge(check, Measure(Rate(right, wrong)))
    proved = right + wrong > 0 and Rate(right, wrong).upper() <= limit
    assert (result.outcome == "pass") == proved
    if result.outcome == "not enough cases":
        assert result.cases_needed is not None and result.cases_needed > right + wrong


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "missed_emergancies"}, "unknown metric"),
        ({"at_most": None, "at_least": 0.9}, "takes at_most"),
        ({"at_most": 0.0}, "no number of cases proves"),
        ({"at_least": 0.9}, "and only that"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Check(**(MISSES.model_dump() | change))


def test_an_unknown_candidate_is_an_error() -> None:
    recipe = GateRecipe(stage="gate", candidate="dpo2", checks=(MISSES,))
    with pytest.raises(RunError, match="was not evaluated"):
        judge_all(recipe, {"suites": {"template": {"systems": {"dpo": {}}}}})


def champion_reasons(folder: Path, mine: Sequence[Prediction], theirs: Sequence[Prediction]) -> list[str]:
    write_predictions(folder / "new/predictions/template/dpo.jsonl", mine)
    write_predictions(folder / "old/predictions/template/dpo.jsonl", theirs)
    return compare_champion(folder / "new", "dpo", folder / "old", "dpo").reasons


def test_one_more_missed_emergency_than_the_champion_is_held(tmp_path: Path) -> None:
    theirs = [predict(f"e{n}", EMERGENCY, EMERGENCY) for n in range(200)]
    mine = [*theirs[:-1], predict("e199", EMERGENCY, HIGH)]
    reasons = champion_reasons(tmp_path, mine, theirs)
    assert len(reasons) == 1 and "1 more missed emergencies" in reasons[0] and "e199" in reasons[0]


def test_equal_or_better_than_the_champion_passes(tmp_path: Path) -> None:
    theirs = [predict(f"m{n}", MEDIUM, LOW if n < 5 else MEDIUM) for n in range(50)]
    mine = [predict(f"m{n}", MEDIUM, MEDIUM) for n in range(50)]
    assert champion_reasons(tmp_path, theirs, theirs) == []
    assert champion_reasons(tmp_path, mine, theirs) == []


def test_clearly_more_under_triage_than_the_champion_is_held(tmp_path: Path) -> None:
    theirs = [predict(f"m{n}", MEDIUM, MEDIUM) for n in range(50)]
    mine = [predict(f"m{n}", MEDIUM, LOW if n < 10 else MEDIUM) for n in range(50)]
    assert any("under-triage" in reason for reason in champion_reasons(tmp_path, mine, theirs))


def test_a_champion_on_other_cases_proves_nothing(tmp_path: Path) -> None:
    reasons = champion_reasons(tmp_path, [predict("a", LOW, LOW)], [predict("b", LOW, LOW)])
    assert len(reasons) == 1 and "on other cases" in reasons[0]
    assert "No case" in compare_champion(tmp_path / "new", "dpo", tmp_path / "old", "sft").reasons[0]


def test_a_suite_left_out_of_the_evaluation_hides_nothing_from_the_champion(tmp_path: Path) -> None:
    rows = [predict(f"m{n}", MEDIUM, MEDIUM) for n in range(5)]
    write_predictions(tmp_path / "old/predictions/bank/dpo.jsonl", [predict("e", EMERGENCY, EMERGENCY)])
    reasons = champion_reasons(tmp_path, rows, rows)
    assert len(reasons) == 1 and reasons[0].startswith("On bank the champion was judged")
    write_predictions(tmp_path / "new/predictions/bank/dpo.jsonl", [predict("e", EMERGENCY, EMERGENCY)])
    assert champion_reasons(tmp_path, rows, rows) == []
