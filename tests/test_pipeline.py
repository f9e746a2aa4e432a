"""The whole house, end to end on a CPU: `prescreen run recipes/tiny` in a fresh folder, twice."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run_tiny(runs: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prescreen.cli", "run", "recipes/tiny", "--runs", str(runs)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_tiny_pipeline_runs_then_skips(tmp_path: Path) -> None:
    names = sorted(path.stem for path in (ROOT / "recipes" / "tiny").glob("[0-9]*.yaml"))
    first = run_tiny(tmp_path)
    assert first.returncode == 0, first.stderr
    for name in names:
        assert (tmp_path / "tiny" / name / "manifest.json").exists()
    verdict = json.loads((tmp_path / "tiny" / names[-1] / "gate.json").read_text())
    assert verdict["verdict"] in ("promote", "hold")
    report = json.loads((tmp_path / "tiny" / "sample-report.json").read_text())["report"]
    assert report["acuity"] == "emergency"
    history = json.dumps(report["history"]).lower()
    for fact in ("hypertension", "type 2 diabetes", "no known allergies"):
        assert fact in history
    assert "read on:" in first.stdout

    begun = time.monotonic()
    second = run_tiny(tmp_path)
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("unchanged, skipped") == len(names)
    assert time.monotonic() - begun < 15
    assert "read on:" in second.stdout
