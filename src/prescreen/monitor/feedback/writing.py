"""A judged batch as files: rows by part, the held-out suite, custody, rejects and the card, in a data run's shape.

Knows a batch that was let through and an older run's rows; opens no store.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from prescreen.custody import CUSTODY, REJECTS, Correction
from prescreen.data.build import mingle
from prescreen.data.records import Answer, Pair, Row
from prescreen.data.written import Written
from prescreen.monitor.feedback import rows as making
from prescreen.monitor.feedback.build import CARD, FeedbackRecipe
from prescreen.monitor.feedback.card import make_card, render_card
from prescreen.monitor.feedback.gathering import Gathered, count_dropped
from prescreen.monitor.feedback.parts import Divided, divide
from prescreen.monitor.feedback.raters import find_looked
from prescreen.monitor.feedback.replay import CASES, Replay, draw_share
from prescreen.monitor.feedback.reviewed import READER, Dropped, Reviewed
from prescreen.monitor.feedback.stops import Judged
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
    figures: dict[str, float] = {}
    checks: dict[str, Any] = {"doubted levels": [judged.counts["mislabelled"], len(gathered.batch)]}
    for part, batch in (("train", divided.train), ("valid", divided.valid)):
        pairs, rows, answers = make_all(batch, looked, checks, part)
        if part == "train":
            checks["told apart by words alone (AUC)"] = measure_area(pairs, recipe.seed)._asdict()
            checks["copied from the draft, share of words"] = measure_copied(pairs)
            replayed = draw_share(replay.pairs, len(pairs), recipe.replay_share)
            figures = {
                "corrections": len(pairs),
                "replay_share": len(replayed) / max(1, len(pairs) + len(replayed)),
            }
            pairs += replayed
            rows += draw_share(replay.rows, len(rows), recipe.replay_share)
        written.write(f"{part}/preference.jsonl", mingle(pairs), lambda pair: pair.reason)
        written.write(f"{part}/sft.jsonl", mingle(rows), lambda row: row.task)
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


def make_all(
    batch: Sequence[Reviewed], looked: set[str], checks: dict[str, Any], part: str
) -> tuple[list[Pair], list[Row], list[Answer]]:
    """Pairs of equal length, rows and single answers of one part; what was left out for length is counted."""
    balanced = making.balance_lengths([pair for one in batch if (pair := making.make_pair(one)) is not None])
    checks[f"chosen to rejected length, {part}"] = round(balanced.ratio, 3)
    checks[f"pairs left out for their length, {part}"] = len(balanced.dropped)
    rows = [row for one in batch for row in making.make_rows(one, looked)]
    answers = [answer for one in batch for answer in making.make_answers(one, looked)]
    return list(balanced.pairs), rows, answers


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
