"""A house of its own for each test, and a phone at its door."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from prescreen.service.house import House
from service.front import make_house, make_phone


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = make_house(tmp_path)
    yield house
    house.store.close()


@pytest.fixture
def phone(house: House) -> Iterator[TestClient]:
    with make_phone(house) as client:
        yield client
