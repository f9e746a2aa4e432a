"""The executor: a folder of recipes becomes a folder of runs, in name order.

Knows recipes, runs, overrides, skipping and the lock. Stages are handed in as `{name: "module:RecipeClass"}`;
what they do is their own business, and so is resuming after an interruption.
"""

import errno
import fcntl
import importlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from prescreen.config import Recipe, apply_overrides, has_key, parse_recipe, read_yaml
from prescreen.errors import RecipeError, RunError
from prescreen.run import MANIFEST, PACKAGE, Run, hash_code
from prescreen.train import ranks

Stages = Mapping[str, str]
BUILT_ON = {"monitor/feedback": ("data", "records", "store")}  # a stage of a later layer reads what others wrote
RECIPE_NAME = re.compile(r"\d\d-[\w-]+\.yaml")


class Stage(NamedTuple):
    """One stage: the module whose `main` runs it and the class of its settings."""

    module: ModuleType
    recipe: type[Recipe]


@dataclass(frozen=True)
class Step:
    """One recipe of a folder, read and validated."""

    name: str
    stage: Stage
    recipe: Recipe


class Outcome(NamedTuple):
    """What became of one step."""

    run: Run
    skipped: bool
    seconds: float


def load_stage(name: object, stages: Stages, origin: object) -> Stage:
    """Import the module of a stage; RecipeError names the stages there are."""
    if not isinstance(name, str) or name not in stages:
        raise RecipeError(f"{origin}: unknown stage {name!r}; known: {', '.join(stages)}")
    module_name, class_name = stages[name].split(":")
    module = importlib.import_module(module_name)
    return Stage(module, getattr(module, class_name))


