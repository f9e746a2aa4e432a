"""The loop of the invented clinic: its release, its candidate on trial, its updates, two signatures, a rollback.

Every act is one of `monitor`'s, on a shelf whose ledger the clinic's store signs. Knows no patient's truth.
"""

import datetime
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from prescreen.clinic.floor import finalise
from prescreen.clinic.signed import ModelLabel
from prescreen.errors import GuardError
from prescreen.evals.drafting import hash_weights
from prescreen.monitor.advance import advance, find_champion
from prescreen.monitor.life import approve, promote, propose, rollback
from prescreen.monitor.shelf import SHADOW, SIGNING, Shelf, read_state, read_trying
from prescreen.monitor.update import Place, next_folder, update
from prescreen.pipeline import load_steps, run_steps
from prescreen.release import Release
from prescreen.simulation.desk import Desk
from prescreen.simulation.drafters import Drafted, Model
from prescreen.simulation.people import Arrival
from prescreen.store.base import Who
from prescreen.store.shadows import ShadowWork, keep_shadow
from prescreen.store.trials import read_trial_contacts

WHO = Who("update", "service")


class Served(NamedTuple):
    """From which week on which weights drafted, and how they came."""

    week: int
    weights: str
    model: str
    how: str
    files: str  # SHA-256 over the weights' files


class Back(NamedTuple):
    """A rollback: the weights' files as they were before they were replaced, and as they are after, by hash."""

    week: int
    before: str
    after: str
    same: bool


@dataclass
class Loop:
    """What may draft, and how it changes. `shelf.folder` holds the releases, `place.runs` the updates."""

    desk: Desk
    shelf: Shelf
    place: Place
    clinic: Path
    who: Who = WHO
    served: list[Served] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def release(self) -> Release:
        found = find_champion(self.shelf)
        assert found is not None, "a clinic of the simulation always has a release"
        return found

    @property
    def model(self) -> Model:
        release = self.release
        return Model(release.model, release.weights)

    @property
    def label(self) -> ModelLabel:
        return label_of(self.release)

    @property
    def trial(self) -> Model | None:
        trying = read_trying(self.shelf.folder, SHADOW)
        return None if trying is None else Model(trying.release.model, trying.release.weights)

    def begin(self, model: Path) -> None:
        """The first release: the model as it is, through the very gate that its successors must pass."""
        found = {step.recipe.stage: step for step in load_steps(self.place.recipes, self.shelf.stages)}
        data, evals, gate = found["data"], found["evals"], found["gate"]
        told = {"inputs": {"data": data.name}, "weights": {"champion": str(model.resolve())}}
        steps = [
            data,
            replace(evals, recipe=evals.recipe.model_copy(update=told)),
            replace(gate, recipe=gate.recipe.model_copy(update={"candidate": "champion", "champion": None})),
        ]
        run_steps(steps, self.place.runs.parent / "first", self.shelf.stages)
        propose(self.shelf, self.place.runs.parent / "first" / gate.name, WHO)
        advance(self.shelf, (), WHO)
        self.sign(0, "the first release")

    def learn_between(self, since: datetime.datetime, until: datetime.datetime, clinic: Path | None = None) -> None:
        """Which clinic's signatures the next update reads, of which weeks."""
        told = {
            "feedback.clinic": str(clinic or self.clinic),
            "feedback.vault": str(self.clinic.parent / "vault"),
            "feedback.since": since.isoformat(),
            "feedback.until": until.isoformat(),
        }
        self.place = self.place._replace(overrides={key: json.dumps(value) for key, value in told.items()})

    def try_poisoned(self, clinic: Path, since: datetime.datetime) -> str:
        """An update that would learn from another clinic's folder."""
        self.learn_between(since, self.desk.clock(), clinic)
        return update(self.place, self.shelf, (), WHO, lambda *_: None)

    def next_runs(self) -> Path:
        """The folder the next update will use."""
        return next_folder(self.place.runs)

    def last_learned(self) -> Path | None:
        """The last batch that an update was trained on."""
        found = sorted(path.parent for path in self.place.runs.glob("[0-9]*/*feedback/manifest.json"))
        trained = [path for path in found if any(path.parent.glob("*dpo/manifest.json"))]
        return trained[-1] if trained else None

    def sign(self, week: int, how: str) -> None:
        """Two people of two roles sign what is ready, and it serves."""
        key = read_state(self.shelf.ledger.read()).candidate
        for role in SIGNING:
            approve(self.shelf, self.desk.staff[role], key)
        release = promote(self.shelf, WHO)
        self.served.append(Served(week, release.weights, release.model, how, hash_weights(release.model)))

    def step(self, week: int, how: str = "update") -> str:
        """One night of the loop: a new update, or its candidate a step further, signed where it is ready."""
        with self.desk.store.look(WHO) as look:
            contacts = read_trial_contacts(look, look.now.replace(year=2000))
        try:
            sentence = update(self.place, self.shelf, contacts, WHO, lambda *_: None)
        except GuardError as error:
            sentence = f"refused: {error}"
        if read_state(self.shelf.ledger.read()).stage == "ready":
            self.sign(week, how)
            sentence = f"{how} serves, signed by {' and '.join(SIGNING)}"
        self.told.append(f"week {week}: {sentence}")
        return sentence

    def is_trying(self) -> bool:
        """Whether a candidate stands between its proposal and its release."""
        return bool(read_state(self.shelf.ledger.read()).candidate)

    def keep_shadow(self, visit_id: str, draft_id: str, arrival: Arrival, drafted: Drafted) -> None:
        """What the candidate would have drafted of a visit, beside the real draft and shown to nobody."""
        trying = read_trying(self.shelf.folder, SHADOW)
        assert trying is not None
        report = finalise(arrival.told, drafted.draft, drafted.why)
        label = label_of(trying.release).model_copy(update={"trial": "shadow"})
        work = ShadowWork(visit_id, draft_id, arrival.told)
        with self.desk.store.act(WHO) as act:
            keep_shadow(
                act, work, trying.release.weights, report, label, drafted=drafted.draft is not None, seconds=0.2
            )

    def take_back(self, week: int) -> Back:
        """Roll back to the release before, and compare its files byte for byte with what they were."""
        earlier = self.served[-2]
        rollback(self.shelf, self.desk.staff["admin"], "drill of the simulated year")
        release = self.release
        now = hash_weights(release.model)
        same = (release.weights, now) == (earlier.weights, earlier.files)
        self.served.append(Served(week + 1, release.weights, release.model, "rolled back", now))
        return Back(week, earlier.files, now, same)


def label_of(release: Release) -> ModelLabel:
    """How a draft of this release is marked."""
    return ModelLabel(
        name=release.candidate,
        version=release.weights[:12],
        engine="simulated clinic, in process",
        weights=release.weights,
        verdict=release.verdict,
    )
