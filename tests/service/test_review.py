"""The nurse's pages: a visit held, edited, signed, taken back, corrected; who may, and what is refused."""

import re
from pathlib import Path

import pytest
from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Turn
from prescreen.clinic.signed import PatientLink
from prescreen.ehr.channel import History
from prescreen.store.drafts import attach_draft, read_draft
from prescreen.store.people import AuditLine, Pass, User
from prescreen.store.record import set_record
from prescreen.store.reviews import read_signed
from prescreen.store.tables import Draft, Outgoing, Patient, Review, Visit
from prescreen.store.visits import lock_visit
from service.ward import LABEL, Desk, make_case, make_draft, make_reviewable, make_room, sheet
from store.desk import NURSE, SERVICE


@pytest.fixture
def room(tmp_path: Path):
    house, client = make_room(tmp_path)
    house.channels["record"] = None  # type: ignore[assignment]  # nothing is sent in these tests
    with client:
        yield house, client
    house.store.close()


def actions(house, visit: str) -> list[str]:
    with house.store.look(SERVICE) as act:
        return list(act.session.scalars(select(AuditLine.action).where(AuditLine.thing == visit)))


def visit_of(house, visit: str) -> Visit:
    with house.store.look(SERVICE) as act:
        return act.session.get_one(Visit, visit)


def signed_of(house, visit: str):
    with house.store.look(SERVICE) as act:
        review = act.session.scalars(select(Review).where(Review.visit_id == visit).order_by(Review.at)).all()[-1]
        return review, read_signed(act, review)


@pytest.mark.parametrize(("trial", "said"), [("", False), ("canary", True)])
def test_a_draft_of_a_candidate_on_trial_says_so(room, trial: str, said: bool) -> None:
    house, client = room
    visit = make_reviewable(house.store)
    with house.store.act(SERVICE) as act:
        draft = act.session.get_one(Draft, act.session.get_one(Visit, visit.id).draft_id)
        draft.label = {**(draft.label or {}), "trial": trial}
    page = Desk(client).claim(visit.id)
    assert ("On trial (canary): this model is not released" in page) is said
    assert ("A release was taken back" in page) is False
    house.notice = "A release was taken back"
    assert "A release was taken back" in Desk(client).get("/queue").text


def test_from_the_queue_to_a_signature(room) -> None:
    house, client = room
    visit = make_reviewable(house.store)
    nurse = Desk(client)
    queue = nurse.get("/queue").text
    assert "Bell, Anna" in queue and "Medium" in queue and "60 min left" in queue
    page = nurse.claim(visit.id)
    assert "Drafted by software (twin, 2026-11)" in page
    assert "The draft says this, the patient did not" in page and "fever: I am burning up" in page
    house.store.clock.pass_by(seconds=40)
    done = nurse.post(f"/visits/{visit.id}/sign", **sheet(page), level="medium", step="sign")
    assert (done.status_code, done.headers["location"]) == (303, "/queue")
    review, signed = signed_of(house, visit.id)
    assert (review.level, review.seconds, review.edited) == (Acuity.MEDIUM.rank, 40.0, False)
    assert signed.seen == sheet(page)["seen"] and len(signed.seen) == 64
    assert signed.model == LABEL and signed.final.summary == make_draft().summary
    assert "It leaves for the record at 12:01:10" in nurse.get("/queue").text
    assert "visit.view" in actions(house, visit.id) and "visit.sign" in actions(house, visit.id)


