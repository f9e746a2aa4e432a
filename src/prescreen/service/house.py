"""What every request and the worker share: settings, store, engine, ways to the record; how a page is rendered."""

import datetime
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from prescreen.clinic.signed import ModelLabel
from prescreen.ehr.channel import Channel
from prescreen.ehr.desk import FhirDesk
from prescreen.service.navigation import show_caller
from prescreen.service.settings import Settings
from prescreen.service.watch.spans import Spans
from prescreen.store.base import Store

if TYPE_CHECKING:
    from prescreen.monitor.shelf import Shelf
    from prescreen.service.engine.guarding import GuardedEngine
    from prescreen.service.watch.trial import Tried

TEMPLATES = Path(__file__).with_name("templates")


def make_environment() -> Environment:
    """Jinja with everything escaped; a name a page forgot to give is an error, not an empty string."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["language"] = name_language
    return made


@cache
def name_language(code: str) -> str:
    """A language as English calls it; its code where nobody knows it."""
    from babel.core import Locale, UnknownLocaleError

    try:
        return Locale.parse(code, sep="-").get_display_name("en") or code
    except (ValueError, UnknownLocaleError):
        return code


@dataclass
class House:
    """One running service. `engine` is None when the rules draft alone; `why` then says why, for people."""

    settings: Settings
    store: Store
    channels: dict[str, Channel] = field(default_factory=dict)
    engine: "GuardedEngine | None" = None
    label: ModelLabel | None = None
    why: str = ""
    try_model: Callable[[], None] | None = None  # opens an engine that was away
    desk: FhirDesk | None = None
    tried: "Tried | None" = None  # a candidate on trial beside the release
    notice: str = ""  # what the staff must know of releases
    shelf: "Shelf | None" = None  # the releases this service may draft by
    reload: Callable[[], bool] | None = None  # opens anew what changed in the folder of releases
    keep_rules: Callable[[], str] | None = None  # stops a release that breaks a rule
    swap: threading.Lock = field(default_factory=threading.Lock)
    opening: threading.Lock = field(default_factory=threading.Lock)  # one model is opened at a time
    pages: Environment = field(default_factory=make_environment)
    spans: Spans = field(default_factory=Spans)
    routes: frozenset[str] = frozenset()  # the templates of all pages, once there are any

    @property
    def undo_for(self) -> datetime.timedelta:
        """How long a signature can be taken back."""
        return datetime.timedelta(seconds=self.settings.review.undo_s)

    @property
    def draft_by(self) -> datetime.timedelta:
        """After how long the rules draft alone."""
        return datetime.timedelta(seconds=self.settings.review.draft_by_s)

    def serving(self) -> "tuple[GuardedEngine | None, ModelLabel | None]":
        """The engine and its own label, never one of each of two releases."""
        with self.swap:
            return self.engine, self.label

    def serve(self, engine: "GuardedEngine | None", label: ModelLabel | None, why: str) -> "GuardedEngine | None":
        """Let another engine draft from now on; the one before, for the caller to close."""
        with self.swap:
            old, self.engine, self.label, self.why = self.engine, engine, label, why
            return old

    def hold(self, why: str) -> None:
        """Let the rules draft alone until the service is started again or the release changes."""
        if (old := self.serve(None, None, why)) is not None:
            old.close()

    def close(self) -> None:
        """Let go of the engines, the traces and the database."""
        self.spans.close()
        if self.tried is not None:
            self.tried.engine.close()
        if self.engine is not None:
            self.engine.close()
        self.store.close()

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page. Templates find `clinic`, `demo`, `viewer` (who is signed in or None), `csrf`, `lang`, `dir`."""
        caller = request.state.caller if "caller" in request.state._state else None
        known = {
            "request": request,
            "url_for": request.url_for,
            "clinic": self.settings.clinic,
            "demo": self.settings.demo,
            "engine_note": self.why,
            "release_note": self.notice,
            "viewer": show_caller(caller),
            "csrf": caller.csrf if caller is not None else "",
            "lang": "en",
            "dir": "ltr",
        }
        return HTMLResponse(self.pages.get_template(template).render({**known, **values}), status)


def house_of(request: Request) -> House:
    """The house a request came to."""
    house: House = request.app.state.house
    return house
