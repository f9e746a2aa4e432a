"""The report as one HTML file: readable by a nurse, a physician and an auditor, without a network.

Knows files of an evals run and its neighbours (data card, loss logs) and how to lay them out. Computes no
metric. All patient and model text is escaped by the template engine.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.config import digest
from prescreen.evals.calibration import ENOUGH, Point
from prescreen.evals.glossary import GLOSSARY, PLUMBING, SYSTEMS, VIEW_NAMES
from prescreen.evals.groups import METRICS
from prescreen.evals.pictures import Bar, Forest, draw_confidence, draw_confusions, draw_forests, draw_losses
from prescreen.evals.prediction import VIEWS, Prediction, read_predictions
from prescreen.evals.rate import Measure, Rate
from prescreen.evals.sections import Row, build_groups, build_tasks
from prescreen.evals.table import COLUMNS, MORE_COLUMNS, format_cell
from prescreen.evals.worst import NUM_SHOWN, find_worst
from prescreen.run import read_jsonl, write_atomic

TABLE = (*COLUMNS, *MORE_COLUMNS)
FORESTS = ("in_range", "under_triage", "missed_emergencies")
REPORT_ROWS = (
    "schema_valid",
    "complete",
    "red_flag_recall",
    "red_flag_precision",
    "evidence_verbatim",
    "findings_supported",
    "findings_contradicted",
    "findings_invented",
    "omitted_allergies",
    "omitted_medications",
    "omitted_conditions",
    "history_invented",
)
STAGES = ("base", "cpt", "sft", "instruct", "dpo")


class Shown(NamedTuple):
    """A case shown to the reader."""

    suite: str
    row: Prediction


def write_page(evals: Path, *, gate: Mapping[str, Any] | None = None, out: Path | None = None) -> Path:
    """Render the report of the evals folder; with the gate's verdict when it is known."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    metrics = json.loads((evals / "metrics.json").read_text(encoding="utf-8"))
    templates = FileSystemLoader(Path(__file__).with_name("templates"))
    environment = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.get_template("report.html").render(**build_context(evals, metrics, gate))
    out = out or evals / "report.html"
    write_atomic(out, html)
    return out


def build_context(evals: Path, metrics: Mapping[str, Any], gate: Mapping[str, Any] | None) -> dict[str, Any]:
    """Everything the template prints."""
    final = find_final(metrics, gate)
    predictions = {
        suite: read_predictions(evals / "predictions" / suite / f"{final}.jsonl") for suite in metrics["suites"]
    }
    return {
        "plumbing": PLUMBING if metrics["label"] == "plumbing" else "",
        "gate": gate,
        "final": SYSTEMS.get(final, final),
        "headline": build_headline(metrics, final),
        "suites": [build_suite(name, scores) for name, scores in metrics["suites"].items()],
        "skipped": metrics.get("skipped", []),
        "columns": [GLOSSARY[name].title for name in TABLE],
        "quality": build_quality(metrics),
        "floor": build_floor(metrics, final),
        "confidence": build_confidence(metrics, final),
        "losses": build_losses(evals, metrics),
        "perplexity": build_perplexity(metrics),
        "card": read_card(evals, metrics),
        "worst": find_worst(predictions, find_unnamed(metrics, final)),
        "tasks": build_tasks(evals, metrics, final),
        "groups": build_groups(metrics, final),
        "group_columns": [GLOSSARY[name].title for name in METRICS],
        "drafts": choose_drafts(predictions),
        "num_shown": NUM_SHOWN,
        "glossary": GLOSSARY,
        "models": metrics.get("models", {}),
        "systems": SYSTEMS,
    }


def find_final(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None) -> str:
    """The system the page is about: the gate's candidate, else the last trained stage, else the rules."""
    if gate is not None:
        return str(gate["candidate"])
    systems = next(iter(metrics["suites"].values()))["systems"]
    return next((name for name in reversed(STAGES) if name in systems), list(systems)[-1])


def build_headline(metrics: Mapping[str, Any], final: str) -> list[dict[str, str]]:
    """Per suite, the final system as served in one line."""
    lines = []
    for suite, scores in metrics["suites"].items():
        view = scores["systems"][final]["served"]
        figures = {name: str(Measure.from_json(view[name]).figure) for name in (*FORESTS, "emergency_sensitivity")}
        lines.append({"suite": suite, **figures})
    return lines


