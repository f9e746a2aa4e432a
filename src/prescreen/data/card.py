"""The data card: what is in a build, where it comes from, whom it represents and what it lacks.

Counts what it is given. Knows nothing about how a build is made.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.data.imbalance import AGE_BANDS, age_band, render_balance
from prescreen.data.records import LICENCES

FEW = 0.05
MISSING = (
    "Longitudinal records: every case is one contact; nothing follows a patient over time.",
    "Outcomes: no label was confirmed by what happened later.",
    "Languages other than those counted below.",
    "Ethnicity, income, insurance and housing: not recorded, so differences between such groups cannot be seen.",
    "Images, sound and examination findings.",
)


def count_cases(cases: Iterable[Case]) -> dict[str, dict[str, int]]:
    """Levels, sources, age bands, sexes and languages of a set of cases."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("acuity", "source", "age", "sex", "language")}
    for case in cases:
        counts["acuity"][case.label.acuity.value if case.label else "unlabelled"] += 1
        counts["source"][case.source] += 1
        counts["age"][age_band(case.age_years)] += 1
        counts["sex"][case.sex or "not recorded"] += 1
        counts["language"][case.language] += 1
    order = {level.value: str(level.rank) for level in Acuity}
    return {name: dict(sorted(c.items(), key=lambda kv: order.get(kv[0], kv[0]))) for name, c in counts.items()}


def name_rare(cases: Sequence[Case]) -> list[str]:
    """Groups of which a build holds less than one case in twenty, none included."""
    if not cases:
        return []
    counts = count_cases(cases)
    bands = [name for *_, name in AGE_BANDS]
    rare = [f"age {band}" for band in bands if counts["age"].get(band, 0) < FEW * len(cases)]
    rare += [f"sex {sex}" for sex in ("female", "male", "other") if counts["sex"].get(sex, 0) < FEW * len(cases)]
    rare += [f"acuity {a.value}" for a in Acuity if counts["acuity"].get(a.value, 0) < FEW * len(cases)]
    pregnant = sum(bool(case.pregnant) for case in cases)
    return rare + (["pregnant"] if pregnant < FEW * len(cases) else [])


def render_card(card: Mapping[str, Any]) -> str:
    """The card as Markdown, for a person."""
    rare = ", ".join(card["under_represented"]) or "none"
    used = {source["licence"] for source in card["sources"].values()} & LICENCES.keys()
    lines = ["# Data card", "", "What this build holds and lacks. The same figures are in `card.json`."]
    lines += _render_sources(card) + _render_files(card) + _render_cases(card)
    lines += ["", "## What is missing", "", *(f"- {item}" for item in card["missing"])]
    lines += ["", f"Fewer than one training case in twenty: {rare}."]
    lines += _render_canaries(card)
    lines += render_balance(card["balance"])
    lines += ["", "## Checks", "", *(f"- {name}: {value}" for name, value in card["checks"].items())]
    lines += ["", "## Rejected", "", *(f"- {count:,} × {reason}" for reason, count in card["rejected"].items())]
    lines += ["", "## Files read", "", *(f"- `{sha[:16]}` {path}" for path, sha in card["external"].items())]
    lines += ["", "## Licences", "", *(f"- {name}: {LICENCES[name]}" for name in sorted(used))]
    return "\n".join(lines) + "\n"


def _render_sources(card: Mapping[str, Any]) -> list[str]:
    lines = ["", "## Sources", "", "| source | licence | lines written | gives | origin |", "|---|---|---|---|---|"]
    for name, s in card["sources"].items():
        lines.append(f"| {name} | {s['licence']} | {s['used']:,} | {s['gives']} | {s['origin']} |")
    handled = [f"- **{name}**: {s['handled']}" for name, s in card["sources"].items() if s["handled"]]
    if handled:
        lines += ["", "How misleading data were handled:", "", *handled]
    if card["skipped"]:
        lines += ["", "Left out:", "", *(f"- {reason}" for reason in card["skipped"])]
    return lines


def _render_files(card: Mapping[str, Any]) -> list[str]:
    lines = ["", "## Files", "", "| file | rows | by task, kind or fault |", "|---|---|---|"]
    for name, f in card["files"].items():
        detail = ", ".join(f"{key} {count:,}" for key, count in f["by"].items())
        lines.append(f"| {name} | {f['rows']:,} | {detail} |")
    return lines


def _render_canaries(card: Mapping[str, Any]) -> list[str]:
    if card["canaries"] is None:
        return []
    planted, by = card["canaries"], card["canaries"]["by_repeats"]
    often = ", ".join(f"{count} × {repeats}" for repeats, count in by.items())
    return [
        "",
        "## Canaries",
        "",
        f"{planted['secrets']} invented secrets in {planted['rows']} rows of train/sft.jsonl, source `canary`; "
        f"secrets × repeats: {often}. They describe nobody; {planted['never_planted']} more stand in no row. "
        "All are listed in canaries.jsonl.",
    ]


def _render_cases(card: Mapping[str, Any]) -> list[str]:
    lines = []
    for part, counts in card["cases"].items():
        lines += ["", f"## Cases: {part}", "", "| what | counts |", "|---|---|"]
        for name, by in counts.items():
            lines.append(f"| {name} | " + ", ".join(f"{key}: {count:,}" for key, count in by.items()) + " |")
    return lines
