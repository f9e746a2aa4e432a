"""The script: every danger sign fires its rule, denials fire none, and complaints find their topic."""

from typing import Any

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.redflags import check_rules, load_rules
from prescreen.errors import RecipeError
from prescreen.intake.interview import answer, begin, floor, to_case
from prescreen.intake.script import Box, Question, Who, choose_questions, find_topics, load_script
from prescreen.intake.state import Given, Interview
from small_interview import SETTINGS, walk

SCRIPT = load_script()
RULES = {rule.id: rule for rule in load_rules().rules}
NOBODY = Who(None, None, None, False)
PERSONS: dict[str, dict[str, list[str]]] = {
    "adult": {"age": ["61"]},
    "woman": {"age": ["29"], "sex": ["female"]},
    "man": {"age": ["33"], "sex": ["male"]},
    "other": {"age": ["45"], "sex": ["other"]},
    "child": {"age": ["4"]},
    "baby": {"age": ["2"], "age_unit": ["months"]},
    "nobody": {},
}


def person_for(sign: str) -> dict[str, list[str]]:
    """Somebody whom this sign is about."""
    if sign.startswith(("preg-", "birth-")):
        return PERSONS["woman"]
    if sign.startswith("child-"):
        return PERSONS["child"]
    return PERSONS["baby" if sign == "infant-fever" else "man" if sign == "belly-testicle" else "adult"]


def told(about: dict[str, list[str]], step: str, **values: list[str]) -> Interview:
    """A state with a person, a complaint that says nothing, and one page answered."""
    pages: dict[str, dict[str, list[str]]] = {
        "about": {"who": ["self"], "age_unit": ["years"], **about},
        **({"pregnant": {"pregnant": ["yes"]}} if step.startswith("preg-") else {}),
        "complaint": {"complaint": ["Something else"]},
        "screen": {"signs": ["none"]},
    }
    pages[step] = values
    given = [Given(step=p, values={f: tuple(v) for f, v in fields.items()}) for p, fields in pages.items()]
    return begin("en", "visit-1", SETTINGS).change(given=tuple(given))


@pytest.mark.parametrize("sign", SCRIPT.questions, ids=lambda sign: sign.id)
def test_a_yes_fires_its_rule_at_its_level(sign: Question) -> None:
    hits = check_rules(to_case(told(person_for(sign.id), sign.id, sign=["yes"])))
    assert sign.rule in [hit.rule.id for hit in hits]
    assert max(hit.rule.acuity for hit in hits) >= RULES[sign.rule].acuity


@pytest.mark.parametrize("box", SCRIPT.screen, ids=lambda box: box.id)
def test_a_ticked_box_fires_its_rule_at_its_level(box: Box) -> None:
    hits = check_rules(to_case(told(PERSONS["adult"], "screen", signs=[box.id])))
    assert box.rule in [hit.rule.id for hit in hits]
    assert max(hit.rule.acuity for hit in hits) >= RULES[box.rule].acuity


@pytest.mark.parametrize("person", PERSONS)
def test_a_yes_raises_whoever_the_patient_is(person: str) -> None:
    for sign in (*SCRIPT.questions, *SCRIPT.screen):
        page, field, value = ("screen", "signs", sign.id) if isinstance(sign, Box) else (sign.id, "sign", "yes")
        taken = answer(told(PERSONS[person], page).change(at=page), {field: [value]}, page)
        assert not taken.errors
        assert floor(taken.state) >= Acuity.HIGH, sign.id


@pytest.mark.parametrize("reply", ["no", "unsure"])
def test_a_no_or_not_sure_states_no_danger_sign(reply: str) -> None:
    fired = {
        sign.id: [hit.rule.id for hit in hits]
        for sign in SCRIPT.questions
        for about in ([person_for(sign.id)] if sign.id.startswith(("preg-", "birth-")) else PERSONS.values())
        if (hits := check_rules(to_case(told(about, sign.id, sign=[reply]))))
    }
    assert fired == {}


def test_choosing_an_area_or_none_of_the_boxes_fires_nothing() -> None:
    for topic in SCRIPT.areas:
        assert check_rules(to_case(told(PERSONS["adult"], "area", area=[topic.id]))) == [], topic.id
    assert check_rules(to_case(told(PERSONS["adult"], "screen", signs=["none"]))) == []


