"""Reader of transcripts: plain text, WebVTT, SubRip and JSON, and the request's own data entry.

One conversation is one record. Doctors' turns are the assistant's: who asks stands where the model will stand.
A conversation with a speaker nobody knows is rejected whole. Knows of diagnoses only where an entry has them.
"""

import hashlib
import html
import io
import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prescreen.clinic.case import Turn
from prescreen.errors import InputError
from prescreen.records.entries import Entry, read_entries
from prescreen.records.measures import read_age, read_moment, read_sex
from prescreen.records.record import Identifiers, Outcome, Record, Reject, Source
from prescreen.records.sheets import find_encoding
from prescreen.records.turns import (
    Fault,
    Said,
    as_text,
    check_names,
    find_speaker,
    make_turns,
    opening,
    split_label,
    split_lines,
    strip_tags,
)

MAX_FILE = 16 << 20  # bytes of a transcript that is no JSON
SPEAKERS = ("speaker", "role", "from", "who", "participant", "sender", "author", "name")
TEXTS = ("text", "content", "utterance", "value", "message", "transcript", "words", "body", "line")
TALKS: tuple[str, ...] = (
    "turns",
    "messages",
    "conversation",
    "conversations",
    "dialogue",
    "dialog",
    "transcript",
    "utterances",
)
TALKS += ("segments", "chat", "log")
UNHEARD = ("system", "developer", "tool")  # instructions to a machine, said by nobody
FIELDS = {
    "patient": ("patient_id", "patient", "id", "encounter_id", "conversation_id", "case_id"),
    "complaint": ("symptoms", "complaint", "chief_complaint", "presenting_complaint", "cc"),
    "history": ("history", "medical_history", "history_text"),
    "acuity": ("triage_priority", "triage_level", "acuity", "priority"),
    "diagnosis": ("diagnosis_report", "diagnosis"),
    "disposition": ("disposition",),
    "age": ("age", "patient_age", "age_years"),
    "sex": ("sex", "gender", "patient_gender", "patient_sex"),
    "when": ("when", "date", "datetime", "timestamp", "created_at", "start_time"),
    "language": ("language", "lang"),
    "consent": ("consent", "licence", "license"),
}
NAMES = ("patient_name", "name", "first_name", "last_name", "patient_firstname", "patient_familyname", "surname")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]{1,80})>")


