"""A running house for tests: store in a folder, the whole application, a client that asks it."""

import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.testclient import TestClient

from prescreen.service.app import make_app
from prescreen.service.door.identity import Doors
from prescreen.service.door.identity_settings import IdentitySettings
from prescreen.service.house import House
from prescreen.service.patient import entry as patient_door
from prescreen.service.patient import pages as patient_pages
from prescreen.service.settings import Settings
from prescreen.store.accounts import add_user
from prescreen.store.base import Who
from prescreen.store.people import User
from prescreen.store.sessions import STAFF, begin
from store.desk import make_store


def make_settings(**changes: object) -> Settings:
    values: dict[str, object] = {
        "clinic": {"name": "Harbour Clinic", "emergency_number": "112", "languages": ["en", "es", "ar", "de"]},
        "web": {"hosts": ["localhost", "127.0.0.1", "testserver"], "base_url": "https://testserver"},
    }
    return Settings.model_validate({**values, **changes})


def make_house(folder: Path, **changes: object) -> House:
    return House(make_settings(**changes), make_store(folder), why="no model in this test")


def add_staff(house: House, *people: Who) -> None:
    """Accounts of these people, with their own ids and ready to sign in."""
    with house.store.act(Who("front", "service")) as act:
        for who in people:
            made = add_user(act, who.id, name=who.id, role=who.role, teams=["clinic"])
            made.user.id, made.user.must_change = who.id, False


def make_client(house: House, *routers: APIRouter, **doors: object) -> TestClient:
    app = make_app(house, Doors(IdentitySettings(totp_for=()), **doors), routers, works=False)  # type: ignore[arg-type]
    return TestClient(app, base_url="https://testserver", follow_redirects=True)


def make_phone(house: House) -> TestClient:
    """A patient's phone."""
    return make_client(house, patient_door.make_router(), patient_pages.make_router())


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]


def sign_in(client: TestClient, house: House, who: Who) -> str:
    """Put a live session of this person into the client; returns its form token."""
    with house.store.act(who) as act:
        user = act.session.get_one(User, who.id)
        begun = begin(act, STAFF, user=user)
    client.cookies.set("__Host-staff", begun.token, domain="testserver.local", path="/")  # the service may renew it
    client.headers["accept"] = "text/html"
    return begun.session.csrf
