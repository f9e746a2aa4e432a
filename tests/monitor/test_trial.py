"""A trial's verdict: no emergency lost, no worse agreement, readable drafts; and rules that stop a release."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.shelves import label_of, make_contact
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact
from prescreen.clinic.rates import Rate
from prescreen.monitor.changes import Canary, Stop, Stops, Trial
from prescreen.monitor.guard import breaks, find_stops
from prescreen.monitor.trial import judge_canary, judge_shadow
from prescreen.release import Release
from store.desk import NOON

LEVELS = list(Acuity)
A = Release(
    candidate="a", model="/m", weights="aa" * 32, gate="/g", verdict="11" * 32, serves="demonstration only",
    expires=NOON.date(), promoted=NOON,
)  # fmt: skip
B = A.model_copy(update={"candidate": "b", "weights": "bb" * 32, "verdict": "22" * 32})
TEN = Trial(visits=10)
levels = st.sampled_from(LEVELS)


def tried(number: int, final: Acuity, champion: Acuity, candidate: Acuity | None, **more: object) -> Contact:
    return make_contact(
        number,
        level=final,
        level_model=champion,
        model=label_of(A),
        shadow=candidate,
        shadow_model=label_of(B),
        **more,
    )


def judge(contacts: list[Contact], trial: Trial = TEN):
    return judge_shadow(contacts, B.weights, B.verdict, trial)


@given(st.lists(st.tuples(levels, levels, levels), min_size=1, max_size=30))
def test_one_lost_emergency_always_stops_a_candidate(rows: list[tuple[Acuity, Acuity, Acuity]]) -> None:
    contacts = [tried(n, *row) for n, row in enumerate(rows)]
    lost = [
        c.visit for c, (final, champion, candidate) in zip(contacts, rows, strict=True)
        if final is champion is Acuity.EMERGENCY and candidate is not Acuity.EMERGENCY
    ]  # fmt: skip
    verdict = judge(contacts)
    if lost:
        assert verdict.verdict == "stop" and lost[0] in verdict.reasons[0]
    elif len(rows) < 10:
        assert verdict.verdict in ("wait", "stop")


@given(st.lists(levels, min_size=10, max_size=40))
def test_a_candidate_that_says_what_nurses_sign_goes_on(finals: list[Acuity]) -> None:
    verdict = judge([tried(n, final, final, final) for n, final in enumerate(finals)])
    assert verdict.verdict == "go" and verdict.reasons == () and verdict.visits == len(finals)


def test_what_nobody_read_is_no_evidence_against_a_candidate() -> None:
    """A nurse who signs as it comes signs the champion's mistakes; her changes and her own choices do count."""
    fine = [tried(n, Acuity.LOW, Acuity.LOW, Acuity.LOW) for n in range(10)]
    lost = {"final": Acuity.EMERGENCY, "champion": Acuity.EMERGENCY, "candidate": Acuity.LOW}
    stamped = tried(10, **lost, shown=Acuity.EMERGENCY, seconds=6.0)
    verdict = judge([*fine, stamped])
    assert (verdict.verdict, verdict.visits) == ("go", 10)
    assert verdict.figures["signed unread, not counted"] == "1"
    for read in ({"seconds": 40.0}, {"seconds": 6.0, "blind": Acuity.EMERGENCY}, {"seconds": 6.0, "edited": True}):
        assert judge([*fine, tried(10, **lost, shown=Acuity.EMERGENCY, **read)]).verdict == "stop"
    assert judge([*fine, stamped], TEN.model_copy(update={"unread_s": 0.0})).verdict == "stop"
    assert judge([*fine[:9], stamped]).verdict == "wait", "nor does it count as a visit"


def test_rules_hold_both_up() -> None:
    """A candidate that says low where a rule says emergency is served as an emergency: nothing is lost."""
    rules = [
        tried(n, Acuity.EMERGENCY, Acuity.EMERGENCY, Acuity.LOW, level_rules=Acuity.EMERGENCY) for n in range(10)
    ]
    assert judge(rules).verdict == "go"


def test_worse_agreement_stops_by_the_exact_test_and_chance_does_not() -> None:
    good = [tried(n, Acuity.MEDIUM, Acuity.MEDIUM, Acuity.MEDIUM) for n in range(20)]
    worse = [tried(n, Acuity.MEDIUM, Acuity.MEDIUM, Acuity.HIGH) for n in range(20, 26)]
    verdict = judge([*good, *worse])
    assert verdict.verdict == "stop" and "p = 0.031" in verdict.reasons[0]
    assert judge([*good, *worse[:5]]).verdict == "go", "five against none may be chance (p = 0.062)"
    better = [tried(n, Acuity.MEDIUM, Acuity.HIGH, Acuity.MEDIUM) for n in range(20, 40)]
    assert judge([*good, *better]).verdict == "go"


def test_unreadable_answers_stop_it() -> None:
    good = [tried(n, Acuity.MEDIUM, Acuity.MEDIUM, Acuity.MEDIUM) for n in range(10)]
    none = [tried(n, Acuity.MEDIUM, Acuity.MEDIUM, None) for n in range(10, 14)]
    verdict = judge([*good, *none])
    assert verdict.verdict == "stop" and "10/14" in verdict.reasons[0]


