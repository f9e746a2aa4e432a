"""The conversation task with scripted models: each fault is caught by exactly its metric."""

from collections.abc import Callable

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.evals.conversation import HARMS, MAX_TURNS, run_conversation
from prescreen.evals.glossary import GLOSSARY
from prescreen.evals.patient import (
    LOST,
    NOTHING_MORE,
    UNSURE,
    Sheet,
    answer_question,
    find_topics,
    is_question,
    read_ward,
)
from prescreen.evals.public_patients import find_cues, run_public_patients, write_agentclinic, write_mediq
from prescreen.evals.rate import Rate
from prescreen.evals.task import Found
from prescreen.model.engine import Completion, ScriptedEngine
from prescreen.model.harmony import Message

WARD = read_ward()
DONE = "Thank you, that is all."
BY_OPENING = {sheet.opening: sheet for sheet in WARD.patients}
# One plain question a topic, as a history taker would put it; each must be understood as that topic alone.
PLAIN = {
    "onset": "When did it start?",
    "sudden": "Was that sudden or gradual?",
    "site": "Which side?",
    "severity": "How bad, on a scale to ten?",
    "character": "What kind of trouble?",
    "spread": "Does it spread?",
    "worse": "Does it get worse with anything?",
    "breath": "Any trouble breathing?",
    "chest": "Any pain in the chest?",
    "sweat": "Are you sweating?",
    "faint": "Did you faint?",
    "vomit": "Have you vomited?",
    "fever": "Have you had a fever?",
    "cough": "Any cough?",
    "headache": "Any headache?",
    "neck": "Is the neck stiff?",
    "light": "Do you shun bright light?",
    "rash": "Is there a rash?",
    "weakness": "Is there any weakness?",
    "speech": "Is your speech changed?",
    "vision": "How is your vision?",
    "confusion": "Any confusion?",
    "injury": "Was there an injury?",
    "bleeding": "Any bleeding?",
    "stool": "How are the stools?",
    "urine": "How is the urine?",
    "back": "Any back pain?",
    "belly": "Any pain in the belly?",
    "drinking": "Are you drinking?",
    "eating": "Can you eat?",
    "nappy": "How many nappies?",
    "swallow": "Can you swallow?",
    "airway": "Is the tongue all right?",
    "swelling": "Is it swollen?",
    "clots": "Any long flight?",
    "pregnancy": "Could you be pregnant?",
    "saddle": "Can you feel your saddle area?",
    "bladder": "Any bladder trouble?",
    "walk": "Can you walk?",
    "exposure": "Were you stung?",
    "suicidal": "Do you have thoughts of suicide?",
    "alone": "Are you alone?",
    "contacts": "Are others ill?",
    "conditions": "Any medical conditions?",
    "medications": "Which medicines?",
    "allergies": "Any allergies?",
    "smoking": "Do you smoke?",
    "sleep": "How do you sleep?",
    "weight": "Any weight loss?",
    "itch": "Does it itch?",
    "discharge": "Any discharge?",
    "vaccines": "Which vaccinations?",
    "work": "Any change at work?",
}


def ask_by(choose: Callable[[Sheet, int], str]) -> ScriptedEngine:
    """A model that knows which patient speaks and how many questions it has put."""

    def answer(messages: list[Message]) -> str:
        asked = sum(message["role"] == "assistant" for message in messages)
        return choose(BY_OPENING[messages[1]["content"]], asked)

    return ScriptedEngine(answer)


def ask_all(sheet: Sheet, asked: int) -> str:
    """Red flags first, then the rest, then stop: perfect."""
    order = [*sheet.must_ask, *(topic for topic in sheet.facts if topic not in sheet.must_ask)]
    return PLAIN[order[asked]] if asked < len(order) else DONE


def counts(found: Found, metric: str) -> tuple[int, int]:
    figure = found.measures[metric].figure
    assert isinstance(figure, Rate)
    return figure.right, figure.n


