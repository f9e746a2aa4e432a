"""How pages grow with the number of waiting cases, for `clinic_load.py`: one nurse and one patient, nothing else.

Waiting cases are put into the store as the acts of a visit would, several to a case's text. The drafts are the
rules' own. Knows browsers and the store.
"""

import asyncio
import datetime
import os
import random
import time
from collections import defaultdict
from typing import Any

from clinic_after import AUDITOR, open_again
from clinic_house import LEVELS, PASSWORD
from clinic_people import CLAIM, STORIES, Browser, Ledger, Pace, form_to, sign_form, sum_up, walk

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Draft, HistoryReview
from prescreen.clinic.signed import ModelLabel, PatientLink
from prescreen.store.base import Store
from prescreen.store.drafts import attach_draft
from prescreen.store.queue import count_queue
from prescreen.store.tables import Job
from prescreen.store.visits import finish, open_visit, tell

LABEL = ModelLabel(name="a script", version="load", engine="script")
AN_HOUR = datetime.timedelta(hours=1)
ROUNDS, SIGNED = 20, 5


def make_report(number: int) -> tuple[Case, Any]:
    story = STORIES[number % len(STORIES)]
    turns = [Turn(speaker="patient", text=story)]
    for turn in range(6):
        turns += [Turn(speaker="assistant", text="Do you have a fever, or did you have one?")]
        turns += [Turn(speaker="patient", text=f"No, I have not had that, not in the last {turn + 2} days.")]
    case = Case(
        id=f"case-{number}", patient_id="p", source="intake", licence="clinic", complaint=story, turns=tuple(turns),
        age_years=20.0 + number % 60, sex="female", medications=("amlodipine",), allergies=(),
    )  # fmt: skip
    draft = Draft(
        acuity=Acuity(LEVELS[number % len(LEVELS)]), summary="The patient tells of a complaint that began lately.",
        history=HistoryReview(conditions=[], medications=["amlodipine"], allergies=[]), findings=[], red_flags=[],
        differential=[], rationale="Written for a measurement.", next_steps=["Examine the patient"],
        open_questions=["How did it begin?"], uncertainty="moderate",
    )  # fmt: skip
    return case, finalise(case, draft, "")


def fill_queue(store: Store, count: int) -> None:
    """Visits until so many wait."""
    kinds = [make_report(number) for number in range(24)]
    with store.look(AUDITOR) as act:
        have = count_queue(act, ("clinic",))
    for number in range(have, count):
        case, report = kinds[number % len(kinds)]
        link = PatientLink(family=f"Waiting-{number:05d}", given="Test")
        with store.act(AUDITOR) as act:
            visit = open_visit(act, team="clinic", language="en", channel="phone", link=link)
            for _ in range(8):
                tell(act, visit.id, before=None, interview="{}", said=case.complaint, case=case)
            finish(act, visit.id, floor=None, unasked=["fever"], draft_by=AN_HOUR)
            act.session.flush()
            for job in act.session.query(Job).filter_by(visit_id=visit.id):
                job.state = "done"
            attach_draft(act, visit, report, LABEL)


async def measure_pages(running: Any) -> tuple[dict[str, list[float]], dict[str, float]]:
    """One nurse's pages over and over, then signatures, then a patient; and the processor's time of the lists."""
    ledger, chance = Ledger(), random.Random(3)
    nurse = Browser(running.base, ledger)
    page = await nurse.go("GET /sign-in", "/sign-in")
    await nurse.go(
        "POST /sign-in", "/sign-in", {**form_to(page, "/sign-in"), "login": "nurse0", "password": PASSWORD}
    )
    cpu: dict[str, float] = {}
    for name, path in (("GET /queue", "/queue"), ("GET /queue/rows", "/queue/rows")):
        begun = running.cpu_s()
        for _ in range(ROUNDS):
            page = await nurse.go(name, path)
        cpu[name] = round(1000 * (running.cpu_s() - begun) / ROUNDS, 1)
    page = await nurse.go("GET /queue", "/queue")
    visits = CLAIM.findall(page)
    begun = running.cpu_s()
    for number in range(ROUNDS):
        await nurse.go("GET visit", f"/visits/{visits[number % len(visits)]}")
    cpu["GET visit"] = round(1000 * (running.cpu_s() - begun) / ROUNDS, 1)
    for visit in visits[:SIGNED]:
        page = await nurse.go("claim", f"/visits/{visit}/claim", form_to(page, f"/visits/{visit}/claim"))
        if 'id="first"' in page:
            form = {**form_to(page, f"/visits/{visit}/blind"), "level": "medium"}
            page = await nurse.go("decide first", f"/visits/{visit}/blind", form)
        page = await nurse.go("sign", f"/visits/{visit}/sign", sign_form(page, visit, chance))
    await nurse.close()
    patient = Browser(running.base, ledger)
    for _ in range(2):
        await walk(patient, ledger, Pace(0.0), chance)
    await patient.close()
    if ledger.errors:
        raise SystemExit(f"growth: {dict(ledger.errors)}")
    wanted = ("GET /queue", "GET /queue/rows", "GET visit", "claim", "sign", "GET /p/step", "POST /p/answer")
    return {name: ledger.times[name] for name in wanted}, cpu


def measure_growth(running: Any, sizes: tuple[int, ...]) -> dict[str, Any]:
    store, found = open_again(running.data), {}
    for size in sizes:
        fill_queue(store, size)
        time.sleep(1.0)
        times, cpu = asyncio.run(measure_pages(running))
        found[str(size)] = {
            "pages": {name: sum_up(took) for name, took in times.items()},
            "cpu_ms": cpu,
            "load_average": os.getloadavg()[0],
        }
    store.close()
    return found


def print_growth(found: dict[str, Any]) -> None:
    """A table: median and p95 of each page at each length of the queue, and by how much the median grew."""
    sizes = list(found)
    print(f"  {'page':18}" + "".join(f"{size:>16}" for size in sizes) + "   growth of the median")
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for size in sizes:
        for name, row in found[size]["pages"].items():
            rows[name].append(row)
    for name, row in rows.items():
        told = "".join(f"{one['median_ms']:8.1f}/{one['p95_ms']:7.1f}" for one in row)
        print(f"  {name:18}{told}   x {row[-1]['median_ms'] / row[0]['median_ms']:.1f}")
    print("  processor ms      " + "; ".join(f"{size}: {found[size]['cpu_ms']}" for size in sizes))
