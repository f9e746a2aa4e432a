"""A tiny service behind the real guard: every route of the table, a page for each, people to try them."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from starlette.responses import HTMLResponse, Response

import prescreen.service
from prescreen.service.door import account_pages, sign_in
from prescreen.service.door.access import OpenVisit
from prescreen.service.door.identity import Doors, guard
from prescreen.service.door.identity_settings import IdentitySettings
from prescreen.service.door.roles import ROUTES
from prescreen.store.accounts import add_user
from prescreen.store.base import Store, Who
from prescreen.store.passwords import hash_password
from prescreen.store.sessions import PATIENT, STAFF, begin
from store.desk import make_store

CONSOLE = Who("console", "admin")
PASSWORD = "rain over the harbour"
BASE = "<!doctype html><html lang=en><title>{% block title %}{% endblock %}</title>{% block main %}{% endblock %}"
HASH: list[str] = []


class House:
    """What pages need of the service: the store, and a way to render."""

    def __init__(self, store: Store) -> None:
        self.store = store
        own = jinja2.FileSystemLoader(Path(prescreen.service.__file__).parent / "templates")
        self.pages = jinja2.Environment(
            loader=jinja2.ChoiceLoader([jinja2.DictLoader({"base.html": BASE}), own]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )

    def render(self, request: Request, name: str, **values: Any) -> Response:
        known = {"url_for": request.url_for, "clinic": {"name": "Harbour Clinic"}}
        return HTMLResponse(self.pages.get_template(name).render(**known, **values))


class Desk(NamedTuple):
    """The tiny service with its store and clock."""

    app: FastAPI
    store: Store
    doors: Doors

    def browser(self, **more: Any) -> TestClient:
        """A browser of its own; it follows no redirect, so that each is looked at."""
        return TestClient(
            self.app,
            base_url="https://testserver",
            follow_redirects=False,
            headers={"accept": "text/html"},
            raise_server_exceptions=True,
            **more,
        )

    def pass_by(self, **amount: float) -> None:
        self.store.clock.pass_by(**amount)  # type: ignore[attr-defined]

    @property
    def now(self) -> datetime.datetime:
        return self.store.clock()


def make_app(
    folder: Path,
    settings: IdentitySettings | None = None,
    table: Mapping[str, frozenset[str]] = ROUTES,
    **doors: Any,
) -> Desk:
    """All routes of the table; those with a visit in their path ask for it."""
    settings = settings or IdentitySettings(totp_for=())
    app = FastAPI(dependencies=[Depends(guard)], openapi_url=None)
    app.include_router(sign_in.make_router())
    app.include_router(account_pages.make_router())
    own = {"sign-in", "sign-in-post", "oidc-start", "oidc-back", "sign-out"}
    own |= {"account", "account-password", "account-totp"}
    for name in table:
        if name not in own and name != "static":
            _add_stand_in(app, name.replace("*", "read"))
    if "static" in table:
        app.mount("/static", Response("x"), name="static")
    store = make_store(folder)
    app.state.house, app.state.doors = House(store), Doors(settings, table=table, **doors)
    return Desk(app, store, app.state.doors)


def _add_stand_in(app: FastAPI, name: str) -> None:
    of_visit = name.startswith("visit")

    def page(request: Request) -> Response:
        return HTMLResponse(f"page {name}")

    def page_of_visit(opened: OpenVisit) -> Response:
        return HTMLResponse(f"page {name} {opened.how}")

    path = f"/{name}/{{visit_id}}" if of_visit else f"/{name}"
    app.add_api_route(path, page_of_visit if of_visit else page, methods=["GET", "POST"], name=name)


def add_person(
    desk: Desk, login: str, role: str, teams: tuple[str, ...] = ("clinic",), *, name: str = "Ana Lima"
) -> str:
    """A member of staff whose password is PASSWORD; returns the id."""
    if not HASH:
        HASH.append(hash_password(PASSWORD))
    with desk.store.act(CONSOLE) as act:
        user = add_user(act, login, name=name, role=role, teams=teams).user
        user.password, user.must_change = HASH[0], False
        return user.id


def sign_in_as(desk: Desk, login: str, *, password: str = PASSWORD, code: str = "") -> TestClient:
    """A browser that has signed in through the real door."""
    browser = desk.browser()
    answer = post_door(browser, login, password, code=code)
    assert answer.status_code == 303, answer.text
    return browser


def post_door(browser: TestClient, login: str, password: str, **more: str) -> Any:
    token = token_of(browser.get("/sign-in").text)
    return browser.post("/sign-in", data={"csrf": token, "login": login, "password": password, **more})


def token_of(page: str) -> str:
    """The form token of a page."""
    return page.split('name="csrf" value="')[1].split('"')[0]


def session_token(desk: Desk, browser: TestClient) -> str:
    """The form token of a browser's session, as its account page tells it."""
    return token_of(browser.get("/account").text)


def patient_browser(desk: Desk, visit_id: str) -> tuple[TestClient, str]:
    """A patient's browser on a visit, and its form token."""
    with desk.store.act(CONSOLE) as act:
        begun = begin(act, PATIENT, visit_id=visit_id)
    browser = desk.browser()
    browser.cookies.set("__Host-visit", begun.token, domain="testserver.local", path="/")
    return browser, begun.session.csrf


def staff_browser(desk: Desk, user_id: str) -> tuple[TestClient, str]:
    """A browser signed in without the door, and its form token."""
    from prescreen.store.people import User

    with desk.store.act(CONSOLE) as act:
        begun = begin(act, STAFF, user=act.session.get_one(User, user_id))
    browser = desk.browser()
    browser.cookies.set("__Host-staff", begun.token, domain="testserver.local", path="/")
    return browser, begun.session.csrf
