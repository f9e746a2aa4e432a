"""One visit on one screen: opened, held, decided, signed, taken back, printed. Decides nothing itself."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.incident import KINDS, SEVERITIES
from prescreen.clinic.report import Report
from prescreen.errors import ConflictError, RefusedError
from prescreen.service.door.access import may_open
from prescreen.service.house import House
from prescreen.service.leaving import read_left
from prescreen.service.nurse.chart_page import base_report, lay_out
from prescreen.service.nurse.clock import tell_day, tell_time, tell_wait
from prescreen.service.nurse.edits import STATUSES, Change, apply_form, fields_of, list_changes
from prescreen.service.nurse.measuring import STATES, VITALS
from prescreen.service.nurse.queue_pages import NAMES, tell_undo
from prescreen.service.nurse.viewer import At, Form, Nurse, Posted, Viewer, is_open_to, on_visit
from prescreen.store.base import Act
from prescreen.store.charts import Chart, open_chart, read_ahead, read_chart
from prescreen.store.holding import release
from prescreen.store.incidents import list_incidents
from prescreen.store.notices import list_colleagues
from prescreen.store.queue import read_queue
from prescreen.store.reviewing import begin_review, decide_first, end_intake, sign_chart, undo_last
from prescreen.store.reviews import REASONS
from prescreen.store.visits import lock_visit, read_interview

LEVELS: Final = [(str(key), level.value, NAMES[level]) for key, level in enumerate(reversed(Acuity), start=1)]
_NOTE: Final = 4_000

review_pages = APIRouter()


@review_pages.get("/visits/{visit_id}", name="visit")
def show_visit(request: Request, visit_id: str, house: At, viewer: Nurse) -> Response:
    """The chart; opening it is noted."""
    return render_visit(request, house, viewer, visit_id)


@review_pages.get("/visits/{visit_id}/print", name="visit-print")
def show_print(request: Request, visit_id: str, house: At, viewer: Nurse) -> Response:
    """The report on a page of paper, marked as a draft until it is signed."""
    with on_visit(house, viewer, visit_id) as act:
        chart = open_chart(act, visit_id, "visit.print")
    base, zone = base_report(chart), house.settings.clinic.time_zone
    is_signed = chart.signed is not None and chart.visit.state == "signed"
    return house.render(
        request,
        "print.html",
        chart=chart,
        base=base,
        is_signed=is_signed,
        printed=tell_day(house.store.clock(), zone),
        signed_at=tell_day(chart.signed.signed, zone) if chart.signed else "",
        **lay_out(chart, base),
    )


@review_pages.post("/visits/{visit_id}/claim", name="visit-claim")
def take_visit(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Begin a review, take one over from a colleague, or end the questions of a patient who is still answering."""
    draft_by = house.draft_by

    def begin(act: Act) -> None:
        if form.text("end_intake", 1):
            left = read_left(read_interview(act, lock_visit(act, visit_id, "intake")), alone=False)
            end_intake(act, visit_id, draft_by, floor=left.floor, unasked=left.unasked)
        else:
            begin_review(act, visit_id, take_over=bool(form.text("take_over", 1)))

    return do(request, house, viewer, visit_id, form, begin)


