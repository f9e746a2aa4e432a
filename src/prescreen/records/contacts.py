"""What HL7 v2 messages tell of one contact, gathered message by message into a record.

Knows which field of ADT, ORU and MDM holds what, LOINC codes of vital signs, and that a diagnosis may only count
as the outcome within 72 hours. A document written after the contact is not read: it would tell the model the
answer. Knows nothing about files.
"""

import datetime
import hashlib
import re
from collections.abc import Iterable
from typing import Any

from prescreen.records import hl7v2_codes as codes
from prescreen.records.measures import (
    LIMITS,
    age_at,
    make_vitals,
    naive,
    read_age,
    read_coma,
    read_consciousness,
    read_pressure,
    read_sex,
    read_vital,
)
from prescreen.records.record import Identifiers, Outcome, Record, Source
from prescreen.records.segments import Message, Segment, read_dtm

MAX_TEXT, MAX_ITEMS = 200_000, 200
WINDOW = datetime.timedelta(hours=72)


def patient_key(message: Message) -> str:
    """The record number of PID-3, else PID-2, with its assigning authority; "" where there is none."""
    pid = message.first("PID")
    numbers = pid.values(3) or pid.values(2)
    chosen = next((n for n in numbers if len(n) > 4 and n[4] == "MR"), numbers[0] if numbers else [""])
    return "@".join(filter(None, (chosen[0], chosen[3] if len(chosen) > 3 else ""))) if chosen[0] else ""


def message_time(message: Message) -> datetime.datetime | None:
    """When the event happened, else when it was sent."""
    evn, msh = message.first("EVN"), message.first("MSH")
    return read_dtm(evn.text(6)) or read_dtm(evn.text(2)) or read_dtm(msh.text(7))


