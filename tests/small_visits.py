"""Signed visits for tests: five told by hand, and any number made up. All persons are invented."""

import datetime
import uuid
from typing import Any

from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.clinic.report import Consideration, Finding, HistoryReview, Report
from prescreen.clinic.signed import ModelLabel, PatientLink, Person, SignedVisit

OPENED = datetime.datetime(2026, 3, 2, 9, 30, tzinfo=datetime.UTC)
MODEL = ModelLabel(name="prescreen-tiny", version="3", engine="in process", weights="ab" * 32, verdict="cd" * 32)
NURSE = Person(id="n-1", name="Ingrid Halvorsen", role="nurse")


def case(**changes: Any) -> Case:
    """A case of chest pain."""
    told: dict[str, Any] = {
        "id": "case-1",
        "patient_id": "p-1",
        "source": "intake",
        "licence": "none",
        "complaint": "Tight chest since breakfast",
        "age_years": 61.0,
        "vitals": Vitals(heart_rate=104, systolic=148, diastolic=92, temperature=37.2, spo2=96, pain=6),
        "turns": (
            Turn(speaker="assistant", text="Does the pain spread?"),
            Turn(speaker="patient", text="Yes, to my left arm"),
            Turn(speaker="relative", text="He looks pale"),
            Turn(speaker="assistant", text="Any trouble breathing?"),
        ),
    }
    return Case(**(told | changes))


def report(**changes: Any) -> Report:
    """A report of chest pain."""
    told: dict[str, Any] = {
        "acuity": Acuity.HIGH,
        "summary": "Chest tightness since breakfast, spreading to the left arm.",
        "history": HistoryReview(conditions=["hypertension"], medications=[], allergies=["no known allergies"]),
        "findings": [
            Finding(name="chest tightness", status="present", evidence="Tight chest since breakfast"),
            Finding(name="breathlessness", status="not asked"),
        ],
        "red_flags": ["Chest pain that spreads"],
        "differential": [Consideration(condition="cardiac cause", supports=["spreads to arm"], against=[])],
        "rationale": "Spreading chest pain at 61.",
        "next_steps": ["ECG within 10 minutes"],
        "open_questions": ["When did it start?"],
        "uncertainty": "moderate",
        "case_id": "case-1",
        "model_acuity": Acuity.HIGH,
        "rule_acuity": Acuity.HIGH,
        "rules": ["chest-pain-spread"],
    }
    return Report(**(told | changes))


def visit(number: int = 1, **changes: Any) -> SignedVisit:
    """A visit the nurse agreed with; `number` tells it from others."""
    told: dict[str, Any] = {
        "id": str(uuid.UUID(int=number << 64 | 0x4000_8000_0000_0000_0001)),
        "visit_id": f"visit-{number}",
        "patient": PatientLink(family="Okafor", given="Daniel", birth_date=datetime.date(1964, 5, 17), sex="male"),
        "opened": OPENED,
        "finished": OPENED + datetime.timedelta(minutes=6),
        "signed": OPENED + datetime.timedelta(minutes=11),
        "case": case(),
        "draft": report(),
        "model": MODEL,
        "final": report(),
        "signer": NURSE,
        "seen": "ef" * 32,
    }
    return SignedVisit(**(told | changes))


def told() -> dict[str, SignedVisit]:
    """The visits behind the golden files, by name."""
    alone = report(
        model_acuity=None, acuity=Acuity.EMERGENCY, rule_acuity=Acuity.EMERGENCY, no_draft_reason="no model",
        differential=[], rationale="Rule: chest pain that spreads.",
    )  # fmt: skip
    spanish = case(
        complaint="Me duele el pecho desde el desayuno", language="es",
        turns=(Turn(speaker="assistant", text="¿Se extiende?"), Turn(speaker="patient", text="Sí, al brazo")),
    )  # fmt: skip
    raised = report(acuity=Acuity.EMERGENCY)
    return {
        "agreed": visit(1),
        "raised": visit(2, final=raised, reason="patient-looks-worse", note="Grey, sweating at the desk."),
        "rules-only": visit(3, draft=None, model=None, final=alone, measured_by="staff"),
        "spanish": visit(
            4, language="es", case=spanish,
            patient=PatientLink(identifier_system="urn:oid:2.999.1", identifier="77-4", family="Quiroga"),
        ),
        "correction": visit(
            5, visit_id="visit-1", corrects=visit(1).id, final=raised, reason="ecg-changed", signed=later(50)
        ),
    }  # fmt: skip


