"""Stage "gate": promote or hold, with reasons a clinician can check.

Reads the thresholds of its recipe and the figures of an evals run; writes gate.json. A hold is a finished
decision, not an error: `prescreen run` ends with exit code 0 either way, and nothing serves without a promote.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveInt

from prescreen.config import Recipe
from prescreen.errors import RunError
from prescreen.evals.champion import Comparison, compare_champion
from prescreen.evals.glossary import PLUMBING
from prescreen.evals.page import write_page
from prescreen.evals.rate import CONFIDENCE
from prescreen.evals.scoring import read_measure
from prescreen.evals.threshold import Check, Result, judge
from prescreen.run import MANIFEST, Run, write_json

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 8


class GateRecipe(Recipe):
    """Which model asks to be promoted, what it must show, and for how long a promotion holds."""

    stage: Literal["gate"]
    candidate: str = Field("dpo", description="the evals system that asks to be promoted")
    checks: tuple[Check, ...] = Field(min_length=1, description="the thresholds; all must pass")
    champion: Path | None = Field(None, description="finished evals run of the model in service, if any")
    champion_system: str = Field("dpo", description="that model's name in its own evals run")
    valid_days: PositiveInt = Field(180, description="a promotion lapses after so many days")

    def external(self) -> list[Path]:
        return [] if self.champion is None else [self.champion / MANIFEST]


def main(recipe: GateRecipe, run: Run) -> None:
    """Decide, write gate.json and the report with the verdict, print."""
    evals = run.inputs["evals"]
    metrics = json.loads((evals.folder / "metrics.json").read_text(encoding="utf-8"))
    results = judge_all(recipe, metrics)
    comparison = None
    if recipe.champion is not None:
        Run(recipe.champion, recipe).whole()  # the champion's answers as they were given
        comparison = compare_champion(evals.folder, recipe.candidate, recipe.champion, recipe.champion_system)
    today = datetime.datetime.now(datetime.UTC).date()
    verdict = write_verdict(recipe, metrics, results, comparison, today)
    verdict["evals"] = {"run": evals.name, "fingerprint": evals.manifest["fingerprint"]}
    write_json(run.folder / "gate.json", verdict)
    page = write_page(evals.folder, gate=verdict, out=run.folder / "report.html")
    print_verdict(verdict)
    summary = {name: verdict[name] for name in ("verdict", "candidate", "label", "reasons", "weights", "expires")}
    run.finish([run.folder / "gate.json", page], {**summary, "report": page.name})


def judge_all(recipe: GateRecipe, metrics: Mapping[str, Any]) -> list[Result]:
    """Every check against the candidate's figures."""
    systems = {name for suite in metrics["suites"].values() for name in suite["systems"]}
    if recipe.candidate not in systems:
        raise RunError(
            f"the gate's candidate {recipe.candidate!r} was not evaluated; choose from {sorted(systems)}"
        )
    return [
        judge(check, read_measure(metrics, check.suite, recipe.candidate, check.view, check.metric))
        for check in recipe.checks
    ]


def write_verdict(
    recipe: GateRecipe,
    metrics: Mapping[str, Any],
    results: Sequence[Result],
    comparison: Comparison | None,
    today: datetime.date,
) -> dict[str, Any]:
    """gate.json: promote only when every check passes and nothing is worse than the champion."""
    reasons = [f"{r.check.say} {_capital(r.sentence)}." for r in results if r.outcome != "pass"]
    reasons += comparison.reasons if comparison else []
    model = metrics.get("models", {}).get(recipe.candidate, {})
    floors = {
        suite: {name: len(ids) for name, ids in scores["systems"][recipe.candidate].get("floor", {}).items()}
        for suite, scores in metrics["suites"].items()
        if recipe.candidate in scores["systems"]
    }
    return {
        "verdict": "hold" if reasons else "promote",
        "candidate": recipe.candidate,
        "label": metrics["label"],
        "serves": "demonstration only" if metrics["label"] == "plumbing" else "nurse-reviewed drafts",
        "weights": model.get("weights"),
        "run": model.get("run"),
        "date": today.isoformat(),
        "expires": (today + datetime.timedelta(days=recipe.valid_days)).isoformat(),
        "confidence": CONFIDENCE,
        "reasons": reasons,
        "checks": [result.model_dump(mode="json") for result in results],
        "floor": floors,
        "champion": comparison._asdict() if comparison else None,
    }


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def print_verdict(verdict: Mapping[str, Any], console: "Console | None" = None) -> None:
    """The verdict, its reasons with case ids, and what the rule floor did, for a person."""
    from rich.console import Console

    console = console or Console()

    def say(line: str) -> None:
        console.print(line, highlight=False)

    colour = "green" if verdict["verdict"] == "promote" else "red"
    say(
        f"\n[bold {colour}]Gate: {verdict['verdict'].upper()}[/] {verdict['candidate']}, until {verdict['expires']}"
    )
    if verdict["label"] == "plumbing":
        say(f"[yellow]{PLUMBING}[/]")
    for row in verdict["checks"]:
        check, passed = row["check"], row["outcome"] == "pass"
        say(f"  [{'green' if passed else 'red'}]{row['outcome']}[/]: {check['say']}")
        say(f"      {check['suite']}, {check['view']}: {row['sentence']}")
        if row["failures"]:
            more = len(row["failures"]) - SHOWN
            say("      cases: " + ", ".join(row["failures"][:SHOWN]) + (f" and {more} more" if more > 0 else ""))
    for reason in verdict["champion"]["reasons"] if verdict["champion"] else []:
        say(f"  [red]worse than the champion[/]: {reason}")
    for suite, floor in verdict["floor"].items():
        if floor:
            say(
                f"  rule floor, {suite}: raised {floor['raised']}, of these rescued {floor['rescued']} and "
                f"{floor['overdone']} too high; {floor['undrafted']} without a usable model answer"
            )
