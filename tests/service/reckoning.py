"""After the quiet: is all that people were told in the store and in every record, once? Reads, changes nothing."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from prescreen import errors
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.redflags import check_rules, rule_acuity
from prescreen.ehr.codes import identifier, identifier_query
from prescreen.ehr.desk import FhirDesk
from prescreen.store.audit import verify
from prescreen.store.base import Act, Store, Who
from prescreen.store.patients import read_link
from prescreen.store.reviews import read_signed
from prescreen.store.tables import Job, Outgoing, Resource, ResourceKey, Review, Visit
from prescreen.store.visits import read_case, read_entries
from service.ledger import Ledger, Signed, Told

JUDGE = Who("judge", "service")


@dataclass
class Reckoned:
    """What was found. All lists are empty in a clinic that works."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    lowered: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # faults of ours that the worker lived through
    audit: str = ""
    lines: int = 0
    anchored: int = 0
    whole: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> list[str]:
        kinds = (self.lost, self.doubled, self.stuck, self.lowered, self.broken, [] if self.whole else [self.audit])
        return [fault for kind in kinds for fault in kind]


def find_broken(log: Path) -> list[str]:
    """Failures in a service's log that no absence of another part explains: a type, a key, an attribute."""
    failures = re.findall(r"INFO:prescreen\.\w+:(.+ failed: (\w+))$", log.read_text(), re.M)
    told = Counter(line for line, name in failures if not hasattr(errors, name))
    return [f"{line} ({count} times)" for line, count in told.items()]


def reckon(
    store: Store, ledger: Ledger, record: tuple[Store, FhirDesk], drop: Path | None, anchor: Path | None
) -> Reckoned:
    """Hold the store and both records against the ledger."""
    found = Reckoned()
    with store.look(JUDGE) as act:
        visits = list(act.session.scalars(select(Visit)))
        by_word = _find_patients(act, visits, ledger, found)
        for told in ledger.patients.values():
            _check_patient(act, told, by_word.get(told.word, []), found)
        for visit in visits:
            _check_visit(act, visit, found)
        reviews = list(act.session.scalars(select(Review)))
        _check_signatures(act, reviews, ledger, found)
        _check_sent(act, found)
    signed = [review.id for review in reviews if review.state == "signed"]
    undone = [review.id for review in reviews if review.state == "undone"]
    _check_record(*record, signed, undone, found)
    if drop is not None:
        _check_folder(drop, signed, found)
    verdict = verify(store, anchor)
    found.whole, found.audit, found.lines, found.anchored = (
        verdict.whole,
        verdict.sentence,
        verdict.lines,
        verdict.anchored,
    )
    found.counts.update(visits=len(visits), signatures=len(signed), undone=len(undone))
    return found


def _find_patients(act: Act, visits: Sequence[Visit], ledger: Ledger, found: Reckoned) -> dict[str, list[Visit]]:
    by_word: dict[str, list[Visit]] = {}
    for visit in visits:
        name = read_link(act, visit).family
        if name in ledger.patients:
            by_word.setdefault(name, []).append(visit)
        elif visit.case is not None:
            found.stuck.append(f"visit {visit.id} has answers and belongs to nobody")
        else:
            found.counts["begun and never shown"] += 1
    return by_word


def _check_patient(act: Act, told: Told, visits: list[Visit], found: Reckoned) -> None:
    if not visits and (told.named or told.answers):
        found.lost.append(f"{told.word}: the whole visit")
    if len(visits) > 1:
        found.doubled.append(f"{told.word}: {len(visits)} visits")
    for visit in visits[:1]:
        entries = [json.loads(body) for _, body in read_entries(act, visit, "answer")]
        kept = Counter(entry["step"] for entry in entries)
        values = {entry["step"]: {k: v[-1] for k, v in entry["values"].items() if v} for entry in entries}
        for step, answer in told.answers.items():
            found.counts["answers"] += 1
            if values.get(step, {}) != answer:
                found.lost.append(f"{told.word}: the answer to {step}")
        found.doubled += [f"{told.word}: {count} answers to {step}" for step, count in kept.items() if count > 1]
        if told.sent and visit.finished is None:
            found.lost.append(f"{told.word}: that it was sent")
        if told.sent and told.word not in read_case(act, visit).complaint:
            found.lost.append(f"{told.word}: the complaint in the case")
        if told.is_urgent and "complaint" in told.answers and visit.level != Acuity.EMERGENCY.rank:
            found.lowered.append(f"{told.word}: an emergency stands at level {visit.level}")


