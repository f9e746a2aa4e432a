"""Who may do what: the table, the guard, the form token, cookies, time-outs, and whose visit it is."""

import datetime
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from prescreen.errors import GuardError
from prescreen.service.door.identity import guard, safe_next
from prescreen.service.door.identity_settings import IdentitySettings, OidcSettings, check_plain
from prescreen.service.door.roles import ANYONE, ROUTES, SIGNERS, check_routes
from prescreen.store.base import Who
from prescreen.store.glass import break_glass, look_at, read_grants
from prescreen.store.holding import assign
from prescreen.store.people import AuditLine, Session
from service.matrix import unsafe_routes, walk_matrix
from service.small_house import (
    CONSOLE,
    Desk,
    add_person,
    make_app,
    patient_browser,
    post_door,
    session_token,
    sign_in_as,
    staff_browser,
    token_of,
)
from store.desk import make_waiting

STAFF_ROLES = ("nurse", "physician", "admin", "auditor")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_app(tmp_path)


def lines_of(desk: Desk, action: str) -> list[AuditLine]:
    with desk.store.look(CONSOLE) as look:
        return list(look.session.scalars(select(AuditLine).where(AuditLine.action == action)))


def test_every_route_for_every_role(desk: Desk) -> None:
    visit = make_waiting(desk.store)
    people = {role: add_person(desk, role, role) for role in STAFF_ROLES}
    browsers = {role: (lambda user=user: staff_browser(desk, user)) for role, user in people.items()}
    browsers["patient"] = lambda: patient_browser(desk, visit.id)
    browsers["nobody"] = lambda: (desk.browser(), "")
    cells = list(walk_matrix(desk.app, browsers, {"visit_id": visit.id}))
    cells = [cell for cell in cells if not (cell.method == "POST" and ROUTES.get(cell.route) == ANYONE)]
    assert len({cell.route for cell in cells}) > 45
    assert [cell for cell in cells if not cell.is_right] == []
    let_in = {(cell.route, cell.role) for cell in cells if cell.allowed and cell.status == 200}
    assert ("visit-sign", "nurse") in let_in and ("audit", "auditor") in let_in and ("users", "admin") in let_in
    refused = {(cell.route, cell.role) for cell in cells if cell.status == 403}
    assert {("visit", "admin"), ("visit", "auditor"), ("users", "nurse"), ("audit", "physician")} <= refused


def test_the_table_fits_the_app(desk: Desk) -> None:
    assert len(check_routes(desk.app)) >= len(ROUTES)


def test_a_route_without_a_row_and_a_row_without_a_route_stop_the_start(desk: Desk) -> None:
    with pytest.raises(GuardError, match="row extra has no route"):
        check_routes(desk.app, {**ROUTES, "extra": SIGNERS})
    check_routes(desk.app, {**ROUTES, "extra-one": SIGNERS}, off=("extra-*",))
    desk.app.add_api_route("/forgotten", lambda: "x", name="forgotten")
    with pytest.raises(GuardError, match="route forgotten has no row"):
        check_routes(desk.app)
    assert desk.browser().get("/forgotten").status_code == 404


def test_an_unguarded_route_stops_the_start() -> None:
    app = FastAPI(openapi_url=None)
    app.add_api_route("/live", lambda: "x", name="live")
    with pytest.raises(GuardError, match="route live is not guarded"):
        check_routes(app, {"live": ANYONE})
    guarded = FastAPI(openapi_url=None, dependencies=[Depends(guard)])
    guarded.add_api_route("/live", lambda: "x", name="live")
    assert check_routes(guarded, {"live": ANYONE}) == ["live"]
    guarded.mount("/files", app, name="files")
    with pytest.raises(GuardError, match="mounted may be public only"):
        check_routes(guarded, {"live": ANYONE, "files": SIGNERS})


def test_every_unsafe_route_wants_the_token(desk: Desk) -> None:
    visit = make_waiting(desk.store)
    people = {role: add_person(desk, role, role) for role in STAFF_ROLES}
    asked = 0
    for name, method, path in unsafe_routes(desk.app):
        roles = ROUTES.get(name, frozenset({"service", "physician"}))
        if roles == frozenset({"hooks"}):
            continue  # a program's own token, no cookie: nothing a browser could be made to send
        role = next((role for role in STAFF_ROLES if role in roles), None)
        if role:
            browser, csrf = staff_browser(desk, people[role])
        else:
            browser, csrf = (desk.browser(), "") if roles == ANYONE else patient_browser(desk, visit.id)
        other = staff_browser(desk, people["nurse"])[1]
        for wrong in ({}, {"csrf": ""}, {"csrf": other}, {"csrf": csrf[:-1]}, {"csrf": "é"}):
            answer = browser.request(method, path.format(visit_id=visit.id), data=wrong)
            assert answer.status_code == 403, (name, wrong, answer.status_code)
        if csrf:
            cross = {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "cross-site"}
            assert browser.request(method, path.format(visit_id=visit.id), headers=cross).status_code == 403
        asked += 1
    assert asked > 40
    assert len(lines_of(desk, "csrf.refused")) > 40


