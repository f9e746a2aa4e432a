"""A clinic's settings become a running house: store, ways to the record, engine, doors. Knows no page's inside."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.shelf import Found, ShelfConflict, Stored
from prescreen.monitor.shelf import Shelf, find_doubt
from prescreen.pipeline import Stages
from prescreen.service.door.identity import Doors
from prescreen.service.door.oidc import OidcClient
from prescreen.service.door.programs import open_hooks, open_programs
from prescreen.service.engine.engines import Doubt, Endpoint, Released, guard, open_engine, trust
from prescreen.service.engine.guarding import GuardSettings
from prescreen.service.house import House
from prescreen.service.record.ways import open_way
from prescreen.service.settings import Settings
from prescreen.service.watch.labels import name_labels, own_version
from prescreen.service.watch.reloading import Reloader
from prescreen.service.watch.spans import open_spans
from prescreen.service.watch.stopping import keep_rules
from prescreen.store.migrate import open_store
from prescreen.store.shelf import SqlShelf

if TYPE_CHECKING:
    from fastapi import FastAPI

DATABASE = "PRESCREEN_DATABASE"  # an address with a password in it belongs into the environment, not into a file
_WARM = (("about", {"who": "self", "age": "40", "age_unit": "years"}), ("complaint", {"complaint": "A cold."}))
ASKING = 8  # patients who may wait for the model at once; for all others the script goes on


class Places(NamedTuple):
    """Where a service keeps what it must not lose; keys belong on another medium than the database."""

    database: str
    keys: Path


def find_places(data: Path, keys: Path | None = None) -> Places:
    """The database and the key folder for a data folder."""
    database = os.environ.get(DATABASE) or f"sqlite:///{data.resolve() / 'prescreen.db'}"
    return Places(database, keys or data / "keys")


def open_house(settings: Settings, places: Places, stages: Stages) -> House:
    """Everything opened and checked; what cannot serve is said in one sentence before a port is opened."""
    spans = open_spans(settings.traces, own_version())
    house = open_record(settings, places)
    house.spans, spans.labels = spans, lambda: name_labels(house)
    watch_releases(house, stages)  # first, so that no change between the two is missed
    open_model(house, stages)
    warm(house)
    return house


def open_record(settings: Settings, places: Places, *, make: bool = True) -> House:
    """The store and the ways to the record alone: what comparing both needs."""
    store = open_store(places.database, places.keys, make=make)
    desk = FhirDesk(SqlShelf(store, Stored, Found, ShelfConflict), clock=store.clock)
    return House(settings, store, {way.name: open_way(way, desk) for way in settings.record}, desk=desk)


def open_model(house: House, stages: Stages) -> None:
    """Open the engine the settings name; where it may only be away for a while, the house tries again by and by."""
    settings = house.settings
    waiting = GuardSettings(timeout_s=settings.review.draft_by_s / 2, waiting=ASKING)
    with house.opening:
        if house.label is not None:  # of two models at once there may be no room: the rules draft meanwhile
            house.hold("another release is being opened")
        opened = open_engine(settings.engine, stages, find_doubts(house))
        old = house.serve(guard(opened, waiting), opened.label, opened.why)
        house.try_model = (lambda: open_model(house, stages)) if opened.later else None
    if old is not None:
        old.close()


def find_doubts(house: House) -> Doubt:
    """What else must hold before a release serves here: two signatures, where the clinic asks for them."""
    settings = house.settings
    if not settings.needs_approvals or not isinstance(settings.engine, Released | Endpoint):
        return trust
    folder = settings.engine.releases
    return lambda release: find_doubt(folder, release, house.store)


def watch_releases(house: House, stages: Stages) -> None:
    """From now on notice what changes in the folder of releases, and keep the stop rules."""
    engine = house.settings.engine
    if isinstance(engine, Released) or (isinstance(engine, Endpoint) and not engine.demo):
        house.shelf = Shelf(engine.releases, stages, house.store, house.store.clock)
        house.reload = Reloader(house, stages, lambda: open_model(house, stages))
        house.keep_rules = lambda: keep_rules(house)


def warm(house: House) -> None:
    """Read and compile now what is kept from then on, so that the first patient waits no longer than the others."""
    from prescreen.clinic.redflags import check_rules
    from prescreen.intake import interview as talk
    from prescreen.intake.state import Settings as Talk

    for language in house.settings.clinic.languages:
        state = talk.begin(language, "warm", Talk(year=house.store.clock().year))
        for step, told in _WARM:
            state = talk.answer(state, told, step).state
        talk.next_step(state)
        check_rules(talk.to_case(state))
    for template in house.pages.list_templates():
        house.pages.get_template(template)


def open_app(house: House, *, works: bool = True) -> "FastAPI":
    """The web application over a house, with every route in the table of roles."""
    from prescreen.service import app
    from prescreen.service.door import account_pages, glass_pages, roles, sign_in
    from prescreen.service.nurse.care_pages import care_pages
    from prescreen.service.nurse.queue_pages import queue_pages
    from prescreen.service.nurse.review_pages import review_pages
    from prescreen.service.office import admin_pages, audit_pages, changes_page, model_page, sheet_page
    from prescreen.service.patient import entry as patient_door
    from prescreen.service.patient import pages as patient_pages
    from prescreen.service.record import fhir_pages, hook_pages, launch_pages

    parts = (
        patient_door,
        patient_pages,
        sign_in,
        account_pages,
        admin_pages,
        audit_pages,
        sheet_page,
        changes_page,
        model_page,
        glass_pages,
        fhir_pages,
        hook_pages,
        launch_pages,
    )
    doors = open_doors(house)
    routers = [*(part.make_router() for part in parts), queue_pages, review_pages, care_pages]
    made = app.make_app(house, doors, routers, works=works)
    watch_requests(house, made)
    off = () if doors.oidc else ("oidc-*",)
    roles.check_routes(made, off=off)
    return made


def watch_requests(house: House, app: "FastAPI") -> None:
    """Count every request from now on, and trace it where the settings say so."""
    from fastapi.routing import iter_route_contexts

    from prescreen.service.watch.traffic import Counted, Traffic

    house.routes = frozenset(str(route.path) for route in iter_route_contexts(app.routes))
    app.state.traffic = Traffic(house.spans)
    if house.settings.metrics is not None or house.settings.traces is not None:
        app.add_middleware(Counted, traffic=app.state.traffic)  # type: ignore[arg-type]


def open_doors(house: House) -> Doors:
    """Who may come in: local people, an identity provider, programs with a token."""
    settings = house.settings
    identity = settings.identity.model_copy(update={"plain_http": not settings.web.is_secure})
    oidc = OidcClient(identity.oidc) if identity.oidc is not None else None
    bearers = {"service": open_programs(settings.programs)}
    if settings.hooks is not None:
        bearers["hooks"] = open_hooks(settings.hooks, house.store, settings.web.base_url)
    return Doors(identity, oidc, bearers, clinic=settings.clinic.name)
