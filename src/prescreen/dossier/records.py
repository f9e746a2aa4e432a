"""What a compliance officer edits: hazards, claims, checklist and pointers, YAML files beside this module.

Each names its evidence; where the evidence stands is `dossier.archive`'s business. An unknown key is an error.
"""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from prescreen.config import Strict, parse_recipe, read_yaml
from prescreen.evals.glossary import GLOSSARY
from prescreen.evals.prediction import View

FOLDER = Path(__file__).parent
KINDS = ("metric", "task", "stage", "gate", "code", "review")


class Ref(Strict):
    """Where evidence is to be found; exactly one of KINDS.

    metric: a figure of every suite, or of `suite`. task: all figures of the tasks whose names match (`bias*`).
    stage: `key` of a stage's run, in its manifest or in a data run's card. gate: checks on that metric, or all.
    code: a file of this project that does or tests what `say` says. review: clinicians' review of the bank.
    """

    say: str = ""
    metric: str | None = None
    suite: str | None = None
    view: View = "served"
    task: str | None = None
    stage: str | None = None
    key: tuple[str, ...] = ()
    gate: str | None = None
    code: str | None = None
    review: bool = False

    @model_validator(mode="after")
    def _is_one_kind(self) -> "Ref":
        if sum(bool(getattr(self, kind)) for kind in KINDS) != 1:
            raise ValueError(f"evidence is one of {', '.join(KINDS)}")
        if self.metric is not None and self.metric not in GLOSSARY:
            raise ValueError(f"unknown metric {self.metric!r}")
        if bool(self.stage) != bool(self.key):
            raise ValueError("stage and key go together")
        if (self.stage or self.code) and not self.say:
            raise ValueError("say in words what this shows")
        return self


class Hazard(Strict):
    """One line of the hazard log, after ISO 14971."""

    id: str = Field(pattern=r"^H\d\d$")
    hazard: str
    cause: str
    harm: str
    severity: Literal["negligible", "minor", "serious", "critical", "catastrophic"]
    controls: tuple[str, ...] = Field(min_length=1)
    evidence: tuple[Ref, ...] = Field(min_length=1)
    residual: str
    owner: str = "to be named by the clinic"


class Claim(Strict):
    """One claim of the safety case: what is said, why that follows, and on what it stands."""

    id: str = Field(pattern=r"^C\d\d$")
    claim: str
    argument: str
    evidence: tuple[Ref, ...] = Field(min_length=1)


class Item(Strict):
    """One line of a reporting checklist: answered here, from the runs, or by whoever reports the study."""

    number: int = Field(ge=1, le=19)
    name: str
    answer: str = ""
    evidence: tuple[Ref, ...] = ()
    status: Literal["filled", "not applicable", "to be completed by the clinic"] = "filled"

    @model_validator(mode="after")
    def _says_something(self) -> "Item":
        if not self.answer and not self.evidence and self.status == "filled":
            raise ValueError(f"item {self.number}, {self.name}: give an answer or evidence, or change the status")
        return self


class Pointer(Strict):
    """One rule that may apply, what it asks, what is here for it, and what is left to do."""

    rule: str
    asks: str
    here: str
    left: str


class Book(Strict):
    """All four files."""

    hazards: tuple[Hazard, ...]
    claims: tuple[Claim, ...]
    items: tuple[Item, ...]
    pointers: tuple[Pointer, ...]


class _Hazards(Strict):
    hazards: tuple[Hazard, ...]


class _Claims(Strict):
    claims: tuple[Claim, ...]


class _Items(Strict):
    items: tuple[Item, ...]


class _Pointers(Strict):
    pointers: tuple[Pointer, ...]


File = TypeVar("File", _Hazards, _Claims, _Items, _Pointers)


def read_book(folder: Path = FOLDER) -> Book:
    """The four files of a folder; RecipeError names the file, the place and the fault."""
    return Book(
        hazards=_read(folder / "hazards.yaml", _Hazards).hazards,
        claims=_read(folder / "claims.yaml", _Claims).claims,
        items=_read(folder / "tripod.yaml", _Items).items,
        pointers=_read(folder / "regulation.yaml", _Pointers).pointers,
    )


def _read(path: Path, kind: type[File]) -> File:
    return parse_recipe(kind, read_yaml(path), path)