def test_the_token_comes_in_the_form_or_the_header(desk: Desk) -> None:
    browser, csrf = staff_browser(desk, add_person(desk, "nina", "nurse"))
    assert browser.post("/handover-post", data={"csrf": csrf}).status_code == 200
    assert browser.post("/handover-post", files={"csrf": (None, csrf)}).status_code == 200
    assert browser.post("/handover-post", headers={"X-CSRF-Token": csrf}).status_code == 200
    assert browser.post("/handover-post", json={"csrf": csrf}).status_code == 403


def test_a_session_planted_before_the_sign_in_is_not_taken_over(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    browser = desk.browser()
    browser.cookies.set("__Host-staff", "planted", domain="testserver.local", path="/")
    assert post_door(browser, "nina", "rain over the harbour").status_code == 303
    thief = desk.browser()
    thief.cookies.set("__Host-staff", "planted", domain="testserver.local", path="/")
    assert thief.get("/queue").status_code == 303
    assert "__Host-staff" in str(browser.cookies)


def test_signing_in_again_ends_the_session_before(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    browser = sign_in_as(desk, "nina")
    old = desk.browser()
    old.cookies.update(browser.cookies)
    assert old.get("/queue").status_code == 200
    assert post_door(browser, "nina", "rain over the harbour").status_code == 303
    assert browser.get("/queue").status_code == 200
    assert old.get("/queue").status_code == 303


def test_cookies_are_bound_to_host_https_and_server(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    answer = post_door(desk.browser(), "nina", "rain over the harbour")
    for cookie in answer.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    token = next(part for part in answer.headers.get_list("set-cookie") if "-staff=" in part).split("=", 1)[1]
    with desk.store.look(CONSOLE) as look:
        kept = look.session.scalars(select(Session)).one()
    assert kept.id not in token and token.split(";")[0] not in str(vars(kept)) and len(token.split(";")[0]) == 43


def test_rest_and_age_end_a_session(desk: Desk) -> None:
    browser, _ = staff_browser(desk, add_person(desk, "nina", "nurse"))
    desk.pass_by(minutes=14, seconds=59)
    assert browser.get("/queue").status_code == 200
    desk.pass_by(minutes=14, seconds=59)
    assert browser.get("/queue").status_code == 200
    desk.pass_by(minutes=15)
    gone = browser.get("/queue?team=1")
    assert gone.status_code == 303
    assert gone.headers["location"] == "/sign-in?next=%2Fqueue%3Fteam%3D1&why=ended"
    assert [line.outcome for line in lines_of(desk, "session.time-out")] == ["done"]
    assert browser.get("/queue").status_code == 303, "a session that ended stays ended"
    assert len(lines_of(desk, "session.time-out")) == 1


def test_no_work_makes_a_session_last_beyond_the_day(desk: Desk) -> None:
    browser, _ = staff_browser(desk, add_person(desk, "nina", "nurse"))
    served = 0
    while served < 100 and browser.get("/queue").status_code == 200:
        served += 1
        desk.pass_by(minutes=10)
    assert served == 12 * 6


def test_a_list_that_renews_itself_keeps_no_session_alive(desk: Desk) -> None:
    browser, _ = staff_browser(desk, add_person(desk, "nina", "nurse"))
    answers = []
    for _ in range(18):
        answers.append(browser.get("/queue-rows", headers={"HX-Request": "true"}).status_code)
        desk.pass_by(minutes=1)
    assert answers == [200] * 15 + [401] * 3


def test_a_clock_that_went_back_revives_nothing(desk: Desk) -> None:
    browser, _ = staff_browser(desk, add_person(desk, "nina", "nurse"))
    desk.pass_by(minutes=-6)
    assert browser.get("/queue").status_code == 303
    desk.pass_by(minutes=6)
    assert browser.get("/queue").status_code == 303


def test_a_patient_rests_half_an_hour(desk: Desk) -> None:
    browser, _ = patient_browser(desk, make_waiting(desk.store).id)
    desk.pass_by(minutes=29)
    assert browser.get("/patient-step").status_code == 200
    desk.pass_by(minutes=30)
    gone = browser.get("/patient-step")
    assert (gone.status_code, gone.headers["location"]) == (303, "/start?why=ended")


def test_turned_away_as_a_page_a_piece_or_a_program(desk: Desk) -> None:
    browser = desk.browser()
    page = browser.get("/queue")
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Fqueue")
    piece = browser.get("/queue-rows", headers={"HX-Request": "true", "HX-Current-URL": "https://x/queue"})
    assert (piece.status_code, piece.headers["hx-redirect"]) == (401, "/sign-in?next=%2Fqueue")
    assert browser.get("/queue", headers={"accept": "application/json"}).status_code == 401
    assert browser.post("/visit-sign/0").status_code == 303
    fhir = browser.get("/fhir-read")
    assert fhir.status_code == 303
    hook = browser.post("/hooks-call", json={})
    assert (hook.status_code, hook.headers["www-authenticate"]) == (401, "Bearer")


def test_programs_come_by_their_own_token_and_only_where_they_may(tmp_path: Path) -> None:
    def read_bearer(request: object) -> Who | None:
        good = request.headers["authorization"] == "Bearer good"  # type: ignore[attr-defined]
        return Who("record", "service") if good else None

    desk = make_app(tmp_path, bearers={"service": read_bearer})
    program = desk.browser(cookies=None)
    good = {"Authorization": "Bearer good", "accept": "application/json"}
    assert program.get("/fhir-read", headers=good).status_code == 200
    assert program.post("/fhir-read", headers=good).status_code == 200
    assert program.get("/fhir-read", headers={**good, "Authorization": "Bearer bad"}).status_code == 401
    for path in ("/queue", "/hooks-call", "/audit", "/users", "/patient-step"):
        assert program.get(path, headers=good).status_code in (401, 303), path


@given(st.text(max_size=30))
def test_the_way_back_never_leads_out(told: str) -> None:
    where = safe_next(told)
    assert where == "" or (where.startswith("/") and not where.startswith(("//", "/\\")) and where.isprintable())


@pytest.mark.parametrize(
    "told",
    ["//evil.example", "///evil.example", "https://evil.example", "/\\evil.example", "\\\\evil",
     "javascript:alert(1)", "/a\r\nX: y", "/\t/evil.example", " //evil.example", "evil", "/%0d%0aX:y"],
)  # fmt: skip
def test_ways_out_are_known(desk: Desk, told: str) -> None:
    add_person(desk, "nina", "nurse")
    where = post_door(desk.browser(), "nina", "rain over the harbour", next=told).headers["location"]
    assert where == ("/queue" if told != "/%0d%0aX:y" else told)


def test_another_teams_visit_is_not_there(desk: Desk) -> None:
    visit = make_waiting(desk.store)
    stranger = add_person(desk, "sven", "nurse", ("north",))
    browser, _ = staff_browser(desk, stranger)
    refused = browser.get(f"/visit/{visit.id}")
    missing = browser.get(f"/visit/{'0' * 32}")
    assert refused.status_code == missing.status_code == 404
    assert refused.text == missing.text
    assert browser.get("/visit/' OR 1=1 --").status_code == 404
    assert [line.thing for line in lines_of(desk, "visit.refused")] == [visit.id, "0" * 32, ""]
    own, _ = staff_browser(desk, add_person(desk, "nina", "nurse"))
    assert own.get(f"/visit/{visit.id}").text == "page visit team"


def test_a_visit_given_to_somebody_opens_and_a_team_lost_closes(desk: Desk) -> None:
    visit = make_waiting(desk.store)
    doctor = add_person(desk, "doro", "physician")
    browser, _ = staff_browser(desk, doctor)
    with desk.store.act(Who("nurse-1", "nurse")) as act:
        assign(act, visit.id, doctor, escalate=True)
    from prescreen.store.accounts import change_user

    with desk.store.act(CONSOLE) as act:
        change_user(act, doctor, teams=["north"])
    assert browser.get(f"/visit/{visit.id}").status_code == 303, "fewer teams end the session"
    browser, _ = staff_browser(desk, doctor)
    assert browser.get(f"/visit/{visit.id}").text == "page visit assigned"


def test_a_patient_has_one_visit(desk: Desk) -> None:
    from prescreen.service.door.access import find_opened
    from prescreen.service.door.identity import Caller

    mine, other = make_waiting(desk.store), make_waiting(desk.store)
    caller = Caller(Who(mine.id, "patient"), visit_id=mine.id)
    assert find_opened(desk.store, caller, mine.id) == (mine.id, "own")
    assert find_opened(desk.store, caller, other.id) is None


def test_the_broken_glass_opens_one_visit_for_half_an_hour(desk: Desk) -> None:
    visit, other = make_waiting(desk.store), make_waiting(desk.store)
    stranger = add_person(desk, "sven", "nurse", ("north",))
    browser, _ = staff_browser(desk, stranger)
    with desk.store.act(Who(stranger, "nurse")) as act:
        grant = break_glass(act, visit.id, "covers for a colleague who fell ill", act.now)
    assert browser.get(f"/visit/{visit.id}").text == "page visit glass"
    assert browser.get(f"/visit/{other.id}").status_code == 404
    for _ in range(3):
        desk.pass_by(minutes=9, seconds=59)
        assert browser.get(f"/visit/{visit.id}").status_code == 200
    desk.pass_by(seconds=3)
    assert browser.get(f"/visit/{visit.id}").status_code == 404
    with desk.store.look(CONSOLE) as look:
        assert [item.reason for item in read_grants(look)] == ["covers for a colleague who fell ill"]
    auditor = add_person(desk, "uma", "auditor", ())
    with desk.store.act(Who(auditor, "auditor")) as act:
        look_at(act, grant.id, "fits")
    with desk.store.look(CONSOLE) as look:
        assert read_grants(look) == []


def test_a_disabled_person_is_out_at_once(desk: Desk) -> None:
    from prescreen.store.accounts import disable_user

    user = add_person(desk, "nina", "nurse")
    browser = sign_in_as(desk, "nina")
    with desk.store.act(CONSOLE) as act:
        disable_user(act, user)
    assert browser.get("/queue").status_code == 303
    assert post_door(desk.browser(), "nina", "rain over the harbour").status_code == 401


def test_signing_out_ends_the_session_on_the_server(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    browser = sign_in_as(desk, "nina")
    copy = desk.browser()
    copy.cookies.update(browser.cookies)
    out = browser.post("/sign-out", data={"csrf": session_token(desk, browser)})
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in?why=out")
    assert copy.get("/queue").status_code == 303
    assert len(lines_of(desk, "sign-out")) == 1


def test_plain_cookies_are_for_a_demo_on_loopback() -> None:
    plain = IdentitySettings(plain_http=True)
    check_plain(plain, "127.0.0.1", demo=True)
    check_plain(IdentitySettings(), "0.0.0.0", demo=False)
    for host, demo in (("0.0.0.0", True), ("127.0.0.1", False), ("triage.example", True)):
        with pytest.raises(GuardError, match="TLS"):
            check_plain(plain, host, demo=demo)


def test_a_plain_demo_works_without_https(tmp_path: Path) -> None:
    desk = make_app(tmp_path, IdentitySettings(totp_for=(), plain_http=True))
    add_person(desk, "nina", "nurse")
    browser = desk.browser()
    browser.base_url = "http://testserver"
    assert post_door(browser, "nina", "rain over the harbour").status_code == 303
    assert browser.get("/queue").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://idp.example"},
        {"base_url": "https://triage.example/"},
        {"issuer": "https://user@idp.example"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"roles": {"x": "patient"}},
        {"unknown": 1},
    ],
)
def test_settings_of_a_provider_are_strict(wrong: dict[str, object]) -> None:
    good = {"issuer": "https://idp.example/", "client_id": "c", "base_url": "https://triage.example", "roles": {}}
    OidcSettings.model_validate(good)
    with pytest.raises(ValueError, match="1 validation error"):
        OidcSettings.model_validate({**good, **wrong})


def test_a_form_token_belongs_to_one_browser(desk: Desk) -> None:
    one, two = desk.browser(), desk.browser()
    token = token_of(one.get("/sign-in").text)
    two.get("/sign-in")
    assert two.post("/sign-in", data={"csrf": token, "login": "x", "password": "y"}).status_code == 403
    assert one.post("/sign-in", data={"csrf": token, "login": "x", "password": "y"}).status_code == 401
    assert token_of(one.get("/sign-in").text) == token, "a second tab must not break the first"


def test_times_of_proof_are_recent(desk: Desk) -> None:
    from prescreen.store.glass import is_fresh

    now = desk.now
    assert is_fresh(now, now) and is_fresh(now - datetime.timedelta(minutes=5), now)
    for seconds in (301, -1):
        assert not is_fresh(now - datetime.timedelta(seconds=seconds), now)
    assert not is_fresh(None, now)
