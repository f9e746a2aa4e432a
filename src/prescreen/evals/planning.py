"""How many cases a claim takes before anybody collects them: exact one-sided bounds, as the gate applies them.

"Missed emergencies <= 1 %" is proved by 299 emergencies without a miss; a model that truly misses one in 250 will
often not manage that, so more are needed to have a fair chance. Knows rates, not figures that are bootstrapped.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from prescreen.errors import InputError
from prescreen.evals.glossary import GLOSSARY
from prescreen.evals.rate import CONFIDENCE, cases_needed
from prescreen.evals.threshold import ESTIMATES

CLAIM = re.compile(
    r"^\s*(?P<metric>.+?)\s*(?P<sign><=|>=|≤|≥|<|>|at most|at least)\s*(?P<limit>[\d.]+)\s*(?P<unit>%?)\s*$"
)
POWER = 0.8  # chance of passing that a plan should give
SHARES = (0.0, 0.25, 0.5)  # of the limit: true rates to plan for
MOST_EVENTS = 200


class Claim(NamedTuple):
    """A metric and the harm rate that must not be exceeded: 1 - limit where more is better."""

    metric: str
    limit: float
    said: str


class Size(NamedTuple):
    """If the true rate of harm is `rate`, `cases` of which at most `events` fail pass with a chance of `power`."""

    rate: float
    cases: int
    events: int
    power: float


def read_claim(text: str) -> Claim:
    """Parse "missed emergencies <= 1%"; InputError says what is understood."""
    found = CLAIM.match(text.lower())
    if not found:
        raise InputError(f"{text!r} is no claim; write for example: missed emergencies <= 1%")
    names = {term.title.lower(): name for name, term in GLOSSARY.items()} | {name: name for name in GLOSSARY}
    metric = names.get(found["metric"].replace("-", "_").replace(" ", "_"), names.get(found["metric"], ""))
    if not metric or metric in ESTIMATES:
        known = ", ".join(term.title for name, term in GLOSSARY.items() if name not in ESTIMATES)
        raise InputError(f"no exact bound for {found['metric']!r}; a claim may be about: {known}")
    success = GLOSSARY[metric].more_is_better
    if success == (found["sign"] in ("<=", "≤", "<", "at most")):
        raise InputError(
            f"{GLOSSARY[metric].title} is good when {'high' if success else 'low'}; turn the sign round"
        )
    limit = float(found["limit"]) / (100 if found["unit"] or float(found["limit"]) > 1 else 1)
    harm = 1 - limit if success else limit
    if not 0 < harm < 1:
        raise InputError(f"no number of cases proves {found['limit']}{found['unit']}; choose a limit between")
    return Claim(metric, harm, text.strip())


def plan_events(claim: Claim, most: int = 5) -> list[tuple[int, int]]:
    """(failures, fewest cases that prove the claim with so many failures), for 0 to `most` failures."""
    return [(events, cases_needed(claim.limit, events)) for events in range(most + 1)]


def plan_sizes(claim: Claim, power: float = POWER) -> Iterator[Size]:
    """The fewest cases that give a fair chance of passing, for several true rates below the limit."""
    from scipy.stats import binom

    for share in SHARES:
        rate = share * claim.limit
        for events in range(MOST_EVENTS):
            cases = cases_needed(claim.limit, events)
            chance = float(binom.cdf(events, cases, rate))
            if chance >= power:
                yield Size(rate, cases, events, chance)
                break


def print_plan(claim: Claim) -> None:
    """Both tables, for a person who has to find the cases."""
    term = GLOSSARY[claim.metric]
    what = "failures" if term.more_is_better else "events"
    print(f"{claim.said}: {term.meaning}")
    print(f"Proved when the exact one-sided {CONFIDENCE:.0%} bound keeps the limit, over cases the metric counts.")
    for events, cases in plan_events(claim):
        print(f"  with {events} {what}: {cases} cases")
    print(f"To pass with a chance of {POWER:.0%} or more:")
    for size in plan_sizes(claim):
        allowed = f"{size.cases} cases, of which at most {size.events} fail (chance {size.power:.0%})"
        print(f"  if the true rate is {100 * size.rate:.2f} %: {allowed}")
