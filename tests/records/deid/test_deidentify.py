"""The pipeline as a whole: nothing known survives, distances stay, failure refuses, clinical meaning is kept."""

import datetime
import re
import string
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.case import Turn
from prescreen.records.deid.dates import find_dates
from prescreen.records.deid.deidentify import Deidentified, deidentify
from prescreen.records.deid.known import is_common
from prescreen.records.deid.replace import Replaced, Surrogates, draw_secret, load_pools
from prescreen.records.deid.scan import scan
from prescreen.records.deid.spans import Span, fold
from prescreen.records.record import Identifiers, Outcome, Record, Reject, Source

SECRET = bytes(range(32))
SOURCE = Source(file="export.ndjson", place=7, sha256="a" * 64, reader="fhir/1")
LETTERS = string.ascii_lowercase + "äöüéèñçøł"
NAME = st.text(LETTERS, min_size=3, max_size=12).filter(lambda name: not is_common(fold(name)))
CASES = st.sampled_from([str.lower, str.upper, str.title, str.swapcase, str.capitalize])


def make(complaint: str, identifiers: Identifiers | None = None, **values: Any) -> Record:
    return Record(
        source=SOURCE, patient="4471", complaint=complaint, identifiers=identifiers or Identifiers(), **values
    )


def run(complaint: str, identifiers: Identifiers | None = None, mode: Any = "safe_harbor", **values: Any) -> str:
    result = deidentify(make(complaint, identifiers, **values), SECRET, mode)
    assert isinstance(result, Deidentified), result.reason
    return result.case.complaint


@given(
    NAME,
    NAME,
    CASES,
    st.sampled_from(["{0} {1} has a cough", "ask {1}'s wife", "i am {0}", "({1},{0})", "saw {0}."]),
)
def test_no_known_name_survives_in_any_letter_case(first: str, last: str, case: Any, frame: str) -> None:
    text = frame.format(case(first), case(last))
    result = deidentify(make(text, Identifiers(names=(first, last))), SECRET, "safe_harbor")
    assert isinstance(result, Deidentified), result.reason  # found, not merely refused
    left = set(re.findall(r"[^\W\d_]+", fold(result.case.complaint)))
    expected = {fold(name) for name in (first, last) if fold(name) in re.findall(r"[^\W\d_]+", fold(text))}
    assert not left & expected - set(re.findall(r"[a-z]+", frame))


@given(
    st.text(string.ascii_letters + string.digits, min_size=6, max_size=12).filter(
        lambda s: any(c.isdigit() for c in s)
    ),
    st.sampled_from(["", " ", "-", "."]),
    st.booleans(),
)
def test_no_known_number_survives_whatever_its_separators(number: str, separator: str, lower: bool) -> None:
    said = separator.join(number[i : i + 3] for i in range(0, len(number), 3))
    result = deidentify(
        make(f"my number is {said.lower() if lower else said} thanks", Identifiers(numbers=(number,))),
        SECRET,
        "limited",
    )
    assert isinstance(result, Deidentified), result.reason
    assert number.lower() not in re.sub(r"\W", "", result.case.complaint.lower())


def test_known_identifiers_with_typing_errors_initials_and_forms() -> None:
    known = Identifiers(
        names=("Thorsten", "Brockelmann"),
        birth_date=datetime.date(1961, 3, 12),
        phones=("+44 7700 900431",),
        emails=("t.brock@example.org",),
        addresses=("14 Larch Terrace", "Ashby Parva"),
    )
    out = run(
        "brockelman here, T.B. for short, born 12 March 1961, ring 07700-900-431 or T.BROCK@EXAMPLE.ORG, "
        "at 14 larch terrace in ashby parva. Brockelmannn again. dob 120361. chest pain for 3 days",
        known,
    )
    for leak in ("brockel", "T.B.", "March", "900", "EXAMPLE", "larch", "ashby", "parva", "120361"):
        assert leak.lower() not in out.lower()
    assert "chest pain for 3 days" in out and "1961" in out


@given(
    st.dates(datetime.date(1960, 1, 1), datetime.date(2024, 12, 31)),
    st.integers(0, 900),
    st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%A %d %B %Y"]),
    st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %B %Y"]),
    st.binary(min_size=32, max_size=32),
)
def test_limited_mode_keeps_the_distance_of_dates(
    first: datetime.date, days: int, form: str, other: str, secret: bytes
) -> None:
    second = first + datetime.timedelta(days=days)
    record = make(f"seen {first.strftime(form)}", history_text=f"operated {second.strftime(other)}")
    result = deidentify(record, secret, "limited")
    assert isinstance(result, Deidentified), result.reason
    one, two = (find_dates(text)[0] for text in (result.case.complaint, result.case.history_text))
    shifted = [datetime.date(d.year or 0, d.month or 0, d.day or 0) for d in (one, two)]
    assert (shifted[1] - shifted[0]).days == days
    assert shifted[0] != first
    assert not re.search(r"day\b", result.case.complaint)  # a shifted weekday would tell the shift modulo seven


