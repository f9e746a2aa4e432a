"""What every request and the worker share: settings, store, engine, ways to the record; how a page is rendered."""

import datetime
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
    from prescreen.service.engine.guarding import GuardedEngine

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

    def close(self) -> None:
        """Let go of the engine, the traces and the database."""
        self.spans.close()
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
