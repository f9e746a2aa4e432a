"""A clinic at work: the real service in one process, its patients and nurses as browsers in another.

PYTHONPATH=src python benchmarks/clinic_load.py [--patients 50] [--nurses 5] [--minutes 5] [--quick]
    [--parts load growth question] [--think 6] [--answer-s 0.3] [--profile FILE] [--no-record]

`load`: patients come, answer every page and leave, the next one takes the chair; nurses refresh, claim, read and
sign; afterwards the store is checked for what was lost. Think times: patients exponential with mean `--think`
(0: none, a stress); nurses read 20 to 30 s and refresh every 10 s. `growth`: pages of a queue of 10 to 1,000.
`question`: the tiny twin asks; what the patient waits from "next" to the page that follows the script's last one,
with a question of the model and, where it wrote none that may be asked, without.
Times are what a browser waits, in one asyncio process whose own lag and cost are told beside.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clinic_after import check_store, open_again, wait_until_done
from clinic_growth import measure_growth, print_growth
from clinic_people import Browser, Gone, Ledger, Pace, live_nurse, live_patients, sum_up, walk
from record import write_record

HERE = Path(__file__).parent
LIMIT_MS = 200.0
SETTING = ("patients", "nurses", "minutes", "think", "answer_s", "quick")
COLUMNS = ("n", "median_ms", "p95_ms", "p99_ms", "max_ms")
PACKAGES = ("prescreen", "fastapi", "starlette", "uvicorn", "sqlalchemy", "jinja2", "cryptography", "httpx2")


class Running(NamedTuple):
    """A service that answers."""

    base: str
    data: Path
    pid: int

    def cpu_s(self) -> float:
        """Seconds of processor the service has used, its model's processes not counted."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


@contextlib.contextmanager
def run_house(scratch: Path, *more: str) -> Iterator[Running]:
    """The service on a free port of this machine, ended by SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    order = [sys.executable, str(HERE / "clinic_house.py"), "--data", str(scratch), "--port", str(port), *more]
    process = subprocess.Popen(order, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        if not told.startswith("ready"):
            raise SystemExit("the service did not start")
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        print(f"  service {told.strip()}", flush=True)
        yield Running(f"http://127.0.0.1:{port}", scratch, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise SystemExit("the service did not end within 30 s") from None


async def watch_lag(lags: list[float]) -> None:
    """How late this process itself wakes up: that much of every time below may be ours."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.05)
        lags.append(time.perf_counter() - begun - 0.05)


async def open_clinic(base: str, told: argparse.Namespace, ledger: Ledger, lags: list[float]) -> None:
    until = time.monotonic() + told.minutes * 60
    read_s, refresh_s = ((1.0, 2.0), 2.0) if told.quick else ((20.0, 30.0), 10.0)
    pace = Pace(told.think, read_s, refresh_s, until)
    watcher = asyncio.create_task(watch_lag(lags))
    people = [
        *(live_patients(base, ledger, pace, 7000 + n, until) for n in range(told.patients)),
        *(live_nurse(base, ledger, pace, n, until) for n in range(told.nurses)),
    ]
    await asyncio.gather(*people)
    watcher.cancel()