def failing(found: Found) -> set[str]:
    """Metrics that are not as they should be."""
    rates = {name: each.figure for name, each in found.measures.items() if isinstance(each.figure, Rate)}
    return {name for name, rate in rates.items() if rate.right != (0 if name in HARMS else rate.n)}


def test_the_ward_is_of_four_levels_and_every_fact_can_be_asked_for() -> None:
    assert len(WARD.patients) >= 24
    assert all(sum(sheet.level is level for sheet in WARD.patients) >= 6 for level in Acuity)
    for sheet in WARD.patients:
        for topic in sheet.facts:
            assert find_topics(PLAIN[topic], WARD.topics) == [topic], (sheet.id, topic)


def test_a_perfect_history_taker_passes_everything() -> None:
    found = run_conversation(ask_by(ask_all), 0)
    assert failing(found) == set()
    assert counts(found, "facts_obtained")[1] == sum(len(sheet.facts) for sheet in WARD.patients)
    assert counts(found, "premature_closure") == (0, len(WARD.patients))
    assert found.measures.keys() <= GLOSSARY.keys()
    longest = max(len(sheet.facts) for sheet in WARD.patients)
    assert longest <= MAX_TURNS and 6 < (found.measures["questions_asked"].value or 0) <= longest


def test_one_that_stops_at_once_closes_too_soon_and_obtains_nothing() -> None:
    found = run_conversation(ScriptedEngine(lambda _: "You have a cold."), 0)
    assert failing(found) == {"facts_obtained", "red_flags_asked", "premature_closure"}
    assert counts(found, "premature_closure") == (len(WARD.patients), len(WARD.patients))
    assert found.measures["questions_asked"].value == 0


def test_one_that_has_its_red_flags_may_stop() -> None:
    found = run_conversation(ask_by(lambda s, n: PLAIN[s.must_ask[n]] if n < len(s.must_ask) else DONE), 0)
    assert failing(found) == {"facts_obtained"}


def test_one_that_repeats_itself_is_caught_in_same_and_in_other_words() -> None:
    again = run_conversation(ask_by(lambda s, n: ask_all(s, n) if n < len(s.facts) else ask_all(s, n - 1)), 0)
    assert failing(again) == {"questions_repeated"}
    only = run_conversation(ScriptedEngine(lambda _: "When did it start?"), 0)
    assert counts(only, "questions_repeated") == (11 * len(WARD.patients), 12 * len(WARD.patients))
    assert counts(only, "premature_closure") == (0, len(WARD.patients))  # it never stopped by itself
    lost = run_conversation(ScriptedEngine(lambda _: "Bananas today?"), 0)
    assert counts(lost, "questions_repeated") == (11 * len(WARD.patients), 12 * len(WARD.patients))
    words = iter(["When did it start?", "Since when is it like this?", DONE])
    cold = next(sheet for sheet in WARD.patients if sheet.id == "cold")
    said: list[str] = []

    def reword(messages: list[Message]) -> str:
        if messages[1]["content"] != cold.opening:
            return DONE
        said.append(next(words))
        return said[-1]

    other = run_conversation(ScriptedEngine(reword), 0)
    assert counts(other, "questions_repeated") == (1, 2)
    assert next(item for item in other.items if item.id == "cold:2").why == "already answered: onset"


def test_red_flags_after_the_eighth_question_are_late() -> None:
    def last_flags(sheet: Sheet, asked: int) -> str:
        others = [topic for topic in PLAIN if topic not in sheet.facts][: MAX_TURNS - len(sheet.must_ask)]
        return PLAIN[[*others, *sheet.must_ask][asked]]

    found = run_conversation(ask_by(last_flags), 0)
    assert counts(found, "red_flags_asked")[0] == 0
    assert counts(found, "premature_closure")[0] == 0 and counts(found, "questions_repeated")[0] == 0