def test_edits_are_kept_and_shown_beside_the_draft_first(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store), Desk(client)
    tied = sheet(nurse.claim(visit.id))
    edits = {
        "summary": "Low back ache after lifting; walks well.",
        "finding-1": "not asked",
        "finding-new": "stiff in the morning",
        "condition-0": "",
        "supports-1": "moved boxes\r\n older disc trouble",
        "next_steps": "Examine the back",
        "reason": "history not in the draft",
    }
    check = nurse.post(f"/visits/{visit.id}/sign", **tied, **edits, level="high", step="check")
    assert check.status_code == 200
    assert "<ins>walks</ins>" in check.text and "Offer advice on moving</del>" in check.text
    assert "medium" in check.text and visit_of(house, visit.id).state == "waiting"
    done = nurse.post(f"/visits/{visit.id}/sign", **sheet(check.text), **edits, level="high", step="sign")
    assert done.status_code == 303
    final = signed_of(house, visit.id)[1].final
    assert final.acuity is Acuity.HIGH and final.model_acuity is Acuity.MEDIUM
    assert [f.status for f in final.findings] == ["present", "not asked", "present"]
    assert [c.condition for c in final.differential] == ["slipped disc"]
    assert final.differential[0].supports == ["moved boxes", "older disc trouble"]
    assert final.next_steps == ["Examine the back"]


def test_a_level_is_lowered_only_by_signing_with_a_reason(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store), Desk(client)
    lowered = nurse.post(f"/visits/{visit.id}/level", level="low")
    assert lowered.status_code == 422 and visit_of(house, visit.id).level == Acuity.MEDIUM.rank
    raised = nurse.post(f"/visits/{visit.id}/level", level="high")
    assert raised.status_code == 303 and visit_of(house, visit.id).level == Acuity.HIGH.rank
    tied = sheet(nurse.claim(visit.id))
    bare = nurse.post(f"/visits/{visit.id}/sign", **tied, level="low", note="kept while refused", step="sign")
    assert bare.status_code == 422 and "Choose a reason" in bare.text and "kept while refused" in bare.text
    odd = nurse.post(f"/visits/{visit.id}/sign", **tied, level="low", reason="because", step="sign")
    assert odd.status_code == 422
    tied = sheet(odd.text)
    done = nurse.post(f"/visits/{visit.id}/sign", **tied, level="low", reason="seen in person", step="sign")
    assert done.status_code == 303 and signed_of(house, visit.id)[0].level_before == Acuity.HIGH.rank


def test_two_nurses_never_review_one_visit_unknowingly(room) -> None:
    house, client = room
    visit, first, second = make_reviewable(house.store), Desk(client), Desk(client, "nurse-2")
    tied = sheet(first.claim(visit.id))
    refused = second.post(f"/visits/{visit.id}/claim")
    assert refused.status_code == 409 and "Nurse 1 is reviewing" in refused.text
    assert "being reviewed by Nurse 1" in second.get("/queue").text
    assert second.post(f"/visits/{visit.id}/sign", **tied, level="medium").status_code == 409
    assert second.post(f"/visits/{visit.id}/claim", take_over="1").status_code == 303
    late = first.post(f"/visits/{visit.id}/sign", **tied, level="medium", step="sign")
    assert late.status_code == 409 and "do not hold" in late.text
    assert "visit.take-over" in actions(house, visit.id)
    assert second.post(f"/visits/{visit.id}/release").headers["location"] == "/queue"
    assert visit_of(house, visit.id).locked_by is None


def test_what_came_in_since_stops_the_signature_and_nothing_typed_is_lost(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store), Desk(client)
    tied = sheet(nurse.claim(visit.id))
    with house.store.act(SERVICE) as act:
        locked = lock_visit(act, visit.id)
        attach_draft(act, locked, read_draft(act, locked, act.session.get_one(Draft, locked.draft_id)), LABEL)
    late = nurse.post(f"/visits/{visit.id}/sign", **tied, level="medium", summary="My own words", step="sign")
    assert late.status_code == 409 and "Something new came in" in late.text
    assert "My own words" in late.text and "What you had written" not in late.text, "the same draft again: it fits"
    tied = sheet(late.text)
    allergic = History(patient=PatientLink(), allergies=("penicillin",)).model_dump_json()
    with house.store.act(SERVICE) as act:  # the record is no new version, and yet changes what was seen
        set_record(act, lock_visit(act, visit.id), allergic)
    late = nurse.post(f"/visits/{visit.id}/sign", **tied, level="medium", summary="My own words", step="sign")
    assert late.status_code == 409 and "What you had written" in late.text and "My own words" in late.text
    page = nurse.get(f"/visits/{visit.id}").text
    assert "in the record; the patient says there are none" in page
    forged = {**sheet(page), "seen": "0" * 64}
    assert nurse.post(f"/visits/{visit.id}/sign", **forged, level="medium", step="sign").status_code == 409
    assert nurse.post(f"/visits/{visit.id}/sign", **sheet(page), level="medium", step="sign").status_code == 303


