"""Deciding first: nothing of the draft reaches the page before the choice, and the choice is kept on this side."""

from pathlib import Path

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.errors import RefusedError
from prescreen.store.charts import open_chart, read_chart
from prescreen.store.reviewing import begin_review, decide_first, sign_chart
from prescreen.store.reviews import read_signed
from prescreen.store.tables import Review, Visit
from prescreen.store.visits import lock_visit, read_entries
from service.ward import Desk, hidden, make_case, make_draft, make_reviewable, make_room, sheet
from store.desk import MINUTE, NURSE, SERVICE

DRAFTED = (
    "without signs of nerve trouble",
    "Mechanical onset",
    "muscle strain",
    "slipped disc",
    "Offer advice",
    "Did you fall",
    "burning up",
    "twin",
    "moderate: other",
    '<mark class="finding"',
)


@pytest.fixture
def room(tmp_path: Path):
    house, client = make_room(tmp_path)
    with client:
        yield house, client
    house.store.close()


def test_the_draft_is_nowhere_before_the_choice(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store, draft=make_draft(), blind=True), Desk(client)
    pages = [nurse.get(path).text for path in ("/queue", "/queue/rows", "/handover", f"/visits/{visit.id}/print")]
    pages += [nurse.get(f"/visits/{visit.id}").text, nurse.claim(visit.id)]
    for page in pages:
        assert [words for words in DRAFTED if words in page] == []
        assert 'class="level medium"' not in page
    assert "Decide first" in pages[0] and "Decide first" in pages[-1]
    assert 'id="sign"' not in pages[-1] and "checked" not in pages[-1].split("bar-sign")[1].split("keys")[0]
    for step in ("sign", "check"):
        early = nurse.post(f"/visits/{visit.id}/sign", version=hidden(pages[-1], "version"), level="low", step=step)
        assert early.status_code in (409, 422) and [words for words in DRAFTED if words in early.text] == []


def test_the_choice_is_kept_once_and_uncovers_the_draft_to_this_nurse_alone(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store, blind=True), Desk(client)
    version = hidden(nurse.claim(visit.id), "version")
    assert nurse.post(f"/visits/{visit.id}/blind", version=version).status_code == 422
    assert nurse.post(f"/visits/{visit.id}/blind", version=version, level="low").status_code == 303
    assert nurse.post(f"/visits/{visit.id}/blind", version=version, level="high").status_code == 409
    page = nurse.get(f"/visits/{visit.id}").text
    assert [words for words in DRAFTED if words not in page] == []
    assert "You chose" in page and "checked" not in page.split("bar-sign")[1].split("keys")[0], (
        "never ticked for one"
    )
    other = Desk(client, "nurse-2").get(f"/visits/{visit.id}").text
    assert [words for words in DRAFTED if words in other] == []
    assert nurse.post(f"/visits/{visit.id}/sign", **sheet(page), step="sign").status_code == 422, "choose a level"
    page = nurse.get(f"/visits/{visit.id}").text
    forged = {**sheet(page), "blind_level": "emergency", "blind": "emergency"}
    assert nurse.post(f"/visits/{visit.id}/sign", **forged, level="medium", step="sign").status_code == 303
    with house.store.look(SERVICE) as act:
        review = act.session.query(Review).one()
        assert (review.level, review.blind_level) == (Acuity.MEDIUM.rank, Acuity.LOW.rank)
        assert read_signed(act, review).model is not None


def test_a_higher_choice_counts_at_once_and_a_lower_one_lowers_nothing(room) -> None:
    house, client = room
    nurse = Desk(client)
    for level, after in (("emergency", 3), ("low", 1)):
        visit = make_reviewable(house.store, blind=True)
        version = hidden(nurse.claim(visit.id), "version")
        assert nurse.post(f"/visits/{visit.id}/blind", version=version, level=level).status_code == 303
        with house.store.look(SERVICE) as act:
            kept = act.session.get_one(Visit, visit.id)
            assert kept.level == after and [body for _, body in read_entries(act, kept, "blind")] == [level]


def test_an_emergency_is_never_hidden(room) -> None:
    house, client = room
    visit = make_reviewable(house.store, draft=make_draft(acuity=Acuity.EMERGENCY), blind=True)
    nurse = Desk(client)
    for page in (nurse.get("/queue").text, nurse.claim(visit.id)):
        assert 'class="level emergency"' in page and "muscle strain" not in page
    ruled = make_reviewable(house.store, make_case(complaint="crushing chest pain and I am sweating"), blind=True)
    assert "Emergency" in nurse.claim(ruled.id) and "Chest pain" in nurse.get("/queue").text


def test_only_drawn_visits_are_decided_first(room) -> None:
    house, client = room
    visit, nurse = make_reviewable(house.store), Desk(client)
    version = hidden(nurse.claim(visit.id), "version")
    assert nurse.post(f"/visits/{visit.id}/blind", version=version, level="low").status_code == 422
    rules = make_reviewable(house.store, blind=True, label=None)
    assert "Drafted by rules only" in nurse.claim(rules.id), "there is nothing to be swayed by"


def test_the_store_itself_signs_nothing_before_the_choice_and_counts_from_the_claim(room) -> None:
    house, _ = room
    visit = make_reviewable(house.store, blind=True)
    with house.store.act(NURSE) as act:
        begin_review(act, visit.id)
    house.store.clock.pass_by(seconds=25)

    def sign(act) -> Review:
        chart = read_chart(act, lock_visit(act, visit.id))
        final = finalise(make_case(), make_draft())
        told = {"version": chart.visit.version, "final": final, "reason": "seen in person", "note": ""}
        return sign_chart(act, chart, **told, channels=[], undo_for=MINUTE)

    with house.store.act(NURSE) as act:
        open_chart(act, visit.id)
    with pytest.raises(RefusedError, match="choose a level"), house.store.act(NURSE) as act:
        sign(act)
    with house.store.act(NURSE) as act:
        decide_first(act, visit.id, visit.version, Acuity.MEDIUM)
        open_chart(act, visit.id)
    house.store.clock.pass_by(seconds=15)
    with house.store.act(NURSE) as act:
        assert sign(act).seconds == 40.0
