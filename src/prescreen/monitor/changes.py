"""limits.yaml: what an update may change without a new validation, and when a release is stopped.

Predetermined change control: what lies outside is refused by name, not asked about. Knows recipes as mappings of
settings; trains and judges nothing.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from prescreen.config import Strict, parse_recipe, read_yaml
from prescreen.evals.threshold import Check

NAME: Final = "limits.yaml"


class Span(Strict):
    """From `least` to `most`, both allowed."""

    least: float
    most: float

    @model_validator(mode="after")
    def _is_one(self) -> "Span":
        if self.least > self.most:
            raise ValueError("least must not be above most")
        return self

    def holds(self, value: float) -> bool:
        return self.least <= value <= self.most


class Lessons(Strict):
    """A stage sft on the signed finals, before the pairs are judged."""

    learning_rate: Span = Span(least=1e-6, most=1e-3)  # peak learning rate
    epochs: Span = Span(least=1, most=3)  # passes over the finals


class Change(Strict):
    """What training may change. The base must be the champion's own, byte for byte."""

    method: tuple[Literal["lora"], ...] = ("lora",)  # the base's own weights are never trained by an update
    objective: tuple[Literal["dpo", "kto"], ...] = ("dpo",)  # judged pairs, or single answers
    learning_rate: Span = Span(least=1e-6, most=5e-4)  # peak learning rate
    epochs: Span = Span(least=1, most=3)  # passes over the pairs
    beta: Span = Span(least=0.05, most=1.0)  # how closely to stay with the champion
    sft: Lessons | None = None  # unless named, an update learns from pairs alone
    pairs: Span = Span(least=40, most=5_000)  # corrections an update learns from
    replay_share: float = Field(0.1, ge=0.1, le=1)  # rows of the champion's own lessons kept among the pairs


class Trial(Strict):
    """What a candidate must show beside the champion, unseen (shadow) and then seen (canary)."""

    visits: int = Field(100, ge=1)  # signed visits before a verdict
    days: int = Field(60, ge=1)  # the longest a trial may last; without a verdict by then it ends
    schema_valid: float = Field(0.98, ge=0, le=1)  # share of drafts that must be readable reports
    significance: float = Field(0.05, gt=0, lt=1)  # of the exact test that the candidate is worse
    unread_s: float = Field(10.0, ge=0)  # a draft signed as it stood in less is nobody's judgement; 0 counts all


class Canary(Trial):
    """The share of visits a candidate drafts for nurses to see; 0 leaves the canary out."""

    share: float = Field(0.1, ge=0, le=0.5)
    visits: int = Field(50, ge=1)  # signed visits drafted by the candidate before a verdict


class Stop(Strict):
    """A rate that ends a release: stopped where it is above `most` beyond chance, of at least `least` visits."""

    most: float = Field(ge=0, le=1)
    least: int = Field(20, ge=1)  # with fewer nothing is stopped, whatever the rate
    days: int = Field(14, ge=1)  # the last so many days are counted


class Stops(Strict):
    """Rules the running service keeps by itself: it rolls back and tells the staff."""

    upgrades_to_emergency: Stop = Stop(most=0.02)  # a nurse signs an emergency that the draft placed lower
    upgrades: Stop = Stop(most=0.15)  # a nurse signs a higher level than was shown
    overrides: Stop = Stop(most=0.5, least=30)  # a nurse signs another level than was shown
    schema_failures: Stop = Stop(most=0.05)  # the model's answer was no report


class Registry(Strict):
    """Where releases are written down besides; off unless named."""

    mlflow: str = ""  # e.g. https://mlflow.clinic.example; what fails there blocks nothing
    model: str = "prescreen"  # the name it is registered under


class Limits(Strict):
    """Everything of limits.yaml."""

    change: Change = Change()
    shadow: Trial = Trial()
    canary: Canary = Canary()
    stop: Stops = Stops()
    registry: Registry = Registry()


def read_limits(folder: Path) -> Limits:
    """The limits of a recipe folder; RecipeError names the key and the mend."""
    path = folder / NAME
    return parse_recipe(Limits, read_yaml(path), path)


def find_breaches(limits: Limits, training: dict[str, Any], champion: dict[str, Any]) -> Iterator[str]:
    """What an sft or dpo recipe changes beyond its limits, as sentences; `champion` is the recipe it came of."""
    change, how, stage = limits.change, training["optimisation"], training["stage"]
    span = change if stage == "dpo" else change.sft
    if span is None:
        yield f"stage {stage}: the limits name none"
        return
    measured = {
        "optimisation.learning_rate": (how["learning_rate"], span.learning_rate),
        "optimisation.epochs": (how["epochs"], span.epochs),
    }
    if training["method"] not in change.method:
        yield f"{stage}.method: {training['method']} is outside the limits ({', '.join(change.method)})"
    if training["frozen"]:
        yield f"{stage}.frozen: an update continues the champion's adapter as it is"
    if champion.get("method") == "lora" and training["lora"] != champion["lora"]:
        yield f"{stage}.lora: an update continues the champion's adapter and keeps its rank, alpha and experts"
    if stage == "dpo":
        measured["beta"] = (training["beta"], change.beta)
        if training["objective"] not in change.objective:
            yield f"dpo.objective: {training['objective']} is outside the limits ({', '.join(change.objective)})"
        if training["reference"] != "parent":
            yield "dpo.reference: an update stays close to what it continues; leave reference: parent"
    elif training["rows"] != "sft":
        yield f"sft.rows: {training['rows']} are not the finals nurses signed; write rows: sft"
    for name, (value, allowed) in measured.items():
        if not allowed.holds(value):
            yield f"{stage}.{name}: {value:g} is outside the limits ({allowed.least:g} to {allowed.most:g})"


def find_batch_breaches(limits: Limits, pairs: int, replay_share: float | None) -> Iterator[str]:
    """What the data brings beyond the limits; None where the stage does not say what it replays."""
    change = limits.change
    if not change.pairs.holds(pairs):
        yield f"pairs: {pairs} is outside the limits ({change.pairs.least:g} to {change.pairs.most:g})"
    if replay_share is None or replay_share < change.replay_share:
        told = "not told" if replay_share is None else f"{replay_share:.2f}"
        yield f"replay_share: {told}, at least {change.replay_share:g} is asked"


def find_weaker(checks: Sequence[Check], champion: Sequence[Check]) -> Iterator[str]:
    """Where a gate asks less than the champion's did: a check that is gone, looser, or proved by less."""
    own = {(check.suite, check.metric, check.view): check for check in checks}
    for asked in champion:
        name = f"{asked.suite} {asked.metric} ({asked.view})"
        mine = own.get((asked.suite, asked.metric, asked.view))
        if mine is None:
            yield f"gate: {name} is no longer checked"
            continue
        looser = mine.limit < asked.limit if asked.is_success else mine.limit > asked.limit
        if looser:
            yield f"gate: {name} asks {mine.limit:g}, the champion had to keep {asked.limit:g}"
        if asked.proof == "bound" and mine.proof != "bound":
            yield f"gate: {name} is judged by its figure, the champion's by its bound"
        if mine.min_cases < asked.min_cases:
            yield f"gate: {name} takes {mine.min_cases} cases, the champion needed {asked.min_cases}"