def build_suite(name: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    """A suite's table, forest plots and confusion pictures."""
    systems = scores["systems"]
    sections = [
        Row(VIEW_NAMES[view], [])
        if system is None
        else Row(SYSTEMS.get(system, system), [format_cell(systems[system][view].get(m)) for m in TABLE])
        for view in VIEWS
        for system in (None, *(s for s in systems if view in systems[s]))
    ]
    panels = [
        Forest(GLOSSARY[m].title, [_bar(s, systems[s], m) for s in systems], GLOSSARY[m].more_is_better)
        for m in FORESTS
    ]
    stages = [s for s in ("rules", "logistic", *STAGES) if s in systems]
    tables = {f"{SYSTEMS[s]}": systems[s]["served"]["confusion"] for s in stages}
    return {
        "name": name,
        "cases": scores["cases"],
        "labelled": scores["labelled"],
        "rows": sections,
        "forest": draw_forests(panels),
        "confusion": draw_confusions(tables) if tables else "",
        "paired": [_compare(s, row, scores["compared_with"]) for s, row in scores.get("paired", {}).items()],
    }


def _bar(system: str, views: Mapping[str, Any], metric: str) -> Bar:
    """The system as served, in a forest plot."""
    measure = Measure.from_json(views["served"][metric])
    low, high = measure.bounds or (None, None)
    figure = measure.figure
    count = f"{figure.right}/{figure.n}" if isinstance(figure, Rate) and figure.n else "no cases"
    return Bar(SYSTEMS.get(system, system), measure.value, low, high, count)


def _compare(system: str, row: Mapping[str, Any], against: str) -> str:
    fair, low, kappa = row["in_range"], row["under_triage"], row["qwk"]
    change = ""
    if kappa["value"] is not None and kappa["low"] is not None:
        change = f"; weighted kappa {kappa['value']:+.2f} [{kappa['low']:+.2f}, {kappa['high']:+.2f}]"
    return (
        f"{SYSTEMS.get(system, system)} against {SYSTEMS.get(against, against)}: "
        f"only it in range {fair['only_first']} times, only the other {fair['only_second']} "
        f"(p = {fair['p_value']:.3g}); only it too low {low['only_first']} times, "
        f"only the other {low['only_second']} (p = {low['p_value']:.3g}){change}"
    )


def build_quality(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Report metrics of every model, per suite."""
    tables = []
    for suite, scores in metrics["suites"].items():
        models = [s for s, v in scores["systems"].items() if "schema_valid" in v.get("alone", {})]
        rows = [
            Row(GLOSSARY[m].title, [format_cell(scores["systems"][s]["alone"].get(m)) for s in models])
            for m in REPORT_ROWS
        ]
        if models:
            tables.append({"suite": suite, "models": [SYSTEMS.get(s, s) for s in models], "rows": rows})
    return tables


def build_floor(metrics: Mapping[str, Any], final: str) -> list[dict[str, Any]]:
    """What rules and the no-draft route did to the final system's answers."""
    floors = {suite: scores["systems"][final].get("floor") for suite, scores in metrics["suites"].items()}
    return [{"suite": s, **{name: len(ids) for name, ids in f.items()}} for s, f in floors.items() if f]


def build_confidence(metrics: Mapping[str, Any], final: str) -> dict[str, Any]:
    """The final system's confidence, as the stability task found it; empty where that was not asked."""
    rows = metrics.get("tasks", {}).get("stability", {}).get("points", {}).get(final, {}).get("confidence", [])
    points = [Point(confidence, right) for confidence, right in rows]
    return {"cases": len(points), "few": len(points) < ENOUGH, "picture": draw_confidence(points)} if points else {}


def build_losses(evals: Path, metrics: Mapping[str, Any]) -> str:
    """One picture of all stages' curves, empty when no run left a log."""
    curves = {}
    for system, model in metrics.get("models", {}).items():
        log = evals.parent / model["run"] / "log.jsonl"
        if model["run"] and log.exists() and (rows := list(read_jsonl(log))):
            curves[SYSTEMS.get(system, system)] = rows
    return draw_losses(curves) if curves else ""


def build_perplexity(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Perplexities by stage and kind of text."""
    perplexity: Mapping[str, Mapping[str, float]] = metrics.get("perplexity", {})
    kinds = list(dict.fromkeys(kind for row in perplexity.values() for kind in row))
    rows = [
        Row(SYSTEMS.get(system, system), [f"{row[kind]:.2f}" if kind in row else "–" for kind in kinds])
        for system, row in perplexity.items()
    ]
    return {"kinds": kinds, "rows": rows}


def read_card(evals: Path, metrics: Mapping[str, Any]) -> str:
    """The data run's card as its authors wrote it."""
    card = evals.parent / metrics.get("data", "") / "card.md"
    return card.read_text(encoding="utf-8") if metrics.get("data") and card.exists() else ""


def find_unnamed(metrics: Mapping[str, Any], final: str) -> dict[str, set[str]]:
    """By suite, the cases with a labelled red flag that the final system's report does not name."""
    views = {suite: scores["systems"][final]["served"] for suite, scores in metrics["suites"].items()}
    return {s: set(view["red_flag_recall"]["failures"]) for s, view in views.items() if "red_flag_recall" in view}


def choose_drafts(predictions: Mapping[str, Sequence[Prediction]]) -> list[Shown]:
    """Ten reports spread over levels and suites, chosen by hash of the case id: nobody picked."""
    groups: dict[tuple[str, Acuity | None], list[Shown]] = {}
    for suite, rows in predictions.items():
        for row in sorted((r for r in rows if r.report is not None), key=lambda r: digest(r.case_id)):
            groups.setdefault((suite, row.gold), []).append(Shown(suite, row))
    chosen: list[Shown] = []
    depth = 0
    while len(chosen) < NUM_SHOWN and any(len(group) > depth for group in groups.values()):
        chosen += [group[depth] for group in groups.values() if len(group) > depth]
        depth += 1
    return chosen[:NUM_SHOWN]
