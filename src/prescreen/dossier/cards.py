"""Model card, data card and bias report out of an archive: rows of a heading and its figures. Lays nothing out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from prescreen.config import read_yaml
from prescreen.dossier.archive import Archive, Figure, say_value
from prescreen.dossier.records import Ref
from prescreen.evals.glossary import SYSTEMS
from prescreen.run import MANIFEST

INTENDED = (
    "Drafts a preliminary report and a priority from a patient's words and record, for a nurse who reviews, "
    "changes and signs it. English. The clinic's own hardware."
)
NOT_INTENDED = (
    "Diagnosis, treatment or dosing; talking to a patient unsupervised; any draft shown to a patient; use without "
    "a nurse; use where the gate's verdict is hold, has lapsed, or is about other weights."
)
LIMITS = (
    "Figures are of test cases, not of this clinic's patients; outcomes were not followed.",
    "Labels come from templates, published scales and the case bank; see the review of the bank, if there is one.",
    "Rates of rare events have wide intervals: read the bound, not the point.",
)
CARD_METRICS = (
    "in_range", "qwk", "under_triage", "severe_under", "over_triage", "missed_emergencies", "schema_valid",
)  # fmt: skip
TRAINED = ("pretrain", "cpt", "sft", "instruct", "dpo")


class Row(NamedTuple):
    """A heading, and what stands under it."""

    name: str
    figures: list[Figure]


def build_model_card(archive: Archive) -> list[Row]:
    """What the model is, what it was trained on and how, what it can and cannot do."""
    cited = archive.cite(archive.evals, "metrics.json")
    models = archive.metrics.get("models", {})
    candidate = models.get(archive.candidate)
    title = SYSTEMS.get(archive.candidate, archive.candidate)
    weights = (
        Figure("weights, SHA-256", candidate["weights"], cited)
        if candidate
        else Figure("weights", "none: this system is no model", missing=True)
    )
    base = models.get("base")
    rows = [
        Row("Model", [Figure("system", title, cited), weights]),
        Row("Intended use", [Figure("", INTENDED)]),
        Row("Not intended for", [Figure("", NOT_INTENDED)]),
        Row("Base model", [_say_base(base, cited)]),
        *(_describe_stage(archive, stage) for stage in TRAINED if stage in archive.stages),
        Row("Performance", [figure for name in CARD_METRICS for figure in archive.find(Ref(metric=name))]),
        Row("Software", archive.find(Ref(stage="evals", key=("versions",), say="versions"))),
        Row("Limitations", [Figure("", text) for text in LIMITS]),
    ]
    return rows


def _say_base(base: Mapping[str, Any] | None, cited: Any) -> Figure:
    if base is None:
        return Figure("base", "was not evaluated beside the tuned model", missing=True)
    return Figure(f"{base['folder'] or base['run']}, SHA-256", base["weights"], cited)


def _describe_stage(archive: Archive, stage: str) -> Row:
    """One training stage: the settings that matter and what its manifest measured."""
    run = archive.stages[stage]
    recipe, metrics = read_yaml(archive.folder / run / "recipe.yaml"), archive.manifests[run]["metrics"]
    how = recipe.get("optimisation", {})
    settings = {
        "method": recipe.get("method"),
        "learning rate": how.get("learning_rate"),
        "epochs": how.get("epochs"),
        "seed": recipe.get("seed"),
    }
    said = ", ".join(f"{name} {say_value(value)}" for name, value in settings.items() if value is not None)
    measured = {name: metrics[name] for name in ("steps", "tokens", "loss", "valid_loss") if name in metrics}
    return Row(
        f"Stage {stage}",
        [
            Figure("settings", said, archive.cite(run, "recipe.yaml")),
            Figure("measured", say_value(measured), archive.cite(run, MANIFEST)),
        ],
    )


def build_data_card(archive: Archive) -> list[Row]:
    """Sources, balance, what is missing and what was checked; one missing row without a data run."""
    if "data" not in archive.stages:
        return [Row("Data", [Figure("data card", f"no finished data run in {archive.folder}", missing=True)])]
    run = archive.stages["data"]
    card, cited = archive.read(run, "card.json"), archive.cite(run, "card.json")
    sources = [
        Figure(name, f"{s['used']:,} lines; {s['licence']}; {s['origin']}", cited)
        for name, s in card["sources"].items()
    ]
    files = [Figure(name, f"{f['rows']:,}: {say_value(f['by'])}", cited) for name, f in card["files"].items()]
    cases = [
        Row(f"Cases: {part}", [Figure(what, say_value(by), cited) for what, by in counts.items()])
        for part, counts in card["cases"].items()
    ]
    return [
        Row("Sources and licences", sources),
        Row("Files, rows", files),
        *cases,
        Row(
            "Rare: less than one training case in twenty", [Figure("", say_value(card["under_represented"]), cited)]
        ),
        Row("Missing", [Figure("", text, cited) for text in card["missing"]]),
        Row("Checks", [Figure(name, say_value(value), cited) for name, value in card["checks"].items()]),
    ]


def build_bias(archive: Archive) -> list[Row]:
    """What is known about differences between groups: tasks, traps of the bank, and who is in the data."""
    measured = [figure for figure in archive.find(Ref(task="bias")) if not figure.missing]
    lack = "no task of this evaluation exchanged sex, age, name or other particulars; nothing is known"
    rows = [Row("Counterfactual tests", measured or [Figure("bias", lack, missing=True)])]
    groups = archive.metrics["suites"].get("bank", {}).get("groups", {})
    cited = archive.cite(archive.evals, "metrics.json")
    for kind, found in groups.items():
        rows.append(Row(f"Under-triage in the case bank, by {kind}", [*_find_groups(archive, found, cited)]))
    if not groups:
        rows.append(Row("Case bank", [Figure("by trap and style", "the bank was not evaluated", missing=True)]))
    wanted = (("age", "training cases by age"), ("sex", "by sex"), ("language", "by language"))
    who = [f for key, say in wanted for f in archive.find(Ref(stage="data", key=("cases", "train", key), say=say))]
    return [*rows, Row("Who is in the training data", who)]


def _find_groups(archive: Archive, groups: Mapping[str, Any], cited: Any) -> list[Figure]:
    from prescreen.evals.rate import Measure

    return [
        Figure(f"{name} ({group['cases']} cases)", str(Measure.from_json(row).figure), cited)
        for name, group in groups.items()
        if (row := group["systems"].get(archive.candidate, {}).get("served", {}).get("under_triage")) is not None
    ]
