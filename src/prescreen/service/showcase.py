"""The demonstration: people to sign in as and invented patients in the queue, all through the acts a clinic uses.

Knows no page. The patients are nobody; their stories are made up here.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from prescreen.clinic.signed import PatientLink
from prescreen.intake.plan import REVIEW
from prescreen.service.house import House
from prescreen.service.patient import flow as patient_flow
from prescreen.store.accounts import add_user, find_user, set_password
from prescreen.store.base import Who
from prescreen.store.passwords import draw_password, hash_password
from prescreen.store.sessions import Limits

SHOW: Final = Who("showcase", "service")
PEOPLE: Final = (
    ("nurse", "Nora Quist, RN", "nurse"),
    ("nurse2", "Abel Ferro, RN", "nurse"),
    ("physician", "Dr. Mina Okafor", "physician"),
    ("admin", "Ole Brandt", "admin"),
    ("auditor", "Iva Ruiz", "auditor"),
)
Answers = Mapping[str, Mapping[str, str]]


class Invented(NamedTuple):
    """Nobody, and what they would say: answers by page; every other danger sign is denied."""

    language: str
    given: str
    family: str
    age: str
    sex: str
    complaint: str
    answers: Answers = {}
    who: str = "self"


PATIENTS: Final = (
    Invented(
        "en",
        "Rupert",
        "Vance",
        "58",
        "male",
        "For an hour I have had a heavy pressure in my chest. It goes into my jaw and I am sweating.",
        {
            "area": {"area": "chest"},
            "onset": {"start": "hour", "course": "worse", "pain": "8"},
            "history": {"conditions": "high blood pressure", "medications": "amlodipine", "allergies_none": "none"},
            "measures": {"heart_rate": "104", "systolic": "158", "diastolic": "94"},
        },
    ),
    Invented(
        "en",
        "Tilda",
        "Marsh",
        "34",
        "female",
        "It burns when I pass water since the day before yesterday, and I need to go all the time.",
        {
            "area": {"area": "urinary"},
            "onset": {"start": "days", "course": "same", "pain": "4"},
            "history": {"conditions_none": "none", "medications": "the pill", "allergies": "penicillin"},
            "measures": {"temperature": "37.4", "temperature_unit": "°C"},
        },
    ),
    Invented(
        "es",
        "Bruno",
        "Salas",
        "7",
        "male",
        "Mi hijo tiene fiebre y le duele el oído derecho desde ayer por la tarde.",
        {"area": {"area": "fever"}, "onset": {"start": "today", "course": "same", "pain": "5"}},
        "relative",
    ),
    Invented(
        "en",
        "Edda",
        "Holm",
        "71",
        "female",
        "I get out of breath on the stairs more than before and my ankles are swollen in the evening.",
        {
            "area": {"area": "breathing"},
            "onset": {"start": "week", "course": "worse", "pain": "0"},
            "history": {
                "conditions": "heart failure\natrial fibrillation",
                "medications": "furosemide\napixaban",
                "allergies_none": "none",
            },
            "measures": {"heart_rate": "88", "spo2": "94"},
        },
    ),
    Invented(
        "en",
        "Jonas",
        "Pike",
        "25",
        "male",
        "A scratchy throat and a runny nose since Monday. I mostly need a note for work.",
        {
            "area": {"area": "throat"},
            "onset": {"start": "days", "course": "better", "pain": "2"},
            "history": {"conditions_none": "none", "medications_none": "none", "allergies_none": "none"},
        },
    ),
    Invented(
        "ar",
        "Salma",
        "Haddad",
        "45",
        "female",
        "أعاني من ألم في أسفل الظهر منذ ثلاثة أيام بعد رفع صندوق ثقيل.",
        {"area": {"area": "back"}, "onset": {"start": "days", "course": "same", "pain": "6"}},
    ),
)


def show_people(house: House) -> dict[str, str]:
    """Everybody of the demonstration, each with a password drawn anew: login -> password."""
    told = {}
    for login, name, role in PEOPLE:
        password = draw_password()
        with house.store.act(SHOW) as act:
            user = (
                find_user(act, login)
                or add_user(act, login, name=name, role=role, teams=house.settings.clinic.teams).user
            )
            set_password(act, user.id, hash_password(password), keep_session="")
        told[login] = password
    return told


def show_patients(house: House, limits: Limits) -> int:
    """Invented visits, walked through page by page as a phone would; how many."""
    for patient in PATIENTS:
        begun, _ = patient_flow.begin_visit(house, patient.language, limits, channel="phone", training=True)
        visit_id = begun.session.visit_id
        assert visit_id is not None
        patient_flow.give_name(house, visit_id, PatientLink(given=patient.given, family=patient.family))
        _walk(house, visit_id, patient)
    return len(PATIENTS)


def _walk(house: House, visit_id: str, patient: Invented) -> None:
    told: dict[str, Mapping[str, str]] = {
        "about": {"who": patient.who, "age": patient.age, "age_unit": "years", "sex": patient.sex},
        "pregnant": {"pregnant": "no"},
        "complaint": {"complaint": patient.complaint},
        "screen": {"signs": "none"},
        **patient.answers,
        REVIEW: {"confirm": "yes"},
    }
    for _ in range(40):
        place = patient_flow.find_place(house, visit_id)
        if place.state != "intake":
            return
        step = place.step.id
        asked_more = place.step.kind == "text" and step not in told
        answer = told.get(step, {"more": "No."} if asked_more else {"sign": "no"})
        patient_flow.take_answer(house, visit_id, place.mark, step, answer)
    raise AssertionError("an invented visit does not end")
