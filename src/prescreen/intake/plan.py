"""Which pages an interview has, in order, never more than `LIMIT`; and what a nurse must know was not asked.

The fixed pages always have their place. What room is left goes to pregnancy where it may be, to the choice of an
area where the words of the complaint tell none, to the danger signs of the topics, then to the model's questions.
"""

from prescreen.intake.script import Script, Who, choose_questions, find_topics, load_script
from prescreen.intake.state import LIMIT, Interview

BEFORE = ("about", "complaint", "screen")
AFTER = ("onset", "history", "measures")
REVIEW, DONE = "review", "done"
FIXED = (*BEFORE, *AFTER, REVIEW)
ONE_TOPIC, MANY_TOPICS = (
    3,
    4,
)  # danger signs asked where the model may ask too; where it may not, all the room is theirs
MORE = "more-"
NOT_SURE, OTHER_AREA = "unsure", "other"
_FERTILE = (11.0, 55.0)  # years; outside of them nobody is asked whether they are pregnant
_UNITS = {"years": 1.0, "months": 12.0}


def age_of(state: Interview) -> float | None:
    """Age in years, also from a year of birth; None when it was not given."""
    raw, unit = state.first("about", "age"), state.first("about", "age_unit") or "years"
    if not raw:
        return None
    return float(state.settings.year - int(raw)) if unit == "birth_year" else float(raw) / _UNITS[unit]


def who_of(state: Interview) -> Who:
    """What the script may ask about the person."""
    told = state.first("pregnant", "pregnant")
    pregnant = {"yes": True, "no": False, "birth": False}.get(told)
    return Who(age_of(state), state.first("about", "sex") or None, pregnant, told == "birth")


def plan_steps(state: Interview) -> list[str]:
    """Every page known by now, answered or not, in the order in which they are shown."""
    answered = {given.step for given in state.given}
    left = LIMIT - len(FIXED) - len(answered - set(FIXED))
    steps = ["about"]
    if "pregnant" in answered or (left > 0 and state.has("about") and _may_be_pregnant(state)):
        left -= "pregnant" not in answered
        steps.append("pregnant")
    steps += ["complaint", "screen"]
    asked = [step for step in answered_questions(state) if not step.startswith(MORE)]
    chosen = wanted_questions(state)
    if "area" in answered or (left > 0 and _needs_area(state, asked, chosen)):
        left -= "area" not in answered
        steps.append("area")
    steps += asked
    if state.has("screen"):
        allowed = max(0, min(left, _most_signs(state) - len(set(asked) & set(chosen))))
        steps += [question for question in chosen if question not in answered][:allowed]
    return [*steps, *AFTER, *(f"{MORE}{n}" for n in range(1, len(state.offered) + 1)), REVIEW]


def room_for_more(state: Interview) -> int:
    """How many questions the model may still add."""
    return min(LIMIT - len(plan_steps(state)), state.settings.follow_ups - len(state.offered))


def current_step(state: Interview) -> str:
    """The page to show now."""
    if state.ended:
        return DONE
    steps = plan_steps(state)
    if state.at in steps:
        return str(state.at)
    return next((step for step in steps if not state.has(step)), REVIEW)


def answered_questions(state: Interview) -> list[str]:
    """Danger signs and follow-ups that were answered, in the order they were answered."""
    known = load_script().by_id
    return [given.step for given in state.given if given.step in known or given.step.startswith(MORE)]


def topics_of(state: Interview) -> list[str]:
    """The topics of this complaint."""
    ticked = state.values("screen").get("signs", ())
    area = state.first("area", "area")
    return find_topics(load_script(), state.first("complaint", "complaint"), ticked, area, who_of(state))


def wanted_questions(state: Interview) -> list[str]:
    """All danger signs the script would ask of this person, were there room for all."""
    ticked = state.values("screen").get("signs", ())
    return choose_questions(load_script(), topics_of(state), ticked, who_of(state))


def list_unasked(state: Interview) -> tuple[str, ...]:
    """What was not asked, not answered or answered with "not sure", in English, danger signs first."""
    script = load_script()
    found = _unasked_signs(state, script)
    if not state.first("complaint", "complaint"):
        found.insert(0, "What the problem is")
    if age_of(state) is None:
        found.append("Age")
    if not state.first("about", "sex"):
        found.append("Sex")
    if _may_be_pregnant(state) and state.first("pregnant", "pregnant") in ("", NOT_SURE):
        found.append("Whether pregnant" + (" (not sure)" if state.has("pregnant") else ""))
    onset = {"start": "When it started", "course": "Whether it gets better or worse", "pain": "How strong pain is"}
    found += [words for field, words in onset.items() if not state.first("onset", field)]
    history = {"conditions": "Illnesses", "medications": "Medicines", "allergies": "Allergies"}
    found += [words for field, words in history.items() if not _told(state, field)]
    if not any(state.values("measures").values()):
        found.append("Measurements at home")
    found += [words for n, words in enumerate(state.offered, start=1) if not state.first(f"{MORE}{n}", "more")]
    return tuple(found)


def _unasked_signs(state: Interview, script: Script) -> list[str]:
    signs = state.values("screen").get("signs", ())
    found = []
    if not signs:
        found.append("Danger signs: " + "; ".join(box.ask for box in script.screen))
    elif NOT_SURE in signs:
        found.append("Danger signs (not sure): " + "; ".join(b.ask for b in script.screen if b.id not in signs))
    for id in dict.fromkeys([*wanted_questions(state), *answered_questions(state)]):
        if id in script.by_id and (told := state.first(id, "sign")) in ("", NOT_SURE):
            found.append(script.by_id[id].ask + (" (not sure)" if told else ""))
    return found


def _most_signs(state: Interview) -> int:
    settings = state.settings
    if not settings.follow_ups or state.language not in settings.follow_up_languages:
        return LIMIT
    return MANY_TOPICS if len(topics_of(state)) > 1 else ONE_TOPIC


def _told(state: Interview, field: str) -> bool:
    values = state.values("history")
    return bool(values.get(field) or values.get(f"{field}_none"))


def _may_be_pregnant(state: Interview) -> bool:
    age = age_of(state)
    return state.first("about", "sex") != "male" and (age is None or _FERTILE[0] <= age <= _FERTILE[1])


def _needs_area(state: Interview, asked: list[str], chosen: list[str]) -> bool:
    """Nothing the patient said tells what it is about, and no question of a topic has been asked yet."""
    if not (state.has("complaint") and state.has("screen")) or asked:
        return False
    complaint = state.first("complaint", "complaint")
    ticked = state.values("screen").get("signs", ())
    return not find_topics(load_script(), complaint, ticked, "", Who(None, None, None, False)) or not chosen
