"""The evals and gate stages end to end with a scripted model: files, cache, table and page."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Draft
from prescreen.config import Recipe
from prescreen.errors import RunError
from prescreen.evals import gate, suite
from prescreen.evals.glossary import PLUMBING, SYSTEMS
from prescreen.evals.prediction import read_predictions
from prescreen.evals.threshold import Check
from prescreen.model.engine import ScriptedEngine
from prescreen.model.harmony import Message
from prescreen.model.prompt import draft_text
from prescreen.run import Run

MakeDraft = Callable[..., Draft]
SCRIPT = "<script>alert('x')</script>"
WORDS = {"mild": Acuity.LOW, "nagging": Acuity.MEDIUM, "strong": Acuity.HIGH, "terrible": Acuity.EMERGENCY}


def write_cases(path: Path, cases: list[Case]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(case.model_dump_json() + "\n" for case in cases))


class Bench:
    """A folder of finished runs, and a scripted model that counts how often it is asked."""

    def __init__(self, root: Path, cases: list[Case], make_draft: MakeDraft) -> None:
        self.root, self.make_draft, self.asked = root, make_draft, 0
        self.data = self._finish("01-data", "data")
        write_cases(self.data.folder / "train/cases.jsonl", cases[:20])
        write_cases(self.data.folder / "test/template.jsonl", cases[20:])
        (self.data.folder / "card.md").write_text("# Data card\nmade up for a test\n")
        self.sft = self._finish(
            "02-sft",
            "sft",
            {
                "perplexity_before": {"medical": 99.0, "general": 98.0},
                "perplexity": {"medical": 9.25, "general": 12.5},
            },
        )
        rows = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.5}, {"step": 2, "eval_loss": 1.6}]
        (self.sft.folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def _finish(self, name: str, stage: str, metrics: dict[str, object] | None = None) -> Run:
        run = Run(self.root / name, Recipe(stage=stage))
        run.start()
        weights = run.folder / "model.safetensors"
        weights.write_text(name)
        run.finish([weights], metrics or {})
        return run

    def load(self, folder: str) -> ScriptedEngine:
        return ScriptedEngine(self.answer, name=folder)

    def answer(self, messages: list[Message]) -> str:
        self.asked += 1
        text = messages[-1]["content"]
        level = next(level for word, level in WORDS.items() if word in text)
        return "no report" if "number 23" in text else draft_text(self.make_draft(level, summary=SCRIPT))

    def evaluate(self, **settings: object) -> Run:
        values = {"stage": "evals", "label": "plumbing", "suites": ["template"], "inputs": {"data": "01-data"}}
        recipe = suite.EvalsRecipe.model_validate(values | settings)
        run = Run(self.root / "07-evals", recipe, {"data": self.data, "sft": self.sft})
        run.start()
        suite.evaluate(recipe, run, self.load)
        return run

    def judge(self, evals: Run, *checks: Check) -> Run:
        recipe = gate.GateRecipe(stage="gate", candidate="sft", inputs={"evals": evals.name}, checks=checks)
        run = Run(self.root / "08-gate", recipe, {"evals": evals})
        run.start()
        gate.main(recipe, run)
        return run


@pytest.fixture
def bench(tmp_path: Path, mixed_cases: list[Case], make_draft: MakeDraft) -> Bench:
    return Bench(tmp_path / "runs", mixed_cases, make_draft)


CHECK = Check(say="Emergencies are not missed.", suite="template", metric="missed_emergencies", at_most=0.02)


def test_from_cases_to_verdict(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    evals = bench.evaluate()
    metrics = json.loads((evals.folder / "metrics.json").read_text())
    systems = metrics["suites"]["template"]["systems"]
    assert list(systems) == ["majority", "rules", "logistic", "sft"]
    exact = systems["sft"]["alone"]["exact"]
    assert (exact["right"], exact["wrong"], exact["no_answer"]) == (19, 0, 1)
    assert exact["failures"] == ["case-23"]
    assert systems["sft"]["alone"]["schema_valid"]["right"] == 19
    assert metrics["perplexity"] == {
        "base": {"medical": 99.0, "general": 98.0},
        "sft": {"medical": 9.25, "general": 12.5},
    }
    rows = read_predictions(evals.folder / "predictions/template/sft.jsonl")
    assert [row.case_id for row in rows] == [f"case-{n}" for n in range(20, 40)]
    assert rows[3].alone is None and rows[3].reason and rows[3].error == ""
    printed = capsys.readouterr().out
    assert "PLUMBING" in printed and "95 %" in printed

    verdict = bench.judge(evals, CHECK)
    written = json.loads((verdict.folder / "gate.json").read_text())
    assert written["verdict"] == "hold" and written["weights"] == metrics["models"]["sft"]["weights"]
    assert verdict.metrics["verdict"] == "hold"
    assert "HOLD" in capsys.readouterr().out


def test_page_holds_banner_rows_pictures_and_escapes(bench: Bench) -> None:
    evals = bench.evaluate()
    before = (evals.folder / "report.html").read_text()
    assert PLUMBING in before and "Gate:" not in before
    page = (bench.judge(evals, CHECK).folder / "report.html").read_text()
    assert PLUMBING in page and "Gate: HOLD" in page
    for system in ("majority", "rules", "logistic"):
        assert SYSTEMS[system] in page
    assert "after reports (SFT)" in page
    assert page.count("data:image/svg+xml;base64,") == 3
    assert "9.25" in page and "made up for a test" in page
    assert SCRIPT not in page and "&lt;script&gt;" in page
    assert "http://" not in page and "https://" not in page


def test_a_real_candidate_carries_no_plumbing_banner(bench: Bench) -> None:
    page = (bench.evaluate(label="candidate").folder / "report.html").read_text()
    assert "PLUMBING" not in page


def test_second_run_asks_the_model_nothing_and_new_weights_ask_again(bench: Bench) -> None:
    bench.evaluate()
    assert bench.asked == 20
    first = (bench.root / "07-evals/metrics.json").read_text()
    bench.evaluate()
    assert bench.asked == 20 and (bench.root / "07-evals/metrics.json").read_text() == first
    bench.sft.start()
    weights = bench.sft.folder / "model.safetensors"
    weights.write_text("trained longer")
    bench.sft.finish([weights], {})
    bench.evaluate()
    assert bench.asked == 40


def test_sample_is_stable_and_a_missing_suite_is_said(bench: Bench) -> None:
    run = bench.evaluate(max_cases=8, suites=["template", "ktas"])
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["skipped"] == ["ktas"] and metrics["suites"]["template"]["cases"] == 8
    first = [row.case_id for row in read_predictions(run.folder / "predictions/template/sft.jsonl")]
    again = bench.evaluate(max_cases=8, suites=["template"])
    assert [r.case_id for r in read_predictions(again.folder / "predictions/template/sft.jsonl")] == first


def test_no_suite_at_all_is_an_error(bench: Bench) -> None:
    with pytest.raises(RunError, match="none of the suites"):
        bench.evaluate(suites=["ktas"])


def test_tasks_leave_figures_evidence_and_a_picture(bench: Bench) -> None:
    """A model that writes no report but says a level: nothing to compare on the suite, all to judge in tasks."""
    bench.answer = lambda messages: '{"acuity": "high"}'  # type: ignore[method-assign]
    run = bench.evaluate(tasks=["bias", "stability"])
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["tasks"]["bias"]["systems"]["sft"]["bias_flips"]["value"] == 0
    assert len(metrics["tasks"]["stability"]["points"]["sft"]["confidence"]) == 30
    items = [json.loads(line) for line in (run.folder / "tasks/bias/sft.jsonl").read_text().splitlines()]
    assert {item["metric"] for item in items} >= {"bias_flips", "bias_attributes", "bias_worst_group"}
    page = (run.folder / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 4 and "30 cases, each told in several wordings" in page
    check = Check(say="No swap lowers.", suite="bias", metric="bias_lowered", view="alone", at_most=0.01)
    verdict = json.loads((bench.judge(run, check).folder / "gate.json").read_text())
    assert verdict["verdict"] == "promote"


def test_without_canaries_memorisation_is_not_measured_and_holds(bench: Bench) -> None:
    """The whole way from an evaluation to the gate; page and figures say which key to set."""
    evals = bench.evaluate(tasks=["memorisation"])
    metrics = json.loads((evals.folder / "metrics.json").read_text())
    (why,) = metrics["tasks"]["memorisation"]["skipped"]
    assert "num_canaries" in why and metrics["tasks"]["memorisation"]["systems"] == {"sft": {}}
    page = (evals.folder / "report.html").read_text()
    assert "num_canaries" in page and "None of 0 items" not in page
    check = Check(say="Secrets stay.", suite="memorisation", metric="memorisation_extracted", at_most=0.05)
    verdict = json.loads((bench.judge(evals, check).folder / "gate.json").read_text())
    assert verdict["verdict"] == "hold" and verdict["checks"][0]["outcome"] == "not measured"
