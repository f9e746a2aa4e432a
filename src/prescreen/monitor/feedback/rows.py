"""Signatures as rows to learn from: pairs, finals, single answers and held-out cases with their levels.

Agreeing is no preference: a pair needs a clinical edit. What nobody changed is learned as right only where the
signer is known to look. A level that a rule asked for is the rule's, for no nurse may sign below it: learned as a
judgement, every false alarm of the rules would become the model's own. Nor is a level learned that nothing stands
before: a thought without a finding teaches to leap. Knows signatures and the lines that training reads; neither
store nor limits.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from prescreen.clinic.case import Case, Label
from prescreen.clinic.edits import KINDS, is_clinical
from prescreen.clinic.report import Draft
from prescreen.data.preference import LENGTH_RATIO
from prescreen.data.records import Answer, Pair, Row
from prescreen.data.rows import priority_messages, report_answer, report_messages
from prescreen.model.harmony import Message
from prescreen.model.prompt import task_messages
from prescreen.monitor.feedback.frames import (
    LEVEL_KINDS,
    Sides,
    argues_for_itself,
    content_pair,
    frame_pair,
    level_pair,
)
from prescreen.monitor.feedback.reviewed import Reviewed

ORIGIN = "the level a nurse signed"


class Balanced(NamedTuple):
    """Pairs whose answers are as long on both sides, the ratio, and the names of those left out for it."""

    pairs: list[Pair]
    ratio: float
    dropped: list[str]


def make_pairs(one: Reviewed) -> list[Pair]:
    """The nurse's side and the model's, a pair for the level and one for the rest; none without a clinical edit."""
    if one.draft is None or not is_clinical(one.kinds):
        return []
    level = level_pair(one.draft, one.final) if teaches_level(one) else None
    lowered = one.final.acuity < one.draft.acuity
    said = [kind for kind in KINDS if kind in one.kinds and kind not in LEVEL_KINDS]
    found = (
        ("level", level, "level_lowered" if lowered else "level_raised"),
        ("pair", content_pair(one.draft, one.final) if is_clinical(said) else None, next(iter(said), "")),
    )
    return [_pair(one, name, sides, reason) for name, sides, reason in found if sides is not None]


def _pair(one: Reviewed, name: str, sides: Sides, reason: str) -> Pair:
    chosen, rejected = (report_answer(one.case, side) for side in (sides.chosen, sides.rejected))
    prompt = tuple(task_messages("report", one.case))
    return Pair(f"{one.code}-{name}", one.case.id, one.patient, "report", one.case.source, one.case.licence,
                reason, one.level.value, prompt, (chosen,), (rejected,))  # fmt: skip


def make_rows(one: Reviewed, lookers: Collection[str]) -> list[Row]:
    """The signed report; the level alone where its sentences argue for another level or the report is not whole."""
    if not is_trusted(one, lookers) or not teaches_level(one):
        return []
    whole = one.whole and (one.draft is None or argues_for_itself(one.draft, one.final))
    task, write = ("report", report_messages) if whole else ("priority", priority_messages)
    messages = tuple(write(one.case, one.final))
    return [Row(f"{one.code}-{task}", one.case.id, one.patient, task, one.case.source, one.case.licence, messages)]


def make_answers(one: Reviewed, lookers: Collection[str]) -> list[Answer]:
    """Single answers: the model's, unwanted where a nurse changed it clinically, wanted where one who looks signed
    it as it was; and the nurse's own."""
    found: list[Answer] = []
    if is_ruled(one):
        return found
    if one.draft is not None and is_clinical(one.kinds):
        sides = frame_pair(one.draft, one.final)
        found = [_answer(one, sides.rejected, desirable=False), _answer(one, sides.chosen, desirable=True)]
    elif is_trusted(one, lookers) and one.whole:
        found = [_answer(one, one.draft or one.final, desirable=True)]
    return found


def make_case(one: Reviewed) -> Case:
    """A held-out case with the level and the report a nurse signed, for an evaluation."""
    label = Label(
        acuity=one.level,
        accepted=(one.level,),
        origin=ORIGIN,
        red_flags=tuple(one.final.red_flags),
        draft=one.final,
    )
    return one.case.model_copy(update={"label": label})


def is_trusted(one: Reviewed, lookers: Collection[str]) -> bool:
    """Whether a final may stand for what is right: it was changed, or its signer looked and agreed."""
    return is_clinical(one.kinds) or one.shown is None or one.code in lookers


def teaches_level(one: Reviewed) -> bool:
    """Whether the signed level is a judgement, and something stands before it."""
    return not is_ruled(one) and is_weighed(one.final)


def is_ruled(one: Reviewed) -> bool:
    """Whether the signed level is a rule's and nobody's judgement: raised by the rule and signed as raised."""
    own = None if one.draft is None else one.draft.acuity
    return one.level == one.rules and (own is None or own < one.level)


def is_weighed(report: Draft) -> bool:
    """Whether anything stands before the level."""
    return bool(report.red_flags) or any(finding.status == "present" for finding in report.findings)


def first_kind(one: Reviewed) -> str:
    """The weightiest kind of edit, in the order of `clinic.edits`."""
    return next(kind for kind in KINDS if kind in one.kinds)


def balance_lengths(pairs: Sequence[Pair]) -> Balanced:
    """Leave out the most uneven pairs until neither side is the longer one on the whole."""
    kept = sorted(pairs, key=lambda pair: (-abs(_length(pair.chosen) - _length(pair.rejected)), pair.id))
    dropped: list[str] = []
    while kept and not LENGTH_RATIO[0] <= (ratio := measure_ratio(kept)) <= LENGTH_RATIO[1]:
        longer = next(
            pair for pair in kept if (_length(pair.chosen) > _length(pair.rejected)) == (ratio > LENGTH_RATIO[1])
        )
        kept.remove(longer)
        dropped.append(longer.id)
    left = {pair.id for pair in kept}
    return Balanced([pair for pair in pairs if pair.id in left], measure_ratio(kept), dropped)


def measure_ratio(pairs: Sequence[Pair]) -> float:
    """Length of all chosen answers over that of all rejected ones."""
    if not pairs:
        return 1.0
    return sum(_length(pair.chosen) for pair in pairs) / sum(_length(pair.rejected) for pair in pairs)


def _length(side: Sequence[Message]) -> int:
    return sum(len(message["content"]) for message in side)


def _answer(one: Reviewed, draft: Draft, *, desirable: bool) -> Answer:
    told = report_answer(one.case, draft)
    name = f"{one.code}-{'good' if desirable else 'bad'}"
    reason = first_kind(one) if one.kinds else "agreed after reading"
    prompt = tuple(task_messages("report", one.case))
    return Answer(name, one.case.id, one.patient, "report", one.case.source, one.case.licence, reason,
                  draft.acuity.value, prompt, (told,), desirable)  # fmt: skip
