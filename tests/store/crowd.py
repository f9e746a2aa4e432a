"""Workers that do acts beside each other: threads, or processes (`python -m store.crowd URL KEYS JOB VISIT N`)."""

import datetime
import sys
from pathlib import Path

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.clinic.signed import PatientLink
from prescreen.errors import ConflictError
from prescreen.store.base import Store, Who
from prescreen.store.drafts import finish_job, take_job
from prescreen.store.holding import add_facts, claim
from prescreen.store.migrate import open_store
from prescreen.store.outbox import mark_sent, take_parcel
from prescreen.store.reviews import Signature, sign
from prescreen.store.visits import finish, open_visit, tell
from store.desk import MINUTE, NURSE, OTHER, PATIENT, SERVICE, make_case

AT_ONCE = datetime.timedelta(0)


def measure(store: Store, visit_id: str, times: int) -> list[str]:
    """Note facts of one visit, again and again."""
    for _ in range(times):
        with store.act(NURSE) as act:
            add_facts(act, visit_id, make_case(), "37.9 C", MINUTE)
    return []


def draft(store: Store, name: str, times: int) -> list[str]:
    """Take jobs and finish them; the ids taken."""
    taken = []
    for _ in range(times):
        with store.act(SERVICE) as act:
            work = take_job(act, name)
        if work is not None:
            taken.append(work.job_id)
            with store.act(SERVICE) as act:
                finish_job(act, work, name, finalise(work.case, None, "no model"), None)
    return taken


def send(store: Store, name: str, times: int) -> list[str]:
    """Take signatures to the record; the ids taken."""
    taken = []
    for _ in range(times):
        with store.act(SERVICE) as act:
            parcel = take_parcel(act, name)
        if parcel is not None:
            taken.append(parcel.row_id)
            with store.act(SERVICE) as act:
                mark_sent(act, parcel, "Composition/1")
    return taken


def arrive(store: Store, reference: str, times: int) -> list[str]:
    """One and the same patient opens visits, from several places."""
    opened = []
    for _ in range(times):
        with store.act(PATIENT) as act:
            link = PatientLink(reference=reference, family="Bell")
            visit = open_visit(act, team="clinic", language="en", channel="phone", link=link)
        with store.act(PATIENT) as act:
            tell(act, visit.id, before=None, interview="{}", said="a cough", case=make_case("a cough"))
        with store.act(PATIENT) as act:
            finish(act, visit.id, floor=None, unasked=[], draft_by=MINUTE)
        opened.append(visit.id)
    return opened


def sign_once(store: Store, visit_id: str, who: Who) -> list[str]:
    """Claim and sign as soon as it goes; whoever is second is told so."""
    try:
        with store.act(who) as act:
            version = claim(act, visit_id, take_over=True).version
        final = finalise(make_case(), None, "no model").model_copy(update={"acuity": Acuity.HIGH})
        with store.act(who) as act:
            reason = Signature(version, "seen", final, "seen in person")
            return [sign(act, visit_id, reason, ["record"], AT_ONCE).id]
    except ConflictError:
        return []


def main(url: str, keys: str, job: str, thing: str, times: str) -> None:
    store = open_store(url, Path(keys), make=False)
    jobs = {"measure": measure, "draft": draft, "send": send, "arrive": arrive}
    done = [] if job == "sign" else jobs[job](store, thing, int(times))
    if job == "sign":
        done = sign_once(store, thing, NURSE if times == "1" else OTHER)
    store.close()
    print("\n".join(done))


if __name__ == "__main__":
    main(*sys.argv[1:])
