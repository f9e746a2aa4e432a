"""What an import may have left: recall, anonymity, the page and the sheet for the audit, put beside its rows.

Knows which figures belong to an import and where they go; measures nothing itself.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from prescreen.custody import REAL, REJECTS
from prescreen.records.anonymity import measure_anonymity
from prescreen.records.audit import write_sheet
from prescreen.records.blindfold import draw_records, measure_blindfold
from prescreen.records.deid.taggers import load_detectors
from prescreen.records.planted import measure_planted
from prescreen.records.record import Record
from prescreen.records.risk_page import Risk, group_reasons, save_risk, write_risk_page
from prescreen.records.rows import Terms
from prescreen.run import read_jsonl

REFUSED = re.compile(r"refused:|not de-identified:")


def report_residue(
    folder: Path,
    terms: Terms,
    counts: Mapping[str, int],
    records: Iterable[Record],
    measured: int,
    seed: int,
) -> Path:
    """Write figures and page, and of real records the sheet; `measured` records or plantings a class, 0: none."""
    detectors = load_detectors(terms.detectors)
    sample = draw_records(records, 2 * measured, seed) if measured else []
    reasons = [line["reason"] for line in read_jsonl(folder / REJECTS)]
    refused = group_reasons(reason for reason in reasons if REFUSED.match(reason))
    risk = Risk(
        mode=terms.mode,
        licence=terms.licence,
        records=counts.get("cases", 0) + len(reasons),
        cases=counts.get("cases", 0),
        unread=len(reasons) - sum(refused.values()),
        refused=refused,
        taken={name.removeprefix("taken out: "): n for name, n in counts.items() if name.startswith("taken out: ")},
        blindfold=measure_blindfold(sample, detectors, most=2 * measured, seed=seed) if sample else None,
        planted=measure_planted(sample, detectors, per_class=measured, seed=seed) if sample else None,
        detectors=tuple(detector.name for detector in detectors),
        anonymity=measure_anonymity(folder) if counts.get("cases") else None,
    )
    figures = save_risk(folder, risk)
    if terms.licence == REAL and counts.get("cases"):
        write_sheet(folder)
    write_risk_page(folder)
    return figures