def later(minutes: int) -> datetime.datetime:
    return OPENED + datetime.timedelta(minutes=minutes)


HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</div><iframe src='javascript:x'>",
        "a]]>b", "<!-- x -->", "\x00\x0b", "ألم في الصدر", "urn:uuid:1", "{{7*7}}", "line\r\nline", "  ",
        "&lt;b&gt;", "",
    ]
)  # fmt: skip
WORDS = st.text(max_size=60) | HOSTILE
LINES = st.lists(WORDS, max_size=3)
LEVELS = st.sampled_from(list(Acuity))
NUMBERS = st.none() | st.floats(0, 300) | st.sampled_from([float("inf"), float("nan")])


@st.composite
def reports(draw: st.DrawFn) -> Report:
    return report(
        acuity=draw(LEVELS), model_acuity=draw(st.none() | LEVELS), rule_acuity=draw(st.none() | LEVELS),
        summary=draw(WORDS), rationale=draw(WORDS), red_flags=draw(LINES), next_steps=draw(LINES),
        open_questions=draw(LINES), rules=draw(st.lists(st.sampled_from(["chest-pain-spread", "x-1"]), max_size=3)),
        history=HistoryReview(conditions=draw(LINES), medications=draw(LINES), allergies=draw(LINES)),
        findings=[Finding(name=draw(WORDS), status="present", evidence=draw(WORDS))],
        differential=[Consideration(condition=draw(WORDS), supports=draw(LINES), against=draw(LINES))],
    )  # fmt: skip


@st.composite
def visits(draw: st.DrawFn) -> SignedVisit:
    """Any visit: hostile words, missing and endless numbers, with and without model, patient and encounter."""
    speakers = st.sampled_from(["patient", "relative", "assistant", "nurse"])
    turns = draw(st.lists(st.builds(Turn, speaker=speakers, text=WORDS), max_size=6))
    vitals = Vitals(
        heart_rate=draw(NUMBERS), systolic=draw(NUMBERS), diastolic=draw(NUMBERS), spo2=draw(NUMBERS),
        pain=draw(NUMBERS), consciousness=draw(st.none() | st.sampled_from(["alert", "confused"])),
    )  # fmt: skip
    link = PatientLink(
        reference=draw(st.none() | st.just("Patient/p1")), encounter=draw(st.none() | st.just("Encounter/e1")),
        identifier=draw(st.none() | WORDS), identifier_system=draw(st.none() | st.just("urn:oid:2.999.1")),
        family=draw(WORDS), given=draw(WORDS), sex=draw(st.none() | st.sampled_from(["female", "other"])),
    )  # fmt: skip
    words = draw(
        st.fixed_dictionaries({"note": WORDS, "reason": WORDS, "language": st.sampled_from(["en", "<x>"])})
    )
    return visit(
        draft=draw(st.none() | reports()), model=draw(st.none() | st.just(MODEL)), final=draw(reports()),
        id=str(draw(st.uuids())), corrects=draw(st.none() | st.uuids().map(str)), patient=link,
        case=case(complaint=draw(WORDS), turns=tuple(turns), vitals=vitals),
        measured_by=draw(st.sampled_from([None, "patient", "staff"])),
        signer=Person(id=draw(st.sampled_from(["n-2", "<b>"])), name=draw(WORDS), role="nurse"), **words,
    )  # fmt: skip
