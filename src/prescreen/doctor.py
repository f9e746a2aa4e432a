"""What fits on this machine, before anything starts: versions, memory, disk, folders; loads no model.

Torch-free. Devices are described by `prescreen.devices`, what recipes need by `prescreen.needs`.
"""

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from packaging.requirements import Requirement

from prescreen.config import read_yaml
from prescreen.devices import Device, Speed, describe_device, find_devices, find_speed, total_memory
from prescreen.errors import RecipeError
from prescreen.needs import ROOM, Need, advise, size_steps
from prescreen.pipeline import Step
from prescreen.run import MANIFEST, PACKAGE, hash_file
from prescreen.sizing import GIB

CHECKED = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "tokenizers",
    "safetensors",
    "llguidance",
    "quicktok-v1",
)
LEAST_DISK = 2 * GIB  # a tiny run with its checkpoints and a report
LEAST_MEMORY = 4 * GIB
State = Literal["ok", "note", "fault"]


class Sign(NamedTuple):
    """One thing looked at. Only a fault stops work; a note is worth reading. `figures` are for scripts."""

    name: str
    state: State
    detail: str
    figures: Mapping[str, Any] | None = None


def check_needs(steps: Sequence[Step], runs: Path, *, parts: bool = False) -> Iterator[Sign]:
    """Whether each training recipe fits the best device here, and about how long it takes there."""
    device = find_devices()[-1]
    needs = size_steps(steps, device.precision, runs)
    if not needs:
        return
    speed = find_speed(device)
    basis = speed.basis if speed else f"no data sheet of {device.name} here: no times"
    yield Sign("speed", "ok" if speed else "note", basis)
    for need in needs:
        yield check_need(need, device, speed, parts=parts)


def check_need(need: Need, device: Device, speed: Speed | None, *, parts: bool = False) -> Sign:
    """One training recipe: its peak, its advice when that is too much, its time."""
    memory = need.memory
    state: State = (
        "fault" if memory.peak >= device.memory else "note" if memory.peak >= ROOM * device.memory else "ok"
    )
    detail = f"about {memory.peak / GIB:.1f} of {device.memory / GIB:.1f} GiB"
    if parts:
        shown = (f"{name} {size / GIB:.1f}" for name, size in memory._asdict().items() if size >= 0.05 * GIB)
        detail += f" ({', '.join(shown)})"
    if state != "ok":
        word = "it does not fit" if state == "fault" else "tight"
        detail += f"; {word}: {advise(need, device.memory)}"
    figures: dict[str, Any] = {"peak": memory.peak, "parts": memory._asdict(), "tokens_per_step": need.step_tokens}
    if speed:
        step, stage = need.step_seconds(speed), need.stage_seconds(speed)
        figures |= {"step_s": step, "stage_s": stage, "tokens_per_s": need.step_tokens / step}
        detail += f"; about {say_seconds(step)} a step, "
        detail += (
            f"{say_seconds(stage)} in all"
            if stage is not None
            else f"{say_seconds(1e6 * step / need.step_tokens)} a million tokens"
        )
    return Sign(need.step, state, f"{detail} (base: {need.base})", figures)


def say_seconds(seconds: float) -> str:
    """A duration in the unit a person would choose, two digits."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f} {unit}"
    return f"{seconds:.{0 if seconds >= 10 else 1 if seconds >= 1 else 2}f} s"


def refuse_oversized(steps: Sequence[Step], runs: Path) -> None:
    """RecipeError when a stage still to be trained will not fit, with the settings that would.

    A run that finished with these very settings has shown that it fits. Shards of several processes are not
    predicted, so nothing is refused there.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return
    device = find_devices()[-1]
    ahead = {step.name for step in steps if not has_finished(step, runs / step.name)}
    needs = [need for need in size_steps(steps, device.precision) if need.step in ahead]
    worst = max(needs, key=lambda need: need.peak, default=None)
    if worst and worst.peak >= device.memory:
        raise RecipeError(
            f"{worst.step} needs about {worst.peak / GIB:.1f} GiB and {device.name} has "
            f"{device.memory / GIB:.1f}: {advise(worst, device.memory)}; --force tries all the same"
        )


def has_finished(step: Step, run: Path) -> bool:
    """Whether a run folder holds this recipe's finished run, on whatever data and code."""
    done = (run / MANIFEST).exists()
    return done and read_yaml(run / "recipe.yaml") == step.recipe.model_dump(mode="json")


