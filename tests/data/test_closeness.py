"""Planted leaks stand out from what chance brings close; nothing is cried where nothing leaks."""

import random

import pytest

from prescreen.data.clean import clean
from prescreen.data.closeness import Closeness, Told, measure_closeness
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


def measure(tests: list[Told], training: list[Told]) -> Closeness:
    """Of one suite."""
    return measure_closeness({"suite": tests}, training)["suite"]


@pytest.fixture(scope="module")
def training() -> list[Told]:
    return invent(1500, 1, "train")


def test_where_nothing_leaks_about_as_many_are_close_as_expected(training):
    close = measure(invent(600, 2, "test"), training)
    assert close.expected == pytest.approx(6)
    assert len(close.close) <= 15


def test_planted_paraphrases_that_share_no_run_of_eight_words_are_seen(training):
    tests = invent(100, 3, "test")
    for number in range(20):  # the same story with a word changed in each run of eight
        words = training[number].text.split()
        words[3], words[9] = words[3] + "s", "and"
        tests.append(Told(f"leak{number}", f"someone{number}", " ".join(words)))
    texts = [(told.name, told.text) for told in training]
    by_runs = {leak.test for leak in find_leaks({told.name: told.text for told in tests}, texts)}
    close = measure(tests, training)
    seen = {near.test: near.training for near in close.close}
    leaks = {f"leak{number}": f"train{number}" for number in range(20)}
    assert not by_runs & leaks.keys()
    assert sum(seen.get(test) == original for test, original in leaks.items()) >= 18
    assert len(seen.keys() - leaks.keys()) <= 5
    assert "expected by chance" in str(close) and close.close[0].test in str(close)


def test_a_patients_own_other_cases_set_no_threshold_and_are_no_leak(training):
    pairs = [Told(f"again{n}", told.patient, told.text) for n, told in enumerate(training)]
    close = measure(invent(100, 4, "test"), [*training, *pairs])
    assert close.threshold < 1
    own = [Told("own", training[0].patient, training[0].text)]
    assert measure(own, training[:50]).nearest[0].training != "train0"


def test_the_answer_does_not_depend_on_how_training_is_cut(training, monkeypatch):
    tests = invent(50, 5, "test")
    whole = measure(tests, training)
    monkeypatch.setattr("prescreen.data.closeness.BLOCK", 7)
    assert measure(tests, training) == whole


def test_nothing_to_compare_is_left_out():
    told = Told("a", "a", "words")
    for tests, training in (([], [told]), ([told], []), ([told], [Told("b", "b", " ")])):
        assert measure_closeness({"suite": tests}, training) == {}


def test_suites_are_measured_together_and_told_apart(training):
    """A text has the neighbour that it has in a suite alone, and one threshold holds for all."""
    first, second = invent(40, 6, "first"), invent(30, 7, "second")
    found = measure_closeness({"first": first, "none": [], "second": second}, training)
    assert list(found) == ["first", "second"] and len({close.threshold for close in found.values()}) == 1
    for name, tests in (("first", first), ("second", second)):
        alone = {near.test: near for near in measure(tests, training).nearest}
        assert [near.test for near in found[name].nearest] == [told.name for told in tests]
        same = sum(near.training == alone[near.test].training for near in found[name].nearest)
        assert same > 0.9 * len(tests), "the weights of n-grams are learned from all, so a few may differ"


def test_the_build_counts_close_cases_and_keeps_them():
    found = Gathered()
    found.cases["train"] += synthesize_cases(3, 60, "train", "seen")
    found.cases["condition"] += synthesize_cases(3, 10, "test", "unseen")
    checks = clean(found)
    assert "of 10, 0.1 expected by chance" in checks["closest to a training case, suite condition"]
    assert len(found.cases["condition"]) == 10
