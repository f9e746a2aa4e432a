"""Where a row, run, report or release comes from, and what came of a patient: the chain walked both ways.

Reads manifests, custody lines and the rows of data runs. Knows no model; names nobody: a patient is a code here.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from prescreen.clinic.audited import Audit, read_audit
from prescreen.custody import CUSTODY, Correction, Custody, read_custody
from prescreen.errors import InputError
from prescreen.pipeline import Stages, open_run
from prescreen.release import CURRENT, Release, list_kept
from prescreen.run import MANIFEST, Run, read_jsonl
from prescreen.summary import TRAINED

LEARNED_FROM = ("data", "feedback")  # stages whose rows something learns


SHORTEST = 12  # digits of a hash that tell weights apart


class Step(NamedTuple):
    """One link of a chain: how far from where it began, what it is, and what is known of it."""

    depth: int
    name: str
    facts: dict[str, str]


def trace_up(run: Run, depth: int = 0, seen: set[Path] | None = None) -> Iterator[Step]:
    """The run and everything it was made from, down to the files a clinic gave."""
    seen = set() if seen is None else seen
    if run.folder in seen:
        return
    seen.add(run.folder)
    yield Step(depth, run.name, describe(run))
    for parent in run.inputs.values():
        yield from trace_up(parent, depth + 1, seen)


def describe(run: Run) -> dict[str, str]:
    """What a run's manifest, custody and audit say, in few words."""
    manifest = run.manifest
    facts = {"stage": manifest["stage"], "finished": manifest["finished"], "fingerprint": manifest["fingerprint"]}
    if damage := run.damage():
        facts["CHANGED SINCE"] = ", ".join(damage)
    if (run.folder / CUSTODY).is_file():
        facts |= describe_custody(run.folder)
    if manifest["stage"] in LEARNED_FROM:
        facts["rows by source"] = _list_counts(count_sources(run))
    return facts


def describe_custody(folder: Path) -> dict[str, str]:
    """Rows by reader, de-identification and basis, and who signed for them."""
    lines = list(read_custody(folder))
    if any(isinstance(line, Correction) for line in lines):
        return describe_corrections([line for line in lines if isinstance(line, Correction)])
    audit = read_audit(folder)
    return {
        "rows": f"{len(lines):,} of {len({line.patient for line in lines}):,} patients",
        "readers": _list_counts(Counter(line.reader for line in lines)),
        "de-identified": _list_counts(Counter(f"{line.deid}, {line.mode}" for line in lines)),
        "right": _list_counts(Counter(f"{line.licence}: {line.basis}" for line in lines)),
        "audit": describe_audit(audit) if audit else "not signed",
    }


def describe_corrections(lines: Sequence[Correction]) -> dict[str, str]:
    """Signatures a batch was made of: by part, kind of edit, signer, and the model that had drafted."""
    return {
        "signatures": f"{len(lines):,} of {len({line.patient for line in lines}):,} patients",
        "parts": _list_counts(Counter(line.part for line in lines)),
        "edits": _list_counts(Counter(kind for line in lines for kind in line.kinds or ("none",))),
        "signers": _list_counts(Counter(line.signer for line in lines)),
        "drafted by": _list_counts(
            Counter(f"{line.model} {line.weights[:12]}".strip() or "rules" for line in lines)
        ),
        "right": _list_counts(Counter(f"{line.licence}: {line.basis}" for line in lines)),
    }


def describe_audit(audit: Audit) -> str:
    """Who signed, when, and with what result."""
    found = f"{audit.leaks} of {audit.sampled} cases read held an identifier"
    return f"{'passed' if audit.passed else 'FAILED'}, signed by {audit.signed_by} on {audit.date}: {found}"


def count_sources(run: Run) -> Counter[str]:
    """Training rows by source and licence."""
    return Counter(f"{row['source']} ({row['licence']})" for _, row in read_rows(run))


def read_rows(run: Run) -> Iterator[tuple[str, dict[str, str]]]:
    """Every row of a data run that something learns or is tested on, with the file it stands in."""
    for name in run.manifest["outputs"]:
        if name.endswith(".jsonl") and "/" in name:
            for row in read_jsonl(run.folder / name):
                yield name, row


def find_run(path: Path, stages: Stages) -> Run:
    """The run that a folder is, or that a file is an output of; of a release, the run of its model."""
    if path.is_file() and path.name == CURRENT:
        path = Path(Release.model_validate_json(path.read_text(encoding="utf-8")).model)
    for folder in (path, *path.resolve().parents):
        if (folder / MANIFEST).is_file():
            return open_run(folder, stages)
    raise InputError("is no run, no output of one and no release", file=path)


def find_served(weights: str, releases: Path, stages: Stages) -> Run | None:
    """The run of a release by its weights, whole or their first twelve digits, as a signed report names them."""
    if len(weights) < SHORTEST or set(weights) - set("0123456789abcdef"):
        return None
    for release in list_kept(releases).values():
        if release.weights.startswith(weights) and (Path(release.model) / MANIFEST).is_file():
            return open_run(Path(release.model), stages)
    return None


def list_runs(runs: Path, stages: Stages) -> list[Run]:
    """Every finished run below a folder."""
    return [open_run(path.parent, stages) for path in sorted(runs.rglob(MANIFEST))]


class Rows(NamedTuple):
    """Rows of one case or patient in one run, by the file they stand in."""

    run: Run
    files: Counter[str]
    custody: list[Custody]


def find_rows(wanted: str, runs: list[Run]) -> list[Rows]:
    """Where a row or case, or everything of a patient, stands: `wanted` is an id or a code."""
    found: list[Rows] = []
    for run in runs:
        custody: list[Custody] = []
        if (run.folder / CUSTODY).is_file():
            custody = [line for line in read_custody(run.folder) if wanted in (line.row, line.patient, line.source)]
        files: Counter[str] = Counter()
        if run.recipe.stage in LEARNED_FROM:
            cases = {line.row for other in found for line in other.custody} | {line.row for line in custody}
            files.update(name for name, row in read_rows(run) if belongs(row, wanted, cases))
        if custody or files:
            found.append(Rows(run, files, custody))
    return found


def belongs(row: dict[str, str], wanted: str, cases: set[str]) -> bool:
    """Whether a row is the wanted one, or was made of a wanted case or patient."""
    own = row.get("id", "")
    return bool({own, own.rpartition("-")[0], row.get("case_id"), row.get("patient_id")} & {wanted, *cases})


def trace_down(start: list[Run], runs: list[Run]) -> list[Run]:
    """Every run that was made from one of these, however far down: the adapters that saw their rows among them."""
    reached = {run.folder.resolve() for run in start}
    found: list[Run] = []
    grown = True
    while grown:
        new = [
            run
            for run in runs
            if run.folder.resolve() not in reached
            and any(parent.folder.resolve() in reached for parent in run.inputs.values())
        ]
        reached |= {run.folder.resolve() for run in new}
        found += new
        grown = bool(new)
    return found


def list_releases(releases: Path, models: list[Run]) -> list[str]:
    """Releases that serve one of these models."""
    folders = {str(run.folder.resolve()) for run in models}
    return [name for name, release in list_kept(releases).items() if release.model in folders]


def has_learned(run: Run) -> bool:
    """Whether a run's output is weights that saw rows."""
    return run.recipe.stage in (*TRAINED, "export")


def _list_counts(counts: Counter[str]) -> str:
    return "; ".join(f"{name} {count:,}" for name, count in counts.most_common()) or "none"
