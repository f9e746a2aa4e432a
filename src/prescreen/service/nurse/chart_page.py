"""A chart laid out for the page: words with marks, flags, signs, history beside what was told. Decides nothing."""

import json
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Report
from prescreen.ehr.channel import History
from prescreen.service.nurse.highlight import Piece, Span, mark
from prescreen.service.nurse.measuring import list_signs, tell_score
from prescreen.store.charts import Chart

KINDS: Final = ("conditions", "medications", "allergies")
NO_DRAFT: Final = "signed before a draft was there"
_SPEAKERS: Final = {"patient": "Patient", "relative": "Relative", "assistant": "Question", "nurse": "Nurse"}


class Said(NamedTuple):
    """One utterance: who, whether it is the patient's side, and its pieces."""

    speaker: str
    is_theirs: bool
    pieces: list[Piece]


class Flag(NamedTuple):
    """A red flag: its level, where it comes from, the words it stands on and where they are marked."""

    name: str
    level: str
    source: str
    evidence: str
    anchor: str


class Fact(NamedTuple):
    """An item of the history: in the record, told by the patient, and what does not fit."""

    item: str
    recorded: str
    told: str
    clash: str


def base_report(chart: Chart) -> Report | None:
    """What the nurse edits: what was signed before, the draft, or what the rules say where there is none."""
    if chart.signed is not None:
        return chart.signed.final
    if chart.draft is not None or chart.known is None or chart.awaits_choice:
        return chart.draft
    return finalise(chart.known, None, NO_DRAFT)


def lay_out(chart: Chart, base: Report | None) -> dict[str, Any]:
    """Everything on the left of the page, and the evidence on its right."""
    spans = [Span(hit.evidence, number) for number, hit in enumerate(chart.flags)]
    first = len(spans)
    findings = [] if base is None else base.findings
    spans += [Span(finding.evidence, first + number) for number, finding in enumerate(findings)]
    said = [] if chart.case is None else _conversation(chart.case, spans)
    firsts = _firsts(said)
    anchors = {number: f"#said-{numbers[0]}" for numbers in firsts.values() for number in numbers}
    return {
        "said": said,
        "firsts": {place: numbers[0] for place, numbers in firsts.items()},
        "num_flags": first,
        "flags": _flags(chart, base, anchors),
        "signs": [] if chart.case is None else list_signs(chart.case.vitals),
        "score": "" if chart.case is None else tell_score(chart.case),
        "history": compare_history(chart),
        "record_read": chart.record is not None,
        "anchors": {number: anchors.get(first + number, "") for number in range(len(findings))},
    }


def compare_history(chart: Chart) -> dict[str, list[Fact]]:
    """The record's history beside what the patient told, item by item."""
    record = read_history(chart.record)
    case = chart.case
    facts = {}
    for kind in KINDS:
        recorded: tuple[str, ...] | None = getattr(record, kind) if record else None
        told: tuple[str, ...] | None = getattr(case, kind) if case else None
        facts[kind] = _compare(recorded, told)
    return facts


def read_history(text: str | None) -> History | None:
    """The record's history; None where it was not read or is not to be read."""
    if text is None:
        return None
    try:
        return History.model_validate(json.loads(text))
    except (ValidationError, json.JSONDecodeError):
        return None


def _compare(recorded: tuple[str, ...] | None, told: tuple[str, ...] | None) -> list[Fact]:
    known, own = ({_plain(item): item for item in items or ()} for items in (recorded, told))
    facts = []
    for key in dict.fromkeys((*known, *own)):
        clash = ""
        if key not in own and told is not None:
            clash = "in the record; the patient says there are none" if not told else "in the record, not told"
        elif key not in known and recorded is not None:
            clash = "told; the record says there are none" if not recorded else "told, not in the record"
        yes = ("yes" if key in known else "no", "yes" if key in own else "no")
        facts.append(
            Fact(
                own.get(key) or known[key],
                "not read" if recorded is None else yes[0],
                "not asked" if told is None else yes[1],
                clash,
            )
        )
    if not facts:
        states = ["none" if items is not None else "" for items in (recorded, told)]
        facts.append(Fact("", states[0] or "not read", states[1] or "not asked", ""))
    return facts


def _conversation(case: Case, spans: list[Span]) -> list[Said]:
    lines = [] if any(turn.text == case.complaint for turn in case.turns) else [("patient", case.complaint)]
    lines += [(turn.speaker, turn.text) for turn in case.turns]
    said = []
    for speaker, text in lines:
        pieces = mark(text, () if speaker == "assistant" else spans)
        said.append(Said(_SPEAKERS[speaker], speaker in ("patient", "relative"), pieces))
    return said


def _firsts(said: list[Said]) -> dict[tuple[int, int], list[int]]:
    """Which piece (line, place) is the first of which spans: there the links lead."""
    firsts: dict[tuple[int, int], list[int]] = {}
    known: set[int] = set()
    for row, line in enumerate(said):
        for place, piece in enumerate(line.pieces):
            new = [number for number in piece.numbers if number not in known]
            known.update(new)
            if new:
                firsts[row, place] = new
    return firsts


def _flags(chart: Chart, base: Report | None, anchors: dict[int, str]) -> list[Flag]:
    flags = [
        Flag(hit.rule.name, hit.rule.acuity.value, hit.rule.source, hit.evidence, anchors.get(number, ""))
        for number, hit in enumerate(chart.flags)
    ]
    named = {_plain(flag.name) for flag in flags}
    drafted = [] if base is None else [name for name in base.red_flags if _plain(name) not in named]
    return flags + [Flag(name, "", "named by the draft, not by a rule", "", "") for name in drafted]


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
