"""The queue and the hand-over: who needs a person soonest, and what the next shift must know. Decides nothing."""

import datetime
from typing import Annotated, Any, Final, NamedTuple, get_args

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from prescreen.clinic.acuity import Acuity
from prescreen.errors import RefusedError
from prescreen.service.house import House
from prescreen.service.message import show_message
from prescreen.service.nurse.clock import Wait, tell_day, tell_time, tell_wait
from prescreen.service.nurse.viewer import At, Form, Nurse, Viewer
from prescreen.store.base import Act
from prescreen.store.glimpse import Glimpse, glimpse, name_users, tell_name
from prescreen.store.notices import post_notice, read_notices
from prescreen.store.queue import Waiting, Whose, count_queue, read_queue
from prescreen.store.reviewing import list_undoable

LISTED: Final = 100
NAMES: Final = {level: level.value.capitalize() for level in Acuity}
_TABS: Final = {"team": "Whole team", "mine": "Mine", "unassigned": "Nobody's"}

queue_pages = APIRouter()


class Row(NamedTuple):
    """One line of the queue, in words."""

    id: str
    name: str
    level: str
    level_class: str
    wait: Wait
    rule: str
    words: str
    state: str
    language: str
    team: str
    assigned: str
    escalated: str
    held_by: str
    is_mine: bool
    decides_first: bool
    has_draft: bool
    version: int


@queue_pages.get("/queue", name="queue")
def show_queue(request: Request, house: At, viewer: Nurse, whose: Annotated[str, Query()] = "team") -> Response:
    """The whole page; that a list with names was opened is noted, its refreshing is not."""
    with house.store.look(viewer.who) as look:  # a list of hundreds is read while nobody waits for the database
        values = _list(look, house, viewer, _whose(whose))
    with house.store.act(viewer.who) as act:
        act.log("queue.view", "", shown=len(values["rows"]))
    return house.render(request, "queue.html", tabs=_TABS, languages=house.settings.clinic.languages, **values)


@queue_pages.get("/queue/rows", name="queue-rows")
def show_rows(request: Request, house: At, viewer: Nurse, whose: Annotated[str, Query()] = "team") -> Response:
    """The list alone, for a page that keeps itself fresh."""
    with house.store.look(viewer.who) as look:
        values = _list(look, house, viewer, _whose(whose))
    return house.render(request, "queue_rows.html", **values)


@queue_pages.get("/handover", name="handover")
def show_handover(request: Request, house: At, viewer: Nurse) -> Response:
    """Notes of the last days and who waits, by level."""
    return _handover(request, house, viewer)


@queue_pages.post("/handover", name="handover-post")
def add_note(request: Request, house: At, viewer: Nurse, form: Form) -> Response:
    """Leave a note for the next shift."""
    team = form.text("team", 64)
    if team not in viewer.teams:
        return show_message(request, 422, "Choose one of your teams.")
    try:
        with house.store.act(viewer.who) as act:
            post_notice(act, team, form.text("body", 4_000))
    except RefusedError as error:
        return _handover(request, house, viewer, 422, error.sentence, form.text("body", 8_000))
    return RedirectResponse("/handover", 303)


def tell_undo(act: Act, house: House) -> list[dict[str, Any]]:
    """The person's signatures that can still be taken back, for the banner."""
    zone = house.settings.clinic.time_zone
    return [
        {
            "visit": review.visit_id,
            "name": tell_name(act, review.visit_id) or "Name not given",
            "level": list(Acuity)[review.level].value,
            "until": tell_time(review.undo_until, zone, seconds=True),
            "seconds": max(0, int((review.undo_until - act.now).total_seconds())),
        }
        for review in list_undoable(act)
    ]


def _handover(
    request: Request, house: House, viewer: Viewer, status: int = 200, error: str = "", body: str = ""
) -> Response:
    zone = house.settings.clinic.time_zone
    with house.store.look(viewer.who) as look:
        values = _list(look, house, viewer, "team")
        notes = [(tell_day(note.at, zone), note) for note in read_notices(look, viewer.teams)]
    with house.store.act(viewer.who) as act:
        act.log("handover.view", "", shown=len(values["rows"]))
    rows: list[Row] = values["rows"]
    groups = [
        (level, [row for row in rows if row.level == level]) for level in dict.fromkeys(r.level for r in rows)
    ]
    page = {**values, "notes": notes, "groups": groups, "error": error, "body": body}
    return house.render(request, "handover.html", status, **page)


def _whose(whose: str) -> Whose:
    return whose if whose in get_args(Whose) else "team"  # type: ignore[return-value]


def _list(act: Act, house: House, viewer: Viewer, whose: Whose) -> dict[str, Any]:
    waiting = read_queue(act, viewer.teams, LISTED, whose)
    glimpses, names = glimpse(act, waiting), name_users(act)
    rows = [_row(row, glimpses[row.id], names, house, viewer, act.now) for row in waiting]
    count = len(rows) if len(rows) < LISTED else count_queue(act, viewer.teams, whose)
    return {
        "rows": rows,
        "count": count,
        "more": count - len(rows),
        "whose": whose,
        "urgent": [row.id for row in rows if row.level_class == "emergency"],
        "at": tell_time(act.now, house.settings.clinic.time_zone, seconds=True),
        "undo": tell_undo(act, house),
    }


def _row(
    row: Waiting, seen: Glimpse, names: dict[str, str], house: House, viewer: Viewer, now: datetime.datetime
) -> Row:
    level = seen.level
    unknown = "Decide first" if seen.decides_first else "Not assessed"
    return Row(
        id=row.id,
        name=seen.name or "Name not given",
        level=NAMES[level] if level else unknown,
        level_class=level.value if level else "unknown",
        wait=tell_wait(row.since, now, level, house.settings.review.targets_min),
        rule=seen.rule,
        words=seen.words,
        state=_state(row, names, viewer),
        language=row.language,
        team=row.team if len(viewer.teams) > 1 else "",
        assigned="you" if row.assigned_to == viewer.id else names.get(row.assigned_to or "", ""),
        escalated=tell_time(row.escalated, house.settings.clinic.time_zone) if row.escalated else "",
        held_by="" if row.locked_by in (None, viewer.id) else names.get(row.locked_by or "", "a colleague"),
        is_mine=row.locked_by == viewer.id,
        decides_first=seen.decides_first,
        has_draft=row.has_draft,
        version=row.version,
    )


def _state(row: Waiting, names: dict[str, str], viewer: Viewer) -> str:
    if row.locked_by == viewer.id:
        return "in your hands"
    if row.locked_by is not None:
        return f"being reviewed by {names.get(row.locked_by, 'a colleague')}"
    return {"intake": "still answering", "asked": "asked, no answer yet", "waiting": "waiting"}[row.state]
