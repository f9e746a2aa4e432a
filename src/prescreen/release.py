"""What may serve: a release names one model and the gate's verdict that let exactly its weights through.

`promote` writes a release only behind a passing, unexpired gate whose files are as they were written and whose
weights are the ones on disk; `open_release` asks all of that again each time something wants to serve, so that a
lapsed verdict or a changed byte stops it. Earlier releases stay beside the current one. Knows no server.
"""

import datetime
import json
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from prescreen.config import Strict, digest
from prescreen.errors import RunError, WeightsError
from prescreen.evals.drafting import hash_run_weights, hash_weights
from prescreen.evals.suite import find_models
from prescreen.model.files import TWIN, base_of, locate_model
from prescreen.pipeline import Stages, open_run
from prescreen.run import MANIFEST, Run, hash_external, hash_file, write_json

CURRENT = "current.json"
KEPT = re.compile(r"\d{8}T\d{6}Z\.json")  # a release under the time of its promotion


class Release(Strict):
    """Folders are absolute; `weights` is the hash the gate's evaluation was of, `verdict` that of its manifest.

    `base` is the hash of what an adapter sits on, empty where the weights stand alone.
    """

    candidate: str
    model: str
    weights: str
    gate: str
    verdict: str
    serves: str
    expires: datetime.date
    promoted: datetime.datetime
    by: str = ""
    base: str = ""


def promote(gate: Path, releases: Path, stages: Stages, by: str = "") -> Release:
    """Make the gate's candidate the current release; RunError names every reason why not."""
    release = read_candidate(gate, stages, datetime.datetime.now(datetime.UTC), by)
    make_current(release, releases)
    return release


def read_candidate(gate: Path, stages: Stages, now: datetime.datetime, by: str = "") -> Release:
    """The release a gate's candidate would be; nothing is written. RunError names every reason why not."""
    run = open_run(gate.resolve(), stages)
    if run.recipe.stage != "gate":
        raise RunError(f"{gate}: is a {run.recipe.stage} run; name the gate's, for example runs/tiny/08-gate")
    told = json.loads((run.folder / "gate.json").read_text(encoding="utf-8"))
    evals = run.inputs["evals"]
    model = find_models(evals.recipe, evals).get(told["candidate"], {})  # type: ignore[arg-type]
    where = model.get("folder", "")
    release = Release(
        candidate=told["candidate"],
        model=where if where == TWIN else str(Path(where).resolve()),
        weights=told["weights"] or "",
        gate=str(run.folder),
        verdict=hash_file(run.folder / MANIFEST),
        serves=told["serves"],
        expires=told["expires"],
        promoted=now.replace(microsecond=0),
        by=by,
        base=hash_base(where),
    )
    refuse(release, stages, now.date())
    return release


def make_current(release: Release, releases: Path) -> None:
    """Let a release serve, and keep it under the time of its promotion; the caller has asked `refuse`."""
    releases.mkdir(parents=True, exist_ok=True)
    for name in (f"{release.promoted:%Y%m%dT%H%M%SZ}.json", CURRENT):
        write_json(releases / name, release.model_dump(mode="json"))


def key_of(release: Release) -> str:
    """What an approval is bound to: exactly this candidate, these weights, this verdict of the gate."""
    return digest({"candidate": release.candidate, "weights": release.weights, "verdict": release.verdict})


def read_release(path: Path) -> Release:
    """A release as it was written; RunError where the file is none."""
    try:
        return Release.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise RunError(f"{path}: is no release ({error.errors()[0]['msg']}); promote again") from None


def list_kept(releases: Path) -> dict[str, Release]:
    """The current release and every earlier one, by the name of its file."""
    names = sorted(path.name for path in releases.glob("*.json")) if releases.is_dir() else []
    return {name: read_release(releases / name) for name in names if name == CURRENT or KEPT.fullmatch(name)}


def open_release(releases: Path, stages: Stages, today: datetime.date | None = None) -> Release:
    """The model that may serve now; RunError where there is none, and why."""
    path = releases / CURRENT
    if not path.exists():
        raise RunError(f"{releases}: nothing was promoted; `prescreen promote GATE` makes a release")
    release = read_release(path)
    refuse(release, stages, today or datetime.datetime.now(datetime.UTC).date())
    return release


def hash_base(model: str) -> str:
    """The hash of the model an adapter sits on; empty where there is no adapter."""
    try:
        folder = locate_model(model)
        return hash_external(base_of(folder)) if (folder / "adapter_config.json").exists() else ""
    except WeightsError:
        return ""


def refuse(release: Release, stages: Stages, today: datetime.date) -> None:
    """RunError unless the release stands: nobody serves a model that is not the one judged."""
    reasons = list(find_reasons(release, stages, today))
    if reasons:
        raise RunError(f"{release.candidate} may not serve: {'; '.join(reasons)}")


def find_reasons(release: Release, stages: Stages, today: datetime.date) -> Iterator[str]:
    """Everything that speaks against serving, as a person can check it."""
    gate = Path(release.gate)
    if not (gate / MANIFEST).exists() or hash_file(gate / MANIFEST) != release.verdict:
        yield f"the gate's run in {gate} is gone or another one"
        return
    run = open_run(gate, stages)
    if damage := run.damage():
        yield f"{', '.join(damage)} of {gate} changed after the verdict"
        return
    told = json.loads((gate / "gate.json").read_text(encoding="utf-8"))
    if told["verdict"] != "promote":
        yield f"the gate says {told['verdict']} ({len(told['reasons'])} reasons; see {gate / 'gate.json'})"
    expires = datetime.date.fromisoformat(told["expires"])
    if today > expires:
        yield f"the verdict lapsed on {expires}; run the gate again"
    if (release.candidate, release.expires) != (told["candidate"], expires):
        yield "the release names another candidate or day than the gate"
        return
    yield from find_changes(release, told["weights"], run.inputs["evals"])


def find_changes(release: Release, judged: str | None, evals: Run) -> Iterator[str]:
    """Whether the weights on disk are those the gate judged: by the bytes, the ancestors' included."""
    model = evals.inputs.get(release.candidate)
    if release.base and hash_base(release.model) != release.base:
        yield f"the model that {release.model} sits on is not the one of the promotion"
    if model is None:
        if not judged or release.weights != judged or hash_weights(release.model) != judged:
            yield f"the weights of {release.model} are not those the gate judged"
        return
    if not judged or release.weights != judged or hash_run_weights(model) != judged:
        yield f"the weights of {model.folder} are not those the gate judged"
    if release.model != str(model.folder.resolve()):
        yield f"the release names {release.model}, the gate judged {model.folder}"
    for one in _lineage(model):
        if damage := one.damage():
            yield f"{one.folder.name}: {', '.join(damage)} changed after it was written"


def _lineage(run: Run) -> Iterator[Run]:
    """A model run and those it was trained from; the data it learned from is no part of the weights."""
    yield run
    for name, parent in run.inputs.items():
        if name != "data":
            yield from _lineage(parent)
