"""The voices: many people's words, every level, and none of the case bank's."""

import re
from collections import Counter

from prescreen.clinic.acuity import Acuity
from prescreen.config import read_yaml
from prescreen.data.tables import load_tables
from prescreen.data.voices import read_voices
from prescreen.evals.bank import BANK, bank_cases, read_bank

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


def test_what_the_bank_shares_with_the_synthesizer_is_the_synthesizers() -> None:
    """The bank names the conditions training shows too, and its report counts them apart."""
    known = {condition.name for condition in load_tables().conditions.values()}
    named = {
        name
        for path in BANK.glob("*.yaml")
        for condition in read_yaml(path)["conditions"]
        for name in condition.get("also_in_training", ())
    }
    assert len(named) > 30 and named <= known
    shared = sum(entry.trained for entry in read_bank())
    assert 0 < shared < len(read_bank()) / 2
