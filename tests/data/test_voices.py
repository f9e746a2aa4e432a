"""The voices: many people's words, every level, and none of the case bank's."""

import re
from collections import Counter

from prescreen.clinic.acuity import Acuity
from prescreen.data.voices import read_voices
from prescreen.evals.bank import bank_cases

RUN = 9  # words in a row that two authors do not share by chance


def runs_of(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}


def test_every_level_is_told_often() -> None:
    levels = Counter(case.label.acuity for case in read_voices() if case.label)
    assert sum(levels.values()) >= 1500 and levels[Acuity.EMERGENCY] >= 700 and min(levels.values()) >= 200


def test_no_voice_speaks_the_case_banks_words() -> None:
    """The bank is never learned from; a long shared run of words would be a leak."""
    bank = set().union(*(runs_of(case.text) for case in bank_cases()))
    shared = {run for case in read_voices() for run in runs_of(case.text) & bank}
    assert not shared


def test_ids_are_not_the_banks() -> None:
    assert not {case.id for case in read_voices()} & {case.id for case in bank_cases()}