class TranscriptReader:
    """Transcripts; `speakers` adds the clinic's own labels, such as {"Dr. Such": "assistant"}."""

    name = "transcript/1"

    def __init__(self, speakers: Mapping[str, str] | None = None) -> None:
        self.names = check_names(speakers or {})

    def read(self, path: str, start: int = 1) -> Iterator[Record | Reject]:
        """Conversations from number `start` on; a file that is no JSON holds one."""
        try:
            with open(path, "rb") as binary:
                encoding = find_encoding(binary)
            with open(path, encoding=encoding, errors="replace", newline="") as handle:
                json_ending = Path(path).suffix.lower() in (".json", ".jsonl", ".ndjson")
                found = self._read_json(path, handle) if json_ending else self._read_text(path, handle)
                for item in found:
                    if (item.place if isinstance(item, Reject) else item.source.place) >= start:
                        yield item
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror}); check the path", file=Path(path).name) from None

    def _read_text(self, path: str, handle: io.TextIOWrapper) -> Iterator[Record | Reject]:
        text = handle.read(MAX_FILE + 1)
        if len(text) > MAX_FILE:
            yield Reject(Path(path).name, 1, f"longer than {MAX_FILE >> 20} MiB; split it")
            return
        lines = text.replace("\r\n", "\n").replace("\r", "\n")
        timed = "-->" in lines
        said = split_cues(lines, self.names) if timed else split_lines(lines, self.names)
        turns = make_turns(said, self.names, join=timed)
        if isinstance(turns, Fault):
            yield Reject(Path(path).name, 1, f"line {turns.place}: {turns.reason}")
            return
        yield self._record(path, 1, hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), {}, turns)

    def _read_json(self, path: str, handle: io.TextIOWrapper) -> Iterator[Record | Reject]:
        file = Path(path).name
        entries = read_entries(handle)
        first = next(entries, None)
        if first is None:
            yield Reject(file, 1, "holds no entry; export it again")
        elif isinstance(first.value, dict) and _utterances(1, first.value):
            yield self._whole(path, itertools.chain([first], entries))
        else:
            for entry in itertools.chain([first], entries):
                yield self._one(path, entry)

    def _whole(self, path: str, entries: Iterator[Entry]) -> Record | Reject:
        """A file that is one list of turns."""
        digest, faults = hashlib.sha256(), []

        def said() -> Iterator[Said]:
            for entry in entries:
                digest.update(entry.text.encode("utf-8", "replace"))
                if entry.fault:
                    faults.append(entry.fault)
                    return
                yield from _turn(entry.place, entry.value)

        turns = make_turns(said(), self.names)
        if faults or isinstance(turns, Fault):
            reason = faults[0] if faults else f"turn {turns.place}: {turns.reason}"  # type: ignore[union-attr]
            return Reject(Path(path).name, 1, reason)
        return self._record(path, 1, digest.hexdigest(), {}, turns)

    def _one(self, path: str, entry: Entry) -> Record | Reject:
        """An entry that is a conversation, with or without facts beside it, or the request's own data entry."""
        file, values = Path(path).name, entry.value
        if entry.fault:
            return Reject(file, entry.place, entry.fault)
        digest = hashlib.sha256(entry.text.encode("utf-8", "replace")).hexdigest()
        facts = {str(k).lower(): v for k, v in values.items()} if isinstance(values, dict) else {}
        talk = values if isinstance(values, list) else next((facts[k] for k in TALKS if facts.get(k)), None)
        if talk is None:
            if not _first(facts, FIELDS["complaint"]).strip():
                return Reject(file, entry.place, "neither a conversation nor `symptoms`; see the data entry format")
            return self._record(path, entry.place, digest, facts, ())
        said = split_lines(talk, self.names) if isinstance(talk, str) else _talk(talk)
        turns = make_turns(said, self.names)
        if isinstance(turns, Fault):
            return Reject(file, entry.place, f"turn {turns.place}: {turns.reason}")
        return self._record(path, entry.place, digest, facts, turns)

    def _record(
        self, path: str, place: int, digest: str, facts: Mapping[str, Any], turns: tuple[Turn, ...]
    ) -> Record:
        fields = {name: _first(facts, keys) for name, keys in FIELDS.items()}
        key = fields["patient"] or f"{Path(path).stem}-{place}"
        acuity = fields["acuity"].strip()
        emergency = acuity.lower() == "emergency"
        names = " ".join(_first(facts, (name,)) for name in NAMES)
        return Record(
            source=Source(file=Path(path).name, place=place, sha256=digest, reader=self.name),
            patient=key,
            identifiers=Identifiers(
                names=tuple(dict.fromkeys(part for part in re.split(r"[\s,;]+", names) if len(part) > 1)),
                numbers=(fields["patient"],) if fields["patient"] else (),
            ),
            when=read_moment(fields["when"]),
            age_years=read_age(fields["age"]),
            sex=read_sex(fields["sex"]),
            history_text=fields["history"],
            complaint=fields["complaint"] or opening(turns),
            turns=turns,
            outcome=Outcome(
                acuity=acuity or None,
                scale=("acuity" if emergency else "seed") if acuity else None,
                disposition=fields["disposition"] or None,
                diagnosis=fields["diagnosis"] or None,
            ),
            consent=fields["consent"] or None,
            language=fields["language"][:2].lower() if re.match(r"[A-Za-z]{2}\b", fields["language"]) else "en",
        )


def split_cues(text: str, names: Mapping[str, str]) -> Iterator[Said]:
    """The utterances of WebVTT or SubRip cues; notes, styles and cue names are no speech."""
    inside = first = False
    for number, line in enumerate(text.split("\n"), 1):
        if "-->" in line:
            inside = first = True
        elif not line.strip():
            inside = False
        elif inside and VOICE.search(line):
            before, *voices = VOICE.split(line)
            if before.strip():
                yield Said(number, "", _plain(before))
            for label, words in zip(voices[::2], voices[1::2], strict=True):
                yield Said(number, _plain(label), _plain(words))
            first = False
        elif inside:
            label, words = split_label(line, names) if first else ("", line)
            first = False
            yield Said(number, label, _plain(words))


def _plain(text: str) -> str:
    return html.unescape(strip_tags(text))


def _utterances(place: int, value: dict[Any, Any]) -> list[Said] | None:
    """What a turn says: {speaker, text} in any spelling, or {"Doctor": .., "Patient": ..}; None: no turn."""
    lower = {str(key).lower(): item for key, item in value.items()}
    who = next((k for k in SPEAKERS if isinstance(lower.get(k), str)), None)
    text = next((k for k in TEXTS if isinstance(lower.get(k), str | list) and k != who), None)
    if who and text:
        if lower[who].strip().lower() in UNHEARD:
            return []
        return [Said(place, lower[who] or "?", strip_tags(as_text(lower[text])))]
    if lower and all(find_speaker(key, {}) and isinstance(item, str) for key, item in lower.items()):
        return [Said(place, key, item) for key, item in lower.items()]
    return None


def _turn(place: int, value: Any) -> list[Said]:
    """What one item of a conversation says; an item that is no turn shows as a speaker nobody knows."""
    said = _utterances(place, value) if isinstance(value, dict) else None
    if said is None and isinstance(value, str):
        said = list(split_lines(value, {}, place))
    return [Said(place, "?", "?")] if said is None else said


def _talk(value: Any) -> Iterator[Said]:
    items = value if isinstance(value, list) else [value]
    for place, item in enumerate(items, 1):
        yield from _turn(place, item)


def _first(facts: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """The first of these facts that says anything, as text."""
    return next((text for key in keys if (text := as_text(facts.get(key)).strip())), "")
