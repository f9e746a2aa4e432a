"""The patient's pages: works without JavaScript, one question a page, the emergency number on top of each.

No level, no diagnosis and no word of a model that the interview has not checked is ever shown. Knows forms and
templates; what happens is `patient_flow`'s.
"""

import contextlib
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from prescreen.errors import ConflictError
from prescreen.intake.languages import say
from prescreen.intake.reading import clean_text
from prescreen.intake.state import Problem
from prescreen.service.door import cookies
from prescreen.service.door.identity import CurrentPatient
from prescreen.service.house import house_of
from prescreen.service.patient import flow as patient_flow
from prescreen.service.patient.frame import make_page, place_of, visit_of

ANSWER = 1000  # characters


def make_router() -> APIRouter:
    """The routes of the interview and what follows it."""
    router = APIRouter()
    for method, path, handler, name in (
        ("GET", "/p/step", show_step, "patient-step"),
        ("POST", "/p/answer", take_answer, "patient-answer"),
        ("POST", "/p/back", go_back, "patient-back"),
        ("POST", "/p/change", change, "patient-change"),
        ("POST", "/p/out", opt_out, "patient-opt-out"),
        ("GET", "/p/wait", show_wait, "patient-wait"),
        ("GET", "/p/news", tell_news, "patient-news"),
        ("POST", "/p/reply", reply, "patient-reply"),
    ):
        router.add_api_route(path, handler, methods=[method], name=name)
    return router


def show_step(request: Request, caller: CurrentPatient) -> Response:
    place = place_of(request, caller)
    if place.state != "intake":
        return RedirectResponse("/p/wait", 303)
    return _step(request, caller, place, ())


async def _read_form(request: Request) -> dict[str, Any]:
    form = await request.form()
    return {name: [v for v in form.getlist(name) if isinstance(v, str)] for name in form}


async def take_answer(request: Request, caller: CurrentPatient) -> Response:
    """Keep an answer and show the next page, or this one again with what was not understood."""
    return await run_in_threadpool(_take, request, caller, await _read_form(request))


def go_back(request: Request, caller: CurrentPatient, mark: Annotated[str, Form()] = "") -> Response:
    return _move(request, caller, mark, "back")


def change(
    request: Request, caller: CurrentPatient, mark: Annotated[str, Form()] = "", step: Annotated[str, Form()] = ""
) -> Response:
    return _move(request, caller, mark, "change", step[:80])


def opt_out(
    request: Request,
    caller: CurrentPatient,
    mark: Annotated[str, Form()] = "",
    sure: Annotated[str, Form()] = "",
) -> Response:
    """To a person: asked once whether they are sure, then at once."""
    if sure != "yes":
        place = place_of(request, caller)
        return make_page(request, "patient/out.html", place.language, caller.csrf, mark=place.mark)
    return _move(request, caller, mark, "out")


def show_wait(request: Request, caller: CurrentPatient) -> Response:
    place = place_of(request, caller)
    if place.state == "intake":
        return RedirectResponse("/p/step", 303)
    return _wait(request, caller, place)


def tell_news(request: Request, caller: CurrentPatient) -> Response:
    """Whether the nurse has asked something: all that a waiting page may know."""
    return JSONResponse({"asked": bool(place_of(request, caller).question)})


def reply(
    request: Request,
    caller: CurrentPatient,
    asked: Annotated[str, Form()] = "",
    answer: Annotated[str, Form()] = "",
) -> Response:
    """Keep the answer; where the nurse went on meanwhile the page comes back with what was written."""
    place = place_of(request, caller)
    told = clean_text(answer[: 4 * ANSWER])
    if not told or len(told) > ANSWER:
        why = say(place.language, "error.too_long", limit=ANSWER) if told else say(place.language, "error.write")
        return _wait(request, caller, place, 422, why, told)
    try:
        patient_flow.reply(house_of(request), visit_of(caller), asked[:64], told)
    except ConflictError:
        place = place_of(request, caller)
        return _wait(request, caller, place, 409, say(place.language, "error.stale"), told)
    return RedirectResponse("/p/wait", 303)


def _wait(
    request: Request,
    caller: CurrentPatient,
    place: patient_flow.Place,
    status: int = 200,
    problem: str = "",
    answer: str = "",
) -> Response:
    values = {"step": place.step, "question": place.question, "asked": place.asked}
    return make_page(
        request,
        "patient/wait.html",
        place.language,
        caller.csrf,
        status,
        **values,
        problem=problem,
        answer=answer[:ANSWER],
    )


def _take(request: Request, caller: CurrentPatient, form: dict[str, Any]) -> Response:
    mark, step = (str(next(iter(form.get(name, [])), "")) for name in ("mark", "step"))
    values = {name: told for name, told in form.items() if name not in ("mark", "step", cookies.FIELD)}
    try:
        problems = patient_flow.take_answer(house_of(request), visit_of(caller), mark, step, values)
    except ConflictError:
        place = place_of(request, caller)
        if place.state != "intake" and place.mark == mark:  # the page was current, and it is too late to keep it
            return _wait(request, caller, place, 409, say(place.language, "done.late"))
        return RedirectResponse("/p/step", 303)  # a double tap or the back button: show where they are
    if problems:
        return _step(request, caller, place_of(request, caller), problems, values)
    return RedirectResponse("/p/step", 303)


def _move(request: Request, caller: CurrentPatient, mark: str, way: str, step: str = "") -> Response:
    with contextlib.suppress(ConflictError):  # a double tap: they are shown where they are
        patient_flow.move(house_of(request), visit_of(caller), mark, way, step)
    return RedirectResponse("/p/step", 303)


def _step(
    request: Request,
    caller: CurrentPatient,
    place: patient_flow.Place,
    problems: tuple[Problem, ...],
    sent: dict[str, Any] | None = None,
) -> Response:
    values = {f.name: list(sent.get(f.name, ())) if sent else list(f.value) for f in place.step.fields}
    if place.step.id == "about" and place.link.birth_date and not values.get("age"):
        values["age"], values["age_unit"] = [str(place.link.birth_date.year)], ["birth_year"]
    told = {problem.field: problem.text for problem in problems}
    status = 422 if problems else 200
    return make_page(
        request,
        "patient/step.html",
        place.language,
        caller.csrf,
        status,
        step=place.step,
        mark=place.mark,
        values=values,
        problems=told,
    )