def measure_load(told: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Everybody at work for the time told, then the store checked."""
    ledger, lags, before = Ledger(), [], os.getloadavg()
    undo = "5" if told.quick else "30"
    more = ["--nurses", str(told.nurses), "--answer-s", str(told.answer_s), "--undo-s", undo]
    more += ["--profile", str(told.profile.resolve())] if told.profile else []
    with run_house(scratch / "load", *more) as running:
        cpu, own, begun = running.cpu_s(), time.process_time(), time.monotonic()
        asyncio.run(open_clinic(running.base, told, ledger, lags))
        took, cpu, own = time.monotonic() - begun, running.cpu_s() - cpu, time.process_time() - own
        store = open_again(running.data)
        drained = wait_until_done(store, 90.0)
        after = check_store(store, ledger)
        store.close()
        rss = running.rss_mib()
    inside = read_log(scratch / "load" / "service.log")
    found = {
        "setting": {name: value for name, value in vars(told).items() if name in SETTING},
        "load_average": {"before": before, "after": os.getloadavg()},
        "requests": ledger.count(), "per_s": round(ledger.count() / took, 1), "took_s": round(took, 1),
        "errors": dict(ledger.errors), "conflicts": dict(ledger.conflicts),
        "routes": {name: sum_up(times) for name, times in sorted(ledger.times.items())},
        "all_requests": sum_up([t for times in ledger.times.values() for t in times]),
        "pages": sum_up(ledger.views), "pages_without_model": sum_up(ledger.plain_views),
        "pages_that_ask_the_model": sum_up(ledger.model_views),
        "inside_service_ms": inside,
        "cpu": {"service_s": round(cpu, 1), "service_ms_per_request": round(1000 * cpu / max(1, ledger.count()), 2),
                "service_cores": round(cpu / took, 2), "driver_s": round(own, 1),
                "driver_cores": round(own / took, 2), "driver_lag": sum_up(lags)},
        "rss_mib": rss, "drained_s": round(drained, 1), "after": after,
    }  # fmt: skip
    print_load(found)
    return found


def read_log(path: Path) -> dict[str, dict[str, float | int]]:
    """Milliseconds inside the service by route, from its own log."""
    times: dict[str, list[float]] = {}
    for line in path.read_text().splitlines():
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if "route" in told:
                times.setdefault(f"{told['method']} {told['route']}", []).append(told["ms"] / 1000)
    return {name: sum_up(found) for name, found in sorted(times.items())}


def print_load(found: dict[str, Any]) -> None:
    print(f"  {'route':32}" + "".join(f"{column:>11}" for column in COLUMNS))
    rows = {**found["routes"], "all requests": found["all_requests"], "pages (press to page)": found["pages"],
            "  of these, no model asked": found["pages_without_model"],
            "  of these, model asked": found["pages_that_ask_the_model"]}  # fmt: skip
    for name, row in rows.items():
        if row["n"]:
            print(f"  {name:32}" + "".join(f"{row[column]:>11}" for column in COLUMNS))
    for name in (
        "requests",
        "per_s",
        "errors",
        "conflicts",
        "cpu",
        "rss_mib",
        "drained_s",
        "load_average",
        "after",
    ):
        print(f"  {name}: {found[name]}")
    p95 = found["pages_without_model"].get("p95_ms", 0)
    good = not found["errors"] and not found["after"]["faults"] and p95 < LIMIT_MS
    print(f"  {'holds' if good else 'DOES NOT HOLD'}: 0 errors, nothing lost, p95 page {p95} < {LIMIT_MS:g} ms")


async def ask_questions(base: str, count: int) -> dict[str, Any]:
    """One patient after the other until the model's first question, or the read-back where none came."""
    ledger, asked, without = Ledger(), list[float](), list[float]()
    pace, chance = Pace(0.0), random.Random(5)
    for _ in range(count):
        first = FirstQuestion(base, ledger)
        with contextlib.suppress(Gone):
            await walk(first, ledger, pace, chance, plain=True)
        await first.close()
        if first.waited is not None:
            (asked if first.came else without).append(first.waited)
    return {
        "patients": count, "with_a_question": sum_up(asked), "without_one": sum_up(without),
        "either": sum_up([*asked, *without]), "errors": dict(ledger.errors),
    }  # fmt: skip


class FirstQuestion(Browser):
    """A browser that notes how long the page after the last of the script's questions took."""

    def __init__(self, base: str, ledger: Ledger) -> None:
        super().__init__(base, ledger)
        self.waited: float | None = None
        self.came = False

    async def go(
        self, name: str, path: str, form: dict[str, Any] | None = None, accept: Any = (), asks: bool = False
    ) -> str:
        begun = time.perf_counter()
        page = await super().go(name, path, form, accept, asks)
        if form is not None and form.get("step") == "measures" and self.waited is None:
            self.waited = time.perf_counter() - begun
            self.came = 'name="step" value="more-1"' in page
        return page


def measure_question(told: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    before = os.getloadavg()
    with run_house(scratch / "question", "--nurses", "0", "--model", told.model) as running:
        found = asyncio.run(ask_questions(running.base, 12 if told.quick else 60))
    found |= {"tally": json.loads((scratch / "question" / "tally.json").read_text())}
    found |= {"model": told.model, "load_average": {"before": before, "after": os.getloadavg()}}
    print(f"  {found}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=50)
    parser.add_argument("--nurses", type=int, default=5)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--think", type=float)
    parser.add_argument("--answer-s", type=float, default=0.3)
    parser.add_argument("--model", default="twin")
    parser.add_argument("--parts", nargs="+", choices=("load", "growth", "question"), default=None)
    parser.add_argument("--quick", action="store_true", help="half a minute, quick thinkers, small queues")
    parser.add_argument("--profile", type=Path, help="sample the service's threads into this file (slows it)")
    parser.add_argument("--no-record", action="store_true")
    told = parser.parse_args()
    told.minutes = told.minutes or (0.5 if told.quick else 5.0)
    told.think = (1.5 if told.quick else 6.0) if told.think is None else told.think
    scratch = Path(tempfile.mkdtemp(prefix="clinic-load-"))
    found: dict[str, Any] = {}
    try:
        for part in told.parts or ("load", "growth", "question"):
            print(f"{part}:", flush=True)
            if part == "load":
                found[part] = measure_load(told, scratch)
            elif part == "growth":
                with run_house(scratch / "growth", "--nurses", "1", "--answer-s", "-1") as running:
                    found[part] = measure_growth(running, (10, 100) if told.quick else (10, 100, 300, 1000))
                print_growth(found[part])
            else:
                found[part] = measure_question(told, scratch)
    finally:
        shutil.rmtree(scratch)
    if not told.no_record and not told.quick:
        print(write_record("clinic-load", PACKAGES, python=sys.version.split()[0], cores=os.cpu_count(), **found))


if __name__ == "__main__":
    main()
