"""What stands at the end of a folder run."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from prescreen.config import digest
from prescreen.errors import WeightsError
from prescreen.pipeline import Outcome
from prescreen.run import Run, hash_file
from prescreen.summary import draft_sample, find_model, print_summary
from small_stages import MakeRecipe


def finished(folder: Path, stage: str, output: str = "model.bin") -> Run:
    run = Run(folder, MakeRecipe(stage=stage))
    run.start()
    (folder / output).write_text("x")
    run.finish([folder / output], {})
    return run


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.json"
    path.write_text(json.dumps({"history": "None.", "symptoms": "Chest pain."}))
    return path


def remember(sample: Path, model: Run, summary: str) -> None:
    key = digest([hash_file(sample), model.manifest["fingerprint"], model.manifest["outputs"]])
    kept = model.folder.parent / "sample-report.json"
    kept.write_text(json.dumps({"key": key, "report": {"summary": summary}}))


def test_last_trained_model_drafts(tmp_path: Path) -> None:
    runs = [finished(tmp_path / str(i), stage) for i, stage in enumerate(("data", "sft", "dpo", "evals", "gate"))]
    assert find_model(runs) is runs[2]
    assert find_model(runs[:1]) is None


def test_unchanged_sample_is_not_drafted_again(tmp_path: Path, sample: Path) -> None:
    model = finished(tmp_path / "06-dpo", "dpo")
    remember(sample, model, "kept")
    assert draft_sample(sample, model) == {"summary": "kept"}
    sample.write_text(json.dumps({"history": "None.", "symptoms": "A cough."}))
    with pytest.raises(WeightsError):  # it went for the model, and there is none in this folder
        draft_sample(sample, model)


def test_summary_ends_with_the_draft_and_the_last_page(tmp_path: Path, sample: Path) -> None:
    model = finished(tmp_path / "06-dpo", "dpo")
    page = finished(tmp_path / "08-page", "make", "report.html")
    remember(sample, model, "chest pain since noon")
    console = Console(file=io.StringIO(), width=200)
    print_summary([Outcome(model, False, 1.0), Outcome(page, True, 0.0)], sample, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "a draft for a nurse" in text
    assert text.index("chest pain since noon") < text.index(f"read on: {page.folder / 'report.html'}")
