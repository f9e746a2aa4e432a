"""Time to a patient's first question from a model in processes of its own: alone, and while drafts are written.

PYTHONPATH=src python benchmarks/first_question.py [--model twin] [--starts 5] [--questions 100] \\
    [--threads 1] [--processes 1 2]

Each start loads the model anew; the question right after a start is told apart. A question is counted only when it
is whole; what fails is told. Drafts are written for the same patients.
"""

import argparse
import os
import re
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from record import write_record

from prescreen.clinic.case import Case, Turn
from prescreen.evals.patient import read_ward
from prescreen.model.prompt import dialogue_messages
from prescreen.service.engine.engines import Demo, guard, open_engine
from prescreen.service.engine.guarding import GuardedEngine
from prescreen.service.engine.pool import Pool


def open_contacts() -> list[Case]:
    """The project's invented patients with their first words."""
    return [
        Case(
            id=sheet.id,
            patient_id=sheet.id,
            source="simulated patient",
            licence="Apache-2.0 (project)",
            complaint=sheet.opening,
            turns=(Turn(speaker="patient", text=sheet.opening),),
        )
        for sheet in read_ward().patients
    ]


def ask(guarded: GuardedEngine, case: Case) -> tuple[float, bool]:
    """Seconds, and whether a question came."""
    begun = time.monotonic()
    question = guarded.ask(dialogue_messages(case))
    return time.monotonic() - begun, question is not None


def sum_up(took: Sequence[tuple[float, bool]]) -> dict[str, float | int]:
    """Count, median, 95th percentile and longest of those answered, in seconds."""
    seconds = sorted(s for s, answered in took if answered)
    rank = max(0, -(-len(seconds) * 95 // 100) - 1)
    return {
        "asked": len(took),
        "answered": len(seconds),
        "median_s": round(statistics.median(seconds), 3),
        "p95_s": round(seconds[rank], 3),
        "longest_s": round(seconds[-1], 3),
    }


def ask_beside_drafts(guarded: GuardedEngine, cases: Sequence[Case], count: int) -> list[tuple[float, bool]]:
    """Questions while one draft after the other is written by the same process."""
    done = threading.Event()

    def write_drafts() -> None:
        number = 0
        while not done.is_set():
            guarded.draft(cases[number % len(cases)])
            number += 1

    writer = threading.Thread(target=write_drafts)
    writer.start()
    try:
        took = []
        for number in range(count):
            time.sleep(0.1)  # a patient reads and types; a draft gets its turn
            took.append(ask(guarded, cases[number % len(cases)]))
        return took
    finally:
        done.set()
        writer.join()


def peak(pid: int) -> int:
    """MiB of memory of a process at its peak."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def measure(settings: argparse.Namespace, processes: int) -> dict[str, Any]:
    """Everything with so many processes of the model."""
    cases, loads, first = open_contacts(), [], []
    for number in range(settings.starts):
        begun = time.monotonic()
        opened = open_engine(Demo(model=settings.model, threads=settings.threads, processes=processes), {})
        if opened.engine is None:
            raise SystemExit(opened.why)
        loads.append(round(time.monotonic() - begun, 2))
        guarded = guard(opened)
        first.append(ask(guarded, cases[number % len(cases)]))
        if number < settings.starts - 1:
            guarded.close()
    alone = [ask(guarded, cases[number % len(cases)]) for number in range(settings.questions)]
    drafts = [guarded.draft(case) for case in cases[:20]]
    beside = ask_beside_drafts(guarded, cases, settings.questions)
    assert isinstance(guarded.caller, Pool)
    peaks = [peak(host.pid) for host in guarded.caller.hosts if host.pid]
    counts = guarded.tally.snapshot()
    guarded.close()
    return {
        "processes": processes,
        "load_s": loads,
        "right_after_start": sum_up(first),
        "alone": sum_up(alone),
        "draft": sum_up([(d.seconds, d.model is not None) for d in drafts]),
        "beside_drafts": sum_up(beside),
        "counts": counts,
        "peak_mib": peaks,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="twin")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    settings = parser.parse_args()
    path = write_record(
        "first-question-cpu",
        ("prescreen", "torch", "transformers", "tokenizers", "llguidance"),
        model=settings.model,
        threads=settings.threads,
        load_before=[round(load, 1) for load in os.getloadavg()],
        measured=[measure(settings, processes) for processes in settings.processes],
    )
    print(path.read_text())


if __name__ == "__main__":
    main()
