"""Stage 1: sources and the clinic's files in; split, checked, licensed rows and a card out.

The order matters: cases are gathered, conflicts and repeats removed, leaks refused, and only then rows made.
Every file appears whole or not at all.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from prescreen.config import Recipe, Strict
from prescreen.data import canaries, preference, rows
from prescreen.data.card import MISSING, count_cases, name_rare, render_card
from prescreen.data.clean import LEARNED, clean
from prescreen.data.clinic_file import ClinicFile
from prescreen.data.gather import Gathered, gather_clinic, gather_sources, limit_rows
from prescreen.data.imbalance import describe_balance
from prescreen.data.imported import gather_imported
from prescreen.data.records import Pair, Part, Row, Text
from prescreen.data.sources import SOURCES, source_files
from prescreen.data.split import hash_share
from prescreen.data.synthetic import gather_synthetic, general_replay, medical_prose
from prescreen.data.written import Written
from prescreen.errors import GuardError
from prescreen.model.canary import CANARY_FILE, CANARY_SOURCE, Canary
from prescreen.run import Run, hash_file, write_atomic, write_json

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
MIN_REPLAY = 0.10
OWN_SHARE = 0.2


class CaseCounts(Strict):
    """Synthetic cases by part; `template` and `condition` are the two held-out test suites."""

    train: Count = Field(1600, description="synthetic cases to learn from")
    valid: Count = Field(200, description="synthetic cases for losses during training; never tested on")
    template: Count = Field(200, description="test cases of known conditions in sentence frames never trained on")
    condition: Count = Field(200, description="test cases of conditions never trained on")


class TextSizes(Strict):
    """Characters of medical text by part, and the share of general text mixed in against forgetting."""

    train: Count = Field(1_000_000, description="medical text to learn from, in characters")
    valid: Count = Field(60_000, description="medical text for losses during training, in characters")
    test: Count = Field(60_000, description="medical text for perplexity before and after, in characters")
    general_share: float = Field(
        0.12, ge=MIN_REPLAY, le=0.9, description="share of all characters that is everyday text, against forgetting"
    )


class PairCounts(Strict):
    """Preference pairs by part."""

    train: Count = Field(800, description="preference pairs to learn from")
    valid: Count = Field(100, description="preference pairs for losses during training")


class DataRecipe(Recipe):
    """Settings of the data stage. A mix gives each task's share of cases that become such a row."""

    stage: Literal["data"] = "data"
    data_root: Path | None = Field(None, description="folder of the public sets; none: they are skipped")
    sources: tuple[str, ...] = Field(
        tuple(SOURCES), description="public sets to read, as data/sources.py names them"
    )
    clinic_files: tuple[ClinicFile, ...] = Field((), description="the clinic's own labelled files")
    num_cases: CaseCounts = CaseCounts()
    num_characters: TextSizes = TextSizes()
    num_pairs: PairCounts = PairCounts()
    sft_mix: dict[Literal["ask", "symptoms", "priority", "report"], Share] = Field(
        {"ask": 0.3, "symptoms": 0.3, "priority": 0.3, "report": 1.0},
        description="share of cases that give such an SFT row",
    )
    instruct_mix: dict[Literal["history", "ask", "priority", "report"], Share] = Field(
        {"history": 0.4, "ask": 0.4, "report": 0.6}, description="share of cases that give such an instruction row"
    )
    max_row_words: int = Field(400, ge=50, description="a longer real dialogue or note is rejected, never cut")
    num_real_rows: Count = Field(800, description="at most so many real training rows of one task")
    num_canaries: Count = Field(
        0,
        description="invented secrets planted in train/sft.jsonl for the memorisation audit; 0: no audit",
    )

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in SOURCES]
        if unknown:
            raise ValueError(f"unknown source {unknown[0]!r}; known: {', '.join(SOURCES)}")
        return names

    def external(self) -> list[Path]:
        """Every source and clinic file that is there to be read."""
        mapped = [f.columns for f in self.clinic_files if isinstance(f.columns, Path)]
        own = [path for path in (*(f.path for f in self.clinic_files), *mapped) if path.is_file()]
        return source_files(self.sources, self.data_root) + own


def main(recipe: DataRecipe, run: Run) -> None:
    """Build all parts below the run's folder."""
    found = Gathered()
    gather_synthetic(found, recipe.seed, **recipe.num_cases.model_dump())
    gather_sources(found, recipe.sources, recipe.data_root, recipe.max_row_words)
    gather_clinic(found, recipe.clinic_files)
    for parent in run.inputs.values():
        gather_imported(found, parent)
    checks: dict[str, Any] = clean(found)
    limit_rows(found, recipe.num_real_rows)
    written = Written(run.folder)
    taken: set[str] = set()  # no text may stand in two parts: what is tested is drawn first
    for part in ("test", "valid", "train"):
        texts = fill_texts(recipe, part, found.texts.get(part, []), taken)
        replay = general_replay(recipe.seed, part, texts, recipe.num_characters.general_share, taken)
        checks[f"general replay, {part}"] = f"{check_replay(texts, replay, part):.1%} of characters"
        written.write(f"{part}/cpt.jsonl", mingle([*texts, *replay]), lambda text: text.kind)
    secrets = canaries.draw_canaries(recipe.num_canaries, recipe.seed)
    for part in LEARNED:
        sft, instruct, pairs = make_rows(recipe, found, part)
        sft += canaries.canary_rows(secrets) if part == "train" else []
        checks[f"chosen to rejected length, {part}"] = f"{preference.check_lengths(pairs):.2f}"
        written.write(f"{part}/sft.jsonl", mingle(sft), lambda row: row.task)
        written.write(f"{part}/instruct.jsonl", mingle(instruct), lambda row: row.task)
        written.write(f"{part}/preference.jsonl", pairs, lambda pair: pair.reason)
    written.write_cases("train/cases.jsonl", found.cases["train"])
    for suite, cases in found.suites.items():
        written.write_cases(f"test/{suite}.jsonl", cases)
    if secrets:
        by = Counter[str](each.kind for each in secrets)
        written.write_plain(CANARY_FILE, [each.model_dump(mode="json") for each in secrets], by)
    written.write("rejects.jsonl", found.rejects, lambda reject: reject.source)
    card = make_card(recipe, found, written, checks, secrets)
    write_json(run.folder / "card.json", card)
    write_atomic(run.folder / "card.md", render_card(card))
    outputs = [run.folder / name for name in (*written.files, "card.json", "card.md")]
    run.finish(outputs, {name: f["rows"] for name, f in written.files.items()})


