"""A nurse's room for tests: visits with drafts of a model, and pages signed in by a header."""

from pathlib import Path

from fastapi.testclient import TestClient

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Consideration, Draft, Finding, HistoryReview
from prescreen.clinic.signed import ModelLabel, PatientLink
from prescreen.ehr.channel import History
from prescreen.service.house import House
from prescreen.service.nurse.care_pages import care_pages
from prescreen.service.nurse.queue_pages import queue_pages
from prescreen.service.nurse.review_pages import review_pages
from prescreen.store.base import Store
from prescreen.store.drafts import attach_draft
from prescreen.store.people import User
from prescreen.store.record import set_record
from prescreen.store.sessions import STAFF, begin
from prescreen.store.tables import Job, Visit
from prescreen.store.visits import finish, lock_visit, open_visit, tell
from service.front import make_client, make_house
from store.desk import MINUTE, PATIENT, SERVICE

LABEL = ModelLabel(name="twin", version="2026-11", engine="test")
STORY = "I have had a dull ache in my lower back since I moved boxes on Monday. It does not go down my legs."
TURNS = (
    Turn(speaker="assistant", text="Any numbness, or trouble passing water?"),
    Turn(speaker="patient", text="No numbness, and I pass water as always."),
    Turn(speaker="assistant", text="Do you take anything for it?"),
    Turn(speaker="patient", text="I took two paracetamol this morning, it helped a little."),
)


def make_room(folder: Path, **changes: object) -> tuple[House, TestClient]:
    """A house and a client at its pages."""
    house = make_house(folder, **changes)
    return house, make_client(house, queue_pages, review_pages, care_pages)


class Desk:
    """A person at the pages, signed in: posts carry the session's token."""

    def __init__(self, client: TestClient, user: str = "nurse-1") -> None:
        store: Store = client.app.state.house.store  # type: ignore[attr-defined]
        with store.act(SERVICE) as act:
            begun = begin(act, STAFF, user=act.session.get_one(User, user))
        self.client, self.csrf = client, begun.session.csrf
        self.headers = {"cookie": f"__Host-staff={begun.token}", "accept": "text/html"}

    def get(self, path: str):
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, **fields: object):
        data = {"csrf": self.csrf, **fields}
        return self.client.post(path, data=data, headers=self.headers, follow_redirects=False)

    def claim(self, visit: str) -> str:
        assert self.post(f"/visits/{visit}/claim").status_code == 303
        return self.get(f"/visits/{visit}").text


def hidden(page: str, name: str) -> str:
    """The value of the last hidden field of this name: the signing form's."""
    return page.rsplit(f'name="{name}" value="', 1)[1].split('"', 1)[0]


def sheet(page: str) -> dict[str, str]:
    """The fields of the signing form that tie it to its page."""
    form = page.split('<form id="sign"', 1)[1]
    return {name: form.split(f'name="{name}" value="', 1)[1].split('"', 1)[0] for name in ("version", "seen")}


def make_case(**changes: object) -> Case:
    values: dict[str, object] = {
        "id": "case",
        "patient_id": "p",
        "source": "intake",
        "licence": "clinic",
        "complaint": STORY,
        "turns": TURNS,
        "age_years": 44,
        "sex": "female",
        "medications": ("paracetamol",),
        "allergies": (),
        "vitals": Vitals(heart_rate=78, temperature=36.8, pain=5),
    }
    return Case.model_validate({**values, **changes})


def make_draft(**changes: object) -> Draft:
    values: dict[str, object] = {
        "acuity": Acuity.MEDIUM,
        "summary": "Low back ache after lifting, without signs of nerve trouble.",
        "history": HistoryReview(conditions=[], medications=["paracetamol"], allergies=[]),
        "findings": [
            Finding(name="back pain", status="present", evidence="dull ache in my lower back"),
            Finding(name="numbness", status="denied", evidence="No numbness"),
            Finding(name="fever", status="present", evidence="I am burning up"),
        ],
        "red_flags": [],
        "differential": [
            Consideration(condition="muscle strain", supports=["moved boxes"], against=[]),
            Consideration(condition="slipped disc", supports=[], against=["does not go down my legs"]),
        ],
        "rationale": "Mechanical onset, walking, no warning signs.",
        "next_steps": ["Examine the back", "Offer advice on moving"],
        "open_questions": ["Did you fall or hit your back?"],
        "uncertainty": "moderate",
    }
    return Draft.model_validate({**values, **changes})


def make_reviewable(
    store: Store,
    case: Case | None = None,
    draft: Draft | None = None,
    *,
    blind: bool = False,
    team: str = "clinic",
    language: str = "en",
    link: PatientLink | None = None,
    record: History | None = None,
    label: ModelLabel | None = LABEL,
    attach: bool = True,
) -> Visit:
    """A visit that waits with a model's draft; `label` None drafts by rules alone."""
    case = case or make_case()
    link = link or PatientLink(family="Bell", given="Anna")
    with store.act(PATIENT) as act:
        visit = open_visit(act, team=team, language=language, channel="phone", link=link)
        tell(act, visit.id, before=None, interview="{}", said=case.complaint, case=case)
        done = finish(act, visit.id, floor=None, unasked=["fever", "weight loss"], draft_by=MINUTE)
        done.blind = blind
        if record is not None:
            set_record(act, done, record.model_dump_json())
    if attach:
        report = finalise(
            case, (draft or make_draft()) if label else None, "" if label else "no model in this test"
        )
        with store.act(SERVICE) as act:
            locked = lock_visit(act, visit.id)
            for job in act.session.query(Job).filter_by(visit_id=visit.id):
                job.state = "done"
            attach_draft(act, locked, report, label)
            return locked
    return done
