"""The same facts in other words: models that listen to the facts, to one wording, or to nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.errors import RecipeError
from prescreen.evals import stability
from prescreen.evals.glossary import GLOSSARY
from prescreen.evals.stability import WORDINGS, read_told, write_cases
from prescreen.evals.task import Found, Item
from prescreen.evals.tasks import TASKS
from prescreen.model.engine import ScriptedEngine
from prescreen.model.harmony import Message
from prescreen.model.prompt import task_messages

TOLD = read_told()
CASES = [case for told in TOLD for case in write_cases(told)]
BY_PROMPT = {task_messages("report", case)[-1]["content"]: case for case in CASES}


def label_of(case: Case) -> Acuity:
    assert case.label is not None
    return case.label.acuity


def ask(opinion: Callable[[Case], Acuity | None]) -> Found:
    def answer(messages: list[Message]) -> str:
        level = opinion(BY_PROMPT[messages[-1]["content"]])
        return json.dumps({"acuity": level.value}) if level else "no"

    return TASKS["stability"].run(ScriptedEngine(answer), 0)


def rows(found: Found, metric: str, verdict: str = "right") -> list[Item]:
    return [item for item in found.items if item.metric == metric and item.verdict == verdict]


def test_there_are_enough_cases_and_each_wording_is_another() -> None:
    assert len(TOLD) >= 20 and len({told.id for told in TOLD}) == len(TOLD)
    assert all(len(set(told.wordings)) >= WORDINGS for told in TOLD)
    assert {told.level for told in TOLD} == set(Acuity)
    assert len(BY_PROMPT) == len(CASES) <= 200


def test_wordings_of_a_case_hold_the_same_measurements() -> None:
    """A reading such as 38.6 that is in one wording only would be another fact."""
    for told in TOLD:
        assert len({tuple(re.findall(r"\d+\.\d", wording)) for wording in told.wordings}) == 1, told.id


def test_a_model_that_hears_the_facts_is_stable_and_sure() -> None:
    found = ask(label_of)
    wanted = {"stability_flips": 0, "stability_lost": 0, "stability_spread": 0, "selective_missed": 0}
    wanted |= {"brier": 0, "ece": 0, "aurc": 0, "accuracy_at_80": 1}
    assert {name: found.measures[name].value for name in wanted} == wanted
    assert set(found.measures) <= set(GLOSSARY)
    assert found.measures["ece"].figure.n == len(TOLD) == len(found.points["confidence"])
    (note,) = rows(found, "ece", "wrong")
    assert note.answered == "30 cases: too few, the error comes out too large below 500"


def test_a_model_that_calls_all_low_is_stable_sure_and_wrong() -> None:
    found = ask(lambda case: Acuity.LOW)
    assert found.measures["stability_flips"].value == 0
    assert found.measures["stability_lost"].value == 1
    assert (found.measures["ece"].value or 0) > 0.5 and (found.measures["accuracy_at_80"].value or 1) < 0.5


def test_a_model_that_stumbles_over_one_wording_is_seen() -> None:
    found = ask(lambda case: Acuity.LOW if case.id.endswith("-3") else label_of(case))
    unsteady = [told.id for told in TOLD if told.level is not Acuity.LOW]
    assert [item.id for item in rows(found, "stability_flips")] == unsteady
    assert list(found.measures["stability_spread"].failures) == unsteady
    assert found.measures["stability_lost"].value == 1
    assert found.measures["aurc"].value == 0, "the commonest level is still right"
    crushing = rows(found, "stability_flips")[0]
    assert crushing.answered == "emergency, emergency, low, emergency, emergency"
    assert crushing.why == "3 levels apart"


def test_doubt_is_left_to_a_nurse_at_the_highest_level_heard() -> None:
    """Six emergencies called low in three of five wordings: agreeing is wrong, abstaining is not."""
    doubtful = [told.id for told in TOLD if told.level is Acuity.EMERGENCY][: len(TOLD) // 5]

    def doubt(case: Case) -> Acuity:
        told = case.id.removeprefix("stable-")[:-2]
        return Acuity.LOW if told in doubtful and case.id[-1] in "123" else label_of(case)

    found = ask(doubt)
    assert [item.id for item in rows(found, "stability_lost")] == doubtful
    assert [item.id for item in found.items if item.answered == "emergency, left to a nurse"] == doubtful
    assert found.measures["selective_missed"].value == 0
    assert sum(right for _, right in found.points["confidence"]) == len(TOLD) - len(doubtful)
    assert found.measures["accuracy_at_80"].value == 1


def test_agreement_on_the_wrong_level_is_missed_all_the_same() -> None:
    found = ask(lambda case: Acuity.LOW if case.id.startswith("stable-crushing-jaw") else label_of(case))
    assert found.measures["selective_missed"].failures == ("crushing-jaw",)
    assert found.measures["stability_flips"].value == 0


def test_silence_for_one_wording_is_a_flip_and_for_all_is_not_measured() -> None:
    some = ask(lambda case: None if case.id.endswith("-5") else label_of(case))
    assert some.measures["stability_flips"].value == 1
    assert max(confidence for confidence, _ in some.points["confidence"]) == 0.8
    none = ask(lambda case: None)
    assert none.measures["stability_flips"].value is None and none.measures["stability_spread"].value is None
    assert none.measures["stability_lost"].value == 1 and none.measures["accuracy_at_80"].value == 0


def test_a_faulty_case_is_refused_by_number(tmp_path: Path) -> None:
    path = tmp_path / "stability.yaml"
    path.write_text("cases:\n  - {id: a, level: low, age: 3, sex: male, wordings: [one, two]}\n")
    with pytest.raises(RecipeError, match="case 0: wordings"):
        read_told(path)
    assert stability.PROBES.exists()
