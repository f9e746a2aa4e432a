"""Reference text for continual pre-training: MedQuAD answers, OpenStax chapters, DDXPlus questions.

Knows how each was flattened and what must be cut. Nothing here is a label.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from prescreen.data.dialogues import read_json_lines, tidy
from prescreen.data.records import Reject, Text

MAX_WORDS = 350
AGEING = {"research", "frequency", "support groups"}  # trials, counts and addresses of about 2018
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(-])")
DANGLING = re.compile(
    r"\([^()]*\b(?:credit|attribution)\b[^()]*\)|\(\s*(?:and|,|;|\s)*\)|\(?\bsee\s*\)",
    re.I,
)
FRONT_MATTER = re.compile(
    r"^(Learning Outcomes|Chapter Objectives|(By the end|After) .* (section|chapter)|.*able to:$)", re.I
)
BOOKS = {
    "pharmacology.jsonl": "pharmacology",
    "nutrition.jsonl": "nutrition",
    "population-health.jsonl": "population health",
    "anatomy_physiology_2e.jsonl": "anatomy and physiology, as released under CC BY 4.0 before 2026-03-19",
}


def cut_sentences(text: str, max_words: int = MAX_WORDS) -> Iterator[str]:
    """Pieces of at most `max_words` words that end where a sentence ends; a longer sentence stays whole."""
    piece: list[str] = []
    words = 0
    for sentence in SENTENCE_END.split(text):
        count = len(sentence.split())
        if piece and words + count > max_words:
            yield " ".join(piece)
            piece, words = [], 0
        piece.append(sentence)
        words += count
    if piece:
        yield " ".join(piece)


def read_medquad(folder: Path) -> Iterator[Text | Reject]:
    """Consumer-health questions with the first sentences of their answers."""
    for record in read_json_lines(folder / "medquad_nih_cdc.jsonl"):
        name = f"medquad-{record['source']}-{record['id']}"
        if record["qtype"] in AGEING:
            yield Reject("medquad", name, f"answers of type {record['qtype']} age quickly (crawled about 2018)")
            continue
        answer = " ".join(record["answer"].split())
        first = next(cut_sentences(answer))
        if len(first.split()) < 10:
            yield Reject("medquad", name, "answer of fewer than ten words", answer)
        else:
            question = " ".join(record["question"].split()).replace(" ?", "?").replace("(are) ", "")
            question = question.replace("What I need to know about ", "")
            yield Text(name, f"{question}\n{first}", "medquad", "CC-BY-4.0", "medical")


def read_openstax(folder: Path) -> Iterator[Text | Reject]:
    """Textbook sections in pieces; front matter, picture credits, flattened tables and reference lists cut."""
    for file in BOOKS:
        if not (folder / file).exists():
            continue
        for record in read_json_lines(folder / file):
            name = f"openstax-{record['book']}-{record['module']}"
            body = clean_section(record["text"])
            if record["title"].strip() == "Preface" or len(body.split()) < 40:
                yield Reject("openstax_nursing", name, "front matter or too short", record["title"])
                continue
            for number, piece in enumerate(cut_sentences(body)):
                title = f"{record['title'].strip()}\n" if number == 0 else ""
                yield Text(f"{name}-{number}", title + piece, "openstax_nursing", "CC-BY-4.0", "medical")


def clean_section(text: str) -> str:
    """Running prose: no objectives, table cells, credits or empty figure references; a list becomes a sentence."""
    kept: list[str] = []
    dropping = False
    for line in tidy(text).split("\n"):
        if line.startswith("- ") and kept and not dropping and kept[-1].endswith((":", ";")):
            kept[-1] += f" {DANGLING.sub('', line[2:]).strip().rstrip('.;')};"
            continue
        dropping = bool(FRONT_MATTER.match(line)) or (dropping and line.startswith("- "))
        if dropping or line.startswith(("|", "- ")) or "http" in line:
            continue
        line = re.sub(r"\s+([.,;])", r"\1", " ".join(DANGLING.sub("", line).split()))
        if len(line.split()) >= 8 and line[0].isupper() and line.endswith((".", "?", "!", ":")):
            kept.append(line)
    prose = (line.removesuffix(";") + "." if line.endswith(";") else line for line in kept)
    return "\n".join(line for line in prose if not line.endswith(":"))


def read_ddxplus(folder: Path) -> Iterator[Text]:
    """The question bank as text, a dozen questions a document.

    The probabilities are left alone: antecedents were drawn by a rule engine, so some are clinically odd.
    """
    bank = json.loads((folder / "release_evidences.json").read_text(encoding="utf-8"))
    questions = list(dict.fromkeys(" ".join(entry["question_en"].split()) for entry in bank.values()))
    for start in range(0, len(questions), 12):
        asked = "\n".join(questions[start : start + 12])
        text = f"Questions a clinician may ask when taking a history:\n{asked}"
        yield Text(f"ddxplus-{start}", text, "ddxplus_kb", "CC-BY-4.0", "medical")
