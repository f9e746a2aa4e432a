"""A judged batch as files: rows by part, the held-out suite, custody, rejects and the card, in a data run's shape.

Knows a batch that was let through and an older run's rows; opens no store.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from prescreen.custody import CUSTODY, REJECTS, Correction
from prescreen.data.build import mingle
from prescreen.data.records import Answer, Row
from prescreen.data.written import Written
from prescreen.monitor.feedback import rows as making
from prescreen.monitor.feedback.build import CARD, FeedbackRecipe
from prescreen.monitor.feedback.card import make_card, render_card
from prescreen.monitor.feedback.frames import LEVEL_KINDS
from prescreen.monitor.feedback.gathering import Gathered, count_dropped
from prescreen.monitor.feedback.parts import Divided, divide
from prescreen.monitor.feedback.raters import find_looked
from prescreen.monitor.feedback.replay import CASES, Replay, draw_share
from prescreen.monitor.feedback.reviewed import READER, Dropped, Reviewed
from prescreen.monitor.feedback.stops import Judged, Stop, refuse
from prescreen.monitor.feedback.told_apart import measure_area, measure_copied
from prescreen.run import Run, write_atomic, write_json

SUITE = "corrections"


def write_batch(recipe: FeedbackRecipe, run: Run, gathered: Gathered, judged: Judged, replay: Replay) -> None:
    """Everything below the run's folder, the manifest last."""
    kept = [one for one in gathered.batch if one.code not in judged.bad]
    left_out = [*gathered.dropped, *(Dropped(code, ", ".join(why)) for code, why in sorted(judged.bad.items()))]
    looked = find_looked(kept, recipe.limits)
    divided = divide(kept, recipe.parts, gathered.met)
    written = Written(run.folder)
    checks: dict[str, Any] = {"doubted levels": [len(judged.doubted), judged.open]}
    made = {part: make_all(batch, looked) for part, batch in (("train", divided.train), ("valid", divided.valid))}
    refuse(find_uneven(made["train"].balanced, recipe.limits.fewest_pairs), run.folder)
    own = made["train"].balanced.pairs
    level = [pair for pair in own if pair.reason in LEVEL_KINDS]
    checks["levels told apart by other words (AUC)"] = measure_area(level, recipe.seed)._asdict()
    checks["all told apart by other words (AUC)"] = measure_area(own, recipe.seed)._asdict()
    checks["copied from the draft, share of words"] = measure_copied(own)
    older = draw_share(replay.pairs, len(own), recipe.replay_share)
    figures = {"corrections": len(own), "replay_share": len(older) / max(1, len(own) + len(older))}
    for part, (balanced, rows, answers) in made.items():
        checks[f"chosen to rejected length, {part}"] = round(balanced.ratio, 3)
        checks[f"pairs left out for their length, {part}"] = len(balanced.dropped)
        more = draw_share(replay.rows, len(rows), recipe.replay_share) if part == "train" else []
        pairs = [*balanced.pairs, *(older if part == "train" else [])]
        written.write(f"{part}/preference.jsonl", mingle(pairs), lambda pair: pair.reason)
        written.write(f"{part}/sft.jsonl", mingle([*rows, *more]), lambda row: row.task)
        written.write(f"{part}/kto.jsonl", mingle(answers), lambda one: "wanted" if one.label else "unwanted")
    learned = [making.make_case(one) for one in divided.train]
    written.write_cases(CASES, [*learned, *replay.cases])
    written.write_cases(f"test/{SUITE}.jsonl", [making.make_case(one) for one in divided.test])
    custody = list_custody(divided, recipe)
    written.write_plain(
        CUSTODY, [line.model_dump(mode="json") for line in custody], Counter(c.part for c in custody)
    )
    rejects = count_dropped(left_out)
    written.write_plain(REJECTS, rejects, Counter(line["reason"] for line in rejects))
    card = make_card(kept, divided, left_out, judged.signers, written.files, checks, recipe.seed)
    write_json(run.folder / CARD, card)
    write_atomic(run.folder / "card.md", render_card(card))
    outputs = [run.folder / name for name in (*written.files, CARD, "card.md")]
    run.finish(
        outputs, {"label": recipe.label, **figures, **{name: f["rows"] for name, f in written.files.items()}}
    )


class Made(NamedTuple):
    """What one part gives."""

    balanced: making.Balanced
    rows: list[Row]
    answers: list[Answer]


def make_all(batch: Sequence[Reviewed], looked: set[str]) -> Made:
    """Pairs of equal length, rows and single answers of one part."""
    pairs = [pair for one in batch for pair in making.make_pairs(one)]
    rows = [row for one in batch for row in making.make_rows(one, looked)]
    return Made(
        making.balance_lengths(pairs),
        rows,
        [answer for one in batch for answer in making.make_answers(one, looked)],
    )


def find_uneven(balanced: making.Balanced, fewest: int) -> list[Stop]:
    """Where too few pairs are left once those are gone whose one side is the longer one."""
    if len(balanced.pairs) >= fewest or not balanced.dropped:
        return []
    of = len(balanced.pairs) + len(balanced.dropped)
    why = "pairs have to go because one side is always the longer one"
    return [Stop("uneven", len(balanced.dropped), of, fewest, tuple(balanced.dropped), why)]


def list_custody(divided: Divided, recipe: FeedbackRecipe) -> list[Correction]:
    """Where each signature's rows stand and who they come from, by keyed codes."""
    parts = {"train": divided.train, "valid": divided.valid, "test": divided.test, "between": divided.between}
    return [_trace(one, part, recipe) for part, batch in parts.items() for one in batch]


def _trace(one: Reviewed, part: str, recipe: FeedbackRecipe) -> Correction:
    return Correction(
        row=one.case.id,
        patient=one.patient,
        file="store",
        place=1,
        source=one.code,
        reader=READER,
        deid=one.deid,
        mode=recipe.mode,
        licence=recipe.licence,
        basis=recipe.basis,
        part=part,
        kinds=tuple(sorted(one.kinds)),
        model="" if one.model is None else f"{one.model.name} {one.model.version}".strip(),
        weights="" if one.model is None else one.model.weights,
        signer=one.signer,
    )
