"""What a nurse changed of a draft: a form laid over a report, and the difference in words. Knows no page.

Whatever a form does not hold stays as drafted; what it holds unchanged stays so to the letter.
"""

import difflib
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from pydantic import ValidationError

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.report import Consideration, Finding, HistoryReview, Report
from prescreen.errors import RefusedError
from prescreen.service.nurse.viewer import Posted

STATUSES: Final = ("present", "denied", "not asked")
LISTS: Final = {"next_steps": "Next steps", "open_questions": "Open questions"}
HISTORY: Final = {"conditions": "Conditions", "medications": "Medications", "allergies": "Allergies"}
_LONG: Final = 8_000
_WORD = re.compile(r"\s+|[^\s]+")


class Change(NamedTuple):
    """One changed field: its name, and its words as (same | gone | new, text)."""

    field: str
    pieces: list[tuple[str, str]]


def fields_of(report: Report) -> dict[str, str]:
    """A report as the fields of the form."""
    fields = {"summary": report.summary, "rationale": report.rationale}
    fields |= {name: _join(getattr(report, name)) for name in LISTS}
    fields |= {name: _join(getattr(report.history, name)) for name in HISTORY}
    for number, finding in enumerate(report.findings):
        fields[f"finding-{number}"] = finding.status
    for number, item in enumerate(report.differential):
        fields[f"condition-{number}"] = item.condition
        fields[f"supports-{number}"], fields[f"against-{number}"] = _join(item.supports), _join(item.against)
    return fields | {"finding-new": "", "condition-new": ""}


def apply_form(base: Report, form: Posted, level: Acuity) -> Report:
    """The report as the nurse leaves it; RefusedError names the field that cannot be kept."""
    try:
        return Report(
            **{
                **base.model_dump(),
                "acuity": level,
                "summary": _text(form, "summary", base.summary),
                "rationale": _text(form, "rationale", base.rationale),
                "history": HistoryReview(
                    **{name: _lines(form, name, getattr(base.history, name)) for name in HISTORY}
                ),
                "findings": _findings(form, base.findings),
                "differential": _differential(form, base.differential),
                **{name: _lines(form, name, getattr(base, name)) for name in LISTS},
            }
        )
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0]).replace("_", " ")
        raise RefusedError(f"{field}: too long or too many lines; shorten it and sign again") from None


def list_changes(before: Report, after: Report, shown: Acuity | None) -> list[Change]:
    """What differs, field by field; `shown` is the level before."""
    old, new = _flat(before), _flat(after)
    old["Level"], new["Level"] = shown.value if shown else "none", after.acuity.value
    return [
        Change(name, diff_words(old.get(name, ""), new.get(name, "")))
        for name in dict.fromkeys((*old, *new))
        if old.get(name, "") != new.get(name, "")
    ]


def diff_words(before: str, after: str) -> list[tuple[str, str]]:
    """Words that stayed, went and came."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    pieces: list[tuple[str, str]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(("same", "".join(old[a:b])))
            continue
        pieces += [(name, "".join(words)) for name, words in (("gone", old[a:b]), ("new", new[c:d])) if words]
    return pieces


def _flat(report: Report) -> dict[str, str]:
    flat = {"Summary": report.summary, "Rationale": report.rationale}
    flat |= {words: "\n".join(getattr(report.history, name)) for name, words in HISTORY.items()}
    flat |= {f"Finding: {finding.name}": finding.status for finding in report.findings}
    for item in report.differential:
        told = [*(f"for: {line}" for line in item.supports), *(f"against: {line}" for line in item.against)]
        flat[f"Consider: {item.condition}"] = "\n".join((item.condition, *told))
    return flat | {words: "\n".join(getattr(report, name)) for name, words in LISTS.items()}


def _text(form: Posted, name: str, base: str) -> str:
    if name not in form or _same(form.text(name, _LONG), base):
        return base
    return form.text(name, _LONG)


def _lines(form: Posted, name: str, base: Sequence[str]) -> list[str]:
    if name not in form:
        return list(base)
    lines = [" ".join(line.split()) for line in form.text(name, _LONG).split("\n") if line.strip()]
    kept = [" ".join(line.split()) for line in base]
    return list(base) if lines == [line for line in kept if line] else lines


def _history(form: Posted, base: HistoryReview) -> HistoryReview:
    return HistoryReview(**{name: _lines(form, name, getattr(base, name)) for name in HISTORY})


def _findings(form: Posted, base: Sequence[Finding]) -> list[Finding]:
    found = []
    for number, finding in enumerate(base):
        status = form.text(f"finding-{number}", 20) or finding.status
        if status == "remove":
            continue
        if status not in STATUSES:
            raise RefusedError("findings: choose present, denied, not asked or remove")
        found.append(finding if status == finding.status else finding.model_copy(update={"status": status}))
    return found + [Finding(name=line, status="present") for line in _lines(form, "finding-new", ())]


def _differential(form: Posted, base: Sequence[Consideration]) -> list[Consideration]:
    found = []
    for number, item in enumerate(base):
        condition = _text(form, f"condition-{number}", item.condition)
        if condition:
            supports = _lines(form, f"supports-{number}", item.supports)
            against = _lines(form, f"against-{number}", item.against)
            found.append(Consideration(condition=condition, supports=supports, against=against))
    added = [Consideration(condition=line, supports=[], against=[]) for line in _lines(form, "condition-new", ())]
    return found + added


def _join(lines: Sequence[str]) -> str:
    return "\n".join(" ".join(line.split()) for line in lines)


def _same(one: str, other: str) -> bool:
    return one == other or one == other.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip()