@given(
    st.dates(datetime.date(1960, 1, 1), datetime.date(2024, 12, 31)),
    st.sampled_from(["%d %B %Y", "%Y-%m-%d", "%d/%m/%Y"]),
)
def test_safe_harbor_keeps_the_year_only(day: datetime.date, form: str) -> None:
    assert run(f"seen {day.strftime(form)} for it", when=datetime.datetime(2025, 1, 1)) == f"seen {day.year} for it"


class Broken:
    """A detector that raises what it read: nothing of it may come out."""

    def find(self, text: str) -> list[Span]:
        raise RuntimeError(text)


class Outside:
    """A detector whose spans lie outside the text."""

    def find(self, text: str) -> list[Span]:
        return [Span(0, len(text) + 1, "name", "detector")]


class Finder:
    name = "finder 1"

    """A detector that marks one word."""

    def find(self, text: str) -> list[Span]:
        return [Span(m.start(), m.end(), "name", "detector") for m in re.finditer("cough", text)]


@pytest.mark.parametrize("detector", [Broken(), Outside()])
def test_a_failing_detector_refuses_the_row_and_quotes_nothing(detector: Any) -> None:
    result = deidentify(make("Zebulon coughs", history_text="Zebulon"), SECRET, "limited", detectors=[detector])
    assert isinstance(result, Reject)
    assert (result.file, result.place) == ("export.ndjson", 7)
    assert "Zebulon" not in result.reason and "coughs" not in result.reason


def test_a_further_detector_is_heard() -> None:
    result = deidentify(make("a cough"), SECRET, "limited", detectors=[Finder()])
    assert isinstance(result, Deidentified) and "cough" not in result.case.complaint


def test_every_text_of_the_record_is_searched_and_a_cued_name_is_found_in_all() -> None:
    record = make(
        "my husband Zoltrik drove me",
        history_text="zoltrik phoned 0161 496 0000",
        turns=(Turn(speaker="nurse", text="Thank you. Is ZOLTRIK there?"),),
        conditions=("asthma (Dr Quillfeather)",),
        medications=("metformin 500 mg", "see quillfeather"),
        allergies=("penicillin, told Zoltrik",),
        outcome=Outcome(acuity="2", scale="esi", diagnosis="sprain, Zoltrik informed", disposition="home"),
    )
    result = deidentify(record, SECRET, "safe_harbor")
    assert isinstance(result, Deidentified), result.reason
    everything = result.case.model_dump_json() + result.outcome.model_dump_json()
    assert "zoltrik" not in everything.lower() and "quillfeather" not in everything.lower()
    assert "Thank you. Is" in everything and "my husband " in everything
    assert "metformin 500 mg" in everything and '"scale":"esi"' in everything and "496" not in everything


def test_mode_is_declared_and_never_confused() -> None:
    record = make("seen 3 May 2021")
    results = {mode: deidentify(record, SECRET, mode) for mode in ("safe_harbor", "limited")}
    for mode, result in results.items():
        assert isinstance(result, Deidentified)
        assert result.mode == mode and result.case.source == f"clinic/{mode}"
    ids = {result.case.patient_id for result in results.values() if isinstance(result, Deidentified)}
    assert len(ids) == 2  # the two releases of one patient cannot be joined
    with pytest.raises(ValueError, match="safe_harbor or limited"):
        deidentify(record, SECRET, "both")  # type: ignore[arg-type]


def test_ids_come_from_the_secret_alone() -> None:
    one, two = (make("cough", Identifiers(numbers=(n,))) for n in ("111222333", "999888777"))
    first, second, third = (
        deidentify(r, s, "limited") for r, s in ((one, SECRET), (two, SECRET), (one, draw_secret()))
    )
    assert isinstance(first, Deidentified) and isinstance(second, Deidentified) and isinstance(third, Deidentified)
    assert first.case.patient_id == second.case.patient_id != third.case.patient_id
    assert "4471" not in first.case.patient_id
    with pytest.raises(ValueError, match="16 random bytes"):
        Surrogates(b"short", "limited")


@given(st.binary(min_size=32, max_size=32), st.sampled_from([*load_pools().first, *load_pools().family]))
def test_surrogates_are_consistent_keep_the_case_and_are_never_the_patient(secret: bytes, own: str) -> None:
    surrogates = Surrogates(secret, "safe_harbor", frozenset({fold(own)}))
    new = surrogates.name("Kowalski")
    assert surrogates.name("KOWALSKI") == new.upper() and surrogates.name("kowalski") == new.lower()
    assert surrogates.name("Kowalski's") == new + "'s"
    assert fold(new) != fold(own) and fold(surrogates.name(own)) != fold(own)


