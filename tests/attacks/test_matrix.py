"""Every route as every role, and every id as everybody it is not meant for."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from attacks.citadel import FORMS, PEOPLE, TOKEN, Browser, Citadel, Route, fill, routes, unsafe
from attacks.interview import walk
from prescreen.service.door.roles import roles_of
from prescreen.store.accounts import disable_user
from prescreen.store.base import Who
from prescreen.store.people import AuditLine, User
from prescreen.store.tables import Visit

TEST = Who("test", "service")
ENDS = {"sign-out", "patient-leave"}
OUTSIDERS = ("stranger", "far-physician", "teamless")


class Room(NamedTuple):
    """A citadel with a waiting visit of team clinic and one that has only begun."""

    citadel: Citadel
    waiting: Browser
    visit: str
    begun: Browser


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    citadel = Citadel(tmp_path_factory.mktemp("citadel"))
    waiting = citadel.patient()
    walk(waiting)
    citadel.work()
    begun = citadel.patient()
    with citadel.store.look(TEST) as act:
        visit = act.session.scalars(select(Visit.id).where(Visit.state == "waiting")).one()
    yield Room(citadel, waiting, visit, begun)
    citadel.close()


def is_away(answer: Any) -> bool:
    """Turned away: by status, or to a door."""
    where = answer.headers.get("location", "")
    return (
        answer.status_code in (401, 403)
        or where.startswith(("/sign-in?next=", "/sign-in?why=ended", "/?why=ended"))
        or where == "/sign-in"
    )


def ask(browser: Browser, route: Route, path: str, token: str) -> Any:
    if route.method == "GET":
        return browser.get(path)
    return browser.post(path, csrf=token, method=route.method)


def everybody(room: Room) -> dict[str, tuple[str, Callable[[], Browser]]]:
    """Who asks: a name, the role the table knows them by ("" for nobody), a browser."""
    citadel = room.citadel

    def expired() -> Browser:
        browser = citadel.staff("nurse")
        citadel.clock.pass_by(minutes=16)
        return browser

    def disabled() -> Browser:
        browser = citadel.staff("leaver")
        with citadel.store.act(Who(citadel.ids["admin"], "admin")) as act:
            disable_user(act, citadel.ids["leaver"])
        return browser

    roles = {login: role for login, role, _ in PEOPLE}
    staff = {
        login: (roles[login], lambda login=login: citadel.staff(login))  # type: ignore[misc]
        for login in ("nurse", "stranger", "physician", "admin", "auditor")
    }
    forged = "Bearer " + "u" * 40
    return {
        "expired": ("", expired),
        "disabled": ("", disabled),
        "nobody": ("", citadel.browser),
        "forged token": ("", lambda: citadel.browser(authorization=forged)),
        "unfinished": ("unfinished", lambda: citadel.staff("novice")),
        "patient": ("patient", citadel.patient),
        "program": ("service", lambda: citadel.browser(authorization=f"Bearer {TOKEN}")),
        "hooks": ("hooks", lambda: citadel.browser()),
        **staff,
    }


def test_every_route_as_every_role(room: Room) -> None:
    wrong, count = [], 0
    for who, (role, make) in everybody(room).items():
        held = make()
        for route in routes(room.citadel.app):
            browser = make() if route.name in ENDS and role not in ("", "hooks") else held
            path, allowed = fill(route, room.visit), roles_of(route.name)
            public = "anyone" in allowed
            token = browser.public() if public and route.method != "GET" else browser.csrf
            if role == "hooks":
                browser.client.headers["authorization"] = f"Bearer {room.citadel.hook(path)}"
            answer, count = ask(browser, route, path, token), count + 1
            may = public or role in allowed
            if role == "physician" and route.name.startswith("fhir-"):
                may = route.method == "GET"  # the handler's own rule: people read the record, programs write it
            if role == "unfinished":
                may = route.name in ("account", "account-password", "account-totp", "sign-out") or public
                if answer.headers.get("location") == "/account":
                    continue  # sent to finish the account first
            if route.name == "sign-in-post":
                right = answer.status_code in (401, 429)
            elif may:
                hides = who == "stranger" and "{visit_id}" in route.path and route.name != "glass-post"
                hides = hides and route.name != "glass"
                off = route.name.startswith(("oidc", "launch"))  # this clinic has neither
                found = answer.status_code != 404 or off
                right = not is_away(answer) and answer.status_code < 500 and (not hides or not found)
                right = right and (hides or found or route.name == "fhir-read")
            else:
                right = is_away(answer)
            if not right:
                wrong.append((who, route.name, route.method, answer.status_code, answer.headers.get("location")))
    assert wrong == []
    assert count > 700


def test_every_unsafe_route_has_its_form_in_the_table(room: Room) -> None:
    assert {route.name for route in unsafe(room.citadel.app)} == set(FORMS)


@pytest.mark.parametrize("login", OUTSIDERS)
def test_no_route_opens_or_touches_a_visit_of_another_team(room: Room, login: str) -> None:
    browser = room.citadel.staff(login)
    tried = 0
    for route in routes(room.citadel.app):
        if "{visit_id}" not in route.path or route.name in ("glass", "glass-post", "audit-visit"):
            continue  # breaking the glass is the way in on purpose, with a reason and a fresh proof
        before = room.citadel.digest()
        fields = {"reason": "I only want to look", "version": "4", "level": "low", "to": room.citadel.ids[login]}
        path = fill(route, room.visit)
        answer = browser.get(path) if route.method == "GET" else browser.post(path, **fields)
        assert answer.status_code == 404, route
        assert "Given" not in answer.text and "throat" not in answer.text
        assert room.citadel.digest() == before, route
        tried += 1
    assert tried >= 12


def test_a_refused_visit_leaves_a_line_and_a_strange_id_finds_nothing(room: Room) -> None:
    browser = room.citadel.staff("teamless")
    who = room.citadel.ids["teamless"]
    query = select(AuditLine).where(AuditLine.actor == who, AuditLine.action == "visit.refused")

    def count() -> int:
        with room.citadel.store.look(TEST) as act:
            return len(act.session.scalars(query).all())

    before = count()
    assert browser.get(f"/visits/{room.visit}").status_code == 404
    assert browser.post(f"/visits/{room.visit}/claim").status_code == 404
    assert count() == before + 2
    for strange in ("0" * 32, room.visit.upper(), room.visit + "0", "%00", "..%2f" + room.visit, "%27or%201=1--"):
        for tail in ("", "/print"):
            assert browser.get(f"/visits/{strange}{tail}").status_code == 404, strange


def test_ids_in_forms_reach_nobody_elses_things(room: Room) -> None:
    citadel = room.citadel
    nurse, admin = citadel.staff("nurse"), citadel.staff("admin")
    with citadel.store.act(TEST) as act:
        act.session.get_one(User, citadel.ids["leaver"]).disabled = True
    assert nurse.post(f"/visits/{room.visit}/claim").status_code == 303
    for to in (*(citadel.ids[login] for login in ("stranger", "admin", "leaver", "auditor")), "0" * 32, "'", "\0"):
        assert nurse.post(f"/visits/{room.visit}/assign", to=to).status_code == 422, to
    before = citadel.digest()
    for team in ("harbour", "clinic,harbour", "%"):
        assert nurse.post("/handover", team=team, body="x").status_code == 422
        assert nurse.post("/invitations", team=team, language="en").status_code == 422
    assert admin.post("/admin/people/change", user=citadel.ids["admin"], what="reset").status_code == 422
    assert admin.post("/admin/people/change", user=citadel.ids["admin"], what="disable").status_code == 422
    for user in ("0" * 32, "' OR 1=1 --", "\0", "x" * 9000):
        assert admin.post("/admin/people/change", user=user, what="disable").status_code == 422
    assert admin.post("/admin/record/again", row="0" * 32).status_code in (303, 409)
    auditor = citadel.staff("auditor")
    assert auditor.post("/audit/glass", grant="0" * 32, verdict="fits").status_code == 409
    assert citadel.digest() == before


def test_a_patients_marks_and_codes_open_no_other_visit(room: Room) -> None:
    citadel, other = room.citadel, room.citadel.patient()
    page = other.get("/p/step").text
    mark = page.split('name="mark" value="')[1].split('"')[0]
    before = citadel.digest()
    about = {"mark": mark, "step": "about", "who": "self", "age": "45", "age_unit": "years", "sex": "male"}
    assert room.begun.post("/p/answer", **{**about, "mark": "0" * 16}).status_code == 303
    assert room.begun.post("/p/change", mark=mark, step="about", visit_id=room.visit).status_code == 303
    assert (
        room.begun.post("/p/answer", mark=mark, step="review", confirm="yes", visit=room.visit).status_code == 303
    )
    assert room.begun.post("/p/reply", answer="for another", visit_id=room.visit).status_code == 409
    assert citadel.digest() == before
    with citadel.store.look(TEST) as act:
        assert act.session.get_one(User, citadel.ids["nurse"]).role == "nurse"


def test_a_member_without_a_team_gets_a_sentence(room: Room) -> None:
    browser = room.citadel.staff("teamless")
    for route in routes(room.citadel.app):
        if route.name in ("queue", "queue-rows", "handover", "visit-invite", "handover-post"):
            path = fill(route, room.visit)
            answer = browser.get(path) if route.method == "GET" else browser.post(path, language="en", body="x")
            assert answer.status_code < 500, route


def test_a_physician_reads_no_record_of_another_team(room: Room) -> None:
    """Whoever is outside the team breaks the glass; the embedded record must be no way around it."""
    far = room.citadel.staff("far-physician")
    assert far.get(f"/visits/{room.visit}").status_code == 404
    assert far.get("/fhir/Patient").status_code in (401, 403, 404)
