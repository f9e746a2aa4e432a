"""A clinic's own labelled file as cases: the request's entry, the case schema, or KTAS-style columns.

Column names are the clinic's: five lines of mapping at most. `read_clinic_file` stops at the first fault, for
one who waits at the keyboard; `collect_clinic_files` sets faulty records aside with reasons, for a build.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from prescreen.clinic.acuity import Acuity, Level, read_level
from prescreen.clinic.case import Case, Label, Vitals
from prescreen.clinic.report import SeedEntry
from prescreen.config import Strict, parse_recipe, read_yaml
from prescreen.data.clauses import draft_entry
from prescreen.data.ktas import read_record
from prescreen.data.records import Reject
from prescreen.data.tabular import Entry, Numbered, read_table
from prescreen.errors import InputError
from prescreen.run import write_json, write_lines

SEXES = {"f": "female", "female": "female", "woman": "female", "m": "male", "male": "male", "man": "male"}
VITALS = tuple(Vitals.model_fields)
KTAS_COLUMNS = ("Chief_complain", "KTAS_expert")


class Columns(Strict):
    """What the clinic calls each field."""

    history: str = Field("history", description="column of the medical history")
    symptoms: str = Field("symptoms", description="column of the complaint; a record without one is rejected")
    diagnosis_report: str = Field("diagnosis_report", description="column of the clinician's own report")
    triage_priority: str = Field("triage_priority", description="column of the priority that was given")
    patient_id: str = Field("patient_id", description="column that tells patients apart; splits go by it")
    age: str = Field("age", description="column of the age in years")
    sex: str = Field("sex", description="column of the sex")
    vitals: dict[str, str] = Field({}, description="measurement of a case -> its column, e.g. spo2: SaO2")
    scale: str | None = Field(None, description="scale of acuity.yaml; none: found from the labels")


SEED_COLUMNS = Columns()


class ClinicFile(Strict):
    """One file of a recipe: where it is, what its columns are called, and the basis on which it is used."""

    path: Path = Field(description="JSON, JSONL or CSV file")
    licence: str = Field(description="on what basis its records may be used; without one the build fails")
    columns: Columns | Path = Field(Columns(), description="the mapping below, or a YAML file that holds it")


def read_columns(columns: Columns | Path) -> Columns:
    """A mapping given inline, or read from its YAML file."""
    if isinstance(columns, Columns):
        return columns
    return parse_recipe(Columns, read_yaml(columns), columns)  # type: ignore[type-var]


def read_clinic_file(
    path: Path, columns: Columns | Path = SEED_COLUMNS, *, licence: str = "clinic", gold: bool = True
) -> list[Case]:
    """All cases of a file; the first faulty record raises. `gold=False` also takes unlabelled records."""
    cases = []
    for item in _read_cases(path, read_columns(columns), licence, gold):
        if isinstance(item, InputError):
            raise item
        cases.append(item)
    return cases


def collect_clinic_files(files: Sequence[ClinicFile]) -> Iterator[Case | Reject]:
    """Cases of all files, faulty records as rejects. One patient in two files raises: a person must decide."""
    homes: dict[str, Path] = {}
    for file in files:
        good, first = 0, ""
        for item in _read_cases(file.path, read_columns(file.columns), file.licence, gold=True):
            if isinstance(item, InputError):
                first = first or str(item)
                yield Reject(f"clinic:{file.path.name}", str(file.path), str(item))
                continue
            if homes.setdefault(item.patient_id, file.path) != file.path:
                raise InputError(
                    f"patient {item.patient_id!r} also stands in {homes[item.patient_id]}; "
                    "keep each patient in one file",
                    file=file.path,
                )
            good += 1
            yield item
        if not good:
            raise InputError(f"not one usable record; the first fault: {first}", file=file.path)


def _read_cases(path: Path, columns: Columns, licence: str, gold: bool) -> Iterator[Case | InputError]:
    entries = list(read_table(path))
    scale = columns.scale or _find_scale(entries, columns)
    for entry in entries:
        if isinstance(entry, InputError):
            yield entry
            continue
        try:
            yield _read_case(path, entry, columns, scale, licence, gold)
        except InputError as error:
            yield (
                error if str(error).startswith(str(path)) else InputError(str(error), file=path, line=entry.line)
            )


def _find_scale(entries: Sequence[Entry], columns: Columns) -> str:
    """The request's three tags, unless the file itself says `emergency`: then our four levels."""
    said = {str(e.values.get(columns.triage_priority, "")).lower() for e in entries if isinstance(e, Numbered)}
    return "acuity" if any("emergency" in label for label in said) else "seed"


