"""Simulated patients from public sets: MediQ's atomic facts and AgentClinic's patient actors, where they are there.

Their facts are sentences of exam vignettes without red flags marked, so only facts obtained are counted; a question
finds a fact by its rarer words. Knows the sets' fields.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prescreen.evals.concept import words_of
from prescreen.evals.conversation import Talk, hold_talks, judge_talk
from prescreen.evals.patient import WORD, Sheet
from prescreen.evals.public_sets import Row, read_public, sample_rows
from prescreen.evals.task import Found, count_items

if TYPE_CHECKING:
    from prescreen.evals.task import Item
    from prescreen.model.engine import Engine

NUM_PATIENTS = 24  # of each set
COMMON = 0.04  # a word in more than this share of facts names none of them
SENTENCE = re.compile(r"(?<=[.!?])\s+")
STEM = 5


def run_public_patients(engine: "Engine", seed: int, root: Path | None) -> Found:
    """A sample of each set that is there."""
    talks: list[Talk] = []
    skipped: list[str] = []
    for name, write in (("mediq", write_mediq), ("agentclinic", write_agentclinic)):
        rows = read_public(name, root)
        if isinstance(rows, str):
            skipped.append(rows)
            continue
        sheets = [write(rows[i], f"{name}-{i}") for i in sample_rows(rows, NUM_PATIENTS, seed)]
        cues = find_cues([list(sheet.facts.values()) for sheet in sheets])
        talks += [
            Talk(sheet, dict(zip(sheet.facts, own, strict=True))) for sheet, own in zip(sheets, cues, strict=True)
        ]
    items: list[Item] = []
    for talk in hold_talks(engine, talks):
        judged = [item for item in judge_talk(talk) if item.metric == "facts_obtained"]
        items += [item._replace(metric="public_facts_obtained") for item in judged]
    return Found(count_items(items), items, skipped=skipped)


def write_mediq(row: Row, name: str) -> Sheet:
    """The first sentence opens; every atomic fact can be asked for."""
    facts = [re.sub(r"^\d+\.\s*", "", fact).strip() for fact in row["facts"]]
    return _write_sheet(name, row["context"][0], facts)


def write_agentclinic(row: Row, name: str) -> Sheet:
    """Demographics and main symptom open; the rest can be asked for."""
    actor = dict(row["OSCE_Examination"]["Patient_Actor"])
    symptoms = dict(actor.pop("Symptoms", {}))
    who, main = actor.pop("Demographics", "A patient"), symptoms.pop("Primary_Symptom", "feels ill")
    return _write_sheet(name, f"{who}: {main}", [*_read_sentences(symptoms), *_read_sentences(actor)])


def _read_sentences(value: object) -> Iterator[str]:
    """The sentences of a text, a list or named parts, however deep; a short part keeps its name."""
    if isinstance(value, dict):
        for name, part in value.items():
            bare = isinstance(part, str) and len(part.split()) < 3
            yield from [f"{name.replace('_', ' ')}: {part}"] if bare else _read_sentences(part)
    elif isinstance(value, list):
        for part in value:
            yield from _read_sentences(part)
    else:
        yield from SENTENCE.split(str(value).strip())


def _write_sheet(name: str, opening: str, facts: Sequence[str]) -> Sheet:
    """All facts the opening does not already give away, each once."""
    given = words_of(opening)
    asked = [fact for fact in dict.fromkeys(facts) if words_of(fact) - given]
    return Sheet(id=name, opening=opening, facts={f"fact {i}": fact for i, fact in enumerate(asked, start=1)})


def find_cues(patients: Sequence[Sequence[str]]) -> list[list[tuple[str, ...]]]:
    """For each fact the word beginnings that name it: longer words few other facts hold."""
    stems = [[{w[:STEM] for w in WORD.findall(fact.lower()) if len(w) > 3} for fact in facts] for facts in patients]
    counts = Counter(stem for facts in stems for fact in facts for stem in fact)
    most = max(2, round(COMMON * sum(map(len, stems))))
    return [[tuple(sorted(stem for stem in fact if counts[stem] <= most)) for fact in facts] for facts in stems]
