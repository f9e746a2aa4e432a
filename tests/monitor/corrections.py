"""Invented signatures of an invented clinic: drafts with a model's faults, finals with nurses' errors."""

import datetime
import random
from dataclasses import replace
from functools import cache

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.edits import classify_edits
from prescreen.clinic.redflags import check_rules, rule_acuity
from prescreen.clinic.report import Draft
from prescreen.clinic.signed import ModelLabel
from prescreen.data.synthesize import synthesize_cases
from prescreen.monitor.feedback.reviewed import Reviewed

MONDAY = datetime.datetime(2026, 9, 7, 9, tzinfo=datetime.UTC)
LEVELS = list(Acuity)
MODEL = ModelLabel(name="twin", version="2026-09", engine="test", weights="ab" * 32)
SIGNERS = ("signer-a", "signer-b", "signer-c", "signer-d")


@cache
def draw_cases(seed: int, count: int) -> tuple[tuple[Case, Acuity | None], ...]:
    """Synthetic cases with what the rules say of them."""
    cases = synthesize_cases(seed, count, "train", "all")
    return tuple((case, rule_acuity(check_rules(case))) for case in cases)


def make_reviewed(case: Case, rules: Acuity | None, number: int, rng: random.Random, **changes: object) -> Reviewed:
    """One signature: the draft is a level off in a quarter of cases, the nurse in one of twenty."""
    assert case.label is not None and case.label.draft is not None
    gold = case.label.draft
    right = max(gold.acuity, rules) if rules is not None else gold.acuity
    drafted = move(right, rng) if rng.random() < 0.25 else right
    signed = move(right, rng) if rng.random() < 0.05 else right
    signed = max(signed, rules) if rules is not None else signed
    draft = gold.model_copy(update={"acuity": drafted})
    final = gold.model_copy(update={"acuity": signed})
    if rng.random() < 0.2:
        final = final.model_copy(update={"open_questions": [*final.open_questions[:1], "How is your sleep?"]})
    one = Reviewed(
        code=f"code-{number:04d}",
        patient=f"patient-{number:04d}",
        signer=SIGNERS[number % len(SIGNERS)],
        case=case.model_copy(update={"id": f"case-{number:04d}", "patient_id": f"patient-{number:04d}",
                                     "label": None, "source": "feedback", "licence": "clinic"}),
        shown=drafted,
        draft=draft,
        final=final,
        note="",
        model=MODEL,
        kinds=frozenset(),
        at=MONDAY + datetime.timedelta(hours=5 * number),
        seconds=rng.uniform(20, 200),
        blind=signed if number % 5 == 0 else None,
        rules=rules,
        earlier=(),
        left=(),
        written=(),
        deid="deid/1",
    )  # fmt: skip
    return settle(replace(one, **changes))


def settle(one: Reviewed) -> Reviewed:
    """The same with its kinds of edit worked out anew."""
    return replace(one, kinds=classify_edits(one.draft, one.final) if one.draft else frozenset())


def move(level: Acuity, rng: random.Random) -> Acuity:
    """Another level, mostly a neighbour."""
    near = [other for other in LEVELS if abs(other.rank - level.rank) == 1]
    far = [other for other in LEVELS if abs(other.rank - level.rank) > 1]
    return rng.choice(near if not far or rng.random() < 0.8 else far)


def make_batch(seed: int, count: int = 300) -> list[Reviewed]:
    """A clean batch."""
    rng = random.Random(seed)
    return [make_reviewed(case, rules, n, rng) for n, (case, rules) in enumerate(draw_cases(seed, count))]


def relevel(one: Reviewed, level: Acuity) -> Reviewed:
    """The same visit signed at another level."""
    changed: Draft = one.final.model_copy(update={"acuity": level})
    return settle(replace(one, final=changed, blind=None))


def spoil(batch: list[Reviewed], share: float, seed: int, how) -> list[Reviewed]:
    """A share of the batch changed by `how(row, rng)`, drawn; to mislabel, among rows no emergency rule settles."""
    rng = random.Random(seed + 1)
    rows = [number for number, one in enumerate(batch) if how is not mislabel or one.rules != Acuity.EMERGENCY]
    chosen = set(rng.sample(rows, round(share * len(batch))))
    return [how(one, rng) if number in chosen else one for number, one in enumerate(batch)]


def mislabel(one: Reviewed, rng: random.Random) -> Reviewed:
    """Signed at another level, never below a rule: that has a name of its own."""
    others = [level for level in LEVELS if level != one.level and (one.rules is None or level >= one.rules)]
    return relevel(one, rng.choice(others))
