"""Terms from installed packages, names in clinical sense: what stays, what is a name, what a missing list does."""

import bz2
import io
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest

from prescreen.errors import GuardError
from prescreen.records.deid import terms
from prescreen.records.deid.lexicon import gather_words
from prescreen.records.deid.terms import find_package, is_spanish, read_phrases
from prescreen.records.deid.vocabulary import is_eponym, list_words, speaks_spanish, suspect_words
from prescreen.records.deid.words import is_careful


def suspect(text: str) -> list[str]:
    words = list_words(text)
    return [words[number].low for number in sorted(suspect_words(text, words))]


@pytest.mark.parametrize(
    "text",
    [
        "Seen today. Left Todd's paresis, now on Malarone",
        "Known Lynch syndrome and a Jackson-Pratt drain",
        "walks with a Zimmer frame",
        "Abbey pain score 9",
        "rocky mountain spotted fever in june",
        "allergies: qworplast, zelturin",
        "given zelturin 20 mg bd",
        "rehab after adhesiolysis with hemianopia and rhonchi",
        "me duele la lengua y tengo la boca seca desde hace tres dias",
    ],
)
def test_clinical_words_stay(text: str) -> None:
    assert suspect(text) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mr Fabry has a rash", "fabry"),
        ("sarah test results", "sarah"),
        ("Sarah's fever is up", "sarah"),
        ("i am zelturin", "zelturin"),
        ("okonwele has a rash", "okonwele"),
        ("allergies: none per zelturin", "zelturin"),
        ("de la boca de okonwele con dolor desde ayer", "okonwele"),
    ],
)
def test_names_stay_names(text: str, name: str) -> None:
    assert name in suspect(text)


def test_a_possessive_needs_nothing_possessed() -> None:
    for text, number, clinical in (("known Felty's, on steroids", 1, True), ("we went to Felty's house", 3, False)):
        assert is_eponym(list_words(text), number, text) == clinical


def test_no_list_holds_a_name_of_the_census() -> None:
    gathered = gather_words()
    for name in ("words", "technical", "modern", "spoken"):
        assert len(getattr(gathered.terms, name)) > 10_000
        assert not getattr(gathered.terms, name) & gathered.census


def test_manners_of_writing() -> None:
    assert is_careful(list_words("He fell. Then he rang.")) and not is_careful(list_words("he fell. then he rang."))
    assert speaks_spanish(list_words("me duele el pecho desde ayer y tengo tos"))
    assert not speaks_spanish(list_words("my chest hurts and I have had a cough for days"))
    assert is_spanish("lengua") and is_spanish("tomando") and not is_spanish("okonwele")


def test_a_missing_package_is_said_in_one_sentence() -> None:
    with pytest.raises(GuardError, match=r"needs the package no_such_list; install prescreen\[records\]"):
        find_package("no_such_list")


def test_a_list_that_holds_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    pickle.dump({"table": OrderedDict()}, file)
    (tmp_path / "list").write_bytes(bz2.compress(file.getvalue()))
    monkeypatch.setattr(terms, "find_package", lambda name: tmp_path)
    with pytest.raises(pickle.UnpicklingError, match="holds code"):
        list(read_phrases("any", "list", "table"))
