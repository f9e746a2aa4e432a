"""Clinical conversations: MTS-Dialog and ACI-Bench as note-writing rows, PriMock57 as test cases.

Knows each set's layout and where it misleads. PriMock57 is never learned from: its 25 consultations are a
test suite, so its notes are not training rows either.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label, Turn
from prescreen.data.records import Part, Reject, Row
from prescreen.model.prompt import TASKS

FILES: dict[Part, str] = {"train": "train.jsonl", "valid": "valid.jsonl"}
SECTIONS = {
    "CC": "chief complaint",
    "GENHX": "history of the present illness",
    "FAM/SOCHX": "family and social history",
    "PASTMEDICALHX": "past medical history",
    "PASTSURGICAL": "past surgical history",
    "GYNHX": "gynaecological history",
    "OTHER_HISTORY": "other history",
    "ROS": "review of systems",
    "ALLERGY": "allergies",
    "MEDICATIONS": "medications",
    "IMMUNIZATIONS": "immunisations",
    "ASSESSMENT": "assessment",
    "DIAGNOSIS": "diagnosis",
    "DISPOSITION": "disposition",
    "PLAN": "plan",
    "EDCOURSE": "emergency department course",
}  # examination, imaging, procedures and laboratory results are not what a pre-screening hears
UNHEARD = re.compile(r"^(PHYSICAL EXAM|EXAM|VITALS|RESULTS|ASSESSMENT|IMPRESSION|PLAN|INSTRUCTIONS|PROCEDURE)")
HEADING = re.compile(r"^[A-Z][A-Z &/]{3,}:?$", re.MULTILINE)
MIN_SUPPORT, MIN_WORDS = 0.3, 8
SPOKEN_TAG = re.compile(r"<[^<>]*>")
OPENING = re.compile(r"\b(help you|brings? you|brought you|the (matter|problem)|going on|happen\w+)\b", re.I)
ADVICE = re.compile(r"\b(recommend|prescri\w+|advise|conservative|ambulance|safety.?net\w*|diagnos\w+)\b", re.I)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """One JSON object a line, as the staged sets keep them."""
    with path.open(encoding="utf-8") as handle:
        for line in handle:
            if line.strip():
                yield json.loads(line)


def tidy(text: str) -> str:
    """Text with one kind of line break and no runs of blanks; words untouched."""
    lines = (" ".join(line.split()) for line in text.replace("\r", "\n").split("\n"))
    return "\n".join(line for line in lines if line)


def support_rate(said: str, written: str) -> tuple[int, float]:
    """How many content words were written, and the share of them that was also said."""
    heard = set(re.findall(r"[a-z0-9]+", said.lower()))
    words = [w for w in re.findall(r"[a-z0-9]+", written.lower()) if len(w) > 3]
    return len(words), sum(w in heard for w in words) / max(1, len(words))


def _note_row(source: str, name: str, task: str, said: str, written: str, part: Part) -> Row:
    messages = (
        {"role": "developer", "content": TASKS[task]},
        {"role": "user", "content": said},
        {"role": "assistant", "content": written},
    )
    return Row(f"{name}-{task}", name, name, task, source, "CC-BY-4.0", messages, part)  # type: ignore[arg-type]


def read_mts(folder: Path) -> Iterator[Row | Reject]:
    """A short conversation and one section of its note.

    The conversations were written backwards from notes, so some notes say what nobody said: rows whose
    content words are mostly unheard would teach invention and are rejected.
    """
    for part, file in FILES.items():
        for record in read_json_lines(folder / file):
            said, written = tidy(record["dialogue"]), tidy(record["section_text"])
            said = said.replace("Guest_family", "Relative").replace("Guest_clinician", "Clinician")
            name = SECTIONS.get(record["section_header"])
            count, support = support_rate(said, written)
            if name is None:
                yield Reject("mts_dialog", record["id"], "section a pre-screening cannot hear", written)
            elif count >= MIN_WORDS and support < MIN_SUPPORT:
                yield Reject("mts_dialog", record["id"], "the note says what the conversation does not", written)
            else:
                asked = f"{said}\nSection: {name}"
                yield _note_row("mts_dialog", record["id"], "section", asked, written, part)


def read_aci(folder: Path) -> Iterator[Row | Reject]:
    """A whole visit and the part of its note that was said.

    Speaker tags are swapped in places (speech recognition), so they are dropped; examination, results,
    assessment and plan are cut from the note because a pre-screening never has them.
    """
    for part, file in FILES.items():
        for record in read_json_lines(folder / file):
            said = tidy(re.sub(r"^\[(doctor|patient)\]", "-", record["dialogue"], flags=re.MULTILINE))
            written = keep_heard(record["note"])
            name = f"aci-{record['encounter_id']}"
            if written:
                yield _note_row("aci_bench", name, "note", said, written, part)
            else:
                yield Reject("aci_bench", name, "no section a pre-screening could write", record["note"][:200])


def keep_heard(note: str) -> str:
    """The sections of a note that come from the conversation alone."""
    starts = [m.start() for m in HEADING.finditer(note)] or [0]
    sections = [note[a:b] for a, b in zip(starts, [*starts[1:], len(note)], strict=True)]
    return tidy("\n".join(s for s in sections if not UNHEARD.match(s)))


def read_primock(folder: Path) -> Iterator[Case]:
    """Consultations up to the doctor's advice, labelled with the priority read off the documented plan."""
    for record in read_json_lines(folder / "dev.jsonl"):
        turns = consultation_turns(record["transcript"])
        unreliable = record["presenting_complaint_unreliable"]
        complaint = opening_words(turns) if unreliable else record["presenting_complaint"]
        yield Case(
            id=record["id"],
            patient_id=record["id"],
            source="primock57",
            licence="CC-BY-4.0",
            complaint=complaint,
            turns=turns,
            label=priority_label(record["derived_priority"], record["derived_priority_ambiguous"]),
        )


def opening_words(turns: Sequence[Turn]) -> str:
    """What the patient says when first asked why they came: the longest of the six answers that follow."""
    asked = next((i for i, t in enumerate(turns) if t.speaker == "assistant" and OPENING.search(t.text)), 0)
    answers = [turn.text for turn in turns[asked:] if turn.speaker == "patient"][:6]
    return max(answers, key=len)


def priority_label(priority: str, ambiguous: bool) -> Label:
    """An ambiguous plan also accepts the next more urgent level, never a less urgent one."""
    acuity = Acuity(priority)
    levels = [level for level in Acuity if level.rank in (acuity.rank, acuity.rank + ambiguous)]
    origin = "read off the GP's plan by a non-clinician; to be confirmed by a clinician"
    return Label(acuity=acuity, accepted=tuple(levels), origin=origin)


def consultation_turns(transcript: str) -> tuple[Turn, ...]:
    """Speech without recogniser's tags, ending where the doctor starts to advise: that is the answer."""
    lines = [line for line in transcript.splitlines() if line.strip()]
    turns: list[Turn] = []
    for number, line in enumerate(lines):
        who, _, text = line.partition(":")
        text = re.sub(r"\s+([.,?])", r"\1", tidy(SPOKEN_TAG.sub("", text)))
        words = len(text.split())
        late = number > 0.35 * len(lines) and who == "Doctor"
        if late and (ADVICE.search(text) or ("?" not in text and words >= 25)):
            break
        if words and any(letter.isalnum() for letter in text):
            turns.append(Turn(speaker="assistant" if who == "Doctor" else "patient", text=text))
    return tuple(turns)
