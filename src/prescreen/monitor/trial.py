"""What a candidate shows beside the champion: unseen in shadow, seen by nurses in canary. Pure counting.

Levels are compared as served, behind the rules. A nurse who saw the champion's draft leans towards it, so a shadow
that does as well was if anything better; what was signed as it stood within seconds says what the champion said and
nothing of the patient, and is not counted. Knows no store, no file and no clock.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact
from prescreen.clinic.rates import Rate
from prescreen.clinic.signed import ModelLabel
from prescreen.evals.rate import compare_paired
from prescreen.monitor.changes import Canary, Trial
from prescreen.monitor.counting import is_unchanged

SHOWN = 8
EARLY = 0.001  # chance at which a test ends a trial before its visits are there: it is looked at again and again


class Judged(NamedTuple):
    """Go on, stop, or wait for more visits; `figures` hold counts with their intervals, for a person."""

    verdict: Literal["go", "stop", "wait"]
    reasons: tuple[str, ...]
    figures: dict[str, str]
    visits: int


def judge_shadow(contacts: Sequence[Contact], weights: str, verdict: str, trial: Trial) -> Judged:
    """The candidate of these weights and verdict against the champion, on visits both drafted, now signed."""
    seen = [c for c in contacts if is_of(c.shadow_model, weights, verdict)]
    both = [c for c in seen if c.level is not None and c.level_model is not None and c.shadow is not None]
    signed = [c for c in both if is_read(c, trial.unread_s)]
    mine = [served(c, c.shadow) is c.level for c in signed]
    theirs = [served(c, c.level_model) is c.level for c in signed]
    test = compare_paired(mine, theirs)
    lost = [
        c.visit
        for c in signed
        if c.level is Acuity.EMERGENCY
        and served(c, c.level_model) is Acuity.EMERGENCY
        and served(c, c.shadow) is not Acuity.EMERGENCY
    ]
    readable = count(c.shadow is not None for c in seen)
    reasons = _name_visits("an emergency the champion found is placed lower", lost)
    if test.only_second > test.only_first and test.p_value < _find_level(len(signed), trial):
        reasons += (f"agrees less with the nurses than the champion (p = {test.p_value:.3f})",)
    reasons += _judge_readable(readable, trial)
    figures = {
        "candidate agrees": str(count(mine)),
        "champion agrees": str(count(theirs)),
        "only one agrees": f"candidate {test.only_first}, champion {test.only_second}, p = {test.p_value:.3f}",
        "readable drafts": str(readable),
        "signed unread, not counted": str(len(both) - len(signed)),
        "emergencies lost": f"{len(lost)} of {sum(c.level is Acuity.EMERGENCY for c in signed)}",
    }
    return _conclude(reasons, figures, len(signed), trial)


def is_read(contact: Contact, unread_s: float) -> bool:
    """Whether a signature is somebody's judgement: changed, chosen before the draft was seen, or not in seconds."""
    quick = contact.seconds is not None and contact.seconds < unread_s
    return not quick or contact.blind is not None or not is_unchanged(contact)


def judge_canary(contacts: Sequence[Contact], weights: str, verdict: str, canary: Canary) -> Judged:
    """Visits the candidate drafted against those the champion drafted in the same time.

    Where the candidate failed, the champion drafted and the failure is kept as a shadow without a level.
    """
    drafted = [c for c in contacts if c.model is not None and is_of(c.model, weights, verdict) and c.model.trial]
    others = [c for c in contacts if c.model is not None and not c.model.trial and c.level is not None]
    signed = [c for c in drafted if c.level is not None]
    failed = sum(is_of(c.shadow_model, weights, verdict) and c.shadow is None for c in contacts)
    readable = Rate(right=len(drafted), wrong=failed)
    figures, reasons = {"readable drafts": str(readable)}, _judge_readable(readable, canary)
    for name, rule in (("raised", is_raised), ("lowered", is_lowered), ("raised to emergency", is_missed)):
        mine, theirs = count(map(rule, signed)), count(map(rule, others))
        p_value = compare_rates(mine, theirs)
        figures[name] = f"candidate {mine}; champion {theirs}; p = {p_value:.3f}"
        if p_value < _find_level(len(signed), canary):
            reasons += (f"nurses changed more of its drafts: {name} (p = {p_value:.3f})",)
    return _conclude(reasons, figures, len(signed), canary)


def is_of(label: ModelLabel | None, weights: str, verdict: str) -> bool:
    """Whether a label is of this release; a server that cannot tell its weights is known by the verdict."""
    return label is not None and label.verdict == verdict and label.weights in ("", weights)


def served(contact: Contact, level: Acuity | None) -> Acuity | None:
    """A model's level behind the rules: never below them."""
    if level is None or contact.level_rules is None:
        return level
    return max(level, contact.level_rules, key=lambda known: known.rank)


def is_raised(contact: Contact) -> bool:
    """A nurse signed a higher level than was shown."""
    return contact.level is not None and contact.shown is not None and contact.level.rank > contact.shown.rank


def is_lowered(contact: Contact) -> bool:
    """A nurse signed a lower level than was shown."""
    return contact.level is not None and contact.shown is not None and contact.level.rank < contact.shown.rank


def is_missed(contact: Contact) -> bool:
    """A nurse signed an emergency that was shown as less."""
    return is_raised(contact) and contact.level is Acuity.EMERGENCY


def count(rights: Iterable[bool]) -> Rate:
    """How many of these are so."""
    told = list(rights)
    return Rate(right=sum(told), wrong=len(told) - sum(told))


def compare_rates(mine: Rate, theirs: Rate) -> float:
    """Fisher's exact one-sided p that the candidate's rate is higher; 1 where either counted nothing."""
    if not mine.n or not theirs.n:
        return 1.0
    from scipy.stats import fisher_exact

    table = [[mine.right, mine.n - mine.right], [theirs.right, theirs.n - theirs.right]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def _find_level(visits: int, trial: Trial) -> float:
    """The chance below which a test speaks against a candidate; small while visits are lacking (Haybittle, Peto).

    At the full level each look of a running service would be one more throw of the dice.
    """
    return trial.significance if visits >= trial.visits else min(EARLY, trial.significance)


def _judge_readable(readable: Rate, trial: Trial) -> tuple[str, ...]:
    is_enough = readable.n >= trial.visits and (readable.value or 0.0) < trial.schema_valid
    if is_enough or (readable.n and readable.upper() < trial.schema_valid):
        return (f"its answers are no reports too often: {readable}",)
    return ()


def _name_visits(what: str, visits: Sequence[str]) -> tuple[str, ...]:
    more = f" and {len(visits) - SHOWN} more" if len(visits) > SHOWN else ""
    return (f"{what}: {', '.join(visits[:SHOWN])}{more}",) if visits else ()


def _conclude(reasons: tuple[str, ...], figures: dict[str, str], visits: int, trial: Trial) -> Judged:
    if reasons:
        return Judged("stop", reasons, figures, visits)
    if visits < trial.visits:
        return Judged("wait", (f"{visits} of {trial.visits} signed visits",), figures, visits)
    return Judged("go", (), figures, visits)
