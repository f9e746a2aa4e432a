"""What fits on this machine, before anything starts: versions, memory, disk, folders; loads no model.

Torch-free: devices come from the operating system, sizes from `config.json`. The arithmetic of memory is in
`prescreen.sizing` and `prescreen.needs`.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal, NamedTuple

from packaging.requirements import Requirement

from prescreen.needs import Need, advise
from prescreen.run import PACKAGE, hash_file
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


class Sign(NamedTuple):
    """One thing looked at. Only a fault stops work; a note is worth reading."""

    name: str
    state: Literal["ok", "note", "fault"]
    detail: str


class Device(NamedTuple):
    """Where a model could run, and the memory it has there in bytes."""

    name: str
    memory: int
    bf16: bool


def check_needs(needs: Sequence[Need]) -> Iterator[Sign]:
    """Whether each training recipe fits the best device here."""
    device = find_devices()[-1]
    for need in needs:
        fits = need.peak < device.memory
        share = f"{need.peak / GIB:.1f} of {device.memory / GIB:.1f} GiB"
        detail = f"about {share} on {device.name} (base: {need.base})"
        if not fits:
            detail += f"; it does not fit: {advise(need, device.memory)}"
        yield Sign(need.step, "ok" if fits else "fault", detail)


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


def find_devices() -> list[Device]:
    """The CPU, and NVIDIA cards as their driver lists them."""
    return [Device(f"CPU, {os.cpu_count()} cores", total_memory(), has_cpu_bf16()), *find_cards()]


def find_cards() -> Iterator[Device]:
    """NVIDIA cards; bf16 needs compute capability 8.0."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    if shutil.which(command[0]) is None:
        return
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return
    for line in listed.splitlines():
        name, mebibytes, capability = (part.strip() for part in line.rsplit(",", 2))
        yield Device(name, int(mebibytes) * 1024**2, float(capability) >= 8.0)


def has_cpu_bf16() -> bool:
    """Whether the CPU multiplies bf16 itself; without that it is some 500 times slower than fp32."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return False
    words = set(info.read_text().split())
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def describe_device(device: Device) -> str:
    """Name, memory and the precision training will use there: bf16 on a card, fp32 on any CPU."""
    units = "with bf16 units" if device.bf16 else "without bf16 units"
    precision = f"{units}, fp32 will be used" if device.name.startswith("CPU") else f"{units}, bf16 will be used"
    return f"{device.name}, {device.memory / GIB:.1f} GiB, {precision}"


def total_memory() -> int:
    """Memory this process may use: the machine's, or its container's limit when that is smaller."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(total, int(text)) if text.isdigit() else total


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
