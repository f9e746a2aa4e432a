"""A folder of small releases with a clinic's store behind its ledger. Invented people; weights nobody can load."""

import datetime
from pathlib import Path

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact
from prescreen.clinic.signed import ModelLabel
from prescreen.evals.drafting import hash_run_weights
from prescreen.evals.gate import GateRecipe
from prescreen.evals.suite import EvalsRecipe
from prescreen.monitor.shelf import Shelf
from prescreen.release import Release
from prescreen.run import Run, write_json
from prescreen.store.base import Store, Who
from small_release import CHECK, STAGES
from small_runs import DataRecipe
from store.desk import NOON, StoppedClock, make_store

ADMIN = Who("admin-1", "admin")
DOCTOR = Who("physician-1", "physician")


def make_gate(root: Path, name: str, *, verdict: str = "promote", days: int = 400, **told: object) -> Path:
    """Runs of one candidate under root/name, whose weights are its name; the gate's folder, which says `told`."""
    (root / name / "03-dpo").mkdir(parents=True, exist_ok=True)
    (root / name / "03-dpo" / "weights.safetensors").write_text(name)
    return finish_runs(root, name, verdict=verdict, days=days, **told)


def finish_runs(root: Path, name: str, *, verdict: str = "promote", days: int = 400, **told: object) -> Path:
    """Data, training, evals and gate around the weights that lie under root/name/03-dpo; the gate's folder."""
    runs = root / name
    data = _finish(runs / "01-data", DataRecipe(stage="data"), {}, "rows.jsonl", "{}")
    inputs = {"data": "01-data", "dpo": "03-dpo"}
    recipe = DataRecipe(stage="dpo", inputs={"data": "01-data"})
    dpo = _finish(runs / "03-dpo", recipe, {"data": data}, "", "")
    judged = EvalsRecipe(stage="evals", label="plumbing", suites=("template",), inputs=inputs)
    evals = _finish(runs / "04-evals", judged, {"data": data, "dpo": dpo}, "metrics.json", "{}")
    gate = Run(runs / "05-gate", GateRecipe(stage="gate", checks=(CHECK,), inputs={"evals": "04-evals"}),
               {"evals": evals})  # fmt: skip
    gate.start()
    told |= {
        "verdict": verdict, "candidate": "dpo", "reasons": [], "serves": "demonstration only",
        "weights": hash_run_weights(dpo), "expires": (NOON.date() + datetime.timedelta(days=days)).isoformat(),
    }  # fmt: skip
    write_json(gate.folder / "gate.json", told)
    gate.finish([gate.folder / "gate.json"], {})
    return gate.folder


def _finish(folder: Path, recipe, inputs: dict[str, Run], name: str, text: str) -> Run:
    run = Run(folder, recipe, inputs)
    run.start()
    if name:
        (folder / name).write_text(text)
    run.finish([path for path in folder.iterdir() if path.name in (name, "weights.safetensors", "model")], {})
    return run


def make_shelf(root: Path, store: Store | None = None, *, signed: bool = True) -> Shelf:
    """An empty folder of releases; `signed` with a clinic's store."""
    store = store or (make_store(root) if signed else None)
    clock = store.clock if store else StoppedClock()
    return Shelf(root / "releases", STAGES, store, clock)


def label_of(release: Release, trial: str = "") -> ModelLabel:
    return ModelLabel(
        name=release.candidate, version=release.weights[:12], engine="in-process", weights=release.weights,
        verdict=release.verdict, trial=trial,
    )  # fmt: skip


def make_contact(number: int, *, level: Acuity | None = Acuity.MEDIUM, **more: object) -> Contact:
    """One signed visit on which everybody agreed."""
    at = NOON + datetime.timedelta(minutes=number)
    known: dict[str, object] = {
        "visit": f"v{number:04d}", "team": "clinic", "language": "en", "channel": "web", "age_band": "16-39",
        "sex": "female", "area": "throat", "words": 9, "vitals": 0, "opened": at, "finished": at,
        "level_model": level, "shown": level, "signed": at, "signer": "nurse-1", "level": level,
    }  # fmt: skip
    return Contact.model_validate({**known, **more})
