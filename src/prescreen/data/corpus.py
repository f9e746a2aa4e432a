"""The tiny twin's pre-training corpus: language, copying and JSON, but no triage.

A stand-in for what a large base model already knows. Conversations and abstraction exercises (what was said, as
JSON) come from training templates and training conditions only, without level, red flag, differential or next
step. English comes from our everyday texts and from openly licensed books, answers and dialogues below data_root,
the training part of each, so that held-out text stays held out.
"""

import itertools
import json
import random
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from prescreen.clinic.case import Case
from prescreen.clinic.report import Draft
from prescreen.config import Recipe
from prescreen.data.gather import Gathered, gather_sources
from prescreen.data.sources import source_files
from prescreen.data.split import hash_share
from prescreen.data.synthesize import general_texts, medical_texts, synthesize_cases
from prescreen.model.prompt import case_text, dialogue_messages
from prescreen.run import Run, write_lines

PUBLIC = ("mts_dialog", "medquad", "openstax_nursing", "meqsum")
ABSTRACT = "Copy what was said into JSON: summary, history, findings."
LIST = "List in one line what is present and what is denied."
JSON_EVERY = 4  # every so many cases are copied into JSON, which is long; the others are listed in a line
STRAY = 0.25  # chance of such a sentence before, and after, what somebody says
KNOWN = {"summary", "history", "findings"}
PARTS = ("train", "valid", "test")


class CorpusRecipe(Recipe):
    """How much generated text of each kind."""

    stage: Literal["corpus"]
    data_root: Path | None = Field(
        None, description="folder of the public sets; without it the English is ours alone"
    )
    num_characters: int = Field(6_000_000, ge=0, description="characters of public text")
    num_cases: int = Field(6000, ge=10, description="cases told as a conversation and as an abstraction exercise")
    num_general: int = Field(3000, ge=10, description="everyday texts")
    num_lexicon: int = Field(1500, ge=0, description="texts about symptoms and their lay names")
    held_out: int = Field(60, ge=1, description="documents of each kind kept for validation and for test")
    vocabulary: Path = Field(description="ids of the full vocabulary the twin keeps, one a line")

    def external(self) -> list[Path]:
        return [self.vocabulary, *source_files(PUBLIC, self.data_root)]


def main(recipe: CorpusRecipe, run: Run) -> None:
    """Write train, valid and test/cpt.jsonl and the vocabulary's ids."""
    makers = (abstractions, conversations, everyday, lexicon, public_english)
    kinds = [list(make(recipe)) for make in makers]
    outputs = []
    for number, part in enumerate(PARTS):
        rows = []
        for kind in kinds:
            start = (number - 1) * recipe.held_out if number else 2 * recipe.held_out
            rows += kind[start : start + recipe.held_out] if number else kind[start:]
        if part == "test":
            rows = [row for row in rows if "text" in row]
        random.Random(recipe.seed).shuffle(rows)
        path = run.folder / part / "cpt.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_lines(path) as handle:
            handle.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        outputs.append(path)
    listed = run.folder / "vocabulary.txt"
    listed.write_text(recipe.vocabulary.read_text())
    run.finish([*outputs, listed], {"num_documents": sum(map(len, kinds))})


def train_cases(recipe: CorpusRecipe) -> list[Case]:
    """Cases in the training templates; their seed lies far from every data recipe's."""
    return list(synthesize_cases(recipe.seed + 100_000, recipe.num_cases, "train"))


def abstractions(recipe: CorpusRecipe) -> Any:
    """Chats whose answer copies the case into the first three fields of a draft, or lists its findings."""
    rng = random.Random(f"abstractions/{recipe.seed}")
    sentences = everyday_sentences(recipe)
    for number, case in enumerate(train_cases(recipe)):
        assert case.label is not None and case.label.draft is not None
        task, answer = LIST, list_findings(case.label.draft)
        if number % JSON_EVERY == 0:
            copied = case.label.draft.model_dump(mode="json", include=KNOWN)
            task, answer = ABSTRACT, json.dumps(copied, ensure_ascii=False, separators=(",", ":"))
        yield {
            "messages": [
                {"role": "developer", "content": task},
                {"role": "user", "content": case_text(distract(case, sentences, rng))},
                {"role": "assistant", "content": answer},
            ]
        }


def list_findings(draft: Draft) -> str:
    """Such as "present: cough, sore throat; denied: fever"."""
    told = {status: [f.name for f in draft.findings if f.status == status] for status in ("present", "denied")}
    return "; ".join(f"{status}: {', '.join(names)}" for status, names in told.items() if names)


def everyday_sentences(recipe: CorpusRecipe) -> list[str]:
    """Sentences that have nothing to do with anybody's complaint."""
    return [s for row in everyday(recipe) for s in re.split(r"(?<=[.?!])\s+", row["text"]) if len(s.split()) < 14]


def distract(case: Case, sentences: list[str], rng: random.Random) -> Case:
    """The same case with sentences in it that do not belong: what matters must be found, wherever it stands."""

    def surround(text: str) -> str:
        before = rng.choice(sentences) if rng.random() < STRAY else ""
        after = rng.choice(sentences) if rng.random() < STRAY else ""
        return " ".join(part for part in (before, text, after) if part)

    turns = [t if t.speaker == "assistant" else t.model_copy(update={"text": surround(t.text)}) for t in case.turns]
    return case.model_copy(update={"complaint": surround(case.complaint), "turns": tuple(turns)})


def conversations(recipe: CorpusRecipe) -> Any:
    """Every eighth case as plain text, every sixteenth as the chat it was."""
    for number, case in enumerate(train_cases(recipe)):
        if number % 8 == 0:
            yield {"text": case_text(case), "kind": "medical"}
        if number % 16 == 1 and any(turn.speaker == "assistant" for turn in case.turns):
            yield {"messages": dialogue_messages(case)}


def public_english(recipe: CorpusRecipe) -> Any:
    """Books, answers and dialogues up to a number of characters, in an order that depends on their names alone."""
    found = Gathered()
    gather_sources(found, PUBLIC, recipe.data_root, max_words=600)
    texts = [(text.id, text.text) for text in found.texts["train"]]
    texts += [(row.id, row.read) for row in found.rows["train"]]
    total = 0
    for name, text in sorted(texts, key=lambda item: hash_share("corpus", item[0])):
        total += len(text)
        if total > recipe.num_characters:
            return
        yield {"id": name, "text": text, "kind": "public"}


def everyday(recipe: CorpusRecipe) -> Any:
    """General English."""
    return itertools.islice(general_texts(recipe.seed + 100_000, recipe.num_general, "train"), recipe.num_general)


def lexicon(recipe: CorpusRecipe) -> Any:
    """Texts on symptoms and their lay names, without the paragraphs that weigh urgency."""
    texts = medical_texts(recipe.seed + 100_000, recipe.num_lexicon, "train")
    return (text for text in texts if not mentions_urgency(text["text"]))


def mentions_urgency(text: str) -> bool:
    """Whether a text names a level or how soon someone must be seen."""
    words = ("emergency", "urgent", "urgency", "high", "medium", "low", "wait", "priority", "at once", "same day")
    return any(word in text.lower() for word in words)
