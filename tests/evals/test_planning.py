"""The planner agrees with exact bounds, and its promised chance of passing is true."""

import pytest
from scipy.stats import beta, binom

from prescreen.cli import main
from prescreen.errors import InputError
from prescreen.evals.planning import Claim, plan_events, plan_sizes, read_claim


@pytest.mark.parametrize(
    ("text", "metric", "limit"),
    [
        ("missed emergencies <= 1%", "missed_emergencies", 0.01),
        ("Missed emergencies at most 1 %", "missed_emergencies", 0.01),
        ("under-triage <= 0.05", "under_triage", 0.05),
        ("emergency_sensitivity >= 98 %", "emergency_sensitivity", 0.02),
        ("over-triage ≤ 35%", "over_triage", 0.35),
    ],
)
def test_a_claim_is_read(text, metric, limit):
    claim = read_claim(text)
    assert (claim.metric, claim.limit) == (metric, pytest.approx(limit))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("it is safe", "no claim"),
        ("weighted kappa >= 0.8", "no exact bound"),
        ("beauty <= 1%", "no exact bound"),
        ("missed emergencies >= 1%", "turn the sign round"),
        ("missed emergencies <= 0%", "no number of cases"),
    ],
)
def test_what_cannot_be_planned_is_said(text, said):
    with pytest.raises(InputError, match=said):
        read_claim(text)


def test_the_fewest_cases_are_those_of_exact_bounds():
    assert plan_events(read_claim("missed emergencies <= 1%"), 0) == [(0, 299)]
    for events, cases in plan_events(Claim("exact", 0.2, "")):
        upper = beta.ppf(0.95, events + 1, cases - events)
        fewer = beta.ppf(0.95, events + 1, cases - 1 - events)
        assert upper <= 0.2 < fewer


def test_planned_sizes_pass_as_often_as_promised_and_one_failure_less_would_not():
    sizes = list(plan_sizes(Claim("missed_emergencies", 0.02, "")))
    assert sizes[0].cases == 149 and sizes[0].events == 0
    for size in sizes[1:]:
        assert binom.cdf(size.events, size.cases, size.rate) == pytest.approx(size.power)
        assert size.power >= 0.8
        before = dict(plan_events(Claim("missed_emergencies", 0.02, ""), size.events))
        assert binom.cdf(size.events - 1, before[size.events - 1], size.rate) < 0.8


def test_the_verb_prints_both_tables(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["prescreen", "plan", "--claim", "missed emergencies <= 1%"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert "with 0 events: 299 cases" in printed and "if the true rate is 0.50 %" in printed
