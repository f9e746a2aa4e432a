"""Who says what: speaker labels of transcripts as the four speakers of a case.

Knows the labels of four languages and what a label looks like. Knows no file format. A speaker it does not know is
a fault, never a guess: words put into the wrong mouth would become the patient's evidence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

from prescreen.clinic.case import Turn

Speaker = Literal["patient", "relative", "assistant", "nurse"]
SPEAKERS: tuple[str, ...] = get_args(Speaker)
LABELS = {
    "patient": "patient p pt client user human paciente patientin patiente caller",
    "relative": "relative mother father mum mom dad parent guardian wife husband spouse partner daughter son carer"
    " caregiver family guest_family guest family_member madre padre familiar mutter vater angehörige angehöriger"
    " mère père proche",
    "assistant": "assistant doctor dr d doc gp physician clinician guest_clinician provider bot ai agent model gpt"
    " médico médica arzt ärztin médecin",
    "nurse": "nurse n rn triage_nurse nurse_practitioner np enfermera enfermero pflegekraft schwester pfleger"
    " krankenschwester infirmier infirmière",
}
KNOWN = {label.replace("_", " "): speaker for speaker, labels in LABELS.items() for label in labels.split()}
MAX_TURNS, MAX_TEXT = 20_000, 4_000_000
_STAMP = r"(?:[\[(]?\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,3})?[\])]?\s*(?:-{1,2}>?\s*)?){0,2}"
_LABEL = r"[^\W\d_][\w.'’/ -]{0,39}?"
_COLON = re.compile(rf"^\s*{_STAMP}({_LABEL})\s*(?:\(\d{{1,2}}:\d\d(?::\d\d)?\))?\s*[:：](?!//)\s*(.*)$", re.S)
_BRACKET = re.compile(rf"^\s*{_STAMP}[\[(<]({_LABEL})[\])>]\s*:?\s*(.*)$", re.S)
_NUMBERED = re.compile(r"[ _-]?\d{1,2}$")
_NOISE = re.compile(r"</?[A-Za-z][^<>\n]{0,80}>|<\d\d:\d\d[^<>\n]{0,10}>")


class Fault(NamedTuple):
    """Why a conversation cannot be read, and the line or turn it shows at."""

    place: int
    reason: str


class Said(NamedTuple):
    """One utterance as the file has it; no speaker means that the last one goes on."""

    place: int
    label: str
    text: str


def strip_tags(text: str) -> str:
    """Text without a recogniser's or a subtitle's tags, such as <UNSURE> or <i>; "<90" is no tag."""
    return _NOISE.sub(" ", text) if "<" in text else text


def find_speaker(label: str, names: Mapping[str, str]) -> str | None:
    """The speaker of a label, by the clinic's own names first."""
    word = plain_label(label)
    if speaker := names.get(word) or KNOWN.get(word) or KNOWN.get(_NUMBERED.sub("", word)):
        return speaker
    if titled := re.match(r"(?i:(dr|doctor|nurse))\.? [^\W\d_a-z]", label):  # Dr. Such, never "doctor said"
        return KNOWN[titled[1].lower()]
    relative = re.fullmatch(r"(?:patient'?s?|pt'?s?) (\w+)", word)
    return "relative" if relative and KNOWN.get(relative[1]) == "relative" else None


def plain_label(label: str) -> str:
    """A label in lower case without what surrounds it."""
    return " ".join(label.lower().replace("_", " ").replace("’", "'").split()).strip(" .:*")


def split_label(line: str, names: Mapping[str, str]) -> tuple[str, str]:
    """A line as (label, text); a label nobody knows still counts as one where it is written like one."""
    for pattern in (_COLON, _BRACKET):
        match = pattern.match(line)
        if match and find_speaker(match[1], names):
            return match[1], match[2].strip()
    match = _COLON.match(line)
    if match and match[1][0].isupper() and len(match[1].split()) <= 3:
        return match[1], match[2].strip()
    return "", line.strip()


def make_turns(said: Iterable[Said], names: Mapping[str, str], join: bool = False) -> tuple[Turn, ...] | Fault:
    """All turns, or the first fault. `join`: what one speaker says in pieces is one turn, as in subtitles."""
    turns: list[Turn] = []
    speaker: str | None = None
    total = 0
    for place, label, text in said:
        fresh = bool(label)
        if label:
            speaker = find_speaker(label, names)
            if speaker is None:
                return Fault(place, "a speaker that is not known; name it under `speakers`")
        text = " ".join(text.split())
        if not text:
            continue
        if speaker is None:
            return Fault(place, "words before any speaker is named; label each turn")
        total += len(text)
        if total > MAX_TEXT or len(turns) >= MAX_TURNS:
            return Fault(place, f"longer than {MAX_TURNS:,} turns or {MAX_TEXT:,} letters; split it")
        if turns and turns[-1].speaker == speaker and (join or not fresh):
            text = f"{turns.pop().text} {text}"
        turns.append(Turn(speaker=speaker, text=text))  # type: ignore[arg-type]
    return tuple(turns) if turns else Fault(1, "nobody says anything; label each turn, as in `Patient: ...`")


def split_lines(text: str, names: Mapping[str, str], first: int = 1) -> Iterator[Said]:
    """The utterances of a plain transcript, a line or more each."""
    for number, line in enumerate(text.splitlines(), first):
        if line.strip():
            yield Said(number, *split_label(strip_tags(line), names))


def opening(turns: Iterable[Turn]) -> str:
    """Why the patient came: the longest of the first six things the patient's side says."""
    spoken = [turn.text for turn in turns if turn.speaker in ("patient", "relative")]
    return max(spoken[:6], key=len, default="")


def check_names(names: Mapping[str, str]) -> dict[str, str]:
    """The clinic's own labels in lower case; ValueError where one is none of our speakers."""
    for speaker in names.values():
        if speaker not in SPEAKERS:
            raise ValueError(f"speaker {speaker!r} is none of {', '.join(SPEAKERS)}; mend `speakers`")
    return {plain_label(label): speaker for label, speaker in names.items()}


def as_text(value: Any) -> str:
    """A JSON value as text; a list of parts (as chat logs have) joined."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = (part.get("text", "") if isinstance(part, dict) else part for part in value)
        return "\n".join(part for part in parts if isinstance(part, str))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""
