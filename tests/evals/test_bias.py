"""Counterfactual swaps: what is swapped, what the rules do with it, and models that are unfair on purpose."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.redflags import check_rules, rule_acuity
from prescreen.errors import RecipeError
from prescreen.evals import bias
from prescreen.evals.counterfactual import PROBES, build_counterfactuals, read_probes
from prescreen.evals.glossary import GLOSSARY
from prescreen.evals.task import Found, Item
from prescreen.evals.tasks import TASKS
from prescreen.model.engine import ScriptedEngine
from prescreen.model.harmony import Message
from prescreen.model.prompt import task_messages

SETS = list(build_counterfactuals(read_probes()))
CASES = {case.id: case for one in SETS for case in one.cases.values()}
BY_PROMPT = {task_messages("report", case)[-1]["content"]: case for case in CASES.values()}
Opinion = Callable[[Case], Acuity]


def label_of(case: Case) -> Acuity:
    assert case.label is not None
    return case.label.acuity


def below(level: Acuity) -> Acuity:
    return list(Acuity)[max(0, level.rank - 1)]


def ask(opinion: Opinion) -> Found:
    """The task put to a model with one opinion of every case."""

    def answer(messages: list[Message]) -> str:
        return json.dumps({"acuity": opinion(BY_PROMPT[messages[-1]["content"]]).value})

    return TASKS["bias"].run(ScriptedEngine(answer), 0)


def value(found: Found, metric: str) -> float:
    figure = found.measures[metric].value
    assert figure is not None
    return figure


def rows(found: Found, metric: str, verdict: str = "right") -> list[Item]:
    return [item for item in found.items if item.metric == metric and item.verdict == verdict]


@pytest.fixture(scope="module")
def fair() -> Found:
    return ask(label_of)


@pytest.fixture(scope="module")
def hard_on_women() -> Found:
    return ask(lambda case: below(label_of(case)) if case.sex == "female" else label_of(case))


# --- the cases --------------------------------------------------------------------------------------


def test_there_are_enough_pairs_of_every_attribute_and_level() -> None:
    assert sum(len(one.cases) - 1 for one in SETS) >= 300 and len(CASES) <= 650
    assert {one.attribute for one in SETS} == {
        "sex",
        "age",
        "ethnicity",
        "language",
        "insurance",
        "housing",
        "name",
    }
    assert len(read_probes().bases) >= 30
    levels = [base.level for base in read_probes().bases]
    assert min(levels.count(level) for level in Acuity) >= 8


def test_a_swap_changes_one_thing_and_the_prompt_shows_it() -> None:
    for one in SETS:
        cases = list(one.cases.values())
        assert len({task_messages("report", case)[-1]["content"] for case in cases}) == len(cases), one
        for case in cases:
            assert case.vitals == cases[0].vitals and case.label == cases[0].label
            assert (case.age_years == cases[0].age_years) or one.attribute == "age"
            assert (case.sex == cases[0].sex) or one.attribute == "sex"
            assert (case.complaint == cases[0].complaint) or one.attribute == "language"
            assert (case.history_text == cases[0].history_text) or one.attribute not in ("age", "language")
    assert len(BY_PROMPT) == len(CASES)


def test_anatomy_and_pregnancy_are_never_swapped_into() -> None:
    for base in read_probes().bases:
        if base.pregnant is not None or base.id in ("lower-right-belly", "flank-colic"):
            assert "sex" not in base.swaps


def test_rules_never_read_who_the_person_is() -> None:
    """Rules read words, so another wording may reach another rule; that difference is reported, see below."""
    for one in SETS:
        if one.attribute != "language":
            floors = {group: rule_acuity(check_rules(case)) for group, case in one.cases.items()}
            assert len(set(floors.values())) == 1, (one.base, floors)


@given(data=st.data())
def test_rules_are_blind_to_any_mix_of_persons(data: st.DataObject) -> None:
    one = data.draw(st.sampled_from([s for s in SETS if s.attribute in ("sex", "ethnicity", "name")]))
    case = data.draw(st.sampled_from(list(one.cases.values())))
    line = data.draw(st.sampled_from([other.history_text for other in CASES.values()]))
    changed = case.model_copy(update={"history_text": line})
    assert rule_acuity(check_rules(changed)) == rule_acuity(check_rules(case))


def test_cases_are_the_same_every_time() -> None:
    assert list(build_counterfactuals(read_probes())) == SETS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ages": [34, 36]}, "different bands"),
        ({"ages": [34]}, "second age exactly where"),
        ({"accepted": ["low"]}, "accepted must hold"),
        ({"gender": "female"}, "Extra inputs"),
    ],
)
def test_a_faulty_probe_is_refused_by_name(tmp_path: Path, change: dict[str, object], words: str) -> None:
    table = yaml.safe_load(PROBES.read_text())
    table["bases"][0] |= change
    path = tmp_path / "bias.yaml"
    path.write_text(yaml.safe_dump(table))
    with pytest.raises(RecipeError, match=words):
        read_probes(path)


def test_doubled_ids_are_refused(tmp_path: Path) -> None:
    table = yaml.safe_load(PROBES.read_text())
    table["bases"].append(table["bases"][0])
    path = tmp_path / "bias.yaml"
    path.write_text(yaml.safe_dump(table))
    with pytest.raises(RecipeError, match="doubled ids: chest-pressure"):
        read_probes(path)


# --- fair models ------------------------------------------------------------------------------------


def test_a_perfect_model_flips_nothing(fair: Found) -> None:
    for metric in ("bias_flips", "bias_lowered", "bias_shift", "bias_worst_group", "bias_attributes"):
        assert value(fair, metric) == 0, metric
        assert fair.measures[metric].failures == ()
    assert fair.measures["bias_flips"].figure.n == sum(len(one.cases) - 1 for one in SETS)
    assert set(fair.measures) <= set(GLOSSARY)


def test_as_served_only_another_wording_reaches_another_rule(fair: Found) -> None:
    assert {item.id.split("/")[1] for item in rows(fair, "bias_flips_served")} == {"language=broken"}
    assert len(rows(fair, "bias_flips_served")) <= 3


def test_a_model_that_calls_all_low_is_wrong_but_not_biased() -> None:
    found = ask(lambda case: Acuity.LOW)
    assert value(found, "bias_flips") == value(found, "bias_lowered") == value(found, "bias_worst_group") == 0


# --- unfair models ----------------------------------------------------------------------------------


def test_a_model_hard_on_women_is_caught_and_named(hard_on_women: Found) -> None:
    swappable = [base for base in read_probes().bases if "sex" in base.swaps]
    falls = [base for base in swappable if base.level is not Acuity.LOW]
    lowered = rows(hard_on_women, "bias_lowered")
    assert [item.id for item in lowered] == [f"{base.id}/sex=female" for base in falls]
    assert value(hard_on_women, "bias_shift") < 0
    assert [item.id for item in rows(hard_on_women, "bias_attributes")] == ["sex"]
    assert [item.id for item in rows(hard_on_women, "bias_worst_group")] == ["sex=female"]
    assert hard_on_women.measures["bias_worst_group"].failures[0] == "sex=female/chest-pressure"
    assert "sex=female instead of sex=male: For forty minutes" in lowered[0].asked
    assert lowered[0].answered == "emergency → high"


def test_a_model_hard_on_men_is_caught_though_men_come_first() -> None:
    found = ask(lambda case: below(label_of(case)) if case.sex == "male" else label_of(case))
    assert value(found, "bias_lowered") == 0 and value(found, "bias_flips") > 0 and value(found, "bias_shift") > 0
    assert [item.id for item in rows(found, "bias_worst_group")] == ["sex=male"]
    assert [item.id for item in rows(found, "bias_attributes")] == ["sex"]


def test_one_flipped_case_is_no_direction() -> None:
    found = ask(
        lambda case: Acuity.LOW if case.id == "bias-wrist-fall-housing-no-fixed-address" else label_of(case)
    )
    assert found.measures["bias_lowered"].failures == ("wrist-fall/housing=no fixed address",)
    assert value(found, "bias_attributes") == 0
    assert [item.id for item in rows(found, "bias_worst_group")] == ["housing=no fixed address"]


def test_rules_lift_what_the_model_lowered(hard_on_women: Found) -> None:
    alone = {item.id for item in rows(hard_on_women, "bias_lowered")}
    served = {item.id for item in rows(hard_on_women, "bias_lowered_served")}
    assert "chest-pressure/sex=female" in alone - served and "wrist-fall/sex=female" in served


# --- silence and crashes ----------------------------------------------------------------------------


def test_silence_for_one_person_is_a_flip_and_no_fall() -> None:
    def answer(messages: list[Message]) -> str:
        case = BY_PROMPT[messages[-1]["content"]]
        return "no" if "Roma" in case.history_text else json.dumps({"acuity": "low"})

    found = TASKS["bias"].run(ScriptedEngine(answer), 0)
    assert {item.id.split("/")[1] for item in rows(found, "bias_flips")} == {"ethnicity=Roma"}
    assert value(found, "bias_lowered") == 0
    assert all(item.answered == "low → no level" for item in rows(found, "bias_lowered", "unscored"))


def test_a_silent_or_crashing_model_is_not_measured_rather_than_clean() -> None:
    def crash(messages: list[Message]) -> str:
        raise RuntimeError("out of memory")

    for engine in (ScriptedEngine(lambda messages: "no"), ScriptedEngine(crash)):
        found = TASKS["bias"].run(engine, 0)
        assert {found.measures[m].value for m in found.measures if not m.endswith("_served")} == {None}
    assert found.measures["bias_flips_served"].value is None


def test_the_sign_test_goes_by_base() -> None:
    """Four groups lowered against one outlying first answer are one base that moved, not four."""
    found = ask(lambda case: Acuity.EMERGENCY if case.id == "bias-sore-throat" else label_of(case))
    ethnicity = next(item for item in found.items if item.id == "ethnicity")
    assert ethnicity.answered.startswith("4 lower, 0 higher") and "down 1, up 0; sign test p = 1" in ethnicity.why
    assert bias.ALPHA == 0.05
