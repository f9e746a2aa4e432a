"""People's written questions: MeQSum letters to summarise, MedSafetyBench requests to refuse.

Refusals come with as many benign letters, answered by taking the question to the nurse, so that the model
learns what to refuse and not that refusing is safe.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from prescreen.data.dialogues import read_json_lines, tidy
from prescreen.data.records import Reject, Row
from prescreen.data.split import hash_share
from prescreen.model.prompt import TASKS

MAX_LETTER_WORDS = 150
PLACEHOLDER = re.compile(r"\[(LOCATION|NAME|CONTACT|DATE|AGE|PROFESSION)[^\]]*\]", re.I)
HANDED_ON = (
    "You would like to know: {question} I have written this down for the nurse, who will answer you.",
    "Your question is: {question} The nurse reads it next and will come back to you.",
    "I have noted your question for the nurse: {question} Please add anything that has changed since.",
)


def read_letters(folder: Path) -> Iterator[Row | Reject]:
    """Real letters with an expert's one-line question: one row to hand the question on to the nurse."""
    for number, record in enumerate(read_json_lines(folder / "meqsum.jsonl")):
        name, summary = f"meqsum-{number:04d}", " ".join(record["summary"].split())
        letter = tidy(PLACEHOLDER.sub("", re.sub(r"^(SUBJECT|MESSAGE):", "", record["chq"], flags=re.MULTILINE)))
        if not letter or not summary or len(letter.split()) > MAX_LETTER_WORDS:
            yield Reject("meqsum", name, "empty, or a letter of more than 150 words", summary)
            continue
        wording = HANDED_ON[int(hash_share("letters", name) * len(HANDED_ON))]
        yield _answer_row("meqsum", "CC-BY-4.0", name, letter, wording.format(question=summary))


def read_refusals(folder: Path) -> Iterator[Row]:
    """Harmful requests with their safe answers. Their authors ask for research use."""
    for record in read_json_lines(folder / "train.jsonl"):
        yield _answer_row(
            "med_safety_bench", "MIT", record["id"], tidy(record["request"]), tidy(record["safe_response"])
        )


def _answer_row(source: str, licence: str, name: str, asked: str, answered: str) -> Row:
    messages = (
        {"role": "developer", "content": TASKS["answer"]},
        {"role": "user", "content": asked},
        {"role": "assistant", "content": answered},
    )
    return Row(f"{name}-answer", name, name, "answer", source, licence, messages)  # type: ignore[arg-type]