def examine(model: Path | None, runs: Path, *, hashes: bool) -> list[Sign]:
    """Look at everything that decides whether a run can start."""
    signs = [
        *check_versions(),
        *(Sign("device", "ok", describe_device(device)) for device in find_devices()),
        *check_room(runs),
        *check_twin(),
    ]
    return signs if model is None else [*signs, *check_weights("model folder", model, hashes=hashes)]


def check_versions() -> Iterator[Sign]:
    """Python and the packages that decide results, against the ranges we declare and the lock we test."""
    enough = sys.version_info >= (3, 11)
    yield Sign("python", "ok" if enough else "fault", platform.python_version() + ("" if enough else "; need 3.11"))
    locked = read_lock()
    ranges = {r.name.lower(): r.specifier for r in map(Requirement, requires("prescreen") or [])}
    for name in CHECKED:
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Sign(name, "fault", "not installed; run make setup")
            continue
        if not ranges[name].contains(found.split("+")[0]):
            yield Sign(name, "fault", f"{found}; need {ranges[name]}: run make setup")
        elif found.split("+")[0] != locked.get(name, found.split("+")[0]):
            yield Sign(name, "note", f"{found}; tested with {locked[name]}")
        else:
            yield Sign(name, "ok", found)


def read_lock() -> dict[str, str]:
    """Locked versions, where the checkout is at hand; nothing for an installed wheel."""
    lock = PACKAGE.parents[1] / "requirements.lock"
    lines = lock.read_text().splitlines() if lock.exists() else []
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {name.lower().replace("_", "-"): pinned for name, pinned in pairs}


def check_room(runs: Path) -> Iterator[Sign]:
    """Disk where runs go, and memory."""
    there = next(path for path in (runs.resolve(), *runs.resolve().parents) if path.exists())
    free = shutil.disk_usage(there).free
    yield Sign("disk", "ok" if free >= LEAST_DISK else "fault", f"{free / GIB:.1f} GiB free in {there}")
    memory = total_memory()
    yield Sign(
        "memory", "ok" if memory >= LEAST_MEMORY else "fault", f"{memory / GIB:.1f} GiB; the tiny run needs 4"
    )


def check_twin() -> list[Sign]:
    """The tiny base model shipped with the package."""
    folder = PACKAGE / "model" / "twin"
    if not (folder / "config.json").exists():
        return [Sign("tiny base", "fault", f"{folder} is not there; build it with: prescreen run recipes/twin")]
    return check_weights("tiny base", folder, hashes=True)


def check_weights(name: str, folder: Path, *, hashes: bool) -> list[Sign]:
    """A checkpoint folder: kind, files, sizes and, when asked, the SHA-256 of every shard."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [Sign(name, "fault", f"{folder}: no readable config.json; copy the model folder again")]
    if config.get("model_type") != "gpt_oss":
        return [Sign(name, "fault", f"{folder}: a {config.get('model_type')!r} model; prescreen tunes gpt_oss")]
    index = folder / "model.safetensors.index.json"
    listed = set(json.loads(index.read_text())["weight_map"].values()) if index.exists() else {"model.safetensors"}
    missing = sorted(file for file in listed if not (folder / file).exists())
    if missing:
        return [Sign(name, "fault", f"{folder}: missing {', '.join(missing)}; copy the model folder again")]
    size = sum((folder / file).stat().st_size for file in listed)
    stored = config.get("quantization_config", {}).get("quant_method", config.get("dtype", "dense"))
    signs = [Sign(name, "ok", f"{folder}: {len(listed)} weight file(s), {size / 1024**2:.1f} MiB, {stored}")]
    if hashes:
        signs += [Sign(f"{name} sha256", "ok", f"{hash_file(folder / file)}  {file}") for file in sorted(listed)]
    return signs


def print_signs(signs: list[Sign], *, as_json: bool) -> None:
    """For a person a table, for a script JSON."""
    if as_json:
        print(json.dumps([sign._asdict() for sign in signs], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    colours = {"ok": "green", "note": "yellow", "fault": "bold red"}
    for sign in signs:
        table.add_row(f"[{colours[sign.state]}]{sign.state}[/]", sign.name, sign.detail)
    Console().print(table)
