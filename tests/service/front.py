"""A running house for tests: store in a folder, the whole application, a client that asks it."""

from pathlib import Path

from fastapi.testclient import TestClient

from prescreen.service.app import make_app
from prescreen.service.house import House
from prescreen.service.settings import Settings
from store.desk import make_store


def make_settings(**changes: object) -> Settings:
    values: dict[str, object] = {
        "clinic": {"name": "Harbour Clinic", "emergency_number": "112", "languages": ["en"]},
        "web": {"hosts": ["localhost", "127.0.0.1", "testserver"], "base_url": "https://testserver"},
    }
    return Settings.model_validate({**values, **changes})


def make_house(folder: Path, **changes: object) -> House:
    return House(make_settings(**changes), make_store(folder), why="no model in this test")


def make_client(house: House, *routers: object) -> TestClient:
    return TestClient(make_app(house, routers, works=False), base_url="https://testserver")  # type: ignore[arg-type]