class Contact:
    """One contact in the making. Facts of the person: the latest wins; facts of the contact: the first."""

    def __init__(self, place: int, patient: str) -> None:
        self.place, self.patient, self.visit = place, patient, ""
        self.digest = hashlib.sha256()
        self.known: dict[str, dict[str, None]] = {name: {} for name in Identifiers.model_fields}
        self.birth, self.sex, self.language = "", "", ""
        self.age: float | None = None
        self.when: tuple[int, datetime.datetime] | None = None  # how sure, and the moment
        self.pregnant: bool | None = None
        self.lists: dict[str, dict[str, None]] = {}
        self.complaint, self.history = "", ""
        self.vitals: dict[str, Any] = {}
        self.acuity: tuple[str, str | None] = ("", None)
        self.disposition = ""
        self.diagnoses: list[tuple[datetime.datetime | None, bool, str]] = []

    def add(self, message: Message, data: bytes) -> None:
        """Take what one more message says."""
        self.digest.update(data + b"\r")
        self._identify(message)
        self._place_in_time(message)
        pid, visit, reason = message.first("PID"), message.first("PV1"), message.first("PV2")
        self.visit = self.visit or visit.text(19)
        self.birth = pid.text(7) or self.birth
        self.sex = pid.text(8) or self.sex
        self.language = pid.text(15) or self.language
        if any(code[0] == "B6" for code in visit.values(15)):
            self.pregnant = True
        self.complaint = self.complaint or (reason.text(3, 2) or reason.text(3, 1))[:MAX_TEXT]
        self.disposition = visit.text(36, 2) or visit.text(36) or self.disposition
        for allergy in message.all("AL1"):
            self._put("allergies", [allergy.text(3, 2) or allergy.text(3, 1)])
        for diagnosis in message.all("DG1"):
            told = diagnosis.text(4) or diagnosis.text(3, 2) or diagnosis.text(3, 1)
            dated = read_dtm(diagnosis.text(5))
            if told and len(self.diagnoses) < MAX_ITEMS:
                self.diagnoses.append((dated or message_time(message), dated is not None, told))
        free = []
        for observation in message.all("OBX"):
            if observation.text(11) not in ("D", "W", "X") and not self._observe(observation):
                free.append(observation)
        if message.first("MSH").text(9) == "MDM":
            self._write("\n".join(o.whole(5) for o in free if o.text(2) in ("TX", "FT", "ST", "")))

    def _identify(self, message: Message) -> None:
        for place in codes.KNOWN:
            for segment in message.all(place.segment):
                for parts in segment.values(place.field):
                    taken = (
                        [parts[n - 1] for n in place.components if n <= len(parts)] if place.components else parts
                    )
                    for value in filter(None, taken):
                        self._know(place.kind, value)

    def _know(self, kind: str, value: str) -> None:
        if kind == "names":
            values = [part for part in re.split(r"[\s,;]+", value) if len(part) > 1]
        elif kind == "phones":
            kind = "emails" if "@" in value else "phones"
            values = [value] if kind == "emails" or sum(c.isdigit() for c in value) >= 5 else []
        else:
            values = [value]
        for one in values:
            if len(self.known[kind]) < MAX_ITEMS:
                self.known[kind][one[:500]] = None

    def _place_in_time(self, message: Message) -> None:
        arrived, taken = message.first("PV1").text(44), message.first("OBR").text(7)
        for sure, moment in ((0, read_dtm(arrived)), (1, read_dtm(taken)), (2, message_time(message))):
            if moment and (self.when is None or sure < self.when[0]):
                self.when = (sure, moment)

    def _put(self, name: str, items: Iterable[str]) -> None:
        kept = self.lists.setdefault(name, {})
        for item in items:
            if item and not codes.NONE_KNOWN.match(item) and len(kept) < MAX_ITEMS:
                kept[item[:1000]] = None

    def _write(self, text: str) -> None:
        if text and text not in self.history:
            self.history = f"{self.history}\n{text}".strip()[:MAX_TEXT]

    def _observe(self, observation: Segment) -> bool:
        """Take one observation; False where its code is none we know."""
        code = next((c for c in (observation.text(3, 1), observation.text(3, 4)) if c in codes.ALL), "")
        said = observation.text(5, 2) or observation.text(5, 1)
        if code in codes.VITALS:
            self._measure(codes.VITALS[code], observation)
        elif code in codes.COMPLAINTS:
            self.complaint = self.complaint or (said if observation.text(2)[:1] == "C" else observation.whole(5))
        elif code in codes.HISTORIES:
            self._write(observation.whole(5))
        elif code in (codes.MEDICATIONS, codes.PROBLEMS):
            items = re.split(r"[;\n]", said if observation.text(2)[:1] == "C" else observation.whole(5))
            self._put("medications" if code == codes.MEDICATIONS else "conditions", map(str.strip, items))
        elif code == codes.AGE and self.age is None:
            self.age = read_age(f"{observation.text(5)} {observation.text(6)}")
        elif code in codes.PREGNANCY and observation.text(5) in ("77386006", "LA15173-0"):
            self.pregnant = True
        elif code in codes.PREGNANCY and observation.text(5) in ("60001007", "LA26683-5"):
            self.pregnant = False
        elif code in codes.ACUITIES and not self.acuity[0]:
            levels = re.findall(r"(?<!\d)[1-5](?!\d)", f"{observation.text(5, 1)} {said}")
            scale = codes.ACUITIES[code]
            self.acuity = (levels[0] if scale and levels else said, scale)
        return bool(code)

    def _measure(self, field: str, observation: Segment) -> None:
        text = observation.text(5)
        if observation.text(2) == "SN":
            text = observation.text(5, 2) if text in ("", "=") else ""
        corrected = observation.text(11) == "C"
        read: dict[str, Any]
        if field == "pressure":
            read = dict(zip(("systolic", "diastolic"), read_pressure(text) or (), strict=False))
        elif field == "coma":
            field, read = "consciousness", {"consciousness": read_coma(text)}
        elif field == "consciousness":
            words = (read_consciousness(observation.text(5, n)) for n in (1, 2))
            read = {field: next(filter(None, words), None)}
        else:
            read = {field: read_vital(field, text, observation.text(6))}
        for name, value in read.items():
            if value is not None and (corrected or name not in self.vitals):
                self.vitals[name] = value

    def record(self, file: str, reader: str) -> Record:
        """What was gathered."""
        when = self.when[1] if self.when else None
        born = read_dtm(self.birth[:8])
        birth = born.date() if born else None
        age = age_at(birth, when.date()) if birth and when else None
        if age is None and when and re.fullmatch(r"\d{4}(?:\d\d)?", self.birth):
            age = age_at(datetime.date(max(1, int(self.birth[:4])), 7, 1), when.date())
        first, before = self._judge(when)
        if before:
            self._put("conditions", before)
        known: dict[str, Any] = {k: tuple(v) for k, v in self.known.items() if k != "birth_date"}
        return Record(
            source=Source(file=file, place=self.place, sha256=self.digest.hexdigest(), reader=reader),
            patient=self.patient,
            identifiers=Identifiers(**known, birth_date=birth),
            when=when,
            age_years=self.age if age is None else age,
            sex=read_sex(self.sex),
            pregnant=self.pregnant,
            **{name: tuple(items) for name, items in self.lists.items()},  # type: ignore[arg-type]
            history_text=self.history,
            complaint=self.complaint[:MAX_TEXT],
            vitals=make_vitals({name: value for name, value in self.vitals.items() if name in _FIELDS}),
            outcome=Outcome(
                acuity=self.acuity[0] or None,
                scale=self.acuity[1] if self.acuity[0] else None,
                disposition=self.disposition or None,
                diagnosis=first,
            ),
            language=_language(self.language),
        )

    def _judge(self, when: datetime.datetime | None) -> tuple[str | None, list[str]]:
        """The first diagnosis within 72 hours, and those dated before the day of the contact."""
        first, before = None, []
        for moment, dated, told in self.diagnoses:
            apart = naive(moment) - naive(when) if moment and when else datetime.timedelta()
            if dated and when and moment and moment.date() < when.date():
                before.append(told)
            elif apart <= WINDOW:
                first = first or told
        return first, before


_FIELDS = (*LIMITS, "consciousness")


def _language(code: str) -> str:
    low = code.strip().lower()[:3]
    return codes.LANGUAGES.get(low) or (low[:2] if re.fullmatch(r"[a-z]{2}\W?", low) else "en")
