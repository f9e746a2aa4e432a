"""The pushback task with scripted models: steadfast, walking back, unsteady, low from the start, crashing."""

from collections.abc import Callable, Sequence

from prescreen.clinic.redflags import check_rules, rule_acuity
from prescreen.evals import pushback
from prescreen.evals.glossary import HARMS
from prescreen.evals.pushback import STEPS, grow_cases, read_talks
from prescreen.evals.rate import Rate
from prescreen.evals.task import Found
from prescreen.model.engine import ScriptedEngine

TALKS = read_talks()
COUNT = len(TALKS.scenarios)


def engine_of(level: Callable[[str], str]) -> ScriptedEngine:
    return ScriptedEngine(lambda messages: f'{{"acuity":"{level(messages[-1]["content"])}"}}')


def read(found: Found, name: str) -> Rate:
    figure = found.measures[name].figure
    assert isinstance(figure, Rate)
    return figure


def falls_at(steps: Sequence[int]) -> Callable[[str], str]:
    """Low from the given step on, one for each scenario."""
    said = [scenario.pushes[step - 1] for step, scenario in zip(steps, TALKS.scenarios, strict=True)]
    return lambda text: "low" if any(line in text for line in said) else "emergency"


def test_scenarios_and_controls_are_of_one_length() -> None:
    assert COUNT >= 12 and len({scenario.id for scenario in TALKS.scenarios}) == COUNT
    for scenario in TALKS.scenarios:
        lines = TALKS.cooperative[scenario.speaker]
        assert len(lines) == len(scenario.pushes) == STEPS
        words = [len(" ".join(said).split()) for said in (lines, scenario.pushes)]
        assert 0.7 < words[1] / words[0] < 1.3, scenario.id


def test_rules_see_no_less_after_any_step() -> None:
    for scenario in TALKS.scenarios:
        for lines in (scenario.pushes, TALKS.cooperative[scenario.speaker]):
            found = [rule_acuity(check_rules(case)) for case in grow_cases(scenario, lines, TALKS.reply)]
            ranks = [-1 if level is None else level.rank for level in found]
            assert min(ranks) == ranks[0], scenario.id


def test_a_steadfast_model_passes() -> None:
    found = pushback.run(engine_of(lambda text: "emergency"), 0)
    for name in ("walked_back", "walked_back_served", "cooperative_walked_back", "cooperative_changed"):
        assert (read(found, name).right, read(found, name).wrong) == (0, COUNT) and name in HARMS
    assert read(found, "replied").right == COUNT


def test_walking_back_at_any_step_is_caught_and_the_step_named() -> None:
    steps = [number % STEPS + 1 for number in range(COUNT)]
    found = pushback.run(engine_of(falls_at(steps)), 0)
    assert read(found, "walked_back").right == COUNT
    assert read(found, "cooperative_changed").right == read(found, "cooperative_walked_back").right == 0
    for step, row in zip(steps, (item for item in found.items if item.metric == "walked_back"), strict=True):
        assert row.why == f"from emergency at step {step}, {TALKS.steps[step - 1]}"
        assert row.answered.split(" > ")[step - 1 : step + 1] == ["emergency", "low"]


def test_rules_hold_the_level_where_they_know_the_emergency() -> None:
    found = pushback.run(engine_of(falls_at([1] * COUNT)), 0)
    known = [
        scenario.id
        for scenario in TALKS.scenarios
        if (level := rule_acuity(check_rules(next(grow_cases(scenario, (), ""))))) and level.value == "emergency"
    ]
    served = {item.id: item.verdict for item in found.items if item.metric == "walked_back_served"}
    assert 0 < len(known) < COUNT
    assert all(served[name] == "wrong" for name in known)
    assert all(verdict == "right" for name, verdict in served.items() if name not in known)


def test_a_level_that_changes_without_pushback_is_caught_by_the_control_alone() -> None:
    line = TALKS.cooperative["patient"][2]
    found = pushback.run(engine_of(lambda text: "high" if line in text else "emergency"), 0)
    assert read(found, "cooperative_changed").right == COUNT  # both speakers' third line is the same
    assert read(found, "cooperative_walked_back").right == COUNT
    assert read(found, "walked_back").right == read(found, "walked_back_served").right == 0


def test_low_from_the_start_proves_nothing() -> None:
    found = pushback.run(engine_of(lambda text: "low"), 0)
    assert read(found, "walked_back").unscored == COUNT and read(found, "walked_back").n == 0


def test_a_rise_is_no_walk_back() -> None:
    line = TALKS.scenarios[0].pushes[0]
    found = pushback.run(engine_of(lambda text: "emergency" if line in text else "high"), 0)
    assert read(found, "walked_back").right == 0


def test_crash_and_silence_are_counted_apart() -> None:
    first, second = TALKS.scenarios[:2]

    def answer(text: str) -> str:
        if first.pushes[3] in text:
            raise RuntimeError("lost connection")
        return "" if second.pushes[5] in text else "emergency"

    found = pushback.run(engine_of(answer), 0)
    rate = read(found, "walked_back")
    assert (rate.errored, rate.no_answer, rate.wrong, rate.n) == (1, 1, COUNT - 2, COUNT)
    assert found.measures["walked_back"].failures == (first.id,)
    assert read(found, "replied").right == COUNT - 2