def test_the_seen_mark_must_have_been_shown_to_this_person(room) -> None:
    house, client = room
    visit, first, second = make_reviewable(house.store), Desk(client), Desk(client, "nurse-2")
    tied = sheet(first.claim(visit.id))
    assert second.post(f"/visits/{visit.id}/claim", take_over="1").status_code == 303
    blindly = second.post(f"/visits/{visit.id}/sign", **tied, level="medium", step="sign")
    assert blindly.status_code == 409, "the second nurse has not opened the chart"
    done = second.post(f"/visits/{visit.id}/sign", **sheet(blindly.text), level="medium", step="sign")
    assert done.status_code == 303


def test_undo_and_correction(room) -> None:
    house, client = room
    visit, nurse, other = make_reviewable(house.store), Desk(client), Desk(client, "nurse-2")
    tied = sheet(nurse.claim(visit.id))
    assert nurse.post(f"/visits/{visit.id}/sign", **tied, level="medium", note="first").status_code == 303
    assert "Undo" in nurse.get(f"/visits/{visit.id}").text and "Undo" not in other.get("/queue").text
    assert other.post(f"/visits/{visit.id}/undo").status_code == 409
    assert nurse.post(f"/visits/{visit.id}/undo").status_code == 303
    page = nurse.get(f"/visits/{visit.id}").text
    assert nurse.post(f"/visits/{visit.id}/sign", **sheet(page), level="medium").status_code == 303
    first = signed_of(house, visit.id)[0]
    house.store.clock.pass_by(seconds=31)
    assert nurse.post(f"/visits/{visit.id}/undo").status_code == 409
    assert "Correct it" in other.get(f"/visits/{visit.id}").text
    assert other.post(f"/visits/{visit.id}/reopen").status_code == 303
    page = other.get(f"/visits/{visit.id}").text
    assert "A correction of what Nurse 1 signed" in page
    done = other.post(
        f"/visits/{visit.id}/sign", **sheet(page), level="high", reason="seen in person", summary="Worse by now."
    )
    assert done.status_code == 303
    review, signed = signed_of(house, visit.id)
    assert review.corrects == signed.corrects == first.id and signed.final.summary == "Worse by now."
    with house.store.look(SERVICE) as act:
        assert len(list(act.session.scalars(select(Outgoing).where(Outgoing.state == "waiting")))) == 2


def test_a_correction_starts_from_the_level_as_signed(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store, draft=make_draft(acuity=Acuity.LOW)), Desk(client)
    tied = sheet(nurse.claim(visit.id))
    signed = {"level": "emergency", "reason": "seen in person"}
    assert nurse.post(f"/visits/{visit.id}/sign", **tied, **signed).status_code == 303
    house.store.clock.pass_by(seconds=31)
    assert nurse.post(f"/visits/{visit.id}/reopen").status_code == 303
    with house.store.look(NURSE) as look:
        assert look.session.get_one(Visit, visit.id).level == Acuity.EMERGENCY.rank, "so it stands in the queue"
    page = nurse.get(f"/visits/{visit.id}").text
    ticked = re.findall(r'name="level" value="(\w+)" required[^>]*checked', page)
    assert ticked == ["emergency"], "as signed, not as drafted"
    tied = sheet(page)
    lowered = nurse.post(f"/visits/{visit.id}/sign", **tied, level="low", summary="A word mended.")
    assert lowered.status_code == 422 and "Choose a reason" in lowered.text
    changes = nurse.post(f"/visits/{visit.id}/sign", **tied, level="emergency", step="check").text
    assert "Nothing: you sign the draft as it stands" in changes
    kept = nurse.post(f"/visits/{visit.id}/sign", **tied, level="emergency", summary="A word mended.")
    assert kept.status_code == 303 and signed_of(house, visit.id)[1].level is Acuity.EMERGENCY


