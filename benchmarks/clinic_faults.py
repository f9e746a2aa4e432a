"""kill -9 at a clinic at work: service, database and FHIR server, alone and in every combination, at drawn moments.

PYTHONPATH=src:tests python benchmarks/clinic_faults.py [--visits 500] [--seed 1] [--only sqlite+fhir:app]
    [--crowd 5] [--nurses 2] [--rest 0.5 5]

Scripted patients and nurses work over HTTP at the real service, killed over and over until the last is signed.
Then everything they were told is looked for: in the store, in the record, in the drop folder. `lost`, `doubled` and
`stuck` must be 0 in every row and the audit log whole.
"""

import argparse
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any

from record import RESULTS, write_record

from service.clinic import Clinic

SETUPS = {
    "sqlite+embedded": ("app",),
    "sqlite+fhir": ("app", "fhir"),
    "postgresql+embedded": ("app", "database"),
    "postgresql+fhir": ("app", "database", "fhir"),
}
HEAD = ("setup", "killed", "visits", "kills", "acknowledged", "lost", "doubled", "stuck", "lowered", "audit", "s")


def list_rows(only: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every setup with every combination of what can be killed in it."""
    rows = [
        (setup, kill)
        for setup, parts in SETUPS.items()
        for count in range(1, len(parts) + 1)
        for kill in combinations(parts, count)
    ]
    return [row for row in rows if f"{row[0]}:{'+'.join(row[1])}".startswith(only)]


def run_row(setup: str, kill: tuple[str, ...], seed: int, told: argparse.Namespace) -> dict[str, Any]:
    """One day of one combination."""
    database, record = setup.split("+")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clinic-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # the database server is another user
        clinic = Clinic(Path(name) / "clinic", database, record, seed=seed)  # type: ignore[arg-type]
        try:
            clinic.open()
            ledger, kills = clinic.work(told.visits, kill, tuple(told.rest), crowd=told.crowd, nurses=told.nurses)
            again = clinic.settle(ledger)
            found = clinic.reckon(ledger)
        finally:
            clinic.close()
    return {
        "setup": setup,
        "killed": "+".join(kill),
        "visits": told.visits,
        "kills": kills,
        "acknowledged": ledger.acknowledged,
        "answers": found.counts["answers"],
        "lost": len(found.lost),
        "doubled": len(found.doubled),
        "stuck": len(found.stuck) + sum("gave up" in told or "at work" in told for told in ledger.wrong),
        "lowered": len(found.lowered),
        "broken": found.broken,
        "audit": "whole" if found.whole else found.audit,
        "audit_lines": found.lines,
        "anchored": found.anchored,
        "sent_again_by_hand": again,
        "pages": dict(sorted(ledger.statuses.items())),
        "people": dict(ledger.counts),
        "found": dict(found.counts),
        "faults": [*found.faults, *ledger.wrong][:50],
        "s": round(time.monotonic() - begun),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="kill -9 at a clinic at work")
    parser.add_argument("--visits", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crowd", type=int, default=5, help="patients at once")
    parser.add_argument("--nurses", type=int, choices=range(1, 7), default=2)
    parser.add_argument("--rest", type=float, nargs=2, default=(0.5, 5.0), help="seconds between two kills")
    parser.add_argument("--name", default="clinic-faults", help="of the results file")
    parser.add_argument("--only", default="", help="rows whose SETUP:KILLED begins so")
    told = parser.parse_args()
    rows = []
    print(" | ".join(HEAD), flush=True)
    for number, (setup, kill) in enumerate(list_rows(told.only)):
        row = run_row(setup, kill, told.seed + number, told)
        rows.append(row)
        print(" | ".join(str(row[name]) for name in HEAD), flush=True)
        for fault in row["faults"]:
            print(f"    {fault}", flush=True)
        setting = {"seed": told.seed, "rest_s": told.rest, "crowd": told.crowd, "nurses": told.nurses}
        write_record(told.name, ("fastapi", "uvicorn", "sqlalchemy", "psycopg"), **setting, rows=rows)
    visits, kills = (sum(row[name] for row in rows) for name in ("visits", "kills"))
    print(f"written to {RESULTS.name}/; {visits} visits, {kills} kills")


if __name__ == "__main__":
    main()