def _check_visit(act: Act, visit: Visit, found: Reckoned) -> None:
    if visit.state in ("waiting", "asked"):
        found.stuck.append(f"visit {visit.id} still waits for a nurse")
    if visit.state == "waiting" and visit.draft_id is None:
        found.stuck.append(f"visit {visit.id} has no draft")
    if visit.case is not None:
        rules = rule_acuity(check_rules(read_case(act, visit)))
        least = max((level for level in (visit.level_rules, rules and rules.rank) if level is not None), default=-1)
        if (visit.level if visit.level is not None else -1) < least:
            found.lowered.append(f"visit {visit.id} stands at {visit.level}, its rules at {least}")


def _check_signatures(act: Act, reviews: Sequence[Review], ledger: Ledger, found: Reckoned) -> None:
    by_note: dict[str, list[Review]] = {}
    for review in reviews:
        by_note.setdefault(read_signed(act, review).note, []).append(review)
    for note in by_note.keys() - ledger.signed.keys():
        found.doubled.append(f"a signature nobody gave: {note}")
    for note, one in ledger.signed.items():
        _check_signature(note, one, by_note.get(note, []), found)
    live = Counter(review.visit_id for review in reviews if review.state == "signed" and review.corrects is None)
    found.doubled += [f"visit {visit} was signed {count} times" for visit, count in live.items() if count > 1]


def _check_signature(note: str, one: Signed, reviews: list[Review], found: Reckoned) -> None:
    if len(reviews) > 1:
        found.doubled.append(f"{note}: {len(reviews)} signatures")
    states = [review.state for review in reviews]
    if one.told and not states:
        found.lost.append(f"{note}: the signature")
    if one.told and not one.unsure and states and states[0] != ("undone" if one.undone else "signed"):
        found.lost.append(f"{note}: that it was {'taken back' if one.undone else 'signed'}")


def _check_sent(act: Act, found: Reckoned) -> None:
    for row in act.session.scalars(select(Outgoing)):
        found.counts[f"row {row.state}"] += 1
        if row.state == "waiting":
            found.stuck.append(f"row {row.id} has not left after {row.attempts} tries: {row.error}")
        if row.state == "dead" and not row.error:
            found.stuck.append(f"row {row.id} was given up without a reason")
    waiting = act.session.scalar(select(func.count()).select_from(Job).where(Job.state == "waiting"))
    if waiting:
        found.stuck.append(f"{waiting} jobs wait")


def _check_record(
    store: Store, desk: FhirDesk, signed: Sequence[str], undone: Sequence[str], found: Reckoned
) -> None:
    for review in (*signed, *undone):
        reply = desk.handle("GET", "Composition", identifier_query(identifier(review)))
        total, wanted = reply.read()["total"], int(review in signed)
        if total != wanted:
            (found.lost if total < wanted else found.doubled).append(f"signature {review}: {total} in the record")
    with store.look(JUDGE) as act:
        key = (ResourceKey.kind, ResourceKey.look)
        query = select(ResourceKey.kind, func.count()).group_by(*key).having(func.count() > 1)
        found.doubled += [f"{count} {kind} under one identifier" for kind, count in act.session.execute(query)]
        kinds = select(Resource.kind, func.count()).where(Resource.is_current).group_by(Resource.kind)
        counts = {kind: count for kind, count in act.session.execute(kinds)}
    for kind in ("Composition", "Task"):
        if counts.get(kind, 0) != len(signed):
            found.doubled.append(f"{counts.get(kind, 0)} {kind} for {len(signed)} signatures")
    if counts.get("Encounter", 0) > len(signed):
        found.doubled.append(f"{counts['Encounter']} encounters for {len(signed)} signatures")
    found.counts.update({f"record {kind}": count for kind, count in counts.items()})


def _check_folder(folder: Path, signed: Sequence[str], found: Reckoned) -> None:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    wanted = sorted(f"{review}.json" for review in signed)
    found.lost += [f"{name} is not in the folder" for name in set(wanted) - set(names)]
    found.doubled += [f"{name} is in the folder and should not" for name in set(names) - set(wanted)]
    for name in names:
        json.loads((folder / name).read_bytes())