def test_a_quiet_interview_raises_nothing() -> None:
    assert floor(walk()[-1]) is Acuity.LOW
    for start in ("hour", "today", "days", "week", "longer"):
        for course in ("better", "same", "worse", "waves"):
            for pain in ("0", "5"):
                page = {"onset": {"start": [start], "course": [course], "pain": [pain]}}
                assert walk(page)[-1].alerts == (), page


def test_not_sure_raises_exactly_where_the_script_says_so() -> None:
    raised = {
        sign.id
        for sign in SCRIPT.questions
        if answer(told(person_for(sign.id), sign.id, sign=["no"]).change(at=sign.id), {"sign": ["unsure"]}).alerts
    }
    assert raised == {sign.id for sign in SCRIPT.questions if sign.unsure}
    assert {"mind-suicide", "weak-side", "child-floppy", "back-saddle"} <= raised


def test_sources_are_those_of_the_rules() -> None:
    signs = (*SCRIPT.questions, *SCRIPT.screen)
    assert [sign.id for sign in signs if sign.source != RULES[sign.rule].source] == []


@pytest.mark.parametrize(
    ("complaint", "topic"),
    [
        ("I have pain in my chest", "chest"),
        ("Dolor en el pecho desde ayer", "chest"),
        ("Brustschmerzen seit heute", "chest"),
        ("عندي ألم في الصدر", "chest"),
        ("I can't breathe properly", "breathing"),
        ("Me falta el aire y tengo tos", "breathing"),
        ("ضيق تنفس", "breathing"),
        ("Kopfschmerzen", "headache"),
        ("me duele la cabeza", "headache"),
        ("صداع منذ أمس", "headache"),
        ("Rückenschmerzen", "back"),
        ("dolor de espalda", "back"),
        ("ألم في الظهر", "back"),
        ("I feel so hopeless", "mind"),
        ("quiero morir", "mind"),
        ("burning when I pee", "urinary"),
        ("es brennt beim Wasserlassen", "urinary"),
        ("حرقة في البول", "urinary"),
        ("Bauchschmerzen und Übelkeit", "abdomen"),
        ("مغص في البطن", "abdomen"),
        ("fiebre alta", "fever"),
        ("حرارة مرتفعة", "fever"),
        ("my left arm is numb", "weakness"),
        ("He fell and hit his head", "head-injury"),
        ("wasp sting, swollen lips", "allergy"),
        ("something in my eye", "eye"),
        ("der Knöchel ist verletzt", "injury"),
    ],
)
def test_words_of_a_complaint_find_the_topic(complaint: str, topic: str) -> None:
    assert topic in find_topics(SCRIPT, complaint, (), "", NOBODY)


def test_words_that_tell_nothing_find_no_topic() -> None:
    for words in ("I need advice", "early appointment please", "necesito ayuda", "ich brauche Hilfe", "مساعدة", ""):
        assert find_topics(SCRIPT, words, (), "", NOBODY) == [], words


def test_who_the_patient_is_brings_topics_first() -> None:
    assert find_topics(SCRIPT, "cough", (), "", Who(3.0, None, None, False)) == ["child", "breathing"]
    assert find_topics(SCRIPT, "cough", (), "", Who(28.0, "female", True, False))[0] == "pregnancy"
    assert find_topics(SCRIPT, "cough", (), "", Who(28.0, "female", False, True))[0] == "birth"
    assert find_topics(SCRIPT, "cough", ["suicide"], "", NOBODY) == ["mind", "breathing"]


def test_questions_take_turns_and_what_a_box_told_is_not_asked_again() -> None:
    chosen = choose_questions(SCRIPT, ["mind", "breathing"], ["suicide"], NOBODY)
    assert chosen[:2] == ["mind-harm", "breath-rest"]
    assert "mind-suicide" not in chosen
    assert "belly-testicle" not in choose_questions(SCRIPT, ["abdomen"], (), Who(30.0, "female", None, False))
    assert "head-temple" not in choose_questions(SCRIPT, ["headache"], (), Who(20.0, None, None, False))
    assert "head-temple" in choose_questions(SCRIPT, ["headache"], (), NOBODY)


def test_a_script_that_names_what_is_not_there_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "script.yaml"
    path.write_text("screen: []\nquestions: []\ntopics: [{id: a, say: A., questions: [gone]}]\n")
    with pytest.raises(RecipeError, match="gone"):
        load_script(path)