def test_a_list_of_everything_in_one_breath_gets_two_answers() -> None:
    found = run_conversation(ask_by(lambda s, n: " ".join(PLAIN[t] for t in s.facts) if n == 0 else DONE), 0)
    assert counts(found, "facts_obtained")[0] == 2 * len(WARD.patients)
    assert "premature_closure" in failing(found)


def test_a_crash_is_told_apart_from_silence() -> None:
    found = run_conversation(ScriptedEngine(lambda _: Completion("", finish="error", error="out of memory")), 0)
    figure = found.measures["premature_closure"].figure
    assert figure == Rate(errored=len(WARD.patients))
    assert all(item.verdict == "errored" for item in found.items)


def test_all_patients_are_asked_in_one_call_a_turn() -> None:
    calls: list[int] = []

    class Counting(ScriptedEngine):
        def generate(self, prompts, **settings):  # type: ignore[no-untyped-def]
            calls.append(len(prompts))
            return super().generate(prompts, **settings)

    run_conversation(Counting(lambda _: "When did it start?"), 0)
    assert calls == [len(WARD.patients)] * MAX_TURNS


def test_a_long_thought_gets_more_room_and_is_not_taken_for_an_end() -> None:
    room: list[int] = []

    class Thinking(ScriptedEngine):
        def generate(self, prompts, **settings):  # type: ignore[no-untyped-def]
            room.append(settings["max_tokens"])
            short = settings["max_tokens"] < 200
            return [Completion("" if short else "When did it start?", finish="length") for _ in prompts]

    found = run_conversation(Thinking(lambda _: ""), 0)
    assert room == [60, 240] * MAX_TURNS and counts(found, "premature_closure")[0] == 0


def test_the_patient_answers_what_is_asked_and_nothing_else() -> None:
    sheet = next(sheet for sheet in WARD.patients if sheet.id == "cold")
    told = set(sheet.facts) - set(sheet.must_ask)  # a red flag is told only when it is asked for
    assert answer_question(sheet, WARD.topics, "Any fever?", set()).text == sheet.facts["fever"]
    assert answer_question(sheet, WARD.topics, "Is the neck stiff?", set()).text == UNSURE
    assert answer_question(sheet, WARD.topics, "Xylophone?", set()).text == LOST
    more = answer_question(sheet, WARD.topics, "Anything else?", set())
    assert more.told and more.told[0] not in sheet.must_ask
    assert answer_question(sheet, WARD.topics, "Anything else?", told).text == NOTHING_MORE


@pytest.mark.parametrize("text", ["Any fever?", "Tell me about the pain.", "Go on.", "I need to know about fever."])
def test_what_asks(text: str) -> None:
    assert is_question(text) and not is_question("You have a cold. Goodbye.")


def test_public_patients_without_their_files_are_skipped_in_words() -> None:
    found = run_public_patients(ScriptedEngine(lambda _: DONE), 0, None)
    assert not found.measures and [word.split()[0] for word in found.skipped] == ["mediq", "agentclinic"]


def test_public_patients_answer_by_their_rarer_words() -> None:
    mediq = write_mediq(
        {"context": ["A man feels ill."], "facts": ["1. Patient has a fever.", "2. Likes tea."]}, "m-1"
    )
    assert list(mediq.facts.values()) == ["Patient has a fever.", "Likes tea."]
    actor = {
        "Demographics": "A man of 40",
        "History": "He fell. He limps.",
        "Symptoms": {"Primary_Symptom": "Knee pain", "Secondary_Symptoms": ["Stiffness"]},
    }
    clinic = write_agentclinic({"OSCE_Examination": {"Patient_Actor": actor}}, "a-1")
    assert clinic.opening == "A man of 40: Knee pain"
    assert list(clinic.facts.values()) == ["Stiffness", "He fell.", "He limps."]
    cues = find_cues([["patient has fever", "patient likes soup", "patient walks", "patient sleeps"]])
    assert cues[0] == [("fever",), ("likes", "soup"), ("walks",), ("sleep",)]
