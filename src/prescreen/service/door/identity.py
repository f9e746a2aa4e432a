"""Who is asking: the guard every route stands behind, and what a handler may learn of its caller.

`FastAPI(dependencies=[Depends(guard)])` asks for each request: is the route in the table, is the session alive, is
the role allowed, is the token of the form right. Whose visit it is, `access` asks. Knows no page.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import SplitResult, quote, urlsplit

from fastapi import Depends, HTTPException, Request

from prescreen.errors import GuardError
from prescreen.service.door import cookies
from prescreen.service.door.identity_settings import IdentitySettings
from prescreen.service.door.roles import PASSIVE, ROUTES, UNFINISHED, roles_of
from prescreen.store.base import Store, Who
from prescreen.store.people import Session, User
from prescreen.store.sessions import Found, Limits, find_session

if TYPE_CHECKING:
    from prescreen.service.door.oidc import OidcClient

NOBODY: Final = Who("anonymous", "anyone")
Bearer = Callable[[Request], Who | None]  # reads the Authorization header of a program, None where it is not good


@dataclass(frozen=True)
class Doors:
    """What guards this service; the app keeps it as `app.state.doors`. `bearers` know programs, by their role."""

    settings: IdentitySettings
    oidc: "OidcClient | None" = None
    bearers: Mapping[str, Bearer] = field(default_factory=dict)
    table: Mapping[str, frozenset[str]] = field(default_factory=lambda: ROUTES)
    clinic: str = "prescreen"

    @property
    def plain(self) -> bool:
        return self.settings.plain_http


@dataclass(frozen=True)
class Caller:
    """Who asks. `csrf` goes into every form and, for htmx, into the header X-CSRF-Token."""

    who: Who
    csrf: str = ""
    session: Session | None = None
    user: User | None = None
    visit_id: str | None = None
    unfinished: str = ""  # "password" | "totp": what must be set up before anything else

    @property
    def role(self) -> str:
        return self.who.role

    @property
    def proved(self) -> datetime.datetime | None:
        return self.session.proved if self.session else None


async def read_token(request: Request) -> str:
    """The form token a request brings, of the header or of the form. A program brings none, and its body is its
    handler's to read, whatever the program calls it."""
    told = request.headers.get(cookies.HEADER, "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    forms = ("application/x-www-form-urlencoded", "multipart/form-data")
    if told or request.method in cookies.SAFE or kind not in forms or "authorization" in request.headers:
        return told
    value = (await request.form()).get(cookies.FIELD, "")
    return value if isinstance(value, str) else ""


def guard(request: Request, told: Annotated[str, Depends(read_token)]) -> None:
    """Let a request through to its handler, or turn it away."""
    doors, name = doors_of(request), str(request.scope["route"].name)
    allowed = roles_of(name, doors.table)
    if not allowed:
        raise HTTPException(404)
    caller = _find_caller(request, doors, allowed, name)
    request.state.caller = caller
    if "anyone" not in allowed:
        if caller.role == "anyone":
            raise turn_away(request, doors, allowed)
        if caller.role not in allowed:
            log_refusal(request, caller.who, "route.refused", name)
            raise HTTPException(403, "this page is for others")
        if caller.unfinished and name not in UNFINISHED:
            raise move(request, str(request.app.url_path_for("account")))
    if request.method not in cookies.SAFE and (caller.session is not None or caller.role == "anyone"):
        _check_token(request, doors, caller, told)


async def current_caller(request: Request) -> Caller:
    """The caller the guard has let through."""
    try:
        caller = request.state.caller
    except AttributeError:
        raise GuardError("this route is not guarded: give the app dependencies=[Depends(guard)]") from None
    assert isinstance(caller, Caller)
    return caller


async def current_user(caller: Annotated[Caller, Depends(current_caller)]) -> Caller:
    if caller.user is None:
        raise HTTPException(403, "this page is for staff")
    return caller


async def current_patient(caller: Annotated[Caller, Depends(current_caller)]) -> Caller:
    if caller.visit_id is None:
        raise HTTPException(403, "this page is for patients")
    return caller


def peek_staff(request: Request) -> Caller:
    """Who is signed in, on a route that is open to anyone."""
    return _find_caller(request, doors_of(request), frozenset({"staff"}), "")


async def form_token(request: Request) -> cookies.FormToken:
    """The token of a public form (nobody has signed in yet)."""
    return cookies.make_form_token(request, store_of(request).keys, plain=doors_of(request).plain)


AnyCaller = Annotated[Caller, Depends(current_caller)]
CurrentUser = Annotated[Caller, Depends(current_user)]
CurrentPatient = Annotated[Caller, Depends(current_patient)]
Csrf = Annotated[cookies.FormToken, Depends(form_token)]


def doors_of(request: Request) -> Doors:
    doors = request.app.state.doors
    assert isinstance(doors, Doors)
    return doors


def store_of(request: Request) -> Store:
    store = request.app.state.house.store
    assert isinstance(store, Store)
    return store


def limits_of(settings: IdentitySettings) -> tuple[Limits, Limits]:
    """The time-outs of staff and of patients."""
    minutes, hours = (lambda n: datetime.timedelta(minutes=n)), (lambda n: datetime.timedelta(hours=n))
    staff = Limits(minutes(settings.staff_idle_min), hours(settings.staff_day_h))
    return staff, Limits(minutes(settings.patient_idle_min), hours(settings.patient_day_h))


def log_refusal(request: Request, who: Who, action: str, thing: str) -> None:
    with store_of(request).act(who) as act:
        act.log(action, thing, "refused")


def safe_next(told: str) -> str:
    """Where to go on within this service; "" for anything that could lead out of it."""
    parts = split_address(told) if told.isprintable() and "\\" not in told else None
    if parts is None or parts.scheme or parts.netloc or not told.startswith("/") or told.startswith("//"):
        return ""
    return told[:512]


def split_address(told: str) -> SplitResult | None:
    """The parts of an address somebody sent, None where it is none."""
    try:
        return urlsplit(told)
    except ValueError:
        return None


def move(request: Request, where: str) -> HTTPException:
    """Send the browser elsewhere: a page by a redirect, a piece of a page through htmx."""
    if request.headers.get("hx-request") == "true":
        return HTTPException(401, "go on elsewhere", headers={"HX-Redirect": where, "Cache-Control": "no-store"})
    return HTTPException(303, headers={"Location": where, "Cache-Control": "no-store"})


def turn_away(request: Request, doors: Doors, allowed: frozenset[str]) -> HTTPException:
    """What somebody without a session gets: the door, or 401 for a program."""
    wants_page = "text/html" in request.headers.get("accept", "")
    is_htmx = request.headers.get("hx-request") == "true"
    if not (wants_page or is_htmx) or allowed <= {"service", "hooks"}:
        headers = {"WWW-Authenticate": "Bearer"} if allowed & {"service", "hooks"} else None
        return HTTPException(401, "sign in first", headers=headers)
    if allowed == {"patient"}:
        return move(request, str(request.app.url_path_for("start")) + "?why=ended")
    here = request.headers.get("hx-current-url", "") if is_htmx else str(request.url)
    parts = split_address(here)
    back = safe_next(parts.path + (f"?{parts.query}" if parts.query else "")) if parts else ""
    told = f"?next={quote(back, safe='')}" if back and (is_htmx or request.method == "GET") else ""
    if cookies.read_cookie(request, cookies.STAFF, plain=doors.plain):
        told += ("&" if told else "?") + "why=ended"
    return move(request, str(request.app.url_path_for("sign-in")) + told)


def _find_caller(request: Request, doors: Doors, allowed: frozenset[str], name: str) -> Caller:
    if "anyone" in allowed:
        return Caller(NOBODY)
    if "authorization" in request.headers:
        for role, bearer in doors.bearers.items():
            who = bearer(request) if role in allowed else None
            if who is not None and who.role == role:
                return Caller(who)
        return Caller(NOBODY)
    place = cookies.VISIT if "patient" in allowed else cookies.STAFF
    token = cookies.read_cookie(request, place, plain=doors.plain)
    staff, patient = limits_of(doors.settings)
    found = find_session(store_of(request), token, staff, patient, touch=name not in PASSIVE) if token else None
    return _caller_of(found, doors.settings) if found else Caller(NOBODY)


def _caller_of(found: Found, settings: IdentitySettings) -> Caller:
    session, user = found
    if user is None:
        assert session.visit_id is not None
        return Caller(Who(session.visit_id, "patient"), session.csrf, session, None, session.visit_id)
    unfinished = "password" if user.must_change else ""
    if not unfinished and user.issuer is None and user.totp is None and user.role in settings.totp_for:
        unfinished = "totp"
    return Caller(Who(user.id, user.role), session.csrf, session, user, None, unfinished)


def _check_token(request: Request, doors: Doors, caller: Caller, told: str) -> None:
    """Every unsafe request of a browser brings the token of its session, or of its form before there is one."""
    keys = store_of(request).keys
    foreign = request.headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
    if caller.session is not None:
        right = cookies.is_same(caller.session.csrf, told)
    else:
        right = cookies.is_form_token(request, keys, told, plain=doors.plain)
    if right and not foreign:
        return
    if caller.session is not None:
        log_refusal(request, caller.who, "csrf.refused", str(request.scope["route"].name))
    raise HTTPException(403, "this form is too old or not ours; open the page again")
