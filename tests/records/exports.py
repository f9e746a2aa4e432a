"""A clinic's Bulk Data export of any size, invented: each patient is ten resources, named in five of them.

Knows no reader. Every person, number and address is made of syllables. `marks` are the identifiers that stand in
the export's texts, for a search through whatever was made of it.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PER_PATIENT = 10
STARTS = ["Bre", "Cal", "Dro", "Fen", "Gri", "Hal", "Jor", "Kev", "Lun", "Mor", "Nev", "Orl", "Pel", "Quin", "Ros"]
ENDS = ["bart", "cott", "dale", "fritz", "gund", "hurst", "kovitz", "lomb", "mack", "nitz", "quist", "rup", "stad"]
COMPLAINTS = [
    "chest pain since this morning",
    "cough and fever for 3 days",
    "a rash on both arms",
    "back pain",
    "vomiting since last night",
    "a swollen ankle after a fall",
    "headache with blurred vision",
]
CONDITIONS = ["hypertension", "asthma", "type 2 diabetes", "Crohn's disease", "migraine"]
DRUGS = ["lisinopril 10 mg", "salbutamol inhaler", "metformin 500 mg", "mesalazine", "sumatriptan 50 mg"]


class Person(NamedTuple):
    """What identifies one invented patient."""

    number: int
    first: str
    last: str
    mrn: str
    phone: str
    street: str
    born: str

    @property
    def marks(self) -> tuple[str, ...]:
        return self.last, self.mrn, self.phone, self.street


def make_person(number: int, seed: int = 0) -> Person:
    rng = random.Random(f"{seed} {number}")
    last = rng.choice(STARTS) + rng.choice(ENDS) + rng.choice(ENDS)
    born = f"{rng.randrange(1940, 2015)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    street = f"{rng.randrange(10, 99)} {rng.choice(STARTS)}{rng.choice(ENDS)}way Lane"
    phone = f"0{rng.randrange(100, 999)} 555 {rng.randrange(1000, 9999)}"
    return Person(number, rng.choice(STARTS) + "ella", last, f"M{7_000_000 + number}", phone, street, born)


def list_resources(person: Person, seed: int = 0) -> Iterator[tuple[str, dict[str, object]]]:
    """The resources of one patient by the file they belong to."""
    rng = random.Random(f"{seed} {person.number} chart")
    one = f"p{person.number}"
    subject = {"subject": {"reference": f"Patient/{one}"}}
    inside = {**subject, "encounter": {"reference": f"Encounter/e{person.number}"}}
    start = f"2025-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}T09:00:00Z"
    complaint = rng.choice(COMPLAINTS)

    def named(text: str) -> dict[str, str]:
        return {"text": text}

    def reading(name: str, code: dict[str, object], value: int, unit: str, **more: object) -> dict[str, object]:
        quantity = {"value": value, "code": unit}
        return {"id": f"{one}{name}", "status": "final", "code": code, "valueQuantity": quantity, **more}

    def loinc(code: str) -> dict[str, object]:
        return {"coding": [{"system": "http://loinc.org", "code": code}]}

    yield (
        "Patient",
        {
            "id": one,
            "name": [{"family": person.last, "given": [person.first]}],
            "birthDate": person.born,
            "identifier": [{"system": "urn:mrn", "value": person.mrn}],
            "gender": rng.choice(["female", "male"]),
            "telecom": [{"system": "phone", "value": person.phone}],
            "address": [{"line": [person.street]}],
        },
    )
    level = {"coding": [{"system": "urn:esi", "code": str(rng.randrange(1, 6)), "display": "ESI"}]}
    yield (
        "Encounter",
        {
            "id": f"e{person.number}",
            "status": "finished",
            "period": {"start": start},
            "priority": level,
            "reasonCode": [named(f"{complaint}, {person.first} {person.last} says")],
            **subject,
        },
    )
    for n, text in enumerate(rng.sample(CONDITIONS, 2)):
        yield "Condition", {"id": f"{one}c{n}", "code": named(text), "recordedDate": "2019-05-01", **subject}
    drug = named(rng.choice(DRUGS))
    taken = {"status": "active", "effectiveDateTime": "2020-01-01", "medicationCodeableConcept": drug}
    yield "MedicationStatement", {"id": f"{one}m", **taken, **subject}
    at = {"effectiveDateTime": start, **inside}
    yield "Observation", reading("h", loinc("8867-4"), rng.randrange(55, 130), "/min", **at)
    yield "Observation", reading("s", loinc("8480-6"), rng.randrange(90, 180), "mm[Hg]", **at)
    yield "Observation", reading("x", named("Body height"), 170, "cm", effectiveDateTime="2018-02-02", **subject)
    told = f"Hi, this is {person.first} {person.last} of {person.street}, {person.mrn}. I have {complaint}."
    sent = {"sent": start, "sender": {"reference": f"Patient/{one}"}, "payload": [{"contentString": told}]}
    yield "Communication", {"id": f"{one}t", "status": "completed", **sent, **inside}
    allergy = {"code": named(rng.choice(["penicillin", "latex"])), "recordedDate": "2018-01-01"}
    yield "AllergyIntolerance", {"id": f"{one}a", "patient": subject["subject"], **allergy}


def write_export(folder: Path, patients: int, seed: int = 0) -> list[Person]:
    """NDJSON files, one for each resource type, as Bulk Data gives them; the people in it, if they are few."""
    folder.mkdir(parents=True, exist_ok=True)
    handles = {}
    people = []
    try:
        for number in range(patients):
            person = make_person(number, seed)
            people += [person] if patients <= 10_000 else []
            for kind, resource in list_resources(person, seed):
                if kind not in handles:
                    handles[kind] = (folder / f"{kind}.ndjson").open("w", encoding="utf-8")
                handles[kind].write(json.dumps({"resourceType": kind, **resource}) + "\n")
    finally:
        for handle in handles.values():
            handle.close()
    return people


def marks_of(people: list[Person]) -> list[str]:
    """What a search looks for: letters and digits alone, however they are parted."""
    return [re.sub(r"[^a-z0-9]", "", mark.lower()) for person in people for mark in person.marks]


def find_marks(marks: list[str], folder: Path) -> list[tuple[Path, str]]:
    """Files below a folder in whose bytes or name a mark stands."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            text = re.sub(r"[^a-z0-9]", "", (path.name + path.read_bytes().decode("latin-1")).lower())
            found += [(path, mark) for mark in marks if mark in text]
    return found
