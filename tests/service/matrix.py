"""Every route times every role, on any app: what the table allows is let through, all else is turned away."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from prescreen.service.door.roles import ROUTES, roles_of


class Cell(NamedTuple):
    """One request of one role to one route, and what came back."""

    route: str
    method: str
    role: str
    allowed: bool
    status: int
    where: str

    @property
    def is_right(self) -> bool:
        """Turned away is 401, 403 or a way to the door; let through is anything but these and a fault of ours."""
        door = self.where == "/sign-in" or self.where.startswith("/sign-in?next=") or "why=ended" in self.where
        at_door = self.status == 303 and door
        away = self.status in (401, 403) or at_door
        return (not away and self.status < 500) if self.allowed else away


Browsers = Mapping[str, Callable[[], tuple[TestClient, str]]]  # role -> a signed-in browser and its form token


def walk_matrix(
    app: FastAPI,
    browsers: Browsers,
    values: Mapping[str, str],
    table: Mapping[str, frozenset[str]] = ROUTES,
    skip: frozenset[str] = frozenset({"sign-out", "patient-leave"}),
) -> Iterator[Cell]:
    """Ask for every route as every role. `values` fills the paths, e.g. {"visit_id": "..."}; a route with a path
    that is not filled fails loudly. Routes in `skip` end a session and are asked with a browser of their own.
    """
    held = {role: make() for role, make in browsers.items()}
    for route in iter_route_contexts(app.routes):
        name = route.name or ""
        if route.methods is None:
            continue
        path = str(route.path).format(**values)
        allowed = roles_of(name, table)
        for role, make in browsers.items():
            browser, csrf = make() if name in skip else held[role]
            for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
                answer = _ask(browser, method, path, csrf)
                is_allowed = "anyone" in allowed or role in allowed
                where = answer.headers.get("location", "")
                yield Cell(name, method, role, is_allowed, answer.status_code, where)


def _ask(browser: TestClient, method: str, path: str, csrf: str) -> Any:
    if method == "GET":
        return browser.get(path)
    return browser.request(method, path, headers={"X-CSRF-Token": csrf})


def unsafe_routes(app: FastAPI) -> list[tuple[str, str, str]]:
    """Name, method and path of every route that changes something."""
    return [
        (route.name or "", method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in sorted((route.methods or set()) - {"GET", "HEAD", "OPTIONS"})
    ]
