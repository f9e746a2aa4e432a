"""What holds for every way through an interview: twelve pages at most, never a lower level, the same after JSON."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.areas import AREAS
from prescreen.config import read_yaml
from prescreen.intake.interview import (
    answer,
    begin,
    change_answer,
    floor,
    go_back,
    next_step,
    offer_question,
    opt_out,
    to_case,
    unasked,
    wants_model,
)
from prescreen.intake.languages import LANGUAGES
from prescreen.intake.plan import plan_steps
from prescreen.intake.script import load_script
from prescreen.intake.state import LIMIT, Interview, Settings
from small_interview import QUIET, SETTINGS, at_random, reply, upto

CUES = read_yaml(AREAS)
QUESTIONS = (
    "Did anything make it worse?",
    "How many times did that happen today?",
    "Have you travelled anywhere in recent weeks?",
    "What were you doing when it began?",
    "Is anyone else at home ill?",
    "This is a heart attack.",
)


def take_step(state: Interview, dice: random.Random, wild: bool) -> Interview:
    """One act of a patient, a nurse's machine or a model: mostly an answer."""
    act = dice.random()
    if wild and act < 0.1:
        return go_back(state)
    if wild and act < 0.2:
        return change_answer(state, dice.choice([*(g.step for g in state.given), "about"]))
    if act < 0.3:
        return offer_question(state, dice.choice(QUESTIONS))
    step = next_step(state)
    if wild and act < 0.45 and state.given:
        step = next_step(change_answer(state, dice.choice(state.given).step))
        return answer(state, at_random(step, dice), step.id).state
    sent = at_random(step, dice) if dice.random() < 0.7 else reply(step)
    return answer(state, sent, step.id).state


@pytest.mark.parametrize("language", LANGUAGES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=12)
def test_random_ways_through(language: str, seed: int) -> None:
    dice = random.Random(seed)
    state = begin(language, "visit-1", Settings(year=2027, follow_up_languages=LANGUAGES, on_site=seed % 2 == 0))
    seen, level, alerts = {next_step(state).id}, floor(state), state.alerts
    for _ in range(30):
        state = take_step(state, dice, wild=True)
        step = next_step(state)
        seen.add(step.id)
        assert floor(state) >= level and state.alerts[: len(alerts)] == alerts
        assert step.urgent is (floor(state) is Acuity.EMERGENCY) and bool(step.urgent_text) is step.urgent
        assert len(plan_steps(state)) <= LIMIT and step.number <= step.total <= LIMIT
        assert Interview.model_validate_json(state.model_dump_json()) == state
        assert next_step(Interview.model_validate(json.loads(state.model_dump_json()))) == step
        assert to_case(state).id == "visit-1" and isinstance(unasked(state), tuple)
        level, alerts = floor(state), state.alerts
    assert len({given.step for given in state.given}) < LIMIT
    assert floor(opt_out(state)) >= level


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30)
def test_straight_ways_end_within_twelve_pages(seed: int) -> None:
    dice = random.Random(seed)
    topic = dice.choice(load_script().topics)
    cues = [cue.strip("!") for group in CUES.get(topic.id, {}).values() for cue in group] or ["help"]
    complaint = " and ".join(dice.sample(cues, min(len(cues), dice.choice([1, 2, 5]))))
    state = begin("en", "visit-1", SETTINGS)
    shown: list[str] = []
    for _ in range(60):
        step = next_step(state)
        if step.kind == "done":
            break
        if not shown or shown[-1] != step.id:
            shown.append(step.id)
        sent = {"complaint": [complaint]} if step.id == "complaint" else at_random(step, dice)
        state = answer(state, sent if dice.random() < 0.8 else reply(step), step.id).state
        state = offer_question(state, dice.choice(QUESTIONS)) if wants_model(state) else state
    assert next_step(state).kind == "done"
    assert len(shown) == len(set(shown)) <= LIMIT
    assert len(state.offered) <= 4
    assert {"screen", "complaint", "onset", "history", "measures", "review"} <= set(shown)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15)
def test_an_emergency_survives_everything_said_after_it(seed: int) -> None:
    dice = random.Random(seed)
    state = answer(upto("screen"), {"signs": [dice.choice(["seizure", "suicide", "breathing", "stroke"])]}).state
    assert state.urgent
    calm = change_answer(state, "screen")
    calm = answer(calm, {"signs": ["none"]}).state
    for _ in range(15):
        calm = take_step(calm, dice, wild=True)
        assert next_step(calm).urgent and floor(calm) is Acuity.EMERGENCY


JUNK = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["", "\x00", "\u202efdp", "<b>x</b>", "😭" * 50, "x" * 100_000, "no", "yes", "unsure", "none"]),
    st.lists(st.text(max_size=10), max_size=4),
    st.none(),
    st.integers(),
    st.lists(st.integers(), max_size=3),
    st.binary(max_size=5),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)
NAMES = sorted(
    {"who", "age", "age_unit", "sex", "signs", "sign", "area", "more", *(n for p in QUIET.values() for n in p)}
)


@given(
    sent=st.lists(
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=5)), JUNK, max_size=8), max_size=12
    ),
    step=st.one_of(st.none(), st.sampled_from([*QUIET, "done", "weak-side", "more-1", "more-x", "../etc"])),
)
@settings(max_examples=50)
def test_nothing_that_is_sent_raises(sent: list[dict[str, object]], step: str | None) -> None:
    state = begin("en", "visit-1", SETTINGS)
    for values in sent:
        taken = answer(state, values, step)
        assert taken.errors or taken.state != state or state.has(str(step))
        assert all(problem.text for problem in taken.errors)
        state = taken.state if taken.state != state else answer(state, reply(next_step(state))).state
        assert Interview.model_validate_json(state.model_dump_json()) == state
        for given_ in state.given:
            for value in (v for values_ in given_.values.values() for v in values_):
                assert len(value) <= 2000 and not set(value) & set("\x00\u202e\u2066\u200b")


def test_resuming_at_every_step_gives_the_same_page() -> None:
    for language in LANGUAGES:
        state = begin(language, "visit-1", SETTINGS)
        while next_step(state).kind != "done":
            again = Interview.model_validate_json(state.model_dump_json())
            assert next_step(again) == next_step(state) and again == state
            both = [answer(one, reply(next_step(one))) for one in (again, state)]
            assert both[0] == both[1]
            state = both[0].state
