"""The nurses of the invented clinic: how they decide, how long they take, what they change of a draft.

A nurse knows what a nurse would find out at the bedside: the true label, or with a set error rate the level beside
it. The clinic's red-flag rules bind everybody: what is right is the higher of truth and rules. Knows no store.
"""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Label
from prescreen.clinic.floor import lift_floor
from prescreen.clinic.report import Consideration, Draft, Report
from prescreen.config import Strict

LEVELS: Final = list(Acuity)
STEP_UP: Final = 0.7  # of a nurse's own mistakes, the share on the safe side


class Nurse(Strict):
    """Habits as shares of visits. `leans` is automation bias: the draft is signed whatever it says."""

    login: str
    name: str
    errs: float = 0.03
    leans: float = 0.05
    seconds: float = 75.0
    rewrites: float = 0.7  # rationale and next steps are put right together with the level
    polishes: float = 0.5  # something is put right or put otherwise though the level stands
    slips: tuple[int, int] | None = None  # first and last week in which everything is signed as it comes

    def is_stamping(self, week: int) -> bool:
        """Whether this nurse signs without reading by now."""
        return self.slips is not None and self.slips[0] <= week <= self.slips[1]


class Deed(NamedTuple):
    """What a nurse does with one visit."""

    level: Acuity
    seconds: float
    leant: bool  # signed the draft's level without a judgement of their own


NURSES: Final = (
    Nurse(login="nadia", name="Nadia Quillfeather, RN"),
    Nurse(login="osman", name="Osman Tallowby, RN", errs=0.04, seconds=95, polishes=0.6),
    Nurse(login="petra", name="Petra Windlestone, RN", errs=0.02, leans=0.03, seconds=120, rewrites=0.9),
    Nurse(login="quirin", name="Quirin Hasselbeck, RN", errs=0.05, leans=0.08, seconds=60, rewrites=0.5),
)
OTHERWISE: Final = "This is a "  # wording: nothing to learn, but somebody has looked
STAMPED_S: Final = 7.0  # a signature without reading
SLIP_LEANS, SLIP_ERRS = 0.98, 0.3  # who stamps judges hastily where a judgement is forced


def right_level(truth: Acuity, rules: Acuity | None) -> Acuity:
    """What ought to be signed: rules are the clinic's protocol and are never undercut."""
    return truth if rules is None else max(truth, rules)


def judge_blind(rng: random.Random, nurse: Nurse, week: int, truth: Acuity, rules: Acuity | None) -> Acuity:
    """The level chosen from the patient's words, before the draft is shown."""
    errs = SLIP_ERRS if nurse.is_stamping(week) else nurse.errs
    return _judge(rng, errs, truth, rules)


def decide(rng: random.Random, nurse: Nurse, week: int, truth: Acuity, shown: Report, blind: Acuity | None) -> Deed:
    """What is signed, given the draft. Who has decided before seeing it keeps to that, unless they lean."""
    stamps = nurse.is_stamping(week)
    leans = rng.random() < (SLIP_LEANS if stamps else nurse.leans)
    own = blind if blind is not None else judge_blind(rng, nurse, week, truth, shown.rule_acuity)
    level = shown.acuity if leans else own
    base = STAMPED_S if stamps else nurse.seconds * (1.5 if level is not shown.acuity else 1.0)
    return Deed(level, round(base * rng.lognormvariate(0.0, 0.35), 1), leans)


def write_final(rng: random.Random, nurse: Nurse, shown: Report, label: Label, deed: Deed) -> Report:
    """The report as the nurse leaves it: as drafted where nothing is changed, to the letter."""
    changed = deed.level is not shown.acuity
    gold = label.draft
    if deed.leant or gold is None or (not changed and rng.random() >= nurse.polishes):
        return shown if not changed else _with(shown, acuity=deed.level)
    changes: dict[str, object] = {"acuity": deed.level}
    if changed and deed.level is label.acuity and rng.random() < nurse.rewrites:
        changes |= {"rationale": gold.rationale, "next_steps": _lead(gold.next_steps, shown.next_steps)}
    if _is_wrong(shown, gold) and rng.random() < nurse.rewrites:
        own = set(lift_floor(shown).red_flags)
        flags = [*(flag for flag in shown.red_flags if flag not in own), *gold.red_flags]
        told = gold.model_dump(include={"differential", "summary", "findings"})
        changes |= told | {"red_flags": list(dict.fromkeys(flags))[:6]}
    elif not changed:
        changes["summary"] = f"{OTHERWISE}{shown.summary}"[:600]
    return _with(shown, **changes)


def choose_reason(shown: Report, deed: Deed, *, drafted: bool) -> str:
    """The reason code of a change, or of agreeing where nothing but the rules vouches for the level."""
    if deed.level > shown.acuity:
        return "red flag missed" if deed.level is Acuity.EMERGENCY else "words misread"
    if deed.level < shown.acuity:
        return "seen in person"
    return "agrees after reading" if shown.uncertainty == "high" or not drafted else ""


def _judge(rng: random.Random, errs: float, truth: Acuity, rules: Acuity | None) -> Acuity:
    rank = truth.rank
    if rng.random() < errs:
        rank = min(max(rank + (1 if rng.random() < STEP_UP else -1), 0), 3)
    return right_level(LEVELS[rank], rules)


def _with(report: Report, **changes: object) -> Report:
    return Report.model_validate(report.model_dump() | changes)


def _is_wrong(shown: Report, gold: Draft) -> bool:
    """Whether a nurse who has met the patient finds conditions or findings in it that are not so."""
    present = [{f.name for f in one.findings if f.status == "present"} for one in (shown, gold)]
    return _names(shown.differential) != _names(gold.differential) or present[0] != present[1]


def _names(items: Sequence[Consideration]) -> list[str]:
    return [item.condition for item in items]


def _lead(own: Sequence[str], drafted: Sequence[str]) -> list[str]:
    """The nurse's steps; an escalation that the rules wrote stays in front."""
    urgent = [line for line in drafted if line.startswith("See the patient now")]
    return list(dict.fromkeys((*urgent, *own)))[:5]
