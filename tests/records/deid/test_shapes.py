"""Shapes, check digits, dates, merged spans and word lists, each on its own."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import prescreen
from prescreen.records.deid.dates import find_dates, shift_date
from prescreen.records.deid.lexicon import VOICES
from prescreen.records.deid.patterns import is_card_number, is_dni, is_iban, is_nhs_number, spot_patterns
from prescreen.records.deid.spans import KINDS, STRENGTH, Span, fold, merge_spans
from prescreen.records.deid.wordlists import is_safe, is_typing_error, load_lists

SPANS = st.lists(
    st.builds(
        lambda start, size, kind, layer: Span(start, start + size, kind, layer),
        st.integers(0, 60), st.integers(0, 20), st.sampled_from(KINDS), st.sampled_from(sorted(STRENGTH)),
    ),
    max_size=20,
)  # fmt: skip


@given(SPANS)
def test_merged_spans_never_overlap_and_cover_the_same(spans: list[Span]) -> None:
    merged = merge_spans(spans)
    assert all(left.end <= right.start for left, right in pairwise(merged))
    cover = [{i for span in some for i in range(span.start, span.end)} for some in (spans, merged)]
    assert cover[0] == cover[1]
    assert merge_spans(reversed(merged)) == merged


def test_a_known_name_names_the_union() -> None:
    assert merge_spans([Span(0, 9, "other", "pattern"), Span(4, 6, "name", "known")]) == [
        Span(0, 9, "name", "known")
    ]


@given(st.text())
def test_folding_keeps_every_position(text: str) -> None:
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (is_nhs_number, "943 476 5919"),
        (is_card_number, "4111 1111 1111 1111"),
        (is_iban, "de89370400440532013000"),
        (is_dni, "12345678z"),
        (is_dni, "x1234567l"),
    ],
)
def test_check_digits_catch_every_single_wrong_digit(check: object, good: str) -> None:
    assert callable(check) and check(good)
    for at, digit in ((i, c) for i, c in enumerate(good) if c.isdigit()):
        wrong = good[:at] + str((int(digit) + 1) % 10) + good[at + 1 :]
        assert not check(wrong), wrong


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("mail me at j.doe+x@mail.example.co.uk ok", "email", "j.doe+x@mail.example.co.uk"),
        ("see https://example.org/a?b=1 now", "url", "https://example.org/a?b=1"),
        ("from 192.168.10.254 today", "ip", "192.168.10.254"),
        ("from 2001:db8:85a3::8a2e:370:7334 today", "ip", "2001:db8:85a3::8a2e:370:7334"),
        ("ring 07700 900123 ok", "phone", "07700 900123"),
        ("ring (212) 555-0123 ok", "phone", "(212) 555-0123"),
        ("am handy 0170/1234567 ok", "phone", "0170/1234567"),
        ("au 06 12 34 56 78 ok", "phone", "06 12 34 56 78"),
        ("al 612 345 678 ok", "phone", "612 345 678"),
        ("on 98765 43210 ok", "phone", "98765 43210"),
        ("on +49 (0)89 1234567 ok", "phone", "+49 (0)89 1234567"),
        ("fax: 0161 4960000 ok", "fax", "0161 4960000"),
        ("ssn 123-45-6789 ok", "ssn", "123-45-6789"),
        ("nhs 943 476 5919 ok", "mrn", "943 476 5919"),
        ("MRN: C-30718 ok", "mrn", "C-30718"),
        ("policy no QX 883 204 17 ok", "plan", "QX 883 204 17"),
        ("account 66120984 ok", "account", "66120984"),
        ("passport K48820137 ok", "licence", "K48820137"),
        ("car reg AB12 CDE ok", "vehicle", "AB12 CDE"),
        ("vin WVWZZZ1JZ3W386752 ok", "vehicle", "WVWZZZ1JZ3W386752"),
        ("pacemaker serial SN4471902 ok", "device", "SN4471902"),
        ("file rash_front.jpg ok", "photo", "rash_front.jpg"),
        ("fingerprint id 44719 ok", "biometric", "44719"),
        ("lives at 14 Mill Lane, ok", "place", "14 Mill Lane"),
        ("at 12 Birch Close, ok", "place", "12 Birch Close"),
        ("in Lindenstraße 12 ok", "place", "Lindenstraße 12"),
        ("au 12 bis rue des Lilas, ok", "place", "12 bis rue des Lilas"),
        ("en Calle de la Paz 12 ok", "place", "Calle de la Paz 12"),
        ("to SK4 2AB ok", "place", "SK4 2AB"),
        ("the code is qk48w20x13.", "other", "qk48w20x13"),
        ("the number is 4482-0137-2.", "other", "4482-0137-2"),
        ("she is 94 and well", "age_over_89", "94"),
        ("a ninety-one year old man", "age_over_89", "ninety-one"),
    ],
)
def test_a_shape_is_found_in_any_letter_case(text: str, kind: str, found: str) -> None:
    for said, expected in ((text, found), (text.lower(), found.lower())):
        got = [(span.kind, said[span.start : span.end]) for span in merge_spans(spot_patterns(said))]
        assert (kind, expected) in got


@pytest.mark.parametrize(
    ("text", "found", "shifted"),
    [
        ("on 3 May", "3 May", "12 June"),
        ("on May 3rd 2021", "May 3rd 2021", "June 12th 2021"),
        ("am 03.05.21", "03.05.21", "12.06.21"),
        ("on 2021-05-03", "2021-05-03", "2021-06-12"),
        ("Monday 3 May 2021", "Monday 3 May 2021", "12 June 2021"),
        ("since May", "May", "June"),
        ("el 3 de mayo de 2021", "3 de mayo de 2021", "12 de junio de 2021"),
        ("am 3. Mai 2021", "3. Mai 2021", "12. Juni 2021"),
        ("le 3 mai 2021", "3 mai 2021", "12 juni 2021"),
        ("MAY 3, 2021", "MAY 3, 2021", "JUNE 12, 2021"),
        ("12/25/2020", "12/25/2020", "2/3/2021"),
        ("since 3/5 it hurts", "3/5", "12/6"),
        ("at Christmas", "Christmas", None),
    ],
)
def test_dates_are_found_and_written_again_in_their_form(text: str, found: str, shifted: str | None) -> None:
    (date,) = find_dates(text)
    assert text[date.start : date.end] == found
    assert shift_date(date, text, 40, base_year=2021) == shifted


@pytest.mark.parametrize(
    "text",
    ["it may help", "march on", "pain 8/10", "120/80", "3 days", "38.5", "in 2016", "24/7", "at 14:30", "2.5 mg"],
)
def test_no_date_is_seen_in(text: str) -> None:
    assert find_dates(text) == []


def test_the_lists_are_apart_and_cover_the_package_own_text() -> None:
    lists = load_lists()
    assert not lists.names & lists.kept and not lists.clinical & lists.common
    root = Path(prescreen.__file__).parent / "data" / "voices"
    said = "\n".join((root / f"{topic}.yaml").read_text() for topic in VOICES)
    words = set(re.findall(r"\b[a-z]{3,}\b", said))
    unknown = {word for word in words if not is_safe(word)}
    assert len(unknown) < 0.02 * len(words), "run tests/privacy/make_words.py again"


def test_words_strange_and_usual() -> None:
    assert is_safe("gastroscopies") and is_safe("ramipril") and is_safe("cellulitis") and is_safe("vomited")
    assert not is_safe("zoltrik") and not is_safe("kowalski")
    assert is_typing_error("vomitting") and not is_typing_error("kowalski")
