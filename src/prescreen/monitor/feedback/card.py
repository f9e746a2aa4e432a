"""The card of a batch: what was signed, what became of it, how far raters agree. Holds codes and counts alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from prescreen.clinic.contact import AgeBand
from prescreen.clinic.edits import is_clinical
from prescreen.monitor.feedback.parts import Divided
from prescreen.monitor.feedback.raters import Looks, compare_blind, compare_twice
from prescreen.monitor.feedback.reviewed import Dropped, Reviewed

_BOUNDS = (2, 16, 40, 65, 80)


def age_band(years: float | None) -> str:
    """The band of `clinic.contact`."""
    bands = get_args(AgeBand)
    return bands[0] if years is None else bands[1 + sum(years >= bound for bound in _BOUNDS)]


def count_batch(batch: Sequence[Reviewed]) -> dict[str, dict[str, int]]:
    """Signatures by kind of edit, level, language, age band, signer and model."""
    return {
        "kinds of edit": _sort(Counter(kind for one in batch for kind in one.kinds)),
        "edited": _sort(Counter(name_edit(one) for one in batch)),
        "level": _sort(Counter(one.level.value for one in batch)),
        "language": _sort(Counter(one.case.language for one in batch)),
        "age band": _sort(Counter(age_band(one.case.age_years) for one in batch)),
        "signer": _sort(Counter(one.signer for one in batch)),
        "model": _sort(Counter(name_model(one) for one in batch)),
    }


def name_edit(one: Reviewed) -> str:
    """What a signature is to training, in two words."""
    if one.shown is None:
        return "no model's draft"
    return "clinical" if is_clinical(one.kinds) else "wording" if one.kinds else "unchanged"


def name_model(one: Reviewed) -> str:
    """The version and weights that drafted, `none` where no model did."""
    return "none" if one.model is None else f"{one.model.name} {one.model.version} {one.model.weights[:12]}".strip()


def make_card(
    batch: Sequence[Reviewed],
    divided: Divided,
    dropped: Sequence[Dropped],
    signers: Sequence[Looks],
    files: Mapping[str, Any],
    checks: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """All a reader must know before learning from this batch."""
    parts = {"train": divided.train, "valid": divided.valid, "test": divided.test, "between": divided.between}
    return {
        "signatures": len(batch) + len(dropped),
        "counts": count_batch(batch),
        "parts": {
            name: {"signatures": len(rows), "patients": len({one.patient for one in rows})}
            for name, rows in parts.items()
        },
        "files": dict(files),
        "left out": _sort(Counter(one.reason for one in dropped)),
        "checks": dict(checks),
        "agreement": {
            "own choice before the draft, and signature": compare_blind(batch, seed).to_json(),
            "two people's signatures": compare_twice(batch, seed).to_json(),
        },
        "signers": {
            one.signer: {
                "signatures": one.signatures,
                "unchanged": one.unchanged,
                "unchanged and quick": one.quick,
                "kept own choice against the draft": str(one.kept),
            }
            for one in signers
        },
    }


def render_card(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    lines = ["# Feedback", "", f"{card['signatures']} signatures that stand, of patients who agreed.", ""]
    for title in ("parts", "files", "counts", "left out", "checks", "agreement", "signers"):
        lines += [f"## {title.capitalize()}", "", "| | |", "| --- | --- |"]
        for name, value in card[title].items():
            lines.append(f"| {name} | {_say(value)} |")
        lines.append("")
    return "\n".join(lines)


def _say(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name} {_say(item)}" for name, item in value.items()) or "none"
    return "-" if value is None else str(value)


def _sort(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