@review_pages.post("/visits/{visit_id}/release", name="visit-release")
def let_go(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Let go of a visit; it stays in the queue where it was."""
    return do(request, house, viewer, visit_id, form, lambda act: release(act, visit_id), then="/queue")


@review_pages.post("/visits/{visit_id}/blind", name="visit-blind")
def choose_first(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Keep the level chosen before the draft is shown."""
    return do(
        request,
        house,
        viewer,
        visit_id,
        form,
        lambda act: decide_first(act, visit_id, form.number("version"), read_level(form)),
    )


@review_pages.post("/visits/{visit_id}/sign", name="visit-sign")
def sign_visit(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Sign, or (`step` = check) show what would be signed beside the draft."""
    try:
        with on_visit(house, viewer, visit_id) as act:
            chart = read_chart(act, lock_visit(act, visit_id))
            if form.number("version") != chart.visit.version or form.text("seen", 64) != chart.digest:
                raise ConflictError("something new came in since you opened this; read it and sign again")
            base = base_report(chart)
            if base is None:
                raise RefusedError("choose a level from the patient's words first; then the draft is shown")
            final = apply_form(base, form, read_level(form))
            if form.text("step", 10) != "check":
                sign_chart(
                    act,
                    chart,
                    version=form.number("version"),
                    final=final,
                    reason=form.text("reason", 40),
                    note=form.text("note", _NOTE),
                    channels=list(house.channels),
                    undo_for=house.undo_for,
                )
                return RedirectResponse("/queue", 303)
            changes = list_changes(base, final, chart.starting_level)
    except (ConflictError, RefusedError) as error:
        return render_visit(request, house, viewer, visit_id, form=form, error=error)
    return render_visit(request, house, viewer, visit_id, form=form, changes=changes)


@review_pages.post("/visits/{visit_id}/undo", name="visit-undo")
def take_back(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Take back the own signature while it has not left."""
    return do(request, house, viewer, visit_id, form, lambda act: undo_last(act, visit_id))


def read_level(form: Posted) -> Acuity:
    """The level of a form; RefusedError where none was chosen."""
    level = form.text("level", 20)
    if level not in {known.value for known in Acuity}:
        raise RefusedError("choose a level")
    return Acuity(level)


def do(
    request: Request,
    house: House,
    viewer: Viewer,
    visit_id: str,
    form: Posted,
    work: Callable[[Act], object],
    then: str = "",
) -> Response:
    """One act on a visit, and the page after it; what cannot be done is said on the chart with the form."""
    try:
        with on_visit(house, viewer, visit_id) as act:
            work(act)
    except (ConflictError, RefusedError) as error:
        return render_visit(request, house, viewer, visit_id, form=form, error=error)
    return RedirectResponse(then or f"/visits/{visit_id}", 303)


def render_visit(
    request: Request,
    house: House,
    viewer: Viewer,
    visit_id: str,
    *,
    form: Posted | None = None,
    error: ConflictError | RefusedError | None = None,
    changes: list[Change] | None = None,
) -> Response:
    """The chart as a page, with an error on top and the form as it was sent where both fit together."""
    with house.store.look(viewer.who) as look:
        if is_open_to(look, viewer, visit_id):
            read_ahead(look, visit_id)
    with on_visit(house, viewer, visit_id) as act:
        chart = open_chart(act, visit_id)
        colleagues = [user for user in list_colleagues(act, chart.visit.team) if user.id != viewer.id]
        others = read_queue(act, viewer.teams, 20)
        undo = [told for told in tell_undo(act, house) if told["visit"] == visit_id]
        incidents = list_incidents(act, visit_id=visit_id)
        by_glass = may_open(act, viewer.caller, chart.visit) == "glass"
    base = base_report(chart)
    fits = form is not None and form.text("seen", 64) == chart.digest
    status = 200 if error is None else (409 if isinstance(error, ConflictError) else 422)
    return house.render(
        request,
        "visit.html",
        status,
        chart=chart,
        by_glass=by_glass,
        incidents=incidents,
        base=base,
        fields=_fields(chart, base, form if fits else None),
        lost=[] if fits or form is None else _lost(form),
        error=str(error or ""),
        changes=changes,
        holds=chart.holder == viewer.id,
        next_id=next((r.id for r in others if r.id != visit_id and r.locked_by in (None, viewer.id)), ""),
        colleagues=colleagues,
        undo=undo,
        **_known(house, chart),
        **lay_out(chart, base),
    )


def _known(house: House, chart: Chart) -> dict[str, Any]:
    """The choices of the page, and times in the clinic's words."""
    zone, visit, now = house.settings.clinic.time_zone, chart.visit, house.store.clock()
    since = visit.finished or visit.urgent or visit.opened
    return {
        "levels": LEVELS,
        "level_names": {level.value: NAMES[level] for level in Acuity},
        "reasons": REASONS,
        "statuses": STATUSES,
        "incident_kinds": KINDS,
        "severities": SEVERITIES,
        "vitals": VITALS,
        "states": STATES,
        "wait": tell_wait(since, now, chart.level, house.settings.review.targets_min),
        "times": {entry.id: tell_time(entry.at, zone) for entry, _ in chart.entries},
        "signed_at": tell_day(chart.signed.signed, zone) if chart.signed else "",
    }


def _fields(chart: Chart, base: Report | None, form: Posted | None) -> Mapping[str, str]:
    """What the form shows: the report's fields, over them what was sent. The level is ticked beforehand only where
    the nurse sees the draft from the start, and in a correction, which starts from what was signed."""
    fields = {"level": "", "reason": "", "note": "", **(fields_of(base) if base else {})}
    level = chart.starting_level
    if level is not None and (chart.signed is not None or not chart.visit.blind):
        fields["level"] = level.value
    return {**fields, **dict(form)} if form is not None else fields


def _lost(form: Posted) -> list[tuple[str, str]]:
    """What was written into a page that no longer fits, so that nothing typed is lost."""
    own = ("version", "seen", "step", "take_over", "end_intake", "escalate")
    return [(name.replace("_", " ").replace("-", " "), value) for name, value in form if name not in own and value]
