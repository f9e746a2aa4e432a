"""Everything a build starts from, sorted into parts: synthetic cases, public sources, the clinic's files.

Knows which part a record belongs to. Knows nothing about duplicates, rows or files to write.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prescreen.clinic.case import Case
from prescreen.data import ktas, sources
from prescreen.data.clauses import draft_entry
from prescreen.data.clinic_file import ClinicFile, collect_clinic_files
from prescreen.data.records import Part, Reject, Row, Text, check_licence
from prescreen.data.split import assign_part, hash_share

log = logging.getLogger(__name__)
TEXT_SHARES: dict[Part, float] = {"train": 0.94, "valid": 0.03, "test": 0.03}
TEST_ONLY = {"primock57": "primock"}
SUITES = {"ktas_ed": "ktas"}  # a source's test part becomes the suite of this name; the clinic's is `clinic`


@dataclass(frozen=True)
class Gathered:
    """Records by part. Cases are kept under train, valid or the name of their test suite."""

    cases: dict[str, list[Case]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[Part, list[Row]] = field(default_factory=lambda: defaultdict(list))
    texts: dict[Part, list[Text]] = field(default_factory=lambda: defaultdict(list))
    rejects: list[Reject] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def suites(self) -> dict[str, list[Case]]:
        """The test suites alone."""
        return {name: cases for name, cases in self.cases.items() if name not in ("train", "valid")}


def gather_sources(found: Gathered, names: Sequence[str], data_root: Path | None, max_words: int) -> None:
    """Add every public source that is there; one that is not is named in `skipped`."""
    if data_root is None and names:
        found.skipped.append(f"{', '.join(names)} skipped: the recipe names no data_root")
        return
    for name in names:
        files = sources.find_files(name, data_root)
        if isinstance(files, sources.Skipped):
            found.skipped.append(files.reason)
            log.warning(files.reason)
            continue
        assert data_root is not None
        for item in sources.read_source(name, data_root):
            _add(found, item, max_words)
    balance_answers(found)


def gather_clinic(found: Gathered, files: Sequence[ClinicFile]) -> None:
    """Add the clinic's own files, split by patient."""
    for item in collect_clinic_files(files):
        if isinstance(item, Reject):
            found.rejects.append(item)
            continue
        place_clinic(found, item)


def place_clinic(found: Gathered, case: Case) -> None:
    """Add one of the clinic's cases to its patient's part, with a draft where it has a level alone."""
    check_licence(case.licence, case.source, case.id)
    if case.label is not None and case.label.draft is None:
        draft = draft_entry(case, "", case.label.acuity)
        case = case.model_copy(update={"label": case.label.model_copy(update={"draft": draft})})
    part = assign_part(case.patient_id)
    found.cases["clinic" if part == "test" else part].append(case)


def _add(found: Gathered, item: sources.Item, max_words: int) -> None:
    if isinstance(item, Reject):
        found.rejects.append(item)
        return
    check_licence(item.licence, item.source, item.id)
    if isinstance(item, Case):
        found.cases[_place_case(item)].append(item)
    elif isinstance(item, Text):
        # pieces of one chapter stay together: the last dash numbers them
        found.texts[assign_part(item.id.rpartition("-")[0], TEXT_SHARES)].append(item)
    elif (words := len(f"{item.read} {item.learned}".split())) > max_words:
        reason = f"longer than max_row_words = {max_words}"
        found.rejects.append(Reject(item.source, item.id, reason, f"{words} words"))
    else:
        part = item.part or assign_part(item.patient_id, {"train": 0.9, "valid": 0.1})
        found.rows[part].append(item)


def _place_case(case: Case) -> str:
    if case.source in TEST_ONLY:
        return TEST_ONLY[case.source]
    part = ktas.ktas_part(case.id) if case.source == "ktas_ed" else assign_part(case.patient_id)
    return SUITES[case.source] if part == "test" else part


def limit_rows(found: Gathered, most: int) -> None:
    """At most `most` real training rows of one task, drawn by hash; refusals and letters stay equal in number."""
    kept: list[Row] = []
    seen: Counter[str] = Counter()
    sides = {"med_safety_bench": 2, "meqsum": 2}
    for row in sorted(found.rows["train"], key=lambda row: hash_share("limit", row.id)):
        group = row.source if row.source in sides else row.task
        seen[group] += sides.get(row.source, 1)
        if seen[group] <= most:
            kept.append(row)
        else:
            found.rejects.append(Reject(row.source, row.id, f"more than num_real_rows = {most} of this task"))
    found.rows["train"] = kept


def balance_answers(found: Gathered) -> None:
    """As many benign letters as refusals in each part, drawn by hash; the surplus is set aside."""
    for part, rows in found.rows.items():
        answers: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if row.task == "answer":
                answers[row.source].append(row)
        refusals, letters = answers["med_safety_bench"], answers["meqsum"]
        keep = min(len(refusals), len(letters)) if refusals and letters else len(letters)
        surplus = {
            row.id
            for group in ((refusals, letters) if letters else (refusals,))
            for row in sorted(group, key=lambda row: hash_share("balance", row.id))[keep:]
        }
        found.rows[part] = [row for row in rows if row.id not in surplus]
        found.rejects.extend(
            Reject(row.source, row.id, "surplus: refusals and benign letters are kept equal in number")
            for row in rows
            if row.id in surplus
        )