def find_recipes(path: Path) -> list[Path]:
    """The recipe file itself, or all `NN-name.yaml` of a folder in order."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RecipeError(f"{path}: no such recipe or folder")
    found = sorted(file for file in path.iterdir() if RECIPE_NAME.fullmatch(file.name))
    if not found:
        raise RecipeError(f"{path}: holds no recipes; name them NN-name.yaml, for example 01-data.yaml")
    return found


def parse_overrides(arguments: Sequence[str]) -> dict[str, str]:
    """Read `key=value` arguments."""
    overrides = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not key:
            raise RecipeError(f"{argument!r} is no override; write key=value, for example seed=1")
        overrides[key] = value
    return overrides


def load_steps(path: Path, stages: Stages, overrides: Mapping[str, str] | None = None) -> list[Step]:
    """Read and validate every recipe below `path`; overrides go to the recipes that have their key."""
    raw = {file: read_yaml(file) for file in find_recipes(path)}
    kinds = {file: load_stage(values.get("stage"), stages, file) for file, values in raw.items()}
    chosen: dict[Path, dict[str, str]] = {file: {} for file in raw}
    for key, value in (overrides or {}).items():
        takers = _find_takers(key, {file: (raw[file]["stage"], kinds[file].recipe) for file in raw})
        if not takers:
            raise RecipeError(f"{key}: no recipe in {path} has this key; docs/recipes.md lists them all")
        for file, inner in takers.items():
            chosen[file][inner] = value
    return [
        Step(
            file.stem,
            kinds[file],
            parse_recipe(kinds[file].recipe, apply_overrides(values, chosen[file]), file),
        )
        for file, values in raw.items()
    ]


def _find_takers(key: str, recipes: Mapping[Path, tuple[str, type[Recipe]]]) -> dict[Path, str]:
    """Recipes an override applies to, with the key inside it: `lr` all, `sft.lr`, `03-sft.lr` some."""
    direct = {file: key for file, (_, cls) in recipes.items() if has_key(cls, key)}
    if direct:
        return direct
    selector, _, inner = key.partition(".")
    return {
        file: inner
        for file, (stage, cls) in recipes.items()
        if selector in (stage, file.stem, file.stem[3:]) and has_key(cls, inner)
    }


def check_inputs(steps: Sequence[Step], where: object) -> None:
    """Every input must name an earlier recipe of the same folder."""
    for index, step in enumerate(steps):
        earlier = [other.name for other in steps[:index]]
        for name, parent in step.recipe.inputs.items():
            if parent not in earlier:
                raise RunError(
                    f"{where}/{step.name}.yaml: input {name!r} names {parent!r}, which is no earlier recipe "
                    f"there; choose from {', '.join(earlier) or 'none: this is the first'}"
                )


def open_run(folder: Path, stages: Stages) -> Run:
    """A finished run as it stands on disk, with its parents beside it."""
    if not folder.is_dir():
        raise RunError(f"{folder}: no such run")
    if not (folder / MANIFEST).exists():
        raise RunError(f"{folder}: this run is not finished; run its recipe first")
    values = read_yaml(folder / "recipe.yaml")
    stage = load_stage(values.get("stage"), stages, folder / "recipe.yaml")
    recipe = parse_recipe(stage.recipe, values, folder / "recipe.yaml")
    parents = {name: open_run(folder.parent / parent, stages) for name, parent in recipe.inputs.items()}
    return Run(folder, recipe, parents, code=stage_code(stage))


def stage_code(stage: Stage) -> str:
    """Hash of all code a stage can reach: its own folder, what all stages share, and parts it is built on."""
    file = Path(stage.module.__file__ or "").resolve()
    if not file.is_relative_to(PACKAGE):
        return hash_code(str(file))
    own = str(file.parent.relative_to(PACKAGE))
    return hash_code(own, *BUILT_ON.get(own, ()))


def run_steps(
    steps: Sequence[Step],
    runs: Path,
    stages: Stages,
    report: Callable[[str, Outcome | None], None] = lambda name, outcome: None,
) -> list[Outcome]:
    """Run steps in order below `runs`; a finished, unchanged one is skipped, an interrupted one resumes.

    Inputs are the runs of earlier steps, else finished runs already in `runs`. `report` hears of each step
    twice: when it begins (None) and when it is done. Of several processes the first alone locks and writes.
    """
    outcomes: dict[str, Outcome] = {}
    codes: dict[str, str] = {}
    with lock_folder(runs) if ranks.is_first() else nullcontext():
        for step in steps:
            parents = {
                name: outcomes[parent].run if parent in outcomes else open_run(runs / parent, stages).whole()
                for name, parent in step.recipe.inputs.items()
            }
            module = step.stage.module.__name__
            codes.setdefault(module, stage_code(step.stage))
            run = Run(runs / step.name, step.recipe, parents, code=codes[module])
            outcomes[step.name] = _run_step(step, run, report if ranks.is_first() else lambda *_: None)
    return list(outcomes.values())


def _run_step(step: Step, run: Run, report: Callable[[str, Outcome | None], None]) -> Outcome:
    begun = time.monotonic()
    skipped = ranks.agree(run.is_current)
    if not skipped:
        step.recipe.check_processes(ranks.count())
        report(step.name, None)
        ranks.agree(run.start)
        try:
            step.stage.module.main(step.recipe, run)
        except Exception as error:
            if is_disk_full(error):
                raise RunError(f"{run.folder}: the disk is full; free some space and run again") from error
            raise
        if not ranks.agree((run.folder / MANIFEST).exists):
            raise RunError(f"{run.folder}: the stage ended without finishing its run; its main() must call finish")
    outcome = Outcome(run, skipped, time.monotonic() - begun)
    report(step.name, outcome)
    return outcome


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error means "no space left", also when a library wrapped it in its own class."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or "No space left" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process alone; the lock of a process that died is taken over.

    The kernel drops the lock with its owner. Only a child that outlived a killed owner can still hold it,
    and the recorded process id tells that case apart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    handle = path.open("a+")
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            owner = handle.read().strip()
            if not owner.isdigit() or _is_alive(int(owner)):
                raise RunError(
                    f"{folder}: process {owner or '?'} is running in this folder; "
                    "wait for it, or choose another with --runs"
                ) from None
            handle.close()
            path.unlink(missing_ok=True)
            handle = path.open("a+")
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
    finally:
        handle.close()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