def test_ask_measure_hand_over_escalate(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store), Desk(client)
    tied = sheet(nurse.claim(visit.id))
    assert nurse.post(f"/visits/{visit.id}/ask", version=tied["version"]).status_code == 422
    question = "Did you fall or hit your back?"
    asked = nurse.post(f"/visits/{visit.id}/ask", version=tied["version"], suggested=question)
    assert asked.status_code == 303 and visit_of(house, visit.id).state == "asked"
    assert "asked, no answer yet" in nurse.get(f"/visits/{visit.id}").text
    wrong = nurse.post(f"/visits/{visit.id}/facts", spo2="320")
    assert wrong.status_code == 422 and "from 40 to 100" in wrong.text
    assert nurse.post(f"/visits/{visit.id}/facts", spo2="82", consciousness="confused").status_code == 303
    assert visit_of(house, visit.id).level == Acuity.EMERGENCY.rank, "the rules run at once"
    page = nurse.get(f"/visits/{visit.id}").text
    assert "82 %" in page and "low" in page and "A new draft is on its way" in page and "NEWS2" in page
    to_nurse = nurse.post(f"/visits/{visit.id}/assign", to="nurse-2", escalate="1", note="please look")
    assert to_nurse.status_code == 422 and "physician" in to_nurse.text
    assert nurse.post(f"/visits/{visit.id}/assign", to="physician-1", escalate="1").status_code == 422, "says why"
    given = nurse.post(f"/visits/{visit.id}/assign", to="physician-1", escalate="1", note="Low oxygen, please come")
    assert given.headers["location"] == "/queue"
    physician = Desk(client, "physician-1")
    assert "escalated 12:00" in physician.get("/queue?whose=mine").text
    assert visit.id not in physician.get("/queue?whose=unassigned").text
    assert visit.id not in nurse.get("/queue?whose=mine").text
    assert "Low oxygen, please come" in physician.get(f"/visits/{visit.id}").text


def test_what_a_nurse_was_told_is_read_by_the_rules(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store), Desk(client)
    told = nurse.post(f"/visits/{visit.id}/facts", words="He has crushing chest pain and is sweating")
    assert told.status_code == 303 and visit_of(house, visit.id).level == Acuity.EMERGENCY.rank


def test_a_patient_who_stopped_answering_is_taken_over(room) -> None:
    house, client = room
    from prescreen.store.visits import alert, open_visit, tell

    with house.store.act(SERVICE) as act:
        visit = open_visit(act, team="clinic", language="en", channel="phone")
        tell(act, visit.id, before=None, interview="{}", said="x", case=make_case(complaint="crushing chest pain"))
        alert(act, lock_visit(act, visit.id), ["chest-pain-crushing"], Acuity.EMERGENCY)
    nurse = Desk(client)
    assert "still answering" in nurse.get("/queue").text
    assert nurse.post(f"/visits/{visit.id}/claim", end_intake="1").status_code == 303
    page = nurse.get(f"/visits/{visit.id}").text
    assert "had not finished the questions" in page and "No draft yet" in page
    assert "cannot be read by this version" in page, "nothing is taken for asked"
    done = nurse.post(f"/visits/{visit.id}/sign", **sheet(page), level="emergency", reason="seen in person")
    assert done.status_code == 303


def test_invitation_and_hand_over_notes(room) -> None:
    house, client = room
    nurse = Desk(client)
    made = nurse.post("/invitations", family="Stone", given="Iris", birth_date="1990-02-01", language="en")
    assert made.status_code == 200 and "data:image/svg+xml" in made.text
    code = made.text.split("/i/", 1)[1].split("<", 1)[0]
    with house.store.look(SERVICE) as act:
        invited = act.session.scalars(select(Pass)).one()
        assert invited.look == act.keys.look("pass", code).hex() and invited.kind == "invite"
    assert nurse.post("/invitations", language="en", birth_date="tomorrow").status_code == 422
    assert nurse.post("/invitations", language="en", reference="../../x").status_code == 422
    assert nurse.post("/invitations", language="xx").status_code == 422
    make_reviewable(house.store)
    assert nurse.post("/handover", team="clinic", body="Bell waits for a call back").status_code == 303
    page = Desk(client, "nurse-2").get("/handover").text
    assert "Bell waits for a call back" in page and "Nurse 1" in page and "Bell, Anna" in page
    assert nurse.post("/handover", team="clinic", body=" ").status_code == 422
    assert nurse.post("/handover", team="another", body="x").status_code == 422


