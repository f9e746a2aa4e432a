"""The model's questions: which may be asked, which are refused and why, and when no more are wanted."""

import pytest

from prescreen.intake.follow_up import is_alike, why_refused
from prescreen.intake.interview import answer, next_step, offer_question, opt_out, wants_model
from prescreen.intake.reading import clean_text
from prescreen.intake.state import LIMIT, Settings
from prescreen.intake.tongue import could_be
from small_interview import upto, walk

GOOD = (
    "Does the pain get worse when you move?",
    "When did you last eat or drink?",
    "Have you ever been told you have diabetes?",
    "Is there a family history of heart attack?",
    "Have you taken anything for the pain, and did it help?",
    "How many times did you vomit since the morning?",
    "Could you tell me more about the swelling?",
    "Did you hurt your ear with anything?",
)
BAD = {
    "Tell me about the pain.": "no single question",
    "I see. Where is the pain now? And since when?": "no single question",
    "That sounds bad. Is it worse at night?": "no single question",
    "Do you think this could be a heart attack?": "diagnosis",
    "Does it feel like appendicitis to you?": "diagnosis",
    "Could this be something you ate that upset it?": "diagnosis",
    "It sounds like pneumonia, do you agree?": "diagnosis",
    "Do you have pancreatitis?": "diagnosis",
    "Is this an emergency for you?": "level",
    "Would you say the priority is high?": "level",
    "Did you take 400 mg of anything?": "dose",
    "Can you take two aspirin now?": "dose",
    "Have you looked at www.example.org for help?": "link",
    "Can you write to me at nurse@clinic.example?": "link",
    "What is your full name?": "identifier",
    "What is your date of birth?": "identifier",
    "Can I have your phone number?": "identifier",
    "What is your insurance number?": "identifier",
    "Where do you live?": "identifier",
    "¿Desde cuándo le duele el oído y qué ha tomado?": "language",
    "Seit wann haben Sie die Schmerzen im Ohr?": "language",
    "منذ متى تشعر بالألم؟": "language",
    "Is it <b>worse</b> at night?": "form",
    "Is it worse\nat night?": "form",
    "What is the problem today?": "repeat",
    "What's the problem today please?": "repeat",
    "Hm?": "length",
    "Is it " + "very " * 60 + "bad?": "length",
    "": "length",
}


@pytest.mark.parametrize("question", GOOD)
def test_a_good_question_is_asked(question: str) -> None:
    assert why_refused(upto("review"), question) == ""
    assert next_step(offer_question(upto("review"), question)).title == question


@pytest.mark.parametrize(("question", "why"), BAD.items())
def test_a_bad_question_is_refused_and_the_script_goes_on(question: str, why: str) -> None:
    state = upto("review")
    assert why_refused(state, question) == why
    refused = offer_question(state, question) if clean_text(question) == question else state.change(refused=1)
    assert refused == state.change(refused=1) and next_step(refused) == next_step(state)


def test_a_question_of_the_script_is_not_put_again() -> None:
    state = upto("review", {"complaint": {"complaint": ["My back hurts since yesterday"]}})
    assert why_refused(state, "With the back pain, are both of your legs weak, numb or tingling?") == "repeat"
    assert is_alike("Are your ears itching?", "Is the ear itching?")
    assert not is_alike("Are your ears itching?", "Are your eyes itching?")


def test_a_model_that_fails_twice_is_not_asked_again() -> None:
    state = upto("review")
    for _ in range(2):
        assert wants_model(state)
        state = offer_question(state, "You have a cold.")
    assert not wants_model(state) and offer_question(state, GOOD[0]) == state


def test_no_more_than_four_and_none_beyond_the_last_page() -> None:
    state = upto("review")
    for question in GOOD:
        state = offer_question(state, question)
        if next_step(state).id.startswith("more-"):
            state = answer(state, {"more": ["I do not know"]}).state
    assert len(state.offered) == 2 and next_step(state).total == LIMIT
    assert not wants_model(upto("review", settings=Settings(year=2027, follow_ups=0)))


def test_no_question_before_the_script_is_through_nor_when_it_is_urgent_nor_after_the_end() -> None:
    for page in ("about", "complaint", "screen", "onset", "history", "measures"):
        assert not wants_model(upto(page)) and offer_question(upto(page), GOOD[0]) == upto(page)
    assert not wants_model(upto("review", {"screen": {"signs": ["seizure"]}}))
    assert not wants_model(opt_out(upto("review"))) and not wants_model(walk()[-1])
    assert not wants_model(offer_question(upto("review"), GOOD[0]))


def test_only_in_languages_the_clinic_names() -> None:
    assert not wants_model(upto("review", language="es"))
    spanish = upto("review", language="es", settings=Settings(year=2027, follow_up_languages=("en", "es")))
    assert wants_model(spanish)
    assert why_refused(spanish, "¿Desde cuándo le duele el oído?") == ""
    assert why_refused(spanish, "Since when does your ear hurt like this?") == "language"


@pytest.mark.parametrize(
    ("text", "language", "may_be"),
    [
        ("severe headache vomiting", "en", True),
        ("I have had a cough for two weeks", "en", True),
        ("Tengo dolor de cabeza desde ayer", "en", False),
        ("Ich habe seit gestern starke Schmerzen", "en", False),
        ("J'ai mal au ventre depuis hier", "en", False),
        ("صداع شديد", "en", False),
        ("صداع شديد", "ar", True),
        ("headache", "ar", False),
        ("сильно болит голова", "en", False),
        ("头疼得厉害", "en", False),
        ("Tengo dolor de cabeza desde ayer", "es", True),
        ("Ich habe seit gestern starke Schmerzen", "de", True),
        ("😭😭", "en", False),
    ],
)
def test_the_language_of_a_text(text: str, language: str, may_be: bool) -> None:
    assert could_be(text, language) is may_be


def test_words_in_another_language_on_the_english_pages_are_read_by_a_person() -> None:
    state = upto("screen", {"complaint": {"complaint": ["Me duele mucho el pecho desde ayer"]}})
    assert state.unread_text
    assert not upto("screen").unread_text
