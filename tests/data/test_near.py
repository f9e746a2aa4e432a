"""What is named as a repeat is one, few repeats are missed, and memory does not grow with the stream."""

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.data.clean import EXACT, clean
from prescreen.data.gather import Gathered
from prescreen.data.minhash import BANDS, band_keys
from prescreen.data.near import find_near
from prescreen.data.quality import find_twins, word_grams
from prescreen.data.records import Row
from prescreen.errors import InputError

LONG = "since this morning my left knee has been swollen and hot and I can hardly bend it at all"


def jaccard(first: str, second: str) -> float:
    one, other = word_grams(first, 5), word_grams(second, 5)
    return len(one & other) / len(one | other)


def invent(seed: int, count: int) -> list[tuple[str, str]]:
    """Texts of which every third is an earlier one with up to four words changed, of any similarity."""
    draw = random.Random(seed)
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and draw.random() < 0.35:
            words = list(draw.choice(texts))
            for _ in range(draw.randrange(5)):
                words[draw.randrange(len(words))] = f"w{draw.randrange(900)}"
        else:
            words = [f"w{draw.randrange(900)}" for _ in range(draw.randrange(1, 90))]
        texts.append(words)
    return [(f"t{number}", " ".join(words)) for number, words in enumerate(texts)]


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_what_the_exact_search_finds(seed):
    texts = invent(seed, 1500)
    exact = {twin.name for twin in find_twins(dict(texts))}
    found = list(find_near(texts))
    known = dict(texts)
    assert all(t.similarity == jaccard(known[t.name], known[t.original]) >= 0.8 for t in found)
    assert len(exact) > 150
    assert len({twin.name for twin in found} & exact) >= 0.98 * len(exact)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from("ab"), max_size=14), max_size=25), st.sampled_from([0.5, 0.8, 1.0]))
def test_what_it_names_is_above_the_threshold_and_came_earlier(words, threshold):
    texts = [(str(number), " ".join(text)) for number, text in enumerate(words)]
    known = dict(texts)
    gone = set()
    for twin in find_near(texts, threshold):
        assert int(twin.original) < int(twin.name) and twin.original not in gone
        assert twin.similarity == jaccard(known[twin.name], known[twin.original]) >= threshold
        gone.add(twin.name)
    if threshold == 1.0:  # equal sets share every key: nothing is missed
        assert gone == {twin.name for twin in find_twins(known, 1.0)}


def test_the_same_stream_gives_the_same_answer_in_the_same_order():
    texts = invent(7, 1200)
    first = list(find_near(texts))
    assert first == list(find_near(iter(texts)))
    assert [t.name for t in first] == sorted((t.name for t in first), key=lambda name: int(name[1:]))


def test_keys_are_the_same_on_every_machine():
    # written down once: they decide which cases of last year's build are repeats
    assert band_keys([LONG])[0, :2].tolist() == [6255230941740846929, -1261644513590342470]
    alone = band_keys(["", "one", LONG, "one"])
    assert alone.shape == (4, BANDS)
    assert (alone[1] == alone[3]).all() and (alone[2] == band_keys([LONG])[0]).all()
    assert (alone[0] != alone[1]).any()


def test_texts_of_any_characters_pass():
    texts = [("a", "\ud800 broken"), ("b", "\ud800 broken"), ("c", "\x00"), ("d", ""), ("e", "")]
    assert [(t.name, t.original) for t in find_near(texts)] == [("b", "a"), ("d", "c"), ("e", "c")]


def test_memory_does_not_grow_with_the_stream():
    def peak(count: int) -> int:
        stream = ((str(n), " ".join(f"x{n}y{m}" for m in range(60))) for n in range(count))
        tracemalloc.start()
        try:
            assert list(find_near(stream)) == []
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(6_000) < 1.2 * peak(2_000)


def test_nothing_is_left_on_the_disk(tmp_path):
    assert len(list(find_near(invent(1, 50), folder=str(tmp_path)))) > 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said():
    with pytest.raises(InputError, match="no such folder"):
        list(find_near([("a", "b")], folder="/no/such/folder"))


def test_ten_thousand_texts_of_one_frame_take_seconds():
    texts = (
        (str(n), f"I have had pain in my leg for {n} days now and it gets worse at night {n * 7}")
        for n in range(10_000)
    )
    assert sum(1 for _ in find_near(texts)) < 100


def test_many_texts_are_searched_on_the_disk_and_the_build_says_so():
    found = Gathered()
    message = {"role": "user", "content": ""}
    for number in range(EXACT + 1):
        said = {**message, "content": "the same again" if number in (5, 9) else f"story {number}"}
        row = Row(f"r{number}", f"r{number}", f"p{number}", "ask", "clinic:x", "clinic", (said,))
        found.rows["train"].append(row)
    counts = clean(found)
    assert counts["texts searched by MinHash, which misses about one repeat in five hundred"] == EXACT + 1
    assert counts["repeated rows removed"] == 1 and found.rejects[0].where == "r9"
    assert not any("MinHash" in name for name in clean(Gathered()))