def test_only_its_own_signed_visits_count() -> None:
    other = [make_contact(n, model=label_of(A), shadow=Acuity.MEDIUM, shadow_model=label_of(A)) for n in range(20)]
    told = [tried(n, Acuity.MEDIUM, Acuity.MEDIUM, Acuity.MEDIUM) for n in range(20, 40)]
    unsigned = [contact.model_copy(update={"level": None}) for contact in told]
    assert judge([*other, *unsigned]).visits == 0


def canary(number: int, final: Acuity, shown: Acuity, *, by: Release = B) -> Contact:
    return make_contact(number, level=final, shown=shown, model=label_of(by, "canary" if by is B else ""))


def judged_canary(contacts: list[Contact]):
    return judge_canary(contacts, B.weights, B.verdict, Canary(visits=10))


def test_a_canary_is_judged_by_what_nurses_change_both_ways() -> None:
    champion = [canary(n, Acuity.MEDIUM, Acuity.MEDIUM, by=A) for n in range(40)]
    same = [canary(n, Acuity.MEDIUM, Acuity.MEDIUM) for n in range(40, 50)]
    assert judged_canary([*champion, *same]).verdict == "go"
    assert judged_canary([*champion, *same[:9]]).verdict == "wait"
    for final in (Acuity.HIGH, Acuity.LOW, Acuity.EMERGENCY):
        changed = [canary(n, final, Acuity.MEDIUM) for n in range(50, 54)]
        assert judged_canary([*champion, *same, *changed]).verdict == "stop", final


def test_a_trial_that_is_looked_at_after_each_visit_needs_more_than_chance_before_its_end() -> None:
    champion = [canary(n, Acuity.HIGH if n < 8 else Acuity.MEDIUM, Acuity.MEDIUM, by=A) for n in range(100)]
    early = [canary(n, Acuity.HIGH, Acuity.MEDIUM) for n in range(100, 102)]
    rest = [canary(n, Acuity.MEDIUM, Acuity.MEDIUM) for n in range(102, 110)]
    seen = [judged_canary([*champion, *[*early, *rest][:n]]).verdict for n in range(1, 11)]
    assert seen == ["wait"] * 9 + ["go"], "two raised of two are no verdict yet"
    bad = [canary(n, Acuity.HIGH, Acuity.MEDIUM) for n in range(100, 105)]
    assert judged_canary([*champion, *bad]).verdict == "stop", "five of five are"
    pairs = [tried(n, Acuity.MEDIUM, Acuity.MEDIUM, Acuity.LOW) for n in range(6)]
    assert judge(pairs).verdict == "wait" and judge(pairs * 2).verdict == "stop"


def test_a_canary_whose_answers_are_no_reports_stops() -> None:
    failed = [tried(n, Acuity.MEDIUM, Acuity.MEDIUM, None) for n in range(10)]
    assert judged_canary(failed).verdict == "stop"


STOPS = Stops(upgrades_to_emergency=Stop(most=0.02, least=20), upgrades=Stop(most=1.0), overrides=Stop(most=1.0))


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_rule_stops_beyond_chance_and_of_enough(bad: int, good: int) -> None:
    rate, stop = Rate(right=bad, wrong=good), Stop(most=0.1, least=20)
    if breaks(rate, stop):
        assert bad + good >= 20 and bad / (bad + good) > 0.1
    if bad / max(1, bad + good) <= 0.1 or bad + good < 20:
        assert not breaks(rate, stop)


@pytest.mark.parametrize(("missed", "stopped"), [(0, False), (2, False), (4, True), (10, True)])
def test_upgrades_to_emergency_stop_a_release(missed: int, stopped: bool) -> None:
    contacts = [
        make_contact(
            n, level=Acuity.EMERGENCY if n < missed else Acuity.MEDIUM, shown=Acuity.MEDIUM, model=label_of(A)
        )
        for n in range(50)
    ]
    now = NOON + datetime.timedelta(days=1)
    found = find_stops(contacts, STOPS, A.weights, A.verdict, now)
    assert [stop.rule for stop in found] == (["upgrades_to_emergency"] if stopped else [])
    assert find_stops(contacts, STOPS, B.weights, B.verdict, now) == [], "another release's visits"
    assert find_stops(contacts, STOPS, A.weights, A.verdict, now + datetime.timedelta(days=15)) == [], "long ago"


def test_answers_that_are_no_reports_stop_a_release() -> None:
    failed = [make_contact(n, model=None, level_model=None, no_draft="no report") for n in range(10)]
    drafted = [make_contact(n, model=label_of(A)) for n in range(10, 30)]
    away = [make_contact(n, model=None, level_model=None, no_draft="failed") for n in range(30, 60)]
    now = NOON + datetime.timedelta(days=1)
    assert [s.rule for s in find_stops([*failed, *drafted], STOPS, A.weights, A.verdict, now)] == [
        "schema_failures"
    ]
    assert find_stops([*away, *drafted], STOPS, A.weights, A.verdict, now) == [], "an engine that was away"
