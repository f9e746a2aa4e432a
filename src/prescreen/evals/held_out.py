"""The cases models are judged on: the data run's test suites, the project's own bank and the clinic's.

Knows where cases are and how to sample them; asks nobody anything.
"""

from pathlib import Path
from typing import Protocol

from prescreen.clinic.case import Case
from prescreen.config import digest
from prescreen.errors import RunError
from prescreen.evals.bank import bank_cases, clinic_cases
from prescreen.run import read_jsonl

Suites = dict[str, list[Case]]
BANK = "bank"  # the suite that needs no data run: the project's own case bank
CLINIC_BANK = "clinic_bank"  # the clinic's own cases, most of them made of incidents


class Choice(Protocol):
    """What a recipe says about cases."""

    @property
    def seed(self) -> int: ...
    @property
    def suites(self) -> tuple[str, ...]: ...
    @property
    def train_cases(self) -> str: ...
    @property
    def max_cases(self) -> int | None: ...
    @property
    def clinic_bank(self) -> Path | None: ...


def load_cases(recipe: Choice, data: Path) -> tuple[Suites, list[Case]]:
    """The suites that are there, and the training cases of the comparators."""
    suites = {name: load_suite(data, name, recipe) for name in recipe.suites if has_suite(data, name)}
    if recipe.clinic_bank is not None:
        suites[CLINIC_BANK] = load_clinic_bank(recipe.clinic_bank)
    if not suites:
        raise RunError(f"{data}/test: holds none of the suites {', '.join(recipe.suites)}; correct the recipe")
    path = data / recipe.train_cases
    if not path.exists():
        raise RunError(f"{path}: no such file in the data run; run the data stage again or correct train_cases")
    return suites, [Case.model_validate(row) for row in read_jsonl(path)]


def load_clinic_bank(folder: Path) -> list[Case]:
    """Every case of the clinic's own bank, never a sample: each stands for something that went wrong once."""
    cases = list(clinic_cases(folder))
    if not cases:
        raise RunError(f"{folder}: holds no cases; correct clinic_bank, or leave it out until the first incident")
    return cases


def has_suite(data: Path, name: str) -> bool:
    return bool(bank_cases()) if name == BANK else (data / "test" / f"{name}.jsonl").exists()


def load_suite(data: Path, name: str, recipe: Choice) -> list[Case]:
    """A suite's cases; with `max_cases` a sample that depends on the case ids alone, so it is stable."""
    path = data / "test" / f"{name}.jsonl"
    cases = list(bank_cases()) if name == BANK else [Case.model_validate(row) for row in read_jsonl(path)]
    if recipe.max_cases is None or len(cases) <= recipe.max_cases:
        return cases
    chosen = set(sorted((digest([recipe.seed, case.id]), case.id) for case in cases)[: recipe.max_cases])
    return [case for case in cases if (digest([recipe.seed, case.id]), case.id) in chosen]
