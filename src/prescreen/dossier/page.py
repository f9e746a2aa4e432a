"""The dossier as one printable HTML file. Knows archive, book and how to lay them out; computes no metric."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.clinic.incident import count_by_hazard, read_export
from prescreen.dossier.archive import Archive, Figure
from prescreen.dossier.cards import build_bias, build_data_card, build_model_card
from prescreen.dossier.records import FOLDER, Book, Item, Ref, read_book
from prescreen.errors import InputError
from prescreen.evals.glossary import PLUMBING, SYSTEMS
from prescreen.run import MANIFEST, hash_file, write_atomic

NAME = "dossier.html"


def write_dossier(
    folder: Path,
    out: Path | None = None,
    *,
    review: Path | None = None,
    book: Path = FOLDER,
    incidents: Path | None = None,
) -> Archive:
    """Render the dossier of a folder of runs; returns what it rests on. `incidents` is the clinic's export."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    if review is not None and not review.exists():
        raise InputError("no such review; write one with `prescreen bank read --out`", file=review)
    archive = Archive(folder, out or folder / NAME, review)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("dossier.html").render(
        **build_context(archive, read_book(book)), met=None if incidents is None else count_met(incidents)
    )
    archive.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(archive.out, html)
    return archive


def build_context(archive: Archive, book: Book) -> dict[str, Any]:
    """Everything the template prints."""
    verdict = archive.verdict
    today = datetime.datetime.now(datetime.UTC).date()
    hazards = [(hazard, find_all(archive, hazard.evidence)) for hazard in book.hazards]
    claims = [
        (claim, found := find_all(archive, claim.evidence), judge_claim(archive, found)) for claim in book.claims
    ]
    items = [(item, found := find_all(archive, item.evidence), say_status(item, found)) for item in book.items]
    return {
        "plumbing": PLUMBING if archive.metrics["label"] == "plumbing" else "",
        "candidate": SYSTEMS.get(archive.candidate, archive.candidate),
        "folder": archive.folder.resolve().name,
        "today": today.isoformat(),
        "caveats": [*archive.caveats, *say_lapse(verdict, today)],
        "verdict": verdict,
        "gate": archive.cite(archive.gate, "gate.json") if verdict else None,
        "report": archive.cite(archive.gate or archive.evals, "report.html"),
        "model": build_model_card(archive),
        "data": build_data_card(archive),
        "hazards": hazards,
        "claims": claims,
        "items": items,
        "missing": len(archive.lacking),  # before the bias report looks for tasks under every name they may have
        "bias": build_bias(archive),
        "pointers": book.pointers,
        "runs": [
            {
                "name": name,
                "stage": manifest["stage"],
                "finished": manifest["finished"],
                "hash": hash_file(archive.folder / name / MANIFEST),
                "href": archive.link(archive.folder / name / MANIFEST),
            }
            for name, manifest in archive.manifests.items()
        ],
    }


class Met(NamedTuple):
    """Which incidents a clinic met: in words by hazard, those without one, all, and the file's mark."""

    by_hazard: dict[str, str]
    unlinked: int
    total: int
    sha256: str


def count_met(export: Path) -> Met:
    """Incidents of each hazard in words, from an export."""
    found = read_export(export)
    counts = count_by_hazard(found)
    told = {
        hazard: f"{states.total()} ({', '.join(f'{count} {state}' for state, count in sorted(states.items()))})"
        for hazard, states in counts.items()
    }
    unlinked = counts[""].total() if "" in counts else 0
    return Met(told, unlinked, len(found), hash_file(export))


def find_all(archive: Archive, refs: Iterable[Ref]) -> list[Figure]:
    return [figure for ref in refs for figure in archive.find(ref)]


def judge_claim(archive: Archive, found: list[Figure]) -> str:
    """What may be said of a claim: at most that checks passed. A tiny model's figures support nothing."""
    outcomes = {figure.outcome for figure in found if figure.outcome}
    if outcomes & {"fail", "hold"}:
        return "contradicted"
    if any(figure.missing for figure in found) or outcomes & {"not enough cases", "not measured"}:
        return "open"
    if not any(figure.source for figure in found):
        return "by design; its tests must pass"
    if archive.metrics["label"] == "plumbing":
        return "not supported: plumbing"
    return (
        "checks passed; the clinic accepts or not" if outcomes else "measured; no limit was set, the clinic judges"
    )


def say_status(item: Item, found: list[Figure]) -> str:
    """A checklist line whose evidence is not there is not filled, whatever the file says."""
    return "evidence missing" if any(figure.missing for figure in found) else item.status


def say_lapse(verdict: dict[str, Any] | None, today: datetime.date) -> list[str]:
    if verdict and datetime.date.fromisoformat(verdict["expires"]) < today:
        return [f"The verdict lapsed on {verdict['expires']}; run the gate again."]
    return []
