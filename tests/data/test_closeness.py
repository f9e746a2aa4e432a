"""Planted leaks stand out from what chance brings close; nothing is cried where nothing leaks."""

import random

import pytest

from prescreen.data.clean import clean
from prescreen.data.closeness import Told, measure_closeness
from prescreen.data.gather import Gathered
from prescreen.data.quality import find_leaks
from prescreen.data.synthesize import synthesize_cases

PLACES = [
    "chest",
    "belly",
    "knee",
    "back",
    "throat",
    "ear",
    "foot",
    "hand",
    "neck",
    "hip",
    "jaw",
    "wrist",
    "ankle",
    "elbow",
    "eye",
    "nose",
]
FEELS = [
    "burning",
    "stabbing",
    "dull",
    "throbbing",
    "itching",
    "swollen",
    "numb",
    "stiff",
    "tingling",
    "sore",
    "bruised",
    "hot",
    "cold",
    "weak",
]
SINCE = ["hours", "days", "weeks", "months", "minutes"]
MORE = [
    "after a fall",
    "at night",
    "when walking",
    "since lunch",
    "with fever",
    "without reason",
    "at work",
    "in bed",
]


def invent(count: int, seed: int, name: str) -> list[Told]:
    draw = random.Random(seed)
    texts = (
        f"{draw.choice(FEELS)} and {draw.choice(FEELS)} {draw.choice(PLACES)}, {draw.randrange(2, 30)} "
        f"{draw.choice(SINCE)}, {draw.choice(MORE)}, {draw.choice(PLACES)} too {draw.choice(MORE)}"
        for _ in range(count)
    )
    return [Told(f"{name}{n}", f"{name}{n}", text) for n, text in enumerate(texts)]


@pytest.fixture(scope="module")
def training() -> list[Told]:
    return invent(1500, 1, "train")


def test_where_nothing_leaks_about_as_many_are_close_as_expected(training):
    close = measure_closeness(invent(600, 2, "test"), training)
    assert close is not None and close.expected == pytest.approx(6)
    assert len(close.close) <= 15


def test_planted_paraphrases_that_share_no_run_of_eight_words_are_seen(training):
    tests = invent(100, 3, "test")
    for number in range(20):  # the same story with a word changed in each run of eight
        words = training[number].text.split()
        words[3], words[9] = words[3] + "s", "and"
        tests.append(Told(f"leak{number}", f"someone{number}", " ".join(words)))
    texts = [(told.name, told.text) for told in training]
    by_runs = {leak.test for leak in find_leaks({told.name: told.text for told in tests}, texts)}
    close = measure_closeness(tests, training)
    seen = {near.test: near.training for near in close.close}
    leaks = {f"leak{number}": f"train{number}" for number in range(20)}
    assert not by_runs & leaks.keys()
    assert sum(seen.get(test) == original for test, original in leaks.items()) >= 18
    assert len(seen.keys() - leaks.keys()) <= 5
    assert "expected by chance" in str(close) and close.close[0].test in str(close)


def test_a_patients_own_other_cases_set_no_threshold_and_are_no_leak(training):
    pairs = [Told(f"again{n}", told.patient, told.text) for n, told in enumerate(training)]
    close = measure_closeness(invent(100, 4, "test"), [*training, *pairs])
    assert close.threshold < 1
    own = [Told("own", training[0].patient, training[0].text)]
    assert measure_closeness(own, training[:50]).nearest[0].training != "train0"


def test_the_answer_does_not_depend_on_how_training_is_cut(training, monkeypatch):
    tests = invent(50, 5, "test")
    whole = measure_closeness(tests, training)
    monkeypatch.setattr("prescreen.data.closeness.BLOCK", 7)
    assert measure_closeness(tests, training) == whole


def test_nothing_to_compare_is_said_by_none():
    told = Told("a", "a", "words")
    assert measure_closeness([], [told]) is None and measure_closeness([told], []) is None
    assert measure_closeness([told], [Told("b", "b", " ")]) is None


def test_the_build_counts_close_cases_and_keeps_them():
    found = Gathered()
    found.cases["train"] += synthesize_cases(3, 60, "train", "seen")
    found.cases["condition"] += synthesize_cases(3, 10, "test", "unseen")
    checks = clean(found)
    assert "of 10, 0.1 expected by chance" in checks["closest to a training case, suite condition"]
    assert len(found.cases["condition"]) == 10
