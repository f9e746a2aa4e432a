"""How one contact counts for each signal: yes, no, or not at all. Knows no week and no statistics."""

import datetime
from collections.abc import Callable
from typing import Final

from pydantic import Field

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact
from prescreen.config import Strict

THREE_DAYS: Final = datetime.timedelta(hours=72)
TWO_MINUTES: Final = datetime.timedelta(minutes=2)
NO_REPORT: Final = frozenset({"cut off", "no report"})
UNKNOWN: Final = "unknown"
LENGTHS: Final = (("0-9", 10), ("10-24", 25), ("25-49", 50), ("50-99", 100), ("100-199", 200))


class Rules(Strict):
    """What a clinic decides about its signals. `targets_min` are the minutes a level may wait, as for the queue."""

    floor_s: float = Field(10.0, gt=0)  # a signature quicker than this was not read
    targets_min: dict[Acuity, int] = {
        Acuity.EMERGENCY: 2,
        Acuity.HIGH: 15,
        Acuity.MEDIUM: 60,
        Acuity.LOW: 240,
    }


Counts = Callable[[Contact, datetime.datetime, Rules], bool | None]


def opened_by_nurse(contact: Contact) -> datetime.datetime | None:
    """When the nurse who signed opened the visit; None before a signature."""
    if contact.signed is None:
        return None
    return contact.signed - datetime.timedelta(seconds=contact.seconds or 0.0)


def _changed(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    if contact.level is None or contact.shown is None:
        return None
    return contact.level != contact.shown


def _raised(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    if contact.level is None or contact.shown is None:
        return None
    return contact.level > contact.shown


def _lowered(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    if contact.level is None or contact.shown is None:
        return None
    return contact.level < contact.shown


def _to_emergency(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    if contact.level is None or contact.shown is None:
        return None
    return contact.level is Acuity.EMERGENCY and contact.shown < Acuity.EMERGENCY


def is_unchanged(contact: Contact) -> bool | None:
    """Whether the draft was signed as it stood; None without a signature or a model's draft."""
    if contact.level is None or contact.model is None:
        return None
    return not contact.edited and contact.level == (contact.shown or contact.level)


def _quick(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    return None if contact.seconds is None or contact.signed is None else contact.seconds < rules.floor_s


def _blind_agrees(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    if contact.blind is None or contact.level_model is None:
        return None
    return contact.blind == contact.level_model


def _rules_above(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    if contact.level_rules is None or contact.level_model is None:
        return None
    return contact.level_rules > contact.level_model


def _no_report(contact: Contact, now: datetime.datetime, rules: Rules) -> bool:
    return contact.model is None and contact.no_draft in NO_REPORT


def _unsupported(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    return None if contact.model is None else contact.unsupported > 0


def _unsure(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    return None if contact.model is None else contact.uncertainty == "high"


def is_readable(contact: Contact) -> bool:
    """Whether the case can still be read: a shredded patient's visit counts, its words do not."""
    return contact.area != UNKNOWN


def _has_vitals(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    return contact.vitals > 0 if is_readable(contact) else None


def _is_over(contact: Contact, now: datetime.datetime, rules: Rules) -> bool:
    """Whether it is known what came: nothing found where nobody looked is nothing known."""
    return contact.followed and contact.signed is not None and contact.signed + THREE_DAYS <= now


def _found_later(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    if not _is_over(contact, now, rules) or contact.level is None:
        return None
    return contact.later is not None and contact.later.level > contact.level


def _came_back(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    return contact.later is not None if _is_over(contact, now, rules) else None


def _late(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    if contact.shown is None:
        return None
    target = datetime.timedelta(minutes=rules.targets_min[contact.shown])
    return (opened_by_nurse(contact) or now) - contact.finished > target


def _emergency_waits(contact: Contact, now: datetime.datetime, rules: Rules) -> bool | None:
    if contact.urgent is None and contact.shown is not Acuity.EMERGENCY:
        return None
    return (opened_by_nurse(contact) or now) - (contact.urgent or contact.finished) > TWO_MINUTES


SHARES: Final[dict[str, Counts]] = {
    "overrides": _changed,
    "overrides_up": _raised,
    "overrides_down": _lowered,
    "upgrades_to_emergency": _to_emergency,
    "unchanged": lambda contact, now, rules: is_unchanged(contact),
    "quick_signatures": _quick,
    "blind_agreement": _blind_agrees,
    "rules_above_model": _rules_above,
    "abstentions": lambda contact, now, rules: contact.model is None,
    "schema_failures": _no_report,
    "unsupported_claims": _unsupported,
    "high_uncertainty": _unsure,
    "orders": lambda contact, now, rules: contact.suspicious,
    "with_vitals": _has_vitals,
    "found_later": _found_later,
    "came_back": _came_back,
    "late_reviews": _late,
    "emergencies_waiting": _emergency_waits,
}
REASONS: Final[dict[str, Callable[[Contact], str]]] = {
    "abstentions": lambda contact: contact.no_draft or "not said",
    "came_back": lambda contact: contact.later.kind if contact.later else "",
    "found_later": lambda contact: contact.later.kind if contact.later else "",
}


def _bias(contact: Contact, rules: Rules) -> str | None:
    if contact.level is None or contact.level_model is None:
        return None
    far = contact.level.rank - contact.level_model.rank
    return {-1: "one lower", 0: "as the model", 1: "one higher"}.get(far, "far higher" if far > 0 else "far lower")


def _length(contact: Contact, rules: Rules) -> str | None:
    if not is_readable(contact):
        return None
    return next((band for band, below in LENGTHS if contact.words < below), "200+")


MIXES: Final[dict[str, Callable[[Contact, Rules], str | None]]] = {
    "level_bias": _bias,
    "complaint_mix": lambda contact, rules: contact.area if is_readable(contact) else None,
    "language_mix": lambda contact, rules: contact.language,
    "channel_mix": lambda contact, rules: contact.channel,
    "age_mix": lambda contact, rules: None if contact.age_band == UNKNOWN else contact.age_band,
    "length_mix": _length,
}
TIMES: Final[dict[str, Callable[[Contact], float | None]]] = {
    "time_to_sign": lambda contact: contact.seconds if contact.signed is not None else None,
    "draft_wait": lambda contact: (
        None if contact.drafted is None else max(0.0, (contact.drafted - contact.finished).total_seconds())
    ),
}
Split = Callable[[Contact], tuple[str, bool] | None]


def _level_agrees(contact: Contact) -> tuple[str, bool] | None:
    if contact.level is None or contact.level_model is None:
        return None
    return contact.level_model.value, contact.level == contact.level_model


def _pull(contact: Contact) -> tuple[str, bool] | None:
    """Blind reads count the level chosen blind, all others the signed one."""
    if contact.level is None or contact.level_model is None:
        return None
    if contact.blind is not None:
        return "blind", contact.blind == contact.level_model
    return "seen", contact.level == contact.level_model


def _raised_by(group: Callable[[Contact], str]) -> Split:
    def split(contact: Contact) -> tuple[str, bool] | None:
        if contact.level is None or contact.shown is None or group(contact) == UNKNOWN:
            return None
        return group(contact), contact.level > contact.shown

    return split


PARTS: Final[dict[str, Split]] = {"level_agreement": _level_agrees}
GAPS: Final[dict[str, Split]] = {
    "draft_pull": _pull,
    "language_gap": _raised_by(lambda contact: contact.language),
    "sex_gap": _raised_by(lambda contact: contact.sex),
    "age_gap": _raised_by(lambda contact: contact.age_band),
    "team_gap": _raised_by(lambda contact: contact.team),
}
