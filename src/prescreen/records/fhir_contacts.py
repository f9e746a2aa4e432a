"""A patient's facts as contacts: what was known when each began, what was said, and what became of it.

A fact counts as known only if it is dated before the contact and does not belong to it: what a contact found out is
its outcome, never its history. Knows facts and spans, no files and no FHIR paths.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from prescreen.clinic.case import Turn, Vitals
from prescreen.records.fhir_chart import AFTER, HOUR, Chart, Kept, order, within
from prescreen.records.fhir_values import DAY, Span, read_datetime, read_span
from prescreen.records.record import Outcome, Record, Source

DIAGNOSIS = 72 * HOUR  # how long after its start a diagnosis is still the contact's
MEASURED = HOUR  # how long before the start a value outside any encounter may have been measured
PREGNANCY = 280 * DAY
YEAR = 365.25 * DAY
MAX_HISTORY = 20_000  # characters of earlier notes
SPEAKERS = {"Patient": "patient", "RelatedPerson": "relative", "Device": "assistant", "Practitioner": "nurse"}
CLINIC = ("PractitionerRole", "Organization", "CareTeam", "HealthcareService")


def build_record(chart: Chart, contact: Kept) -> Record:
    """The contact as a record; every list is None where the export is silent."""
    start, data = contact.fact.span, contact.fact.data
    turns, asked, language = _converse(chart, contact)
    readings = list(_readings(chart, contact))
    conditions, past = _list_known(chart, contact, chart.by_kind.get("Condition", []))
    written = data.get("start") or ""
    digest = hashlib.sha256(contact.digest + chart.digest).hexdigest()
    own = [s for n in chart.notes if chart.owner(n) is contact for s in n.fact.data["sections"]]
    told = [told for use, told in own if use == "complaint"]
    measured = [r.fact.data["complaint"] for r in readings if "complaint" in r.fact.data]
    spoken = [turn.text for turn in turns if turn.speaker in ("patient", "relative")]
    levels = [(r.fact.data["acuity"], "esi") for r in readings if r.fact.data.get("acuity")]
    acuity, scale = (data.get("acuity"), data.get("scale")) if data.get("acuity") else (*levels, (None, None))[0]
    return Record(
        source=Source(file=contact.file, place=contact.place, sha256=digest, reader="fhir/1"),
        patient=chart.person.names[0],
        identifiers=chart.identifiers,
        when=read_datetime(written) if len(written) >= 10 else None,
        age_years=_age(chart.person.data["birth"], start),
        sex=chart.person.data["sex"],
        pregnant=_pregnant(chart, contact, readings),
        conditions=conditions,
        medications=_list_known(chart, contact, chart.medicines)[0],
        allergies=_list_known(chart, contact, chart.by_kind.get("AllergyIntolerance", []))[0],
        history_text=_history(chart, contact, past, [told for use, told in own if use == "history"]),
        complaint=next(filter(None, (*asked, *measured, *told, data.get("reason"), *spoken)), ""),
        turns=turns,
        vitals=_merge_vitals(readings),
        outcome=Outcome(
            acuity=acuity, scale=scale, disposition=data.get("disposition"), diagnosis=_diagnosis(chart, contact)
        ),
        language=language,
    )


def _age(birth: str, start: Span | None) -> float | None:
    """Years at the contact; of a partial birth date, from the middle of what it may mean."""
    born = read_span(birth) if birth else None
    if born is None or start is None or born.lo > start.hi:
        return None
    middle = born.lo if len(birth) == 10 else (born.lo + min(born.hi, start.lo)) / 2
    years = max(0.0, start.lo - middle) / YEAR
    return round(years, 3) if years <= 125 else None


def _known(chart: Chart, contact: Kept, kept: Kept) -> bool:
    """Whether this was on record before the contact began, and not written down in it."""
    owner, start = chart.owner(kept), contact.fact.span
    begun = owner.fact.span if owner else None
    if owner is contact or (begun and start and begun.lo >= start.lo):
        return False  # an onset may be old, but it was written down here or later
    span = kept.fact.span or begun
    if span is None:
        return not kept.fact.encounter and kept.fact.data.get("undated", False)
    return start is not None and span.hi < start.lo


def _list_known(chart: Chart, contact: Kept, facts: list[Kept]) -> tuple[tuple[str, ...] | None, list[str]]:
    """Texts of what was known and still held at the start, and of what was already over."""
    present: dict[str, str] = {}
    past: dict[str, str] = {}
    none = False
    for kept in facts:
        data, start = kept.fact.data, contact.fact.span
        if not _known(chart, contact, kept):
            continue
        text = data["text"] or (chart.lookup(data["link"])[1] if data.get("link") else "")
        if data["none"]:
            none = True
        elif text:
            over = data["end"] is not None and start is not None and data["end"] < start.lo
            (past if over else present).setdefault(text.casefold(), text)
    return (tuple(present.values()) if present else () if none else None), [
        text for key, text in past.items() if key not in present
    ]


def _diagnosis(chart: Chart, contact: Kept) -> str | None:
    """The first diagnosis of the contact: by rank where it lists them, else by time, within 72 hours."""
    start = contact.fact.span
    listed = contact.fact.data.get("diagnoses", [])
    found: list[tuple[int, float, str]] = []
    for kept in chart.by_kind.get("Condition", ()):
        span, owner = kept.fact.span, chart.owner(kept)
        late = span is not None and start is not None and span.lo > start.hi + DIAGNOSIS
        if kept.fact.data["none"] or late:
            continue
        rank = next((listed.index(name) for name in kept.names if name in listed), len(listed))
        free = not kept.fact.encounter and span is not None and start is not None and span.lo >= start.lo
        if rank < len(listed) or owner is contact or free:
            found.append((rank, order(kept), kept.fact.data["text"]))
    return min(found)[2] if found else None


def _readings(chart: Chart, contact: Kept) -> Iterator[Kept]:
    """Observations of the contact in order of time: its own, or unclaimed ones made as it began."""
    start = contact.fact.span
    for kept in chart.linked.get(contact.names[0], ()):
        span = kept.fact.span
        if span is None or start is None or within(span, start, DAY, AFTER):
            yield kept
    if start:
        yield from chart.measured_between(start.lo - MEASURED, start.hi + AFTER)


def _merge_vitals(readings: list[Kept]) -> Vitals:
    """The first value of each vital sign."""
    first: dict[str, Any] = {}
    for kept in sorted(readings, key=order):
        for name, value in kept.fact.data.get("vitals", {}).items():
            first.setdefault(name, value)
    return Vitals(**first)


def _pregnant(chart: Chart, contact: Kept, readings: list[Kept]) -> bool | None:
    """As last recorded within 40 weeks before, or at, the contact."""
    start = contact.fact.span
    if start is None:
        return None
    own = {id(kept) for kept in readings}
    answers = []
    for kept in chart.pregnancies:
        data, span = kept.fact.data, kept.fact.span
        recent = span is not None and span.lo >= start.lo - PREGNANCY and _known(chart, contact, kept)
        over = data.get("end") is not None and data["end"] < start.lo
        if not over and (recent or id(kept) in own):
            answers.append((order(kept), data["pregnant"]))
    return max(answers)[1] if answers else None


def _converse(chart: Chart, contact: Kept) -> tuple[tuple[Turn, ...], list[str], str]:
    """What was said around the contact, complaints that were asked for, and the language."""
    turns: list[Turn] = []
    asked: list[str] = []
    languages: list[str] = []
    for kept in chart.said.get(contact.names[0], ()):
        data, span, start = kept.fact.data, kept.fact.span, contact.fact.span
        if span and start and span.lo > start.hi + AFTER:
            continue
        unnamed = "answers" in data and not data["sender"] and not data["type"]
        speaker = "patient" if unnamed else _speaker(chart, data["sender"], data["type"])
        if speaker is None:
            continue
        languages.append(data["language"])
        if "message" in data:
            turns.append(Turn(speaker=speaker, text=data["message"]))
        for question, answer in data.get("answers", ()):
            if question:
                turns.append(Turn(speaker="assistant", text=question))
            turns.append(Turn(speaker=speaker, text=answer))
        asked.append(data.get("complaint", "") if speaker in ("patient", "relative") else "")
    return tuple(turns), asked, next(filter(None, languages), "en")


def _speaker(chart: Chart, sender: str, kind: str) -> Any:
    """Whose words these are; None where the export does not tell."""
    if sender in chart.person.names:
        return "patient"
    if any(sender in kept.names for kept in chart.by_kind.get("RelatedPerson", ())):
        return "relative"
    kind = kind or (chart.lookup(sender)[0] if sender else "")
    if kind == "Patient" and sender and not sender.startswith("#"):
        return "relative"  # another patient's account, such as a mother's for her child
    return "nurse" if kind in CLINIC else SPEAKERS.get(kind)


def _history(chart: Chart, contact: Kept, past: list[str], own: list[str]) -> str:
    """What is over, what the contact's own note tells of before, and earlier notes, newest first."""
    parts = [f"Past conditions: {'; '.join(past)}."] if past else []
    parts += own
    room = MAX_HISTORY
    earlier = sorted((n for n in chart.notes if _known(chart, contact, n)), key=order, reverse=True)
    for kept in earlier:
        text = "\n".join(told for _, told in kept.fact.data["sections"])
        if room <= 0:
            break
        parts.append(text[:room])
        room -= len(text)
    return "\n\n".join(parts)