def _read_case(path: Path, entry: Numbered, columns: Columns, scale: str, licence: str, gold: bool) -> Case:
    if "schema_version" in entry.values or {"id", "complaint", "source"} <= entry.values.keys():
        return _common_case(entry, gold)
    record = {str(name): _as_text(value) for name, value in entry.values.items()}
    if all(name in record for name in KTAS_COLUMNS):
        name = record.get("case_id") or f"{path.stem}-{entry.line}"
        if sum(letter.isalpha() for letter in record["Chief_complain"]) < 2:
            raise InputError("empty complaint; fill it in or remove the record")
        return read_record({**record, "case_id": name}, f"clinic:{path.name}", licence)
    return _mapped_case(path, entry.line, record, columns, scale, licence, gold)


def _common_case(entry: Numbered, gold: bool) -> Case:
    try:
        case = Case.model_validate_json(json.dumps(entry.values))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"not a case ({'.'.join(map(str, first['loc']))}: {first['msg']}); mend the field"
        ) from None
    if not case.complaint.strip():
        raise InputError("empty complaint; fill it in or remove the record")
    if gold and case.label is None:
        raise InputError("no label; add label.acuity and label.accepted")
    return case


def _mapped_case(
    path: Path, line: int, record: Mapping[str, str], columns: Columns, scale: str, licence: str, gold: bool
) -> Case:
    needed = [columns.history, columns.symptoms, *([columns.triage_priority] if gold else [])]
    for name in needed:
        if name not in record:
            raise InputError(f"no column {name!r}; found {', '.join(record)}; name yours in the column mapping")
    symptoms = record[columns.symptoms]
    if not symptoms.strip():
        raise InputError(f"empty {columns.symptoms!r}; fill it in or remove the record")
    name = f"{path.stem}-{line}"
    case = Case(
        id=name,
        patient_id=record.get(columns.patient_id, "").strip() or name,
        source=f"clinic:{path.name}",
        licence=licence,
        age_years=_number(record, columns.age, 0, 130),
        sex=_read_sex(record.get(columns.sex, "")),  # type: ignore[arg-type]
        history_text=record[columns.history],
        complaint=symptoms,
        vitals=_read_vitals(record, columns.vitals),
    )
    priority = record.get(columns.triage_priority, "").strip()
    if not priority and not gold:
        return case
    level = read_gold(priority, scale)
    report = record.get(columns.diagnosis_report, "")
    draft = draft_entry(case, report, level.acuity)
    origin = f"{path.name}, line {line}"
    label = Label(acuity=level.acuity, accepted=level.accepted, origin=origin, draft=draft)
    return case.model_copy(update={"label": label})


def read_gold(text: str, scale: str) -> Level:
    """A level, or an accepted range such as `high|emergency`, best level first."""
    levels = [read_level(part, scale) for part in text.split("|")]
    accepted = dict.fromkeys(a for level in levels for a in level.accepted)
    return Level(levels[0].acuity, tuple(level for level in Acuity if level in accepted))


def _read_sex(text: str) -> str | None:
    key = text.strip().lower()
    if key in ("", "unknown", "u"):
        return None
    return SEXES.get(key, "other")


def _read_vitals(record: Mapping[str, str], columns: Mapping[str, str]) -> Vitals:
    unknown = [name for name in columns if name not in VITALS]
    if unknown:
        raise InputError(f"unknown vital sign {unknown[0]!r} in the mapping; known: {', '.join(VITALS)}")
    values: dict[str, Any] = {n: _number(record, c, 0, 400) for n, c in columns.items() if n != "consciousness"}
    if said := record.get(columns.get("consciousness", ""), "").strip().lower():
        values["consciousness"] = said
    try:
        return Vitals.model_validate(values)
    except ValidationError:
        raise InputError("consciousness must be alert, confused, voice, pain or unresponsive") from None


def _number(record: Mapping[str, str], column: str, low: float, high: float) -> float | None:
    text = record.get(column, "").strip()
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise InputError(f"{column!r} holds {text[:40]!r} where a number belongs") from None
    if not low <= value <= high:
        raise InputError(f"{column!r} holds {text[:40]}, outside {low:g} to {high:g}")
    return value


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join(map(_as_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_seed_entries(path: Path) -> list[SeedEntry]:
    """The request's own entries, every value byte for byte."""
    entries = []
    for entry in read_table(path):
        if isinstance(entry, InputError):
            raise entry
        try:
            entries.append(SeedEntry.model_validate(entry.values))
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(
                f"not a seed entry ({first['loc'][0]}: {first['msg']})", file=path, line=entry.line
            ) from None
    return entries


def write_seed_entries(entries: Sequence[SeedEntry], path: Path) -> None:
    """Write entries back: .json as one list, anything else one object a line."""
    if path.suffix == ".json":
        write_json(path, [entry.model_dump() for entry in entries])
        return
    with write_lines(path) as handle:
        for entry in entries:
            handle.write(json.dumps(entry.model_dump(), ensure_ascii=False) + "\n")
