"""What an import would make of a folder or a table, for a person to see before anything is written.

What this shows is patients' data, for the terminal of whoever may see it and nowhere else. Knows no terminal.
"""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from prescreen.records.columns import TableMapping
from prescreen.records.folder import Plan, Unit, count_contacts
from prescreen.records.record import Record, Reject
from prescreen.records.tables import guess_file, preview
from prescreen.run import write_atomic

ROWS = 10


class Seen(NamedTuple):
    """One table by its guessed mapping: why each column was taken, which were not, and its first rows."""

    unit: Unit
    mapping: TableMapping
    why: dict[str, str]
    unused: tuple[str, ...]
    rows: list[dict[str, str]]


def list_units(plan: Plan) -> list[tuple[str, str, str]]:
    """Kind, name and about how many contacts of everything that would be read; what would not, last."""
    read = [(unit.kind, unit.name, f"about {count_contacts(unit):,}") for unit in plan.units]
    return [*read, *(("not read", name, "") for name in plan.unread)]


def look_at(unit: Unit) -> Seen:
    """A table's guessed mapping and its first rows as they would be read."""
    path = str(unit.files[0])
    guess = guess_file(path)
    rows = [show_item(item) for item in preview(path, guess.mapping, ROWS)]
    return Seen(unit, guess.mapping, guess.why, guess.unused, rows)


def show_item(item: Record | Reject) -> dict[str, str]:
    """What a record says, by field, empty ones left out."""
    if isinstance(item, Reject):
        return {"rejected": item.reason}
    found: dict[str, Any] = {"patient": item.patient}
    found |= item.model_dump(include=set(SHOWN), exclude_none=True)
    found |= {name: value for name, value in item.outcome if value}
    known = {name: value for name, value in item.identifiers if value}
    found |= item.vitals.measured | {f"known {name}": value for name, value in known.items()}
    return {name: _as_text(value) for name, value in found.items() if value not in ("", (), [])}


SHOWN = ("when", "age_years", "sex", "complaint", "history_text", "conditions", "medications", "allergies")


def _as_text(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def write_mapping(mapping: TableMapping, path: Path) -> None:
    """The mapping as a file for a person to correct."""
    said = mapping.model_dump(mode="json", exclude_defaults=True)
    write_atomic(path, "# Our field: the clinic's column. docs/records.md says what each field means.\n"
                 + yaml.safe_dump(said, sort_keys=False, allow_unicode=True))  # fmt: skip
