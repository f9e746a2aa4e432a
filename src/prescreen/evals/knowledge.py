"""Task "knowledge": what a model still knows, asked as yes, no or maybe about a short context.

The project's own medical and general questions, and PubMedQA's development part where it is there: held next to the
base model's they show what tuning took away. Knows questions and engines; held-out perplexity is the training's.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from prescreen.config import Strict, read_yaml
from prescreen.errors import RecipeError
from prescreen.evals.asking import ask_briefly
from prescreen.evals.public_sets import read_public, sample_rows
from prescreen.evals.task import Found, Item, Verdict, count_items

if TYPE_CHECKING:
    from prescreen.model.engine import Completion, Engine
    from prescreen.model.harmony import Message

QUESTIONS = Path(__file__).with_name("probes") / "knowledge.yaml"
INSTRUCTION = (
    "Answer the question with yes or no; with maybe where the context and general knowledge leave it open."
)
NUM_PUBMEDQA = 100
Word = Literal["yes", "no", "maybe"]


class Asked(Strict):
    """One question about a context."""

    context: str = Field(min_length=8)
    question: str = Field(pattern=r"\?$")


class _File(Strict):
    """probes/knowledge.yaml: the answer heads each list."""

    version: int
    medical: dict[Word, tuple[Asked, ...]]
    general: dict[Word, tuple[Asked, ...]]


class _Answer(Strict):
    """What a model may say."""

    answer: Word


SCHEMA: dict[str, Any] = _Answer.model_json_schema()


class Question(NamedTuple):
    """A question with its right answer and the metric it counts for."""

    id: str
    metric: str
    asked: Asked
    right: Word


@cache
def read_questions(path: Path = QUESTIONS) -> tuple[Question, ...]:
    """The project's own questions; RecipeError names the file and the place."""
    try:
        file = _File.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return tuple(
        Question(f"{kind}-{right}-{number}", f"knowledge_{kind}", asked, right)
        for kind, lists in (("medical", file.medical), ("general", file.general))
        for right, questions in lists.items()
        for number, asked in enumerate(questions, start=1)
    )


def run_knowledge(engine: "Engine", seed: int) -> Found:
    """The project's own questions."""
    return ask_questions(engine, read_questions())


def run_pubmedqa(engine: "Engine", seed: int, root: Path | None) -> Found:
    """A sample of PubMedQA's development part: a research question about an abstract without its conclusion."""
    rows = read_public("pubmedqa", root)
    if isinstance(rows, str):
        return Found({}, [], skipped=(rows,))
    chosen = [rows[i] for i in sample_rows(rows, NUM_PUBMEDQA, seed)]
    questions = [
        Question(
            f"pubmedqa-{row['pmid']}",
            "knowledge_pubmedqa",
            Asked(context=" ".join(row["contexts"]), question=row["question"].rstrip("? ") + "?"),
            row["final_decision"],
        )
        for row in chosen
    ]
    return ask_questions(engine, questions)


def ask_questions(engine: "Engine", questions: Sequence[Question]) -> Found:
    """Every question once, the answer held to the three words."""
    answers = ask_briefly(engine, [build_messages(each.asked) for each in questions], SCHEMA)
    items = [judge_answer(each, answer) for each, answer in zip(questions, answers, strict=True)]
    return Found(count_items(items), items)


def build_messages(asked: Asked) -> "list[Message]":
    return [
        {"role": "developer", "content": INSTRUCTION},
        {"role": "user", "content": f"Context: {asked.context}\nQuestion: {asked.question}"},
    ]


def judge_answer(question: Question, answer: "Completion") -> Item:
    """Right, wrong, unreadable or crashed."""
    verdict: Verdict = "errored"
    why = answer.error
    if answer.finish != "error":
        try:
            said = _Answer.model_validate_json(answer.text).answer
            verdict, why = ("right" if said == question.right else "wrong"), f"the answer is {question.right}"
        except ValidationError:
            verdict, why = "no_answer", "not one of yes, no and maybe"
    asked = f"{question.asked.context}\n{question.asked.question}"
    return Item(question.id, question.metric, verdict, asked, answer.text, why)
