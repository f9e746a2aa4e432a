"""Training speed beside the peers': the same documents, weights and trainable tensors, one process per job.

    python benchmarks/training.py                     # every contender, a table, a file under benchmarks/results/
    python benchmarks/training.py --train experts     # adapt the experts too; `full` trains every weight

Before anything is timed, losses and gradients of every contender must equal a plain one-document-at-a-time pass in
fp32. TRL gets the best of several batch sizes and expert implementations, found on a part of the same documents;
its packing leaks for gpt-oss and takes no part. Useful tokens are those of the documents: padding does not count,
and a beginning that documents share counts for each. Jobs of a round follow each other directly, rounds repeat, and
ratios are taken inside a round, because a shared machine's speed drifts.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from contenders import CONTENDERS, check_equal, draw_documents, load
from record import write_record

TRL_CHOICES = [(batch, experts) for batch in (1, 4, 8) for experts in ("eager", "grouped_mm", "batched_mm")]


# --- one job, in its own process --------------------------------------------------------------------


def run_job(job: dict[str, Any]) -> None:
    """Train one epoch and print seconds, CPU seconds and peak memory as the last line."""
    folder = Path(job["folder"])
    units = draw_documents(job["documents"], job["count"], folder)
    begun = load(job["train"])
    with tempfile.TemporaryDirectory() as scratch:
        begin, cpu = time.perf_counter(), time.process_time()
        CONTENDERS[job["contender"]](job["task"], begun, units, Path(scratch), job["setting"])
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    tokens = sum(len(document.ids) for unit in units for document in unit)
    status = Path("/proc/self/status").read_text()  # ru_maxrss would begin with what the starting process had
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "tokens": tokens, "units": len(units)}))


def start_job(**job: Any) -> dict[str, Any]:
    """The same in a fresh process, so that peaks and warm caches are its own."""
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{job}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


# --- the comparison ---------------------------------------------------------------------------------


def find_best(task: str, documents: str, train: str, folder: Path) -> dict[str, Any]:
    """TRL's fastest setting on the first 24 documents."""
    tried = []
    for batch, experts in TRL_CHOICES:
        setting = {"batch": batch, "experts": experts}
        job = {"contender": "trl", "task": task, "documents": documents, "count": 24, "train": train}
        found = start_job(**job, setting=setting, folder=str(folder))
        tried.append({**setting, "tokens_per_s": found["tokens"] / found["seconds"]})
        print(f"  trl {setting}: {tried[-1]['tokens_per_s']:.0f} tokens/s", flush=True)
    best = max(tried, key=lambda one: one["tokens_per_s"])
    return {"setting": {key: best[key] for key in ("batch", "experts")}, "tried": tried}


def compare(task: str, documents: str, count: int, train: str, rounds: int, folder: Path) -> dict[str, Any]:
    """All contenders on one kind of documents, `rounds` times over."""
    print(f"{task} on {documents}, training {train}", flush=True)
    best = find_best(task, documents, train, folder)
    settings: dict[str, dict[str, Any]] = {"ours": {}, "trl": best["setting"]}
    if documents == "dialogues":  # padded to the longest of all, anything else would take it for ever
        settings["plain"] = {}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in settings}
    for _ in range(rounds):
        for name, setting in settings.items():
            job = {"contender": name, "task": task, "documents": documents, "count": count, "train": train}
            found[name].append(start_job(**job, setting=setting, folder=str(folder)))
            one = found[name][-1]
            speed = one["tokens"] / one["seconds"]
            print(f"  {name}: {speed:.0f} tokens/s, {one['peak'] / 2**30:.2f} GiB", flush=True)
    against = {
        name: {
            key: median(theirs[key] / ours[key] for ours, theirs in zip(found["ours"], runs, strict=True))
            for key in ("seconds", "cpu", "peak")
        }
        for name, runs in found.items()
        if name != "ours"
    }
    return {
        "task": task, "documents": documents, "train": train, "trl": best, "jobs": found, "ours_against": against,
    }  # fmt: skip


def print_table(results: list[dict[str, Any]]) -> None:
    """Useful tokens (pairs for DPO) a second, peak memory, and how many times faster ours is."""
    print("| task | documents | contender | tokens/s | pairs/s | peak GiB | ours: times faster | by CPU time |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for result in results:
        for name, jobs in result["jobs"].items():
            one = sorted(jobs, key=lambda job: job["seconds"])[len(jobs) // 2]
            pairs = f"{one['units'] / one['seconds']:.2f}" if result["task"] == "dpo" else ""
            ratio = result["ours_against"].get(name)
            faster = f"{ratio['seconds']:.2f} | {ratio['cpu']:.2f}" if ratio else "1 | 1"
            speed = f"{one['tokens'] / one['seconds']:.0f} | {pairs} | {one['peak'] / 2**30:.2f}"
            print(f"| {result['task']} | {result['documents']} | {name} | {speed} | {faster} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--train", default="attention", choices=["attention", "experts", "full"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=192)
    parser.add_argument("--only", choices=["dialogues", "random", "pairs"])
    chosen = parser.parse_args()
    if chosen.job:
        run_job(json.loads(chosen.job))
        return
    kinds = [("sft", "dialogues"), ("sft", "random"), ("dpo", "pairs")]
    with tempfile.TemporaryDirectory() as folder:
        difference = check_equal(chosen.train, draw_documents("dialogues", 6, Path(folder)), Path(folder))
        print(f"losses and gradients equal a plain pass within {difference:.1e}", flush=True)
        results = [
            compare(task, kind, chosen.count if task == "sft" else chosen.count // 3, chosen.train, chosen.rounds,
                    Path(folder))
            for task, kind in kinds
            if chosen.only in (None, kind)
        ]  # fmt: skip
    packages = ("torch", "transformers", "trl", "peft")
    path = write_record(f"training-cpu-{chosen.train}", packages, equal_within=difference, results=results)
    print_table(results)
    print(f"written: {path}")


if __name__ == "__main__":
    main()