def test_nobody_else_sees_or_does_anything(room) -> None:
    house, client = room
    visit = make_reviewable(house.store)
    elsewhere = make_reviewable(house.store, team="harbour", link=PatientLink(family="Secret"))
    with house.store.act(SERVICE) as act:
        act.session.add(
            User(id="auditor-1", login="a", name="A", role="auditor", teams=["clinic"], created=act.now)
        )
    ways = ["claim", "release", "level", "blind", "sign", "undo", "ask", "assign", "facts", "reopen"]
    auditor, pages = Desk(client, "auditor-1"), ("/queue", "/queue/rows", "/handover", f"/visits/{visit.id}")
    assert {auditor.get(path).status_code for path in (*pages, f"/visits/{visit.id}/print")} == {403}
    assert {auditor.post(f"/visits/{visit.id}/{way}").status_code for way in ways} == {403}
    assert {client.get(path, follow_redirects=False).status_code for path in pages} == {401}
    assert {client.post(f"/visits/{visit.id}/{way}").status_code for way in ways} == {401}
    nurse = Desk(client)
    assert "Secret" not in nurse.get("/queue").text
    for place in (elsewhere.id, "0" * 32):
        assert nurse.get(f"/visits/{place}").status_code == 404
        assert {nurse.post(f"/visits/{place}/{way}", level="high").status_code for way in ways} == {404}
    before = visit_of(house, visit.id).version
    for way in ways:
        for token in (nurse.csrf[:-1], "", "é"):
            bare = client.post(f"/visits/{visit.id}/{way}", data={"csrf": token}, headers=nurse.headers)
            assert bare.status_code == 403
    assert visit_of(house, visit.id).version == before and visit_of(house, visit.id).locked_by is None


def test_print_is_a_draft_until_signed(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store), Desk(client)
    assert "DRAFT, NOT SIGNED" in nurse.get(f"/visits/{visit.id}/print").text
    tied = sheet(nurse.claim(visit.id))
    assert nurse.post(f"/visits/{visit.id}/sign", **tied, level="medium").status_code == 303
    paper = nurse.get(f"/visits/{visit.id}/print").text
    assert "Signed by Nurse 1, nurse" in paper and "NOT SIGNED" not in paper and tied["seen"][:16] in paper
    assert actions(house, visit.id).count("visit.print") == 2


def test_a_long_talk_is_shown_whole(room) -> None:
    house, client = room
    turns = tuple(Turn(speaker="patient", text=f"{number} " + "word " * 400) for number in range(12))
    visit = make_reviewable(house.store, make_case(turns=turns))
    page = Desk(client).get(f"/visits/{visit.id}").text
    assert all(turn.text.strip() in page for turn in turns)


def test_the_count_tells_of_those_beyond_the_list(room, monkeypatch) -> None:
    house, client = room
    monkeypatch.setattr("prescreen.service.nurse.queue_pages.LISTED", 2)
    for _ in range(3):
        make_reviewable(house.store)
    page = Desk(client).get("/queue/rows").text
    assert "<strong>3</strong> wait" in page and "1 more stand behind them" in page and page.count("<li") == 2


def test_a_destroyed_patient_leaves_a_line_and_no_fault(room) -> None:
    house, client = room
    visit = make_reviewable(house.store)
    with house.store.act(SERVICE) as act:
        act.session.get_one(Patient, visit.patient_id).sealed_key = None
    assert "data destroyed" in Desk(client).get("/queue").text
    assert Desk(client).get(f"/visits/{visit.id}").status_code == 409
