"""MinHash of many short texts at once: the keys by which texts that share most of their word runs meet.

Two texts agree on one minimum as often as their sets of word runs overlap, so texts of Jaccard similarity s share a
key of a given band with chance s^ROWS. Knows numbers alone: no names, no storage, no decision.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from prescreen.data.quality import SHINGLE, split_words

BANDS: Final = 16
ROWS: Final = 5  # 1 - (1 - 0.8^5)^16: 99.8 % of pairs of similarity 0.8 meet, 40 % of 0.5, 4 % of 0.3
_DRAWN = np.random.Generator(np.random.PCG64(20_011))  # fixed: keys are the same on every machine
_FACTORS = _DRAWN.integers(1, 1 << 63, BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_TERMS = _DRAWN.integers(0, 1 << 63, BANDS * ROWS, dtype=np.uint64)
_PLACES = _DRAWN.integers(1, 1 << 63, SHINGLE, dtype=np.uint64) * np.uint64(2) + np.uint64(1)

Numbers = NDArray[Any]


def band_keys(texts: Sequence[str]) -> Numbers:
    """BANDS signed 64-bit keys for each text, from its runs of SHINGLE words (a shorter text is one run)."""
    if not texts:
        return np.empty((0, BANDS), dtype=np.int64)
    grams, starts = _hash_runs(texts)
    keys = np.empty((len(texts), BANDS), dtype=np.uint64)
    for band in range(BANDS):
        key = np.full(len(texts), band, dtype=np.uint64)
        for number in range(band * ROWS, band * ROWS + ROWS):
            drawn = (grams * _FACTORS[number] + _TERMS[number]) >> np.uint64(20)
            key = _mix(key ^ np.minimum.reduceat(drawn, starts))
        keys[:, band] = key
    return keys.view(np.int64)


def _hash_runs(texts: Sequence[str]) -> tuple[Numbers, Numbers]:
    """A 64-bit number for each run of words of all texts in a row, and where each text's runs begin."""
    words: list[int] = []
    lengths = []
    for text in texts:
        own = [zlib.crc32(word.encode("utf-8", "surrogatepass")) + 1 for word in split_words(text)]
        own += [0] * (SHINGLE - len(own))  # no word has the number 0
        words += own
        lengths.append(len(own))
    hashes = _mix(np.array(words, dtype=np.uint64))
    sizes = np.array(lengths)
    ends = np.cumsum(sizes)
    runs = np.zeros(len(words) - SHINGLE + 1, dtype=np.uint64)
    for place, factor in enumerate(_PLACES):
        runs += hashes[place : place + len(runs)] * factor
    whole = np.ones(len(words), dtype=bool)  # a run that begins in a text's last words would end in the next text
    for back in range(1, SHINGLE):
        whole[ends - back] = False
    counts = sizes - SHINGLE + 1
    return _mix(runs[whole[: len(runs)]]), np.cumsum(counts) - counts


def _mix(numbers: Numbers) -> Numbers:
    """Every bit of the result depends on every bit given (the finaliser of splitmix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Numbers = numbers ^ (numbers >> np.uint64(31))
    return mixed
