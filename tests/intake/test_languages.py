"""Words of the patient's languages: all there, the same blanks, nothing left in English."""

import re
import string
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import prescreen
from prescreen.errors import InputError
from prescreen.evals.detectors import find_dose
from prescreen.evals.disclosure import find_diagnosis, find_level
from prescreen.intake.languages import LANGUAGES, LOCALE, catalogue, direction, names, say
from prescreen.intake.script import load_script

OTHERS = [language for language in LANGUAGES if language != "en"]
SAME = {("es", "option.no"), ("es", "pregnant.no"), ("es", "page.error_prefix")}
ROOT = Path(prescreen.__file__).parent


def blanks(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_at_least_four_languages_one_of_them_from_right_to_left() -> None:
    assert len(LANGUAGES) >= 4
    assert {language: direction(language) for language in LANGUAGES}["ar"] == "rtl"
    assert [language for language in LANGUAGES if direction(language) == "rtl"] == ["ar"]
    assert list(names()) == list(LANGUAGES) and names()["ar"] == "العربية"
    assert {path.name for path in LOCALE.iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_every_key_and_no_other(language: str) -> None:
    assert set(catalogue(language)) == set(catalogue("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_is_doubled_empty_or_fuzzy(language: str) -> None:
    text = (LOCALE / language / "intake.po").read_text(encoding="utf-8")
    keys = re.findall(r'^msgid "(.+)"$', text, re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(catalogue(language))
    with (LOCALE / language / "intake.po").open("rb") as file:
        assert [m.id for m in read_po(file) if m.id and (m.fuzzy or not m.string)] == []


@pytest.mark.parametrize("language", OTHERS)
def test_every_translation_has_the_same_blanks(language: str) -> None:
    english = catalogue("en")
    assert {key for key, words in catalogue(language).items() if blanks(words) != blanks(english[key])} == set()


@pytest.mark.parametrize("language", OTHERS)
def test_no_english_is_left_over(language: str) -> None:
    same = {(language, key) for key, words in catalogue(language).items() if words == catalogue("en")[key]}
    assert {(language, key) for language, key in same if key != "page.clinic"} - SAME == set()
    small = re.compile(r"\b(?:the|and|you|please|with|this|not|your|are)\b", re.IGNORECASE)
    assert {key: words for key, words in catalogue(language).items() if small.search(words)} == {}


def test_arabic_is_written_in_arabic() -> None:
    latin = {key for key, words in catalogue("ar").items() if re.search("[A-Za-z]", re.sub(r"\{\w+\}", "", words))}
    assert latin == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_short_and_bear_no_markup(language: str) -> None:
    for key, words in catalogue(language).items():
        assert not re.search(r"[<>]|&\w+;|https?:", words), key
        for sentence in re.split(r"[.?!؟]", words):
            assert len(sentence.split()) <= 25, key


def test_no_text_names_a_level_a_diagnosis_or_a_dose() -> None:
    for key, words in catalogue("en").items():
        assert not find_level(words).seen, key
        assert not find_dose(words).seen, key
        if not key.startswith(("question.", "signs.", "area.", "field.")):
            assert not find_diagnosis(words).seen, key
    urgent = " ".join(words for key, words in catalogue("en").items() if key.startswith("urgent."))
    assert not re.search(r"emergency|severe|serious|critical|level|heart|stroke", urgent, re.IGNORECASE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_to_do_names_the_local_number(language: str) -> None:
    for key in ("urgent.call", "urgent.staff", "banner.text"):
        assert "144" in say(language, key, number="144")


def test_every_question_box_and_area_of_the_script_has_words() -> None:
    script, words = load_script(), catalogue("en")
    wanted = {f"question.{q.id}" for q in script.questions} | {f"signs.{box.id}" for box in script.screen}
    wanted |= {f"area.{topic.id}" for topic in script.areas}
    assert wanted <= set(words)
    assert {key for key in words if key.startswith("question.")} - wanted == {"question.hint"}
    assert {key for key in words if key.startswith("signs.")} - wanted == set()
    assert {key for key in words if key.startswith("area.")} - wanted == {"area.title", "area.hint", "area.other"}


def test_a_key_or_language_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InputError, match=r"no\.such\.key"):
        say("de", "no.such.key")
    with pytest.raises(InputError, match="en, es, ar, de"):
        catalogue("xx")


def test_every_key_the_code_names_is_there() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "intake").glob("*.py"))
    named = set(re.findall(r'"((?:error|urgent|done|review|option|field|question)\.[a-z_]+)"', code))
    assert named and named <= set(catalogue("en"))
