"""The residual-risk report of an import: one page that a compliance officer reads in five minutes.

Knows the figures of risk.json, the audit beside it, and how to lay them out. Measures nothing and holds no text of
a record. All values are escaped by the template engine.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from prescreen.clinic.audited import BOUND, read_audit, require_audit
from prescreen.config import Strict
from prescreen.errors import GuardError, InputError
from prescreen.records.anonymity import Anonymity
from prescreen.records.audit import size_sample
from prescreen.records.blindfold import Blindfold
from prescreen.records.deid.replace import Mode
from prescreen.records.deid.spans import KINDS, Kind
from prescreen.records.planted import Planted
from prescreen.records.share import GOAL, Recall, Share
from prescreen.run import write_atomic, write_json

FIGURES: Final = "risk.json"
PAGE: Final = "risk.html"
WORDS: Final[dict[Kind, str]] = {
    "name": "names", "place": "places smaller than a state", "date": "dates more exact than a year",
    "phone": "telephone numbers", "fax": "fax numbers", "email": "e-mail addresses",
    "ssn": "social security numbers", "mrn": "record numbers", "plan": "insurance numbers",
    "account": "account numbers", "licence": "licence and certificate numbers", "vehicle": "vehicles and plates",
    "device": "device numbers", "url": "web addresses", "ip": "internet (IP) addresses", "biometric": "biometrics",
    "photo": "photographs", "other": "other identifying numbers and codes", "age_over_89": "ages over 89",
}  # fmt: skip
MEANING: Final[dict[Mode, tuple[str, str, str]]] = {
    "safe_harbor": (
        "Safe Harbor",
        "The import aims at 45 CFR 164.514(b)(2): the identifiers it lists are taken out of every text, of a date"
        " only the year stays, and all ages over 89 are one.",
        "The data are de-identified only if nothing listed was left behind (the figures below say how sure that is)"
        " and the clinic has no actual knowledge that somebody can still be told from what remains.",
    ),
    "limited": (
        "Limited data set",
        "Dates are shifted, not removed, so this is NOT de-identified under Safe Harbor, 45 CFR 164.514(b)(2); only"
        " a written opinion of an expert under 164.514(b)(1) could make it so.",
        "Without that opinion it stays protected health information, to be used for research, public health or"
        " health care operations alone, under a signed data use agreement, 45 CFR 164.514(e).",
    ),
}
NOT_COVERED: Final = (
    "Pictures, sound, scanned letters and attachments: the import reads text alone.",
    "A story that tells who it is without a name: a rare event, a post held, a crime in the news.",
    "Health facts of relatives and others, which stay once their names are gone.",
    "Countries, languages, peoples, weekdays, times of day, durations and years, which stay on purpose.",
    "Values of k-anonymity beyond those named, and what another data set could add to them.",
    "Languages other than English, German, French and Spanish, for which no phrases were planted.",
    "What a trained model repeats of its training texts; that is measured after training, not here.",
    "What a human overlooks: the audit counts what the reader saw.",
)


class Risk(Strict):
    """Everything the page prints of one import but the audit, which comes later; holds no text of a record."""

    mode: Mode
    licence: str
    records: int  # read
    cases: int  # written
    unread: int = 0  # entries that no reader could read
    refused: dict[str, int] = {}  # reason as group_reasons gives it -> rows
    taken: dict[Kind, int] = {}  # identifiers taken out of the cases written
    detectors: tuple[str, ...] = ()  # further finders beside the built-in layers
    blindfold: Blindfold | None = None
    planted: Planted | None = None
    anonymity: Anonymity | None = None


class Line(NamedTuple):
    """One row of a table of recalls."""

    kind: str
    whole: Share
    characters: Share
    verdict: str


def group_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """Reasons of rejects without their counts, the most frequent first."""
    counts = Counter(re.sub(r"\s\d+\b", "", reason) for reason in reasons)
    return dict(counts.most_common())


def save_risk(folder: Path, risk: Risk) -> Path:
    """Write the figures into the import's folder; the page is made of them, before the audit and after."""
    path = folder / FIGURES
    write_json(path, risk.model_dump(mode="json"))
    return path


