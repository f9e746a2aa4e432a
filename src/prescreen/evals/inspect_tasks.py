"""The case bank for users of Inspect AI: `inspect eval prescreen/triage --model ...`.

Inspect is no dependency: samples and judgement are plain functions, and only `build_task` needs it. Inspect imports
this module by its entry point, which registers the tasks. Judges the level alone, on its own and behind the rules;
figures with intervals are `prescreen eval`'s.
"""

import json
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.errors import InputError
from prescreen.evals.bank import bank_cases
from prescreen.evals.levels import record_answer
from prescreen.model.engine import Completion
from prescreen.model.prompt import task_messages
from prescreen.run import read_jsonl

if TYPE_CHECKING:
    from inspect_ai import Task

LEVELS = tuple(level.value for level in Acuity)
FORM = 'Answer with JSON alone: {"acuity": "' + '" or "'.join(LEVELS) + '"}.'
ANSWER = re.compile(r'\{[^{}]*"acuity"[^{}]*\}')
FIGURES = tuple(f"{view}_{name}" for view in ("alone", "served") for name in ("in_range", "under", "over"))


class Judgement(NamedTuple):
    """What one answer is worth: 1 or 0 for each of FIGURES, the level read, and why."""

    values: dict[str, int]
    answer: str
    explanation: str


def read_cases(path: str = "") -> list[Case]:
    """Labelled cases: the bank's, or a JSONL file's in the case schema, such as a data run's test suite."""
    cases = [Case.model_validate(row) for row in read_jsonl(Path(path))] if path else list(bank_cases())
    labelled = [case for case in cases if case.label is not None]
    if not labelled:
        raise InputError(f"{path or 'the case bank'}: holds no labelled case; name another file with -T cases=FILE")
    return labelled


def is_clear_emergency(case: Case) -> bool:
    """Nothing below emergency would be accepted."""
    return case.label is not None and set(case.label.accepted) == {Acuity.EMERGENCY}


def build_samples(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """What Inspect's Sample takes, by name. Targets are all accepted levels; the label is not in the input."""
    samples = []
    for case in cases:
        instruction, told = task_messages("report", case)
        samples.append(
            {
                "id": case.id,
                "input": [
                    {"role": "system", "content": f"{instruction['content']} {FORM}"},
                    {"role": "user", "content": told["content"]},
                ],
                "target": [level.value for level in case.label.accepted] if case.label else [],
                "metadata": {"case": case.model_dump_json()},
            }
        )
    return samples


def judge_text(case: Case, text: str) -> Judgement:
    """One answer against the case's label. Without a readable level nothing is right; the rules still serve."""
    found = ANSWER.findall(text)
    row = record_answer(case, Completion(found[-1] if found else text))
    values = {}
    for view in ("alone", "served"):
        answer = row.answer(view)  # type: ignore[arg-type]
        shift = None if answer.predicted is None else answer.shift
        values[f"{view}_in_range"] = int(shift == 0)
        values[f"{view}_under"] = int(shift is not None and shift < 0)
        values[f"{view}_over"] = int(shift is not None and shift > 0)
    accepted = ", ".join(level.value for level in row.accepted)
    served = row.served.value if row.served else "none"
    why = f"accepted: {accepted}; served behind the rules: {served}; rules: {', '.join(row.fired) or 'none'}"
    return Judgement(values, row.alone.value if row.alone else "", why)


def build_task(cases: Sequence[Case]) -> "Task":
    """An Inspect Task over these cases; InputError where Inspect is not installed."""
    try:
        from inspect_ai import Task
        from inspect_ai.dataset import MemoryDataset, Sample
        from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, ResponseSchema
        from inspect_ai.scorer import Score, mean, scorer, stderr
        from inspect_ai.solver import generate
        from inspect_ai.util import JSONSchema
    except ImportError:
        raise InputError("Inspect AI is not installed; pip install inspect-ai, or use `prescreen eval`") from None

    @scorer(metrics={name: [mean(), stderr()] for name in FIGURES})
    def level() -> Any:
        async def score(state: Any, target: Any) -> Any:
            case = Case.model_validate(json.loads(state.metadata["case"]))
            judged = judge_text(case, state.output.completion)
            return Score(value=judged.values, answer=judged.answer, explanation=judged.explanation)

        return score

    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser}
    samples = [
        Sample(**{**row, "input": [kinds[message["role"]](content=message["content"]) for message in row["input"]]})
        for row in build_samples(cases)
    ]
    one = JSONSchema(type="string", enum=list(LEVELS))
    form = JSONSchema(type="object", properties={"acuity": one}, required=["acuity"], additionalProperties=False)
    config = GenerateConfig(temperature=0, response_schema=ResponseSchema(name="level", json_schema=form))
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=level(), config=config)


def triage(cases: str = "") -> "Task":
    """Every case: in range, too low, too high; on its own and as served."""
    return build_task(read_cases(cases))


def emergencies(cases: str = "") -> "Task":
    """Clear emergencies alone: what is not in range is missed."""
    return build_task([case for case in read_cases(cases) if is_clear_emergency(case)])


if find_spec("inspect_ai") is not None:
    from inspect_ai import task

    triage, emergencies = task(triage), task(emergencies)