def test_ages_over_89_and_what_tells_them() -> None:
    out = run(
        "She is 94 and born in 1931, aged 93 last year, a ninety-one year old", when=datetime.datetime(2025, 6, 1)
    )
    assert not re.search(r"9[34]|1931|ninety", out) and out.count("over 89") == 3
    result = deidentify(make("cough", age_years=97.5), SECRET, "limited")
    assert isinstance(result, Deidentified) and result.case.age_years == 90
    assert run("my pulse is 94 and sats are 97, HR 110, weight 92 kg, temp 99") == (
        "my pulse is 94 and sats are 97, HR 110, weight 92 kg, temp 99"
    )


def test_the_record_own_age_is_found_wherever_it_measures_nothing() -> None:
    text = "94 and frail, sats 94, HR 94, weight 94 kg, another 94 here, 94% full"
    out = run(text, age_years=94.2)
    assert out == "over 89 and frail, sats 94, HR 94, weight 94 kg, another over 89 here, 94% full"
    assert run(text.removeprefix("94 and "), age_years=40) == text.removeprefix("94 and ")


@pytest.mark.parametrize(("code", "kept"), [("90210", "902"), ("03601", "000"), ("89301-1234", "000")])
def test_zip_keeps_three_digits_where_enough_people_live(code: str, kept: str) -> None:
    assert run(f"zip code {code} please") == f"zip code {kept} please"


@pytest.mark.parametrize(
    "text",
    [
        "chest pain for 3 days, BP 120/80, HR 104, SpO2 96%, temp 38.5, pain 8/10, GCS 14/15",
        "26F G2P1 at 34 weeks with headache, BP 162/104",
        "Crohn's disease, Bell's palsy, Parkinson's disease and a Foley catheter; Hodgkin lymphoma in 2016",
        "metformin 500 mg BID, amoxicillin 250 mg TDS for 5 days, warfarin, Xarelto 20 mg at night",
        "it may be worse since yesterday and i will march on",
        "vomited 3 times in a row 2 hours down the road, power 5/5, platelets 150000",
        "heparin 10000 units, COVID-19 positive, HbA1c 48 mmol/mol",
        "Patient complains of Chest Pain and SOB on Monday at 14:30",
    ],
)
def test_clinical_meaning_survives(text: str) -> None:
    assert run(text) == text


def test_eponyms_are_names_where_a_title_or_the_record_says_so() -> None:
    assert "Bell" not in run("Mr Bell has Bell's palsy", Identifiers(names=("Bell",)))
    out = run("Dr Crohn saw me for Crohn's disease")
    assert "Crohn's disease" in out and "Dr Crohn" not in out


def test_the_scan_refuses_what_the_finder_missed() -> None:
    known = Identifiers(
        names=("Ottoline",), numbers=("AB 123456",), phones=("0161 496 0000",), addresses=("Little Wexcombe",)
    )
    for text, kind in (
        ("ottoline coughs", "name"), ("no a-b-1-2-3-4-5-6", "mrn"), ("ring +44 161 4960000", "phone"),
        ("from little, wexcombe", "place"), ("seen 3 May 2021", "date"), ("mail a@b.org", "email"),
    ):  # fmt: skip
        assert kind in scan(Replaced(text, ()), known), text
    assert scan(Replaced("a cough since 2021", ()), known) == []
    assert scan(Replaced("seen 17 June 2020", ((5, 17),)), known) == []  # a shifted date stands there on purpose
    assert scan(Replaced("Ottoline", ((0, 8),)), known) == ["name"]  # a substitute may not be the patient


def test_a_leak_past_the_finder_is_refused_without_quoting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "prescreen.records.deid.deidentify.find_spans",
        lambda record, detectors: {"history_text": [], "complaint": []},
    )
    result = deidentify(make("Ottoline, 0161 496 0000", Identifiers(names=("Ottoline",))), SECRET, "limited")
    assert isinstance(result, Reject)
    assert result.reason == "refused: the scan still found name 1, phone 1"


@pytest.mark.parametrize("piece", ["a", "1-", "1 ", "a.a@", "AB12 ", "a:1:", "Aaa Bbb ", "a.", "1.2/"])
def test_hostile_texts_take_no_more_than_seconds(piece: str) -> None:
    started = time.process_time()
    deidentify(make(piece * (12_000 // len(piece))), SECRET, "limited")
    assert time.process_time() - started < 5


def test_house_number_and_postcode_beside_found_names_leave_with_them() -> None:
    out = run("letter to Tregstrasse 62, Ytonnelo 8362 about 3 wounds")
    assert "62" not in out and "8362" not in out and "3 wounds" in out


def test_the_result_says_which_detectors_looked() -> None:
    result = deidentify(make("a cough"), SECRET, "limited")
    alone = deidentify(make("a cough"), SECRET, "limited", detectors=())
    assert isinstance(result, Deidentified) and isinstance(alone, Deidentified)
    assert [name.split()[0] for name in result.detectors] == ["context"] and alone.detectors == ()
