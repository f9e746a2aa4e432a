"""Imports generated Bulk Data exports: rows a second, peak memory from 10,000 to a million rows, kills survived.

PYTHONPATH=src:tests python benchmarks/importing.py --patients 1000 100000 [--processes 2] [--kills 5]

A row is one FHIR resource. Each import runs in a process of its own; peak memory is that of the process that reads
and writes, and of the largest worker beside it. With --kills the first size is imported once more, ended by SIGKILL
at random moments and taken up again, and must end with the same bytes.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from record import write_record

from prescreen.run import hash_file
from records.exports import PER_PATIENT, write_export

RECIPE = """stage: records
source: {source}
basis: an invented export
licence: Apache-2.0 (project)
vault: {vault}
processes: {processes}
"""
FILES = ("cases.jsonl", "outcomes.jsonl", "custody.jsonl", "rejects.jsonl")


def start(folder: Path, runs: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "prescreen.cli", "run", str(folder / "import"), "--runs", str(folder / runs)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def peak(pid: int) -> float:
    """MiB at its peak, of a process that still runs; 0 where it is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def measure(folder: Path, patients: int, processes: int) -> dict[str, Any]:
    """One import, from nothing."""
    write_export(folder / "export", patients)
    prepare(folder, processes)
    begun, own, worker = time.monotonic(), 0.0, 0.0
    process = start(folder, "runs")
    while process.poll() is None:
        own = max(own, peak(process.pid))
        worker = max([worker, *(peak(child) for child in children(process.pid))])
        time.sleep(0.05)
    seconds = time.monotonic() - begun
    if process.returncode:
        raise SystemExit(f"the import ended with {process.returncode}")
    metrics = json.loads((folder / "runs/import/01-records/manifest.json").read_text())["metrics"]
    rows = patients * PER_PATIENT
    return {
        "rows": rows,
        "megabytes": round(sum(f.stat().st_size for f in (folder / "export").iterdir()) / 1e6, 1),
        "contacts": metrics["cases"],
        "rejects": metrics.get("rejects", 0),
        "seconds": round(seconds, 1),
        "rows_per_s": round(rows / seconds),
        "peak_mib": round(own, 1),
        "worker_peak_mib": round(worker, 1),
    }


def prepare(folder: Path, processes: int) -> None:
    recipe = RECIPE.format(source=folder / "export", vault=folder / "vault", processes=processes)
    (folder / "import").mkdir()
    (folder / "import/01-records.yaml").write_text(recipe)


def kill(folder: Path, kills: int, seconds: float) -> dict[str, Any]:
    """The same import again, ended from outside at random moments."""
    rng = random.Random(7)
    landed = 0
    for _ in range(kills):
        process = start(folder, "killed")
        try:
            process.wait(rng.uniform(0.3, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            landed += 1
        process.wait()
    if start(folder, "killed").wait():
        raise SystemExit("the import could not be taken up again")
    run, again = (folder / name / "import/01-records" for name in ("runs", "killed"))
    return {"kills": landed, "same_bytes": [hash_file(run / f) == hash_file(again / f) for f in FILES]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    results: dict[str, Any] = {"processes": options.processes, "imports": []}
    for patients in options.patients:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            results["imports"].append(measure(folder, patients, options.processes))
            print(results["imports"][-1], flush=True)
            if options.kills and patients == options.patients[0]:
                results["killed"] = kill(folder, options.kills, results["imports"][-1]["seconds"])
                print(results["killed"], flush=True)
    print(write_record("importing", ("prescreen", "pydantic", "cryptography"), **results))


if __name__ == "__main__":
    main()
