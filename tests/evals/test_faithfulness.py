"""The automatic faithfulness score, reading grade and doses on texts with one known fault each."""

import pytest

from prescreen.evals.doses import find_doses
from prescreen.evals.faithfulness import Claim, read_claims, score_summary, stem_word
from prescreen.evals.reading import count_syllables, grade_text

TALK = """Doctor: Any chest pain?
Patient: No.
Doctor: How old are you?
Patient: I'm twenty six, and my back hurts for eight years.
Doctor: Do you have a cough?
Patient: Yes, a dry one.
"""


def test_a_faithful_summary_is_all_supported() -> None:
    score = score_summary("A 26 year old with back hurting for 8 years. Dry cough. Denies chest pain.", TALK)
    assert score.unsupported == score.contradicted == score.omitted == 0 and score.claims == score.said


def test_an_invented_word_is_unsupported_and_nothing_else() -> None:
    score = score_summary("Back hurts for 8 years, with fever.", TALK)
    assert score.hallucination == 1 and score.contradicted == 0


def test_a_denial_told_as_present_is_contradicted_and_nothing_else() -> None:
    score = score_summary("Chest pain. Cough.", TALK)
    assert score.contradicted == pytest.approx(2 / 3) and score.unsupported == 0
    assert score_summary("No cough.", TALK).contradicted == 1


def test_a_wrong_number_is_unsupported() -> None:
    assert score_summary("26 year old.", TALK).unsupported == 0
    assert score_summary("27 year old.", TALK).unsupported == pytest.approx(1 / 3)


def test_what_the_patient_said_and_the_summary_lacks_is_omitted() -> None:
    whole, less = (score_summary(text, TALK) for text in ("Back hurts. Dry cough.", "Dry cough."))
    assert less.omission - whole.omission == pytest.approx(2) and score_summary("", TALK).omitted == 1


def test_negation_ends_with_its_clause() -> None:
    claims = set(read_claims("No fever or chills; no rash but cough."))
    denied = {claim.word for claim in claims if claim.denied}
    assert denied == {"fever", stem_word("chills"), "rash"} and Claim("cough", False) in claims


@pytest.mark.parametrize(
    ("text", "number"), [("twenty six", "26"), ("thirty", "30"), ("twelve", "12"), ("6.5", "6.5")]
)
def test_numbers_in_words_and_digits(text: str, number: str) -> None:
    assert list(read_claims(text)) == [Claim(number, False)]


@pytest.mark.parametrize(
    ("word", "number"), [("cat", 1), ("table", 2), ("breathe", 1), ("emergency", 4), ("needed", 2), ("doses", 2)]
)
def test_syllables(word: str, number: int) -> None:
    assert count_syllables(word) == number


def test_the_grade_is_the_published_formula() -> None:
    assert grade_text("The cat sat. The dog ran.") == pytest.approx(0.39 * 6 / 2 + 11.8 * 6 / 6 - 15.59)
    hard = "Considerable haemodynamic deterioration necessitates immediate multidisciplinary intervention."
    assert (grade_text(hard) or 0) > 12 and grade_text("...") is None


@pytest.mark.parametrize(
    ("text", "doses"),
    [
        ("Give 400mg ibuprofen", ["400 mg"]),
        ("two tablets of it", ["2 tablet"]),
        ("1,000 units, 5 mg/kg", ["1000 unit", "5 mg"]),
        ("0.5 micrograms", ["0.5 mcg"]),
        ("glucose 120 mg/dL, protein 3 g / l", []),
        ("SpO2 94 %, 3 days, 2 gates, 38 degrees", []),
    ],
)
def test_doses(text: str, doses: list[str]) -> None:
    assert list(find_doses(text)) == doses
