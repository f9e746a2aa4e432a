"""Public sets that tasks put questions from: where they lie below the data root, and a stable sample of each.

A root that is not named, or lacks a file, costs that set and says so in words. Knows files; the sets are never
copied into the project.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prescreen.config import digest
from prescreen.run import read_jsonl

FILES = {
    "pubmedqa": "pubmedqa/pqal_dev500.jsonl",
    "mediq": "mediq_imedqa/imedqa_dev.jsonl",
    "agentclinic": "agentclinic_medqa/dev.jsonl",
}
Row = dict[str, Any]


def public_files(root: Path | None) -> list[Path]:
    """The files that are there: what an evaluation depends on."""
    return [] if root is None else [root / name for name in FILES.values() if (root / name).exists()]


def read_public(name: str, root: Path | None) -> list[Row] | str:
    """All rows of a set, or why there are none."""
    if root is None:
        return f"{name} skipped: the recipe names no data_root"
    path = root / FILES[name]
    return list(read_jsonl(path)) if path.exists() else f"{name} skipped: no {path}"


def sample_rows(rows: Sequence[Row], number: int, seed: int) -> list[int]:
    """The positions of a sample that depends on the seed and the position alone."""
    return sorted(sorted(range(len(rows)), key=lambda i: digest([seed, i]))[:number])
