"""A patient stays where they were once put; repeats, contradictions and leaks are found."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.data.ktas import SHARES, ktas_part
from prescreen.data.quality import find_conflicts, find_leaks, find_twins, word_grams
from prescreen.data.split import assign_part, hash_share

names = st.text(min_size=1, max_size=40)


@given(names)
def test_a_patient_has_one_part_for_ever(patient):
    assert assign_part(patient) == assign_part(patient)


@given(st.lists(names, unique=True, max_size=30), st.lists(names, unique=True, max_size=30))
def test_a_part_does_not_depend_on_who_else_is_there(some, others):
    alone = {patient: assign_part(patient) for patient in some}
    together = {patient: assign_part(patient) for patient in [*others, *some]}
    assert all(together[patient] == part for patient, part in alone.items())


def test_known_patients_keep_the_part_they_have():
    # written down once: if these change, yesterday's test patients would be learned from tomorrow
    parts = [ktas_part(f"ktas-{n:04d}") for n in range(8)]
    assert parts == ["train", "test", "test", "train", "train", "train", "test", "test"]
    drawn = [assign_part(f"patient-{n}") for n in range(40)]
    assert [n for n, part in enumerate(drawn) if part == "test"] == []
    assert [n for n, part in enumerate(drawn) if part == "valid"] == [9, 21, 28, 30]


def test_shares_are_kept():
    counts = Counter(ktas_part(f"case {n}") for n in range(5000))
    assert all(abs(counts[part] / 5000 - share) < 0.03 for part, share in SHARES.items())


def test_another_key_draws_another_split():
    drawn = [hash_share(key, "patient") for key in ("ours", "theirs")]
    assert drawn[0] != drawn[1] and all(0 <= share <= 1 for share in drawn)


def test_shares_must_sum_to_one():
    with pytest.raises(AssertionError):
        assign_part("patient", {"train": 0.5, "valid": 0.4})


LONG = "since this morning my left knee has been swollen and hot and I can hardly bend it at all"


def test_a_repeated_text_is_found_and_the_first_one_stays():
    texts = {"first": LONG, "other": "a runny nose for two days and nothing else to report", "again": LONG.upper()}
    assert [(t.name, t.original, t.similarity) for t in find_twins(texts)] == [("again", "first", 1.0)]


def test_a_slightly_changed_long_text_is_a_near_repeat_and_a_different_one_is_not():
    body = " ".join(f"word{n}" for n in range(120))
    texts = {"first": body, "near": body.replace("word60", "changed"), "far": body.replace("word", "term")}
    twins = list(find_twins(texts))
    assert [t.name for t in twins] == ["near"] and 0.8 <= twins[0].similarity < 1


@given(st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=14), min_size=2, max_size=12))
def test_twins_are_exactly_those_a_slow_search_finds(words):
    texts = {str(number): " ".join(text) for number, text in enumerate(words)}
    kept, slow = [], set()
    for name, text in texts.items():
        mine = word_grams(text, 5)
        if any(len(mine & word_grams(texts[k], 5)) / len(mine | word_grams(texts[k], 5)) >= 0.8 for k in kept):
            slow.add(name)
        else:
            kept.append(name)
    assert {twin.name for twin in find_twins(texts)} == slow


def test_ten_thousand_similar_texts_take_seconds_not_hours():
    texts = {
        str(n): f"I have had pain in my leg for {n} days now and it gets worse at night {n * 7}"
        for n in range(10_000)
    }
    assert len(list(find_twins(texts))) < 10_000


def test_the_same_words_with_two_levels_contradict_each_other():
    labelled = [("a", "Sore throat.", "low"), ("b", "sore throat", "high"), ("c", "Sore ear.", "low")]
    assert find_conflicts(labelled) == {"a": ["b"], "b": ["a"]}


def test_a_test_text_inside_a_training_text_leaks():
    training = [
        ("book", f"Once upon a time. {LONG}. The end."),
        ("clean", "nothing of the kind is said in here at all"),
    ]
    leaks = list(find_leaks({"case": LONG, "short": "abdominal pain"}, training))
    assert [(leak.test, leak.training, leak.share) for leak in leaks] == [("case", "book", 1.0)]


def test_a_single_shared_phrase_is_no_leak():
    phrase = "I do not know what to do about it"
    test = f"{phrase} because my ear rings day and night and I cannot sleep or work or think any more"
    assert not list(find_leaks({"case": test}, [("row", f"{phrase} as the bill is too high for me")]))
