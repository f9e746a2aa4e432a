"""The page of a step: all texts in the patient's language, with the answer it had. Names no level, no diagnosis."""

from prescreen.intake.languages import direction, say
from prescreen.intake.measures import MEASURES
from prescreen.intake.plan import DONE, MORE, REVIEW, current_step, plan_steps
from prescreen.intake.reading import choices_of, texts_of
from prescreen.intake.record import HISTORY, english_question
from prescreen.intake.script import load_script
from prescreen.intake.state import LIMIT, Field, Given, Interview, Kind, Option, Row, Step

_KINDS: dict[str, Kind] = {
    "about": "choice", "pregnant": "choice", "complaint": "text", "screen": "checks", "area": "choice",
    "onset": "choice", "history": "text", "measures": "number", REVIEW: "review", DONE: "done",
}  # fmt: skip
_SUPPORT = frozenset({"asked:suicide", "asked:mind-suicide", "asked:mind-harm", "suicidal-intent", "self-harm"})
_REQUIRED = frozenset({"who", "pregnant", "complaint", "signs", "area", "sign", "more", "confirm"})


def make_step(state: Interview) -> Step:
    """The page to show now."""
    id, steps = current_step(state), plan_steps(state)
    number = len(steps) if id == DONE else steps.index(id) + 1
    return Step(
        id=id,
        kind=_kind(id),
        title=_title(state, id),
        hint=_hint(state, id),
        english=english_question(state, id),
        fields=_fields(state, id),
        rows=read_back(state) if id == REVIEW else (),
        number=number,
        total=len(steps) if state.has("screen") else LIMIT,
        language=state.language,
        direction=direction(state.language),
        can_go_back=id != DONE and any(state.has(step) for step in steps[: number - 1]),
        urgent=state.urgent,
        urgent_text=urgent_text(state),
    )


def urgent_text(state: Interview) -> tuple[str, ...]:
    """What to do at once, most important first; empty while nothing is urgent."""
    if not state.urgent:
        return ()
    settings = state.settings
    where = "urgent.staff" if settings.on_site else "urgent.call"
    lines = ["urgent.title", where, "urgent.worse"]
    if any(alert.rule in _SUPPORT for alert in state.alerts):
        lines.append("urgent.support")
    return tuple(say(state.language, line, number=settings.emergency_number) for line in (*lines, "urgent.go_on"))


def read_back(state: Interview) -> tuple[Row, ...]:
    """Every answer in the patient's language, in the order of the pages."""
    by_step = {given.step: given for given in state.given}
    answered = [by_step[step] for step in plan_steps(state) if step in by_step]
    return tuple(Row(step=g.step, question=_title(state, g.step), answer=_answer(state, g)) for g in answered)


def _kind(id: str) -> Kind:
    return "text" if id.startswith(MORE) else _KINDS.get(id, "choice")


def _title(state: Interview, id: str) -> str:
    if id.startswith(MORE):
        return english_question(state, id)
    if id == DONE:
        return say(state.language, "done.opted_out_title" if state.opted_out else "done.title")
    return say(state.language, f"question.{id}" if id in load_script().by_id else f"{id}.title")


def _hint(state: Interview, id: str) -> str:
    if id == DONE:
        return say(state.language, "done.opted_out_hint" if state.opted_out else "done.hint")
    if id in load_script().by_id:
        return say(state.language, "question.hint")
    return say(state.language, "more.hint" if id.startswith(MORE) else f"{id}.hint")


def _fields(state: Interview, id: str) -> tuple[Field, ...]:
    if id == DONE:
        return ()
    chosen, written = choices_of(id), texts_of(id)
    names = [name for name in _ORDER.get(id, (*written, *chosen)) if name in chosen or name in written]
    return tuple(_field(state, id, name) for name in names)


_ORDER = {
    "about": ("who", "age", "age_unit", "sex"),
    "onset": ("start", "course", "pain", "words"),
    "history": tuple(name for topic in HISTORY for name in (topic, f"{topic}_none")),
    "measures": tuple(name for m in MEASURES for name in (m.field, f"{m.field}_unit")),
}


def _field(state: Interview, id: str, name: str) -> Field:
    written = texts_of(id)
    number = id == "measures" or name == "age"
    options = choices_of(id).get(name, ())
    value = state.values(id).get(name, ())
    return Field(
        name=name,
        kind=("number" if number else "text") if name in written else "checks" if _many(name) else "choice",
        label=say(state.language, _label(id, name)),
        options=tuple(Option(value=o, label=option_label(state.language, id, name, o)) for o in options),
        unit=_unit(name) if id == "measures" and name in written else "",
        limit=written.get(name, 0),
        long=name in written and not number,
        required=name in _REQUIRED,
        value=("\n".join(value),) if name in written and value else value,
    )


def option_label(language: str, id: str, name: str, value: str) -> str:
    """The words of one choice."""
    if name == "pain" or (name.endswith("_unit") and id == "measures"):
        return value
    if name == "sign" or value in ("unsure", "none"):
        return say(language, f"option.{value}")
    return say(language, f"area.{value}" if name == "area" else f"{name}.{value}")


def _label(id: str, name: str) -> str:
    if name == "sign":
        return "field.sign"
    if name.endswith("_none"):
        return "field.none_known"
    return "field.unit" if name.endswith("_unit") and id == "measures" else f"field.{name}"


def _many(name: str) -> bool:
    return name == "signs" or name.endswith("_none")


def _unit(name: str) -> str:
    units = next(tuple(m.units) for m in MEASURES if m.field == name)
    return units[0] if len(units) == 1 else ""


def _answer(state: Interview, given: Given) -> str:
    """One answer as the patient gave it."""
    chosen = choices_of(given.step)
    told: list[str] = []
    for field in _fields(state, given.step):
        values = given.values.get(field.name, ())
        if not values:
            continue
        if field.name.endswith("_unit") and given.values.get(field.name[:-5]) and told:
            told[-1] += f" {next(option.label for option in field.options if option.value == values[0])}"
            continue
        if field.name.endswith("_unit"):
            continue
        if field.name.endswith("_none"):
            told.append(f"{say(state.language, _label(given.step, field.name[:-5]))}: {field.label}")
            continue
        if field.name in chosen:
            labels = {option.value: option.label for option in field.options}
            words = "; ".join(labels[v] for v in values)
        else:
            words = ", ".join(values) + (f" {field.unit}" if field.unit else "")
        alone = field.name in _REQUIRED
        told.append(words if alone else f"{field.label}: {words}")
    return "\n".join(told) or say(state.language, "review.nothing")
