"""One visit of the invented clinic from the door to the signature, through the very acts of the store.

Knows the store's acts, a clock that is put forward, and the nurses. Knows no model: drafts are handed in.
"""

import datetime
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel, PatientLink
from prescreen.simulation.drafters import Drafted
from prescreen.simulation.nurses import NURSES, Nurse, choose_reason, decide, judge_blind, right_level, write_final
from prescreen.simulation.people import MONDAY, Arrival
from prescreen.store.accounts import add_user
from prescreen.store.base import Store, Who
from prescreen.store.charts import open_chart
from prescreen.store.drafts import finish_job, take_job
from prescreen.store.migrate import open_store
from prescreen.store.reviewing import begin_review, decide_first, sign_chart
from prescreen.store.tables import Visit
from prescreen.store.visits import finish, open_visit, raise_by_rules, tell

TEAM = "triage"
DOOR, WORKER = Who("door", "service"), Who("worker", "service")
DRAFT_BY = datetime.timedelta(minutes=2)
UNDO = datetime.timedelta(minutes=1)
BLIND_SHARE = 0.1
SIGNERS = {"physician": "Dr. Runa Velbeck", "admin": "Tycho Marl"}


class Clock:
    """The time in the invented clinic: it stands still until it is put forward, and never goes back."""

    def __init__(self, start: datetime.datetime = MONDAY) -> None:
        self.now = start

    def __call__(self) -> datetime.datetime:
        return self.now

    def forward(self, to: datetime.datetime) -> None:
        self.now = max(self.now, to)

    def wait(self, seconds: float) -> None:
        self.now += datetime.timedelta(seconds=seconds)


Writes = Callable[[Arrival, Report], Report]


class Attached(NamedTuple):
    """A draft that a nurse will see, and the level it shows."""

    id: str
    level: Acuity


class Truth(NamedTuple):
    """What the simulation alone knows of a signed visit, to judge the loop by."""

    visit: str
    week: int
    nurse: str
    condition: str
    truth: Acuity
    right: Acuity
    model: Acuity | None
    rules: Acuity | None
    shown: Acuity
    signed: Acuity
    leant: bool
    weights: str

    @property
    def is_emergency(self) -> bool:
        return self.truth is Acuity.EMERGENCY


@dataclass
class Desk:
    """The clinic's front: a store, its clock, its nurses by login, and what was true of every visit so far."""

    store: Store
    clock: Clock
    seed: int
    staff: dict[str, Who]
    book: list[Truth] = field(default_factory=list)

    def receive(self, arrival: Arrival) -> str:
        """The patient answers and is done: rules read the words, the visit waits. Returns its id."""
        self.clock.forward(arrival.at)
        link = PatientLink(given=arrival.given, family=arrival.family)
        with self.store.act(DOOR) as act:
            visit = open_visit(
                act,
                team=TEAM,
                language=arrival.language,
                channel=arrival.channel,
                link=link,
                training=arrival.consent,
            )
        self.clock.wait(200)
        told = arrival.told
        with self.store.act(DOOR) as act:
            seen = tell(act, visit.id, before=None, interview="{}", said=told.complaint, case=told)
            raise_by_rules(act, seen, told)
        self.clock.wait(40)
        with self.store.act(DOOR) as act:
            finish(act, visit.id, floor=None, unasked=(), draft_by=DRAFT_BY, blind_share=BLIND_SHARE)
        return visit.id

    def attach(self, drafted: Drafted, label: ModelLabel | None) -> Attached:
        """The draft behind the rules, as the worker attaches it to the visit that waits for one."""
        self.clock.wait(8)
        with self.store.act(WORKER) as act:
            work = take_job(act, "worker")
            assert work is not None, "a finished visit waits for its draft"
            report = finalise(work.case, drafted.draft, drafted.why)
            draft = finish_job(act, work, "worker", report, label if drafted.draft is not None else None)
        assert draft is not None, "nobody else drafts here"
        return Attached(draft.id, report.acuity)

    def review(
        self,
        arrival: Arrival,
        visit_id: str,
        nurse: Nurse,
        week: int,
        weights: str,
        writes: Writes | None = None,
    ) -> Truth:
        """A nurse takes the visit, decides first where asked, reads, changes, signs; `writes` is another hand."""
        rng = random.Random(f"nurse/{self.seed}/{arrival.case.id}")
        who, label = self.staff[nurse.login], arrival.case.label
        assert label is not None
        with self.store.look(who) as look:
            waits = look.session.get_one(Visit, visit_id).level == Acuity.EMERGENCY.rank
        self.clock.wait(rng.uniform(10, 100) if waits else rng.uniform(20, 600))
        with self.store.act(who) as act:
            begin_review(act, visit_id)
            chart = open_chart(act, visit_id)
        if chart.awaits_choice:
            first = judge_blind(
                rng, nurse, week, label.acuity, max((h.rule.acuity for h in chart.flags), default=None)
            )
            with self.store.act(who) as act:
                decide_first(act, visit_id, chart.visit.version, first)
                chart = open_chart(act, visit_id)
        assert chart.draft is not None, "the draft is shown once the nurse may see it"
        deed = decide(rng, nurse, week, label.acuity, chart.draft, chart.choice)
        final = write_final(rng, nurse, chart.draft, label, deed)
        if writes is not None:
            final = writes(arrival, final)
            deed = deed._replace(level=final.acuity)
        self.clock.wait(deed.seconds)
        with self.store.act(who) as act:
            chart = open_chart(act, visit_id)
            reason = choose_reason(chart.draft or final, deed, drafted=chart.label is not None)
            sign_chart(
                act, chart, version=chart.visit.version, final=final, note="", channels=(), undo_for=UNDO,
                reason=_reason(reason, chart.level, deed.level),
            )  # fmt: skip
        shown = chart.draft or final
        told = Truth(
            visit_id, week, nurse.login, label.condition or "", label.acuity,
            right_level(label.acuity, shown.rule_acuity), shown.model_acuity, shown.rule_acuity, shown.acuity,
            deed.level, deed.leant, weights,
        )  # fmt: skip
        self.book.append(told)
        return told


def _reason(chosen: str, before: Acuity | None, level: Acuity) -> str:
    """A reason is due too where only the nurse's own first choice had moved the level."""
    return chosen or ("" if before is level else "agrees after reading")


def open_desk(folder: Path, seed: int) -> Desk:
    """A new clinic in a folder: its store with keys, its nurses, and the clock at its first Monday."""
    clock = Clock()
    store = open_store(f"sqlite:///{folder / 'prescreen.db'}", folder / "keys", clock)
    staff = {}
    with store.act(Who("office", "admin")) as act:
        for nurse in NURSES:
            user = add_user(act, nurse.login, name=nurse.name, role="nurse", teams=(TEAM,)).user
            staff[nurse.login] = Who(user.id, "nurse")
        for role, name in SIGNERS.items():
            staff[role] = Who(add_user(act, role, name=name, role=role, teams=(TEAM,)).user.id, role)
    return Desk(store, clock, seed, staff)