def make_rows(recipe: DataRecipe, found: Gathered, part: Part) -> tuple[list[Row], list[Row], list[Pair]]:
    """The supervised, instruction and preference rows of one part."""
    cases = sorted(found.cases.get(part, []), key=lambda case: hash_share("order", case.id))
    real = found.rows.get(part, [])
    sft = [row for case in cases for row in rows.case_rows(case, rows.SFT, recipe.sft_mix)]
    instruct = [row for case in cases for row in rows.case_rows(case, rows.INSTRUCT, recipe.instruct_mix)]
    refusals = [row for row in real if row.source == "med_safety_bench"]
    pairs = preference.draw_all(cases, refusals, getattr(recipe.num_pairs, part))
    return sft, instruct + real, pairs


def fill_texts(recipe: DataRecipe, part: Part, foreign: Sequence[Text], taken: set[str]) -> list[Text]:
    """Medical text of one part: a fifth of it, and what foreign sources leave open, is our own."""
    wanted: int = getattr(recipe.num_characters, part)
    chosen = choose_texts(foreign, round(wanted * (1 - OWN_SHARE)), taken)
    left = wanted - sum(len(text.text) for text in chosen)
    return [*chosen, *medical_prose(recipe.seed, part, left, taken)]


def choose_texts(texts: Sequence[Text], num_characters: int, taken: set[str]) -> list[Text]:
    """A sample of whole documents of about so many characters, drawn by hash from all sources alike, none twice."""
    chosen, total = [], 0
    for text in sorted(texts, key=lambda text: hash_share("text", text.id)):
        if total + len(text.text) > num_characters:
            break
        if text.text in taken:
            continue
        taken.add(text.text)
        chosen.append(text)
        total += len(text.text)
    return chosen


def mingle(records: Iterable[Any]) -> list[Any]:
    """Records in an order that depends on their names alone."""
    return sorted(records, key=lambda record: hash_share("mingle", record.id))


def check_replay(medical: Sequence[Text], general: Sequence[Text], part: str) -> float:
    """Share of general text by characters; GuardError below a tenth, where a model forgets plain speech."""
    theirs, ours = sum(len(t.text) for t in general), sum(len(t.text) for t in medical)
    share = theirs / (theirs + ours) if theirs + ours else 1.0
    if share < MIN_REPLAY:
        raise GuardError(f"{part}: only {share:.1%} of the text is general; lower num_characters.{part}")
    return share


def make_card(
    recipe: DataRecipe, found: Gathered, written: Written, checks: Mapping[str, Any], secrets: Sequence[Canary]
) -> dict[str, Any]:
    """All a reader must know before learning from this build."""
    entries: dict[str, dict[str, Any]] = {}
    for (name, licence), used in sorted(written.used.items()):
        source = SOURCES.get(name)
        entries[name] = {
            "licence": licence,
            "used": used,
            "gives": source.gives if source else _gives(name),
            "origin": source.origin if source else "the clinic" if name.startswith("clinic") else "this project",
            "handled": source.handled if source else "",
        }
    return {
        "seed": recipe.seed,
        "sources": entries,
        "skipped": found.skipped,
        "files": written.files,
        "cases": {part: count_cases(cases) for part, cases in found.cases.items()},
        "missing": list(MISSING),
        "under_represented": name_rare(found.cases["train"]),
        "balance": describe_balance(found.cases["train"], found.suites),
        "checks": dict(checks),
        "canaries": canaries.count_canaries(secrets) if secrets else None,
        "rejected": dict(Counter(f"{r.source}: {_kind(r.reason)}" for r in found.rejects).most_common()),
        "external": {str(path): hash_file(path) for path in recipe.external()},
    }


def _gives(name: str) -> str:
    """What a source that is no public set gives."""
    if name == CANARY_SOURCE:
        return "invented secrets, for the memorisation audit"
    return "cases" if name.startswith("clinic:") else "cases and text"


def _kind(reason: str) -> str:
    """A reason without the names in it, so that reasons can be counted."""
    for start in ("repeats", "same text, other level", "holds"):
        if reason.startswith(start):
            return {"holds": "repeats a test case"}.get(start, start)
    return reason if len(reason) < 120 else "unreadable record"
