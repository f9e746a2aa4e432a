"""What a reader is shown first: the worst errors in their order, failing items of tasks, the bank by trap."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.evals.bank import read_bank
from prescreen.evals.groups import NO_TRAP, score_groups
from prescreen.evals.levels import ask_levels
from prescreen.evals.page import write_page
from prescreen.evals.prediction import Prediction, record_rules, write_predictions
from prescreen.evals.scoring import score_system
from prescreen.evals.sections import build_groups, build_tasks, is_failing
from prescreen.evals.task import Item, count_items
from prescreen.evals.worst import find_worst
from prescreen.model.engine import ScriptedEngine

LOW, MEDIUM, HIGH, EMERGENCY = Acuity


def predict(name: str, gold: Acuity | None, served: Acuity | None, *also: Acuity) -> Prediction:
    accepted = () if gold is None else (gold, *also)
    return Prediction(case_id=name, source="test", gold=gold, accepted=accepted, alone=served, served=served)


def test_worst_errors_come_in_the_order_of_harm() -> None:
    rows = [
        predict("over", LOW, HIGH),
        predict("right", LOW, LOW),
        predict("unlabelled", None, LOW),
        predict("silent", HIGH, None),
        predict("low", MEDIUM, LOW),
        predict("low-and-flag", HIGH, MEDIUM),
        predict("flag", HIGH, HIGH),
        predict("missed", EMERGENCY, HIGH),
        predict("severe", HIGH, LOW),
        predict("gravest", EMERGENCY, LOW),
        predict("ranged", EMERGENCY, HIGH, HIGH),
    ]
    errors = find_worst({"s": rows}, {"s": {"low-and-flag", "flag"}})
    wanted = ["gravest", "severe", "missed", "low-and-flag", "low", "flag", "over"]
    assert [error.row.case_id for error in errors] == wanted
    assert errors[0].harm == "3 levels too low" and errors[3].harm == "one level too low, a red flag missed"
    assert len(find_worst({"s": [predict(f"{n}", HIGH, LOW) for n in range(30)]}, {})) == 10


BANK = [
    {
        "condition": "itch",
        "level": "low",
        "source": "a textbook, 2020",
        "why": "nothing is at stake",
        "cases": [
            {"id": "a", "style": "patient", "traps": ["anxious"], "complaint": "I itch and I am dying of it"},
            {"id": "b", "style": "relative", "complaint": "her elbow itches a little"},
            {"id": "c", "style": "note", "traps": ["anxious", "missing"], "complaint": "pruritus of the elbow"},
        ],
    }
]


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    folder = tmp_path / "bank"
    folder.mkdir()
    (folder / "skin.yaml").write_text(yaml.safe_dump({"conditions": BANK}))
    return folder


def test_groups_count_a_case_under_each_of_its_traps(bank: Path) -> None:
    entries = read_bank(bank)
    cases = [entry.case for entry in entries]
    engine = ScriptedEngine(
        lambda messages: '{"acuity": "low"}' if "dying" in str(messages) else '{"acuity": "high"}'
    )
    predictions = {"rules": [record_rules(case) for case in cases], "dpo": ask_levels(engine, cases)}
    groups = score_groups(entries, predictions)
    assert {name: group["cases"] for name, group in groups["trap"].items()} == {
        "anxious": 2,
        "missing": 1,
        NO_TRAP: 1,
    }
    assert set(groups["style"]) == {"patient", "relative", "note"}
    assert set(groups["condition"]) == {"in no training data of ours"}
    anxious = groups["trap"]["anxious"]["systems"]
    assert (anxious["dpo"]["alone"]["in_range"]["right"], anxious["dpo"]["alone"]["over_triage"]["right"]) == (1, 1)
    assert "alone" not in anxious["rules"]
    sample = {"dpo": predictions["dpo"][:1]}
    assert set(score_groups(entries, sample)["style"]) == {"patient"}, "a sampled suite has the groups it has"


def test_failing_items_of_a_harm_are_those_it_counts() -> None:
    assert [is_failing(Item("i", "under_triage", v)) for v in ("right", "wrong", "errored")] == [True, False, True]
    assert [is_failing(Item("i", "exact", v)) for v in ("right", "wrong", "no_answer")] == [False, True, True]
    assert not is_failing(Item("i", "exact", "unscored"))


SCRIPT = "<script>alert('x')</script>"


def write_evals(folder: Path, bank: Path) -> Path:
    """A finished evaluation of the bank with one task of thirteen failures."""
    entries = read_bank(bank)
    cases = [entry.case for entry in entries]
    high = ScriptedEngine(lambda messages: '{"acuity": "emergency"}')
    predictions = {"rules": [record_rules(case) for case in cases], "dpo": ask_levels(high, cases)}
    suite = {
        "cases": 3,
        "labelled": 3,
        "systems": {name: score_system(cases, rows) for name, rows in predictions.items()},
        "compared_with": "base",
        "groups": score_groups(entries, predictions),
    }
    items = [Item(f"q{n}", "exact", "wrong" if n < 13 else "right", SCRIPT, "no", "it gave in") for n in range(20)]
    figures = {name: measure.to_json() for name, measure in count_items(items).items()}
    task = {"title": "Does it stand firm?", "systems": {"base": figures, "dpo": figures}}
    metrics = {"label": "plumbing", "suites": {"bank": suite}, "tasks": {"firm": task}}
    for name, rows in predictions.items():
        write_predictions(folder / "predictions/bank" / f"{name}.jsonl", rows)
    (folder / "tasks/firm").mkdir(parents=True)
    (folder / "tasks/firm/dpo.jsonl").write_text("".join(json.dumps(item._asdict()) + "\n" for item in items))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_page_opens_with_the_worst_and_holds_tasks_and_groups(tmp_path: Path, bank: Path) -> None:
    evals = write_evals(tmp_path / "07-evals", bank)
    page = write_page(evals).read_text()
    assert 0 < page.index("The ten worst errors") < page.index("Suite “bank”")
    assert "I itch and I am dying of it" in page and "rules that fired: none" in page
    assert page.index('id="groups"') > 0 and "anxious (2)" in page and "relative (1)" in page
    assert "Does it stand firm?" in page and "7/20 35%" in page
    assert "13 of 20 items" in page and "and 3 more" in page
    assert SCRIPT not in page and "&lt;script&gt;" in page


def test_a_system_that_was_not_asked_is_said(tmp_path: Path, bank: Path) -> None:
    evals = write_evals(tmp_path / "07-evals", bank)
    metrics = json.loads((evals / "metrics.json").read_text())
    assert build_tasks(evals, metrics, "sft")[0]["failing"] is None
    assert [line.name for line in build_groups(metrics, "rules")[0]["rows"][0]["lines"]] == ["rules alone"]


def test_rules_that_fired_are_kept_where_only_a_level_was_asked(make_case: Callable[..., Case]) -> None:
    case = make_case(1, EMERGENCY, complaint="crushing chest pain into my left arm and sweating")
    (row,) = ask_levels(ScriptedEngine(lambda messages: '{"acuity": "low"}'), [case])
    assert row.rules_fired and row.rules_fired == tuple(record_rules(case).rules_fired)
