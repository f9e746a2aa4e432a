"""A whole simulated year: the clinic is founded, works, is judged and written down.

Puts the parts together. What each does is its own module's; what it must show is `verdict`'s.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.errors import InputError
from prescreen.monitor.shelf import Shelf
from prescreen.monitor.update import Place
from prescreen.pipeline import Stages
from prescreen.simulation import verdict
from prescreen.simulation.calendar import YEAR, Calendar
from prescreen.simulation.desk import open_desk
from prescreen.simulation.drafters import Drafter, Model, TwinDrafter
from prescreen.simulation.loop import Loop
from prescreen.simulation.page import write_year
from prescreen.simulation.proving import prove
from prescreen.simulation.spending import Spent
from prescreen.simulation.turns import Turns
from prescreen.simulation.verdict import Bar, Update
from prescreen.simulation.year import Say, Year, weeks_by

CLINIC = "clinic"


class Order(NamedTuple):
    """What is simulated: how long, how many contacts a week, with which model and recipes, where to."""

    out: Path
    model: Path
    recipes: Path
    weeks: int = 52
    contacts: int = 40
    seed: int = 0
    calendar: Calendar = YEAR


def simulate(order: Order, stages: Stages, say: Say = print, drafter: Drafter | None = None) -> list[Bar]:
    """Run the year, judge it, write simulation.json and the page; the bars."""
    if (order.out / CLINIC).exists():
        raise InputError("holds a simulated clinic already; name another folder", file=order.out)
    begun, spent, calendar = time.monotonic(), Spent(), order.calendar.short(order.weeks)
    order.out.mkdir(parents=True, exist_ok=True)
    desk = open_desk(order.out / CLINIC, order.seed)
    drafter = drafter or TwinDrafter(order.out / "cache")
    shelf = Shelf(order.out / "releases", stages, desk.store, desk.clock)
    loop = Loop(desk, shelf, Place(order.recipes, order.out / "updates"), order.out / CLINIC)
    turns = Turns(loop, calendar, order.out / "poisoned")
    try:
        with spent.on("the first release"):
            loop.begin(order.model)
        year = Year(desk, drafter, calendar, turns, contacts=order.contacts, say=say, spent=spent)
        year.run()
        with spent.on("drafting again with the champions replaced"):
            updates = draw_updates(year, loop)
        with spent.on("proving the chain"):
            proofs = prove(desk, loop, order.out)
        minutes = (time.monotonic() - begun) / 60
        bars = [*judge(year, turns, updates), *proofs.bars, verdict.judge_time(minutes, order.weeks)]
        write_year(order.out, tell(order, year, turns, spent, minutes) | proofs.told, bars)
    finally:
        drafter.close()
        desk.store.close()
    return bars


def draw_updates(year: Year, loop: Loop) -> list[Update]:
    """Each update that served, with what the release before it would have drafted of the same visits."""
    found = []
    for number, served in enumerate(loop.served):
        weeks = weeks_by(year.desk.book, served.weights, served.week)
        if number and served.how.startswith("update") and weeks:
            before = loop.served[number - 1]
            found.append(year.draw_again(served.how, weeks, Model(before.model, before.weights)))
    return found


def judge(year: Year, turns: Turns, updates: list[Update]) -> list[Bar]:
    """All bars that the year's own book can answer."""
    return [
        *verdict.judge_drifts(year.observer),
        verdict.judge_false_alarms(year.observer),
        *verdict.judge_overrides(updates, len(turns.calendar.updates)),
        *verdict.judge_missed(updates),
        verdict.judge_signed(year.desk.book),
        *verdict.judge_poisons(turns.calendar, turns.stopped),
        verdict.judge_bad(turns.calendar, turns.bad),
        verdict.judge_stamper(turns.calendar, turns.stampers),
        verdict.judge_rollback(turns.calendar, turns.backs),
    ]


def tell(order: Order, year: Year, turns: Turns, spent: Spent, minutes: float) -> dict[str, Any]:
    """What an auditor may want to read beside the bars."""
    observer = year.observer
    planted = [f"week {event.first} to {event.last}: {event.says}" for event in observer.calendar.events]
    return {
        "order": {
            "seed": order.seed, "weeks": order.weeks, "contacts a week": order.contacts,
            "visits": len(year.desk.book), "minutes": round(minutes, 1),
        },
        "planted": planted,
        "alarms": verdict.tell_alarms(observer.alarms),
        "accepted_changes": [accepted.model_dump(mode="json") for accepted in observer.accepted],
        "releases": [served._asdict() for served in turns.loop.served],
        "periods": verdict.tell_periods(year.desk.book),
        "what_the_loop_said": turns.loop.told,
        "poisoned_batches": [
            {"week": one.week, "kind": one.kind, "stopped by": ", ".join(one.names), "sentence": one.sentence}
            for one in turns.stopped
        ],
        "bad_candidate": turns.bad,
        "minutes": spent.minutes(),
    }  # fmt: skip
