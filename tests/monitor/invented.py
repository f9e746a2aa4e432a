"""Weeks of an invented clinic: contacts drawn from rates that a test may move. All persons are invented."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact, Later
from prescreen.clinic.signed import ModelLabel
from prescreen.monitor.week import Week, measure

FIRST = datetime.date(2026, 1, 5)
MODELS = {version: ModelLabel(name="invented", version=version, engine="none") for version in "123"}
LEVELS = tuple(Acuity)
AREAS = {
    "abdomen": 0.14, "throat": 0.12, "breathing": 0.11, "fever": 0.10, "injury": 0.09, "skin": 0.08, "back": 0.07,
    "chest": 0.06, "headache": 0.05, "urinary": 0.05, "leg": 0.04, "mind": 0.03, "eye": 0.02, "other": 0.02,
    "weakness": 0.01, "allergy": 0.01,
}  # fmt: skip
FLU = {**AREAS, "fever": 0.53, "breathing": 0.44}  # of all: fever 10 % to 30 %, breathing 11 % to 25 %
MILD_FLU = {**AREAS, "fever": 0.28, "breathing": 0.27, "throat": 0.16}  # fever 10 % to 19 %, breathing 11 % to 18 %


@dataclass(frozen=True)
class Clinic:
    """What happens how often. Shares are of contacts unless said otherwise."""

    contacts: int = 40
    raised: float = 0.06  # signed higher than shown
    lowered: float = 0.06
    edited: float = 0.30  # of those signed at the level shown
    areas: tuple[tuple[str, float], ...] = tuple(AREAS.items())
    languages: tuple[tuple[str, float], ...] = (("en", 0.80), ("es", 0.12), ("ar", 0.05), ("de", 0.03))
    channels: tuple[tuple[str, float], ...] = (("web", 0.6), ("phone", 0.3), ("kiosk", 0.1))
    ages: tuple[tuple[str, float], ...] = (("2-15", 0.15), ("16-39", 0.35), ("40-64", 0.3), ("65-79", 0.2))
    levels: tuple[float, ...] = (0.30, 0.42, 0.22, 0.06)  # the model's
    words: float = 40.0  # median
    vitals: float = 0.80
    blind: float = 0.05
    blind_agreement: float = 0.85
    no_draft: float = 0.02
    no_report: float = 0.005
    unsupported: float = 0.06
    unsure: float = 0.12
    orders: float = 0.003
    rules_fire: float = 0.30
    rules_above: float = 0.10  # of those with a rule
    seconds: float = 75.0  # median
    wait_s: float = 25.0
    late: float = 0.10
    waits: float = 0.05  # of emergencies
    back: float = 0.05
    later: float = 0.005  # found more urgent within 72 hours
    raised_in: str = ""  # a language, a sex or a team whose drafts are too low three times in ten
    version: str = "1"

    def but(self, **changes: object) -> "Clinic":
        return replace(self, **changes)  # type: ignore[arg-type]


def draw_week(clinic: Clinic, number: int, rng: np.random.Generator) -> Week:
    """One week, measured a week later so that all outcomes are known."""
    start = FIRST + datetime.timedelta(weeks=number)
    now = datetime.datetime.combine(start, datetime.time(), datetime.UTC) + datetime.timedelta(days=14)
    return measure(draw_contacts(clinic, start, rng), start, now=now)


def draw_contacts(clinic: Clinic, start: datetime.date, rng: np.random.Generator) -> Iterator[Contact]:
    """Contacts of a week; `model_construct`, for a year of them is validated nowhere else either."""
    n = clinic.contacts
    picked = {name: _pick(getattr(clinic, name), n, rng) for name in ("areas", "languages", "channels", "ages")}
    dice = rng.random((20, n))
    ranks = rng.choice(4, size=n, p=clinic.levels)
    normal = rng.standard_normal((3, n))
    begun = datetime.datetime.combine(start, datetime.time(8), datetime.UTC)
    for i in range(n):
        yield _contact(
            clinic, f"{start}-{i}", begun + datetime.timedelta(minutes=float(dice[19, i]) * 7000),
            {name: values[i] for name, values in picked.items()}, dice[:, i], int(ranks[i]), normal[:, i],
        )  # fmt: skip


def _pick(table: tuple[tuple[str, float], ...], n: int, rng: np.random.Generator) -> list[str]:
    names, shares = zip(*table, strict=True)
    weights = np.asarray(shares)
    return [names[i] for i in rng.choice(len(names), size=n, p=weights / weights.sum())]


def _contact(
    clinic: Clinic,
    visit: str,
    finished: datetime.datetime,
    who: dict[str, str],
    dice: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    rank: int,
    normal: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> Contact:
    (override, edit, vitals, blind, agree, draft, unsupported, unsure, orders, fires, above, late, waits, back,
     later, sex, team, nurse, *_) = (float(die) for die in dice)  # fmt: skip
    drafted = draft >= clinic.no_draft + clinic.no_report
    rule = None
    if fires < clinic.rules_fire:
        rule = min(3, rank + 1) if above < clinic.rules_above else rank
    shown = max(rank, rule or 0) if drafted else max(2, rule or 0)
    traits = (who["languages"], "female" if sex < 0.5 else "male", "north" if team < 0.5 else "south", who["ages"])
    raised = 0.3 if clinic.raised_in in traits and clinic.raised_in else clinic.raised
    final = min(3, shown + 1) if override < raised else shown
    final = max(0, shown - 1) if raised <= override < raised + clinic.lowered else final
    seconds = clinic.seconds * float(np.exp(0.6 * normal[0]))
    target = {0: 240, 1: 60, 2: 15, 3: 2}[shown]
    wait = target * (1.5 if (waits < clinic.waits if shown == 3 else late < clinic.late) else 0.4)
    signed = finished + datetime.timedelta(minutes=wait, seconds=seconds)
    outcome = None
    if later < clinic.later:
        outcome = Later(kind="admission", at=signed, level=LEVELS[min(3, final + 1)])
    elif back < clinic.back:
        outcome = Later(kind="came again", at=signed, level=LEVELS[0])
    chosen = None
    if blind < clinic.blind and drafted:
        chosen = LEVELS[rank if agree < clinic.blind_agreement else (rank + 1) % 4]
    return Contact.model_construct(
        visit=visit, team=traits[2], language=who["languages"], channel=who["channels"], age_band=who["ages"],
        sex=traits[1], area=who["areas"], words=int(clinic.words * float(np.exp(0.7 * normal[1]))),
        vitals=5 if vitals < clinic.vitals else 0, opened=finished, finished=finished,
        suspicious=orders < clinic.orders,
        drafted=finished + datetime.timedelta(seconds=clinic.wait_s * float(np.exp(0.4 * normal[2]))),
        model=MODELS[clinic.version] if drafted else None,
        no_draft="" if drafted else "late" if draft < clinic.no_draft else "no report",
        uncertainty="high" if unsure < clinic.unsure else "low", unsupported=int(unsupported < clinic.unsupported),
        level_rules=None if rule is None else LEVELS[rule], level_model=LEVELS[rank] if drafted else None,
        shown=LEVELS[shown], signed=signed, signer=f"nurse-{int(nurse * 4)}", level=LEVELS[final], blind=chosen,
        edited=final != shown or edit < clinic.edited, seconds=seconds, later=outcome, followed=True,
    )  # fmt: skip
