"""What must be true of the store once `clinic_load.py` has closed the clinic: nothing lost, nothing twice.

Reads the database as an auditor could, beside the service; knows what browsers were told was kept.
"""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from clinic_people import Ledger
from sqlalchemy import select

from prescreen.ehr import codes
from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.shelf import Found, ShelfConflict, Stored
from prescreen.service.opening import find_places
from prescreen.store.audit import verify
from prescreen.store.base import Act, Store, Who
from prescreen.store.migrate import open_store
from prescreen.store.outbox import count_states
from prescreen.store.patients import read_link
from prescreen.store.queue import read_queue
from prescreen.store.shelf import SqlShelf
from prescreen.store.tables import Entry, Job, Outgoing, Review, Visit

AUDITOR = Who("benchmark", "service")


def open_again(data: Path) -> Store:
    places = find_places(data)
    return open_store(places.database, places.keys)


def wait_until_done(store: Store, most_s: float) -> float:
    """Seconds until no draft is due and no signature waits; the worker of the service does it."""
    begun = time.monotonic()
    while time.monotonic() - begun < most_s:
        with store.look(AUDITOR) as act:
            jobs = act.session.scalar(select(Job.id).where(Job.state == "waiting").limit(1))
            rows = act.session.scalar(select(Outgoing.id).where(Outgoing.state == "waiting").limit(1))
        if jobs is None and rows is None:
            break
        time.sleep(0.5)
    return time.monotonic() - begun


def check_store(store: Store, ledger: Ledger) -> dict[str, Any]:
    """Counts, and every fault in words; an empty list is what is wanted."""
    faults: list[str] = []
    with store.look(AUDITOR) as act:
        counts = _check_visits(act, ledger, faults) | _check_signatures(act, ledger, faults)
        sent = {row.review_id: row.receipt for row in act.session.scalars(select(Outgoing)) if row.state == "sent"}
        states = count_states(act)
    desk = FhirDesk(SqlShelf(store, Stored, Found, ShelfConflict), clock=store.clock)
    for review in sent:
        if (found := _count_documents(desk, review)) != 1:
            faults.append(f"signature {review}: {found} documents in the record")
    total = json.loads(desk.handle("GET", "Composition", "_count=1").body).get("total")
    verdict = verify(store)
    if not verdict.whole:
        faults.append(f"audit: {verdict.sentence}")
    return {
        **counts, "outgoing": states, "documents_looked_up": len(sent), "documents_in_record": total,
        "audit_lines": verdict.lines, "audit_whole": verdict.whole, "faults": faults,
    }  # fmt: skip


def _check_visits(act: Act, ledger: Ledger, faults: list[str]) -> dict[str, Any]:
    visits = {read_link(act, visit).family: visit for visit in act.session.scalars(select(Visit))}
    told = Counter(act.session.scalars(select(Entry.visit_id).where(Entry.kind == "answer")))
    queued = {row.id for row in read_queue(act, ("clinic",), 100_000)}
    for name in sorted(ledger.begun):
        visit = visits.get(name)
        if visit is None:
            faults.append(f"{name}: no visit")
            continue
        kept, known = told[visit.id], ledger.answers[name]
        if not known <= kept <= known + max(0, ledger.open_tries[name]):
            faults.append(f"{name}: {known} answers acknowledged, {kept} kept")
        if name in ledger.finished and not (visit.id in queued or visit.state == "signed"):
            faults.append(f"{name}: finished, but {visit.state} and not in the queue")
        if name in ledger.finished and visit.draft_id is None:
            faults.append(f"{name}: finished and without a draft")
    return {
        "begun": len(ledger.begun), "finished": len(ledger.finished), "answers": sum(ledger.answers.values()),
        "states": dict(Counter(visit.state for visit in visits.values())),
    }  # fmt: skip


def _check_signatures(act: Act, ledger: Ledger, faults: list[str]) -> dict[str, Any]:
    standing = Counter(act.session.scalars(select(Review.visit_id).where(Review.state == "signed")))
    rows = Counter(act.session.scalars(select(Outgoing.review_id).where(Outgoing.state == "sent")))
    reviews = list(act.session.scalars(select(Review)))
    signed = Counter(ledger.signed)
    for visit in {*signed, *standing}:
        if signed[visit] != standing[visit]:
            faults.append(f"visit {visit}: {signed[visit]} signatures acknowledged, {standing[visit]} stand")
    for review in reviews:
        wanted = 1 if review.state == "signed" else 0
        if rows[review.id] != wanted:
            faults.append(f"signature {review.id} ({review.state}): sent {rows[review.id]} times")
    return {"signed": len(ledger.signed), "undone": len(ledger.undone), "reviews": len(reviews)}


def _count_documents(desk: FhirDesk, review: str) -> int:
    query = codes.identifier_query(codes.identifier(str(codes.parse_id(review))))
    reply = desk.handle("GET", "Composition", query)
    return int(json.loads(reply.body).get("total", -1))
