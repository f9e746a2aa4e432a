"""A signature without the person: case, draft and final de-identified together, then looked at a second time.

The patient's own names and numbers come from the record's link, so they are found wherever they stand; draft, final
and note are searched with the conversation, so that a name found in one is found in all. What cannot be made clean,
or no longer rests on the patient's words, is no row. Knows neither store nor training.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn
from prescreen.clinic.edits import classify_edits
from prescreen.clinic.floor import lift_floor
from prescreen.clinic.report import Draft
from prescreen.clinic.signed import ModelLabel, PatientLink
from prescreen.custody import REAL
from prescreen.monitor.feedback.second_look import look_again
from prescreen.monitor.feedback.sifting import Sifter
from prescreen.records.deid.deidentify import deidentify
from prescreen.records.deid.replace import Mode
from prescreen.records.deid.spans import Detector
from prescreen.records.record import Identifiers, Record, Reject, Source
from prescreen.store.signatures import Signature

READER: Final = "signatures/1"
SOURCE: Final = "feedback"
NOTE: Final = "note"
RESTORED: Final = frozenset(
    {"finding_added", "finding_removed", "finding_status", "finding_facts", "summary_facts"}
)
_ROLES: Final = frozenset({"nurse", "physician", "doctor", "rn", "md", "dr", "prof", "sister", "matron"})


class Keyed(NamedTuple):
    """What the sealed table gives for one signature: the patient's secret, and keyed codes."""

    secret: bytes
    review: str
    signer: str
    others: tuple[str, ...]  # who signed earlier, in the order of `Signature.earlier`


@dataclass(frozen=True)
class Reviewed:
    """One signature as codes, levels and de-identified texts.

    `shown` is the level the nurse met, `draft` what the model itself wrote, `final` what was signed, both without
    the lines that are the rules' to add; None where no model drafted. `left` are kinds of identifiers that may
    remain, `written` those that had to be taken out of the signed report. `whole` is false where the floor set
    something aside that the patient never said, and the nurse did not put right what is left.
    """

    code: str
    patient: str
    signer: str
    case: Case
    shown: Acuity | None
    draft: Draft | None
    final: Draft
    note: str
    model: ModelLabel | None
    kinds: frozenset[str]
    at: datetime.datetime  # as it was: decides the part, stands in no row
    seconds: float
    blind: Acuity | None
    rules: Acuity | None
    earlier: tuple[tuple[str, Acuity], ...]
    left: tuple[str, ...]
    written: tuple[str, ...]
    deid: str
    whole: bool = True

    @property
    def level(self) -> Acuity:
        return self.final.acuity


class Dropped(NamedTuple):
    """A signature that is no row, and why; `code` is keyed."""

    code: str
    reason: str


def review(
    signature: Signature, keyed: Keyed, mode: Mode, detectors: Sequence[Detector], licence: str = REAL
) -> Reviewed | Dropped:
    """De-identify one signature; `Dropped` says why it cannot be a row and quotes nothing."""
    signed = signature.signed
    reports = {"final": lift_floor(signed.final).model_copy(update={"acuity": signed.final.acuity})}
    reports |= {"draft": lift_floor(signed.draft)} if signed.draft else {}
    texts = {(name, path): text for name, report in reports.items() for path, text in _texts(report)}
    texts[NOTE, ()] = signed.note
    own = len(signed.case.turns)
    unique = list(dict.fromkeys(texts.values()))
    places = {text: f"turns.{number}" for number, text in enumerate(unique, own)}
    sifter = Sifter(set(places.values()))
    record = _make_record(signature, unique)
    done = deidentify(record, keyed.secret, mode, detectors=detectors, licence=licence, sift=sifter)
    if isinstance(done, Reject):
        return Dropped(keyed.review, done.reason)
    new = dict(zip(unique, (turn.text for turn in done.case.turns[own:]), strict=True))
    case = done.case.model_copy(update={"turns": done.case.turns[:own], "source": SOURCE})
    try:
        made = {
            name: _rewrite(report, {path: new[text] for (of, path), text in texts.items() if of == name})
            for name, report in reports.items()
        }
    except ValidationError:
        return Dropped(keyed.review, "a substitute does not fit the report")
    if any(_loses_evidence(reports[name], signed.case, made[name], case) for name in reports):
        return Dropped(keyed.review, "a finding's words and the conversation were de-identified differently")
    kinds = classify_edits(signed.draft, signed.final) if signed.draft else frozenset()
    inside = {places[text] for (name, _), text in texts.items() if name == "final"}
    return Reviewed(
        code=keyed.review,
        patient=case.patient_id,
        signer=keyed.signer,
        case=case,
        shown=signed.draft.acuity if signed.draft else None,
        draft=made.get("draft"),
        final=made["final"],
        note=new[signed.note],
        model=signed.model,
        kinds=kinds,
        at=signed.signed,
        seconds=signature.seconds,
        blind=signature.blind,
        rules=max((level for level in (signature.rules, signed.final.rule_acuity) if level), default=None),
        earlier=tuple((code, one.level) for code, one in zip(keyed.others, signature.earlier, strict=True)),
        left=look_again(case, [*new.values()], mode, detectors),
        written=tuple(sorted({span.kind for place in inside for span in sifter.taken.get(place, ())})),
        deid=", ".join(("deid/1", *done.detectors)),
        whole=not signed.final.unsupported or not kinds.isdisjoint(RESTORED),
    )


def _make_record(signature: Signature, texts: Sequence[str]) -> Record:
    """The contact with its reports as further utterances: what is found in one text is looked for in all."""
    signed, case = signature.signed, signature.signed.case
    return Record(
        source=Source(file="store", place=1, sha256=signed.id, reader=READER),
        patient=signature.patient,
        identifiers=_identify(signed.patient, signed.signer.name),
        when=signed.signed,
        age_years=case.age_years,
        sex=case.sex,
        pregnant=case.pregnant,
        conditions=case.conditions,
        medications=case.medications,
        allergies=case.allergies,
        history_text=case.history_text,
        complaint=case.complaint,
        turns=(*case.turns, *(Turn(speaker="nurse", text=text) for text in texts)),
        vitals=case.vitals,
        language=signed.language,
    )


def _identify(link: PatientLink, signer: str) -> Identifiers:
    """What the clinic knows the patient by. The signer is no patient, and no name for a row either."""
    words = (part.strip(",.") for name in (link.given, link.family, signer) for part in name.split())
    names = [word for word in words if len(word) > 1 and not word.isdigit() and word.lower() not in _ROLES]
    numbers = (link.identifier, link.reference, link.encounter)
    return Identifiers(
        names=tuple(dict.fromkeys(names)),
        birth_date=link.birth_date,
        numbers=tuple(number.rpartition("/")[2] for number in numbers if number),
    )


Path = tuple[str | int, ...]


def _texts(report: Draft) -> Iterator[tuple[Path, str]]:
    """Every free text of a report by where it stands."""
    yield from _strings(report.model_dump(exclude={"acuity", "uncertainty"}), ())


def _strings(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if path[-1] != "status":
            yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, (*path, number))


def _rewrite(report: Draft, new: Mapping[Path, str]) -> Draft:
    told = report.model_dump()
    for path, text in new.items():
        place: Any = told
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = text
    return Draft.model_validate(told)


def _loses_evidence(old: Draft, said: Case, new: Draft, case: Case) -> bool:
    """Whether words that stood in the conversation no longer do."""
    before, after = said.recorded.lower(), case.recorded.lower()
    return any(
        one.evidence.lower() in before and other.evidence.lower() not in after
        for one, other in zip(old.findings, new.findings, strict=True)
        if one.evidence
    )