def read_risk(folder: Path) -> Risk:
    """The figures of an import's folder."""
    path = folder / FIGURES
    try:
        return Risk.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError("no such file; run the import first", file=path) from None
    except (ValidationError, ValueError):
        raise InputError("cannot be read; run the import again", file=path) from None


def write_risk_page(folder: Path, out: Path | None = None) -> Path:
    """Render the report of an import's folder, with the state of its audit as of now."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = FileSystemLoader(Path(__file__).with_name("templates"))
    environment = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.get_template("risk.html").render(**build_context(folder, read_risk(folder)))
    path = out or folder / PAGE
    write_atomic(path, html)
    return path


def build_context(folder: Path, risk: Risk) -> dict[str, Any]:
    """Everything the template prints."""
    name, *meaning = MEANING[risk.mode]
    return {
        "folder": folder.resolve().name,
        "risk": risk,
        "mode": name,
        "meaning": meaning,
        "taken": [(WORDS[kind], risk.taken[kind]) for kind in KINDS if risk.taken.get(kind)],
        "none_of": [WORDS[kind] for kind in KINDS if not risk.taken.get(kind)],
        "not_searched": [WORDS[kind] for kind in ("biometric", "photo")],
        "refused": sum(risk.refused.values()),
        "goal": f"{100 * GOAL:g} %",
        "blind": list_lines(risk.blindfold.recalls) if risk.blindfold else [],
        "planted": list_lines(risk.planted.recalls) if risk.planted else [],
        "ways": list_lines((*risk.planted.by_style, *risk.planted.by_case)) if risk.planted else [],
        "weak": find_weak(risk),
        "unmeasured": [part for part in ("blindfold", "planted", "anonymity") if getattr(risk, part) is None],
        "proposals": list_proposals(risk.anonymity) if risk.anonymity else [],
        "audit": describe_audit(folder),
        "not_covered": NOT_COVERED,
    }


def list_lines(recalls: Sequence[Recall]) -> list[Line]:
    """Recalls, the worst first."""
    names: Mapping[str, str] = {str(kind): word for kind, word in WORDS.items()}
    lines = [
        Line(names.get(recall.kind, recall.kind), recall.whole, recall.characters, recall.verdict)
        for recall in recalls
    ]
    return sorted(lines, key=lambda line: (line.whole.value is None, line.whole.value or 0, line.kind))


def find_weak(risk: Risk) -> list[str]:
    """Weak classes of both measurements, named for the reader."""
    measured = (("own texts", risk.blindfold), ("planted", risk.planted))
    return [f"{r.kind} ({how})" for how, part in measured if part for r in part.recalls if r.verdict == "weak"]


def list_proposals(anonymity: Anonymity) -> list[tuple[int, list[str], list[str]]]:
    """By k: what single changes would do, then the changes together."""
    tables = []
    for small in anonymity.small:
        said = [
            (len(p.changes), f"{', '.join(f'{a} {b}' for a, b in p.changes.items())}: {p.people.counts}")
            for p in anonymity.proposals
            if p.k == small.k
        ]
        tables.append((small.k, [s for n, s in said if n == 1], [s for n, s in said if n > 1]))
    return tables


def describe_audit(folder: Path) -> Mapping[str, str]:
    """State of the audit as a chip and a sentence."""
    audit = read_audit(folder)
    if audit is None:
        text = (
            "Nobody has signed an audit; until then nothing trains on these cases."
            f" {size_sample()} cases read without a leak bound the share that leaks below {100 * BOUND:g} %."
        )
        return {"chip": "warn", "state": "not yet audited", "text": text}
    said = (
        f"{audit.signed_by}, {audit.date}: {audit.leaks} of {audit.sampled} cases read (of {audit.cases}) held an"
        f" identifier; the share that does is below {100 * audit.upper:.2f} % (exact one-sided 95 % bound)."
    )
    try:
        require_audit(folder)
    except GuardError as error:
        return {"chip": "bad", "state": "does not hold", "text": f"{said} {str(error).partition(': ')[2]}."}
    return {"chip": "good", "state": "passed", "text": said}
