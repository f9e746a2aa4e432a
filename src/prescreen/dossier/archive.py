"""Finished runs as evidence: every figure with the file it stands in and the hash of its run's manifest.

A file that no longer is what its manifest says is never cited. What is not there is said, never left blank.
"""

import json
import os
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.dossier.records import Ref
from prescreen.errors import RunError
from prescreen.evals.glossary import GLOSSARY, VIEW_NAMES
from prescreen.evals.rate import Measure
from prescreen.run import MANIFEST, hash_file

SHORT = 12  # characters of a hash that are shown


class Source(NamedTuple):
    """Where a figure stands: the run, the file, a link relative to the dossier, the manifest's hash."""

    run: str
    file: str
    href: str
    manifest: str


class Figure(NamedTuple):
    """One piece of evidence. Without a source it is missing, and `text` says so."""

    name: str
    text: str
    source: Source | None = None
    missing: bool = False
    outcome: str = ""


class Archive:
    """The runs of one folder, seen from the dossier that will link to them."""

    def __init__(self, folder: Path, out: Path, review: Path | None = None) -> None:
        self.folder, self.out, self.review_file = folder, out, review
        manifests = sorted(folder.glob(f"*/{MANIFEST}")) if folder.is_dir() else []
        if not manifests:
            raise RunError(
                f"{folder}: holds no finished run; name the folder `prescreen run` wrote, e.g. runs/tiny"
            )
        self.manifests = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in manifests}
        self._cited: dict[tuple[str, str], Source] = {}
        self.lacking: set[Figure] = set()
        self.gate = self._latest("gate")
        known = self.manifests[self.gate]["inputs"]["evals"]["run"] if self.gate else ""
        self.evals = known if known in self.manifests else self._latest("evals")
        if not self.evals:
            raise RunError(f"{folder}: holds no finished evaluation, and a dossier without figures is none")

    def _latest(self, stage: str) -> str:
        runs = [(m["finished"], name) for name, m in self.manifests.items() if m["stage"] == stage]
        return max(runs)[1] if runs else ""

    def cite(self, run: str, file: str) -> Source:
        """A file of a run; RunError when it has changed since its manifest was written."""
        if (run, file) in self._cited:
            return self._cited[run, file]
        path = self.folder / run / file
        known = self.manifests[run]["outputs"].get(file)
        if file not in (MANIFEST, "recipe.yaml") and (not path.exists() or hash_file(path) != known):
            raise RunError(f"{path}: has changed since its run finished; run that recipe again")
        manifest = hash_file(self.folder / run / MANIFEST)[:SHORT]
        self._cited[run, file] = Source(run, file, self.link(path), manifest)
        return self._cited[run, file]

    def link(self, path: Path) -> str:
        """Relative to the dossier, so that a folder handed on keeps its links."""
        return Path(os.path.relpath(path.resolve(), self.out.resolve().parent)).as_posix()

    def read(self, run: str, file: str) -> dict[str, Any]:
        """A JSON file of a run, unchanged since it was written."""
        self.cite(run, file)
        return json.loads((self.folder / run / file).read_text(encoding="utf-8"))

    @cached_property
    def metrics(self) -> dict[str, Any]:
        return self.read(self.evals, "metrics.json")

    @cached_property
    def verdict(self) -> dict[str, Any] | None:
        return self.read(self.gate, "gate.json") if self.gate else None

    @cached_property
    def candidate(self) -> str:
        """The system the dossier is about: the gate's candidate, else the last model evaluated, else the rules."""
        if self.verdict:
            return str(self.verdict["candidate"])
        return next(reversed(self.metrics.get("models", {})), "rules")

    @cached_property
    def stages(self) -> dict[str, str]:
        """Stage to run for what this candidate rests on: data, its training line, an export of it, evals, gate."""
        line = [str(self.metrics.get("models", {}).get(self.candidate, {}).get("run", ""))]
        while (parent := self.manifests.get(line[-1], {}).get("inputs", {}).get("parent")) is not None:
            line.append(parent["run"])
        runs = [self.metrics.get("data", ""), *reversed(line), self.evals, self.gate]
        runs += [n for n, m in self.manifests.items() if m["stage"] == "export" and _parent(m) in line]
        return {self.manifests[run]["stage"]: run for run in runs if run in self.manifests}

    @property
    def caveats(self) -> list[str]:
        """What a reader must know before any figure."""
        found = [] if self.gate else ["No gate has judged this model: there is no verdict, and nothing may serve."]
        if self.verdict:
            judged, now = self.verdict["evals"]["fingerprint"], self.manifests[self.evals]["fingerprint"]
            if judged != now:
                found.append("The evaluation ran again after the verdict; the verdict is about an older one.")
        return found

    def find(self, ref: Ref) -> list[Figure]:
        """The evidence a reference names; one missing figure where there is none."""
        finders = {
            "metric": self._find_metric,
            "task": self._find_task,
            "stage": self._find_key,
            "gate": self._find_checks,
            "code": lambda r: [Figure(r.say, str(r.code))],
            "review": self._find_review,
        }
        kind = next(kind for kind in finders if getattr(ref, kind))
        found = finders[kind](ref)
        self.lacking.update(figure for figure in found if figure.missing)
        return found

    def _find_metric(self, ref: Ref) -> list[Figure]:
        title = GLOSSARY[str(ref.metric)].title
        figures = []
        for suite, scores in self.metrics["suites"].items():
            row = scores["systems"].get(self.candidate, {}).get(ref.view, {}).get(ref.metric)
            if row is not None and ref.suite in (None, suite):
                source = self.cite(self.evals, "metrics.json")
                name = f"{title}, {suite}, {VIEW_NAMES[ref.view]}"
                figures.append(Figure(name, str(Measure.from_json(row).figure), source))
        where = f" on suite {ref.suite}" if ref.suite else ""
        return figures or [Figure(title, f"not measured{where} in this evaluation", missing=True)]

    def _find_task(self, ref: Ref) -> list[Figure]:
        figures = []
        for name, task in self.metrics.get("tasks", {}).items():
            for metric, row in task["systems"].get(self.candidate, {}).items():
                if fnmatch(name, str(ref.task)):
                    source = self.cite(self.evals, "metrics.json")
                    text = str(Measure.from_json(row).figure)
                    figures.append(Figure(f"{GLOSSARY[metric].title}, task {name}", text, source))
        return figures or [Figure(ref.say or f"task {ref.task}", "no such task in this evaluation", missing=True)]

    def _find_key(self, ref: Ref) -> list[Figure]:
        run = self.stages.get(str(ref.stage))
        if run is None:
            return [Figure(ref.say, f"no finished {ref.stage} run in {self.folder}", missing=True)]
        file = "card.json" if ref.stage == "data" and ref.key[0] != "metrics" else MANIFEST
        value: Any = self.read(run, file)
        for key in ref.key:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            return [Figure(ref.say, f"{run} does not say", missing=True)]
        return [Figure(ref.say, say_value(value), self.cite(run, file))]

    def _find_checks(self, ref: Ref) -> list[Figure]:
        if self.verdict is None:
            return [Figure("gate", "no gate has judged this model", missing=True)]
        source = self.cite(self.gate, "gate.json")
        if ref.gate == "verdict":
            return [Figure("verdict", self.verdict["verdict"].upper(), source, outcome=self.verdict["verdict"])]
        rows = [row for row in self.verdict["checks"] if row["check"]["metric"] == ref.gate]
        checks = [
            Figure(row["check"]["say"].rstrip("."), row["sentence"], source, outcome=row["outcome"]) for row in rows
        ]
        return checks or [Figure("gate", f"the gate has no check on {ref.gate}", missing=True)]

    def _find_review(self, ref: Ref) -> list[Figure]:
        path = self.review_file
        if path is None:
            text = "no review was given (prescreen bank read --out, then dossier --review)"
            return [Figure("case bank reviewed by clinicians", text, missing=True)]
        review = json.loads(path.read_text(encoding="utf-8"))
        source = Source("review", path.name, self.link(path), hash_file(path)[:SHORT])
        figures = [
            Figure(f"levels the bank accepts, {name}", str(Measure.from_json(row["in_range"]).figure), source)
            for name, row in review["reviewers"].items()
        ]
        return figures + [
            Figure(f"weighted kappa, {row['first']} and {row['second']}", str(read_figure(row["kappa"])), source)
            for row in review["between"]
        ]


def _parent(manifest: Mapping[str, Any]) -> str:
    return str(manifest["inputs"].get("parent", {}).get("run", ""))


def read_figure(row: Mapping[str, Any]) -> str:
    return str(Measure.from_json(row).figure)


def say_value(value: object) -> str:
    """A value of a manifest or card for a reader."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {say_value(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
