"""Recipes: one complete YAML per stage run, frozen, an unknown key is an error.

Knows YAML, overrides (`key=value`) and hashing. Knows nothing about stages.
"""

import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from prescreen.errors import GuardError, RecipeError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the rules are 1,700 lines: 0.1 s instead of 1.5


class Strict(BaseModel):
    """A frozen record that refuses what it does not understand."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Recipe(Strict):
    """Settings of one stage. Subclassed at the top of each stage's module."""

    stage: str  # which stage these settings are for
    seed: int = 0  # decides every random choice of the stage
    inputs: dict[str, str] = {}  # what the stage calls a parent run -> that run's name, e.g. data: 01-data

    def external(self) -> list[Path]:
        """Files and folders outside the runs that this stage reads; when they change, the run is stale."""
        return []

    def stamp(self) -> str:
        """What else decides whether a finished run still stands, where that is no file; empty: nothing."""
        return ""

    def check_processes(self, processes: int) -> None:
        """GuardError where the stage cannot be shared by so many."""
        if processes > 1:
            raise GuardError(f"stage {self.stage} runs in one process; run it without torchrun")


R = TypeVar("R", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping; raise RecipeError with the line when it is none."""
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(loaded, dict):
        raise RecipeError(f"{path}: expected a mapping of keys to values")
    return loaded


def apply_overrides(values: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    """Return `values` with `a.b=1` style overrides applied; values are parsed as YAML scalars."""
    merged: dict[str, Any] = copy.deepcopy(dict(values))
    for dotted, raw in overrides.items():
        *parents, leaf = dotted.split(".")
        target = merged
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise RecipeError(f"override {dotted}: {parent} is not a group of settings")
        try:
            target[leaf] = yaml.safe_load(raw)
        except yaml.YAMLError:
            raise RecipeError(f"override {dotted}: {raw!r} is not a YAML value; quote it") from None
    return merged


def has_key(cls: type[BaseModel], dotted: str) -> bool:
    """Whether a recipe class has this (dotted) key; any key fits below a free mapping."""
    head, _, rest = dotted.partition(".")
    if head not in cls.model_fields:
        return False
    if not rest:
        return True
    return any(
        issubclass(kind, Mapping) or (issubclass(kind, BaseModel) and has_key(kind, rest))
        for kind in _classes(cls.model_fields[head].annotation)
    )


def _classes(annotation: Any) -> list[type]:
    """All classes an annotation mentions at its top: `Loss | None` -> [Loss, NoneType]."""
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return [origin]
    if origin is None:
        return [annotation] if isinstance(annotation, type) else []
    return [kind for part in get_args(annotation) for kind in _classes(part)]


def parse_recipe(cls: type[R], values: Mapping[str, Any], origin: object) -> R:
    """Validate `values` as `cls`; every problem is named in one sentence."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'recipe'}: "
            + ("unknown key" if e["type"] == "extra_forbidden" else e["msg"])
            for e in error.errors()
        )
        raise RecipeError(f"{origin}: {problems}") from None


def digest(value: object) -> str:
    """SHA-256 of a JSON-able value, independent of key order."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
