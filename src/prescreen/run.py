"""Run folders: where stages meet.

A run is finished when its manifest exists: it is written last and atomically, with the SHA-256 of every
input and output, the recipe, the code's hash and the parents. Knows nothing about what stages do.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from prescreen import __version__
from prescreen.config import Recipe, digest
from prescreen.errors import RunError

MANIFEST = "manifest.json"
PACKAGE = Path(__file__).parent
SHARED_CODE = ("config.py", "run.py", "custody.py", "sizing.py", "clinic", "model")


def hash_file(path: Path) -> str:
    """SHA-256 of a file, read in 1 MiB pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_code(*parts: str) -> str:
    """Hash of the package's files a stage depends on: its own folder plus what all stages share.

    Imports point down only, so a stage in `train/` cannot depend on `evals/`: editing a report's
    template never retrains a model.
    """
    digests = {}
    for part in (*SHARED_CODE, *parts):
        root = PACKAGE / part
        for file in _files([root]):
            if "__pycache__" not in file.parts and not file.name.startswith("."):
                digests[f"{part}/{file.relative_to(root)}"] = hash_file(file)
    return digest(digests)


def hash_external(path: Path) -> str:
    """Hash of a file a stage reads from outside the runs, or of all files of a folder."""
    if not path.exists():
        raise RunError(f"{path}: the recipe reads this, but it is not there; correct the path in the recipe")
    if path.is_file():
        return hash_file(path)
    return digest({str(file.relative_to(path)): hash_file(file) for file in _files([path])})


def write_atomic(path: Path, text: str) -> None:
    """Write a whole file or nothing: a temporary neighbour, flushed to disk, then renamed over it."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(path)
    except OSError as error:
        raise RunError(f"{path}: could not be written ({error.strerror}); mend that and run again") from None
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write a JSON document atomically, in a form a person can read."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False, default=str) + "\n")


@contextmanager
def write_lines(path: Path) -> Iterator[Any]:
    """Open a text file for streaming; it appears under its name only if the block succeeds."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as handle:
            yield handle
        partial.replace(path)
    except OSError as error:
        raise RunError(f"{path}: could not be written ({error.strerror}); mend that and run again") from None
    finally:
        partial.unlink(missing_ok=True)


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Read back a JSONL file of our own making."""
    with path.open(encoding="utf-8") as handle:
        for line in handle:
            yield json.loads(line)


@dataclass(frozen=True)
class Run:
    """One stage's folder. `inputs` maps a recipe's input name to the finished run it reads."""

    folder: Path
    recipe: Recipe
    inputs: Mapping[str, "Run"] = field(default_factory=dict)
    code: str = ""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def manifest(self) -> dict[str, Any]:
        """The finished run's manifest; RunError when the run never finished."""
        path = self.folder / MANIFEST
        if not path.exists():
            raise RunError(f"{self.folder}: this run is not finished; run its recipe first")
        return json.loads(path.read_text(encoding="utf-8"))

    @property
    def metrics(self) -> dict[str, Any]:
        return self.manifest["metrics"]

    def fingerprint(self) -> str:
        """What decides whether a finished run still stands: recipe, inputs' outputs, code."""
        told = {
            "recipe": self.recipe.model_dump(mode="json"),
            "inputs": {name: run.manifest["outputs"] for name, run in self.inputs.items()},
            "external": {str(path): hash_external(path) for path in self.recipe.external()},
            "code": self.code,
        }
        stamp = self.recipe.stamp()
        return digest(told | {"stamp": stamp} if stamp else told)

    def is_current(self) -> bool:
        """True when finished with this very fingerprint and all outputs are as they were written."""
        if not (self.folder / MANIFEST).exists():
            return False
        return self.manifest["fingerprint"] == self.fingerprint() and not self.damage()

    def damage(self) -> list[str]:
        """Names of outputs that are gone or differ from what the manifest says."""
        outputs: dict[str, str] = self.manifest["outputs"]
        files = {name: self.folder / name for name in outputs}
        return [name for name, file in files.items() if not file.is_file() or hash_file(file) != outputs[name]]

    def whole(self) -> "Run":
        """This run, if its outputs are what was written: nothing is judged by or learned from a changed file."""
        if damage := self.damage():
            what = f"changed since it was written: {', '.join(damage)}"
            raise RunError(f"{self.folder}: {what}; run its recipe again")
        return self

    def start(self) -> None:
        """Prepare the folder: the same work, interrupted, may resume; all else is cleared."""
        started = self.folder / "started.json"
        fingerprint = self.fingerprint()
        doomed = self.folder.with_name(f".{self.name}.old")
        shutil.rmtree(doomed, ignore_errors=True)
        if started.exists() and (
            (self.folder / MANIFEST).exists() or json.loads(started.read_text())["fingerprint"] != fingerprint
        ):
            self.folder.rename(doomed)  # first out of sight: half a cleared folder must not look resumable
            shutil.rmtree(doomed)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(started, {"fingerprint": fingerprint, "time": time.time()})
        write_atomic(
            self.folder / "recipe.yaml",
            yaml.safe_dump(self.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        )

    def finish(self, outputs: list[Path], metrics: Mapping[str, Any]) -> None:
        """Write the manifest, last. Its existence means: this run is whole."""
        started = json.loads((self.folder / "started.json").read_text())
        write_json(
            self.folder / MANIFEST,
            {
                "stage": self.recipe.stage,
                "fingerprint": started["fingerprint"],
                "inputs": {name: {"run": run.name, **_short(run)} for name, run in self.inputs.items()},
                "outputs": {
                    str(path.relative_to(self.folder)): hash_file(path) for path in sorted(_files(outputs))
                },
                "metrics": dict(metrics),
                "seed": self.recipe.seed,
                "code": self.code,
                "versions": _versions(),
                "seconds": round(time.time() - started["time"], 1),
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
        )


def _files(paths: list[Path]) -> list[Path]:
    return [f for p in paths for f in (sorted(p.rglob("*")) if p.is_dir() else [p]) if f.is_file()]


def _short(run: Run) -> dict[str, str]:
    return {"fingerprint": run.manifest["fingerprint"], "manifest": hash_file(run.folder / MANIFEST)}


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("torch", "transformers", "peft", "llguidance")
    return {"prescreen": __version__, "python": sys.version.split()[0], **{n: version(n) for n in names}}
