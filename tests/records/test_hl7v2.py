"""HL7 v2 files: framing, encoding characters, escapes, what each field becomes, merging, and garbage."""

import datetime
import hashlib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.errors import InputError
from prescreen.records import segments
from prescreen.records.hl7v2 import Hl7v2Reader
from prescreen.records.record import Record, Reject

PID = "PID|1||4711^^^ADT1^MR~99^^^SSA^SS||Quirrel^Zora^M^^^^L||19800215|F|||Elm 4^^Ulm^BW^89073||+49 731 5550||ger"
ADT = (
    "MSH|^~\\&|KIS|WARD|PS|PS|20260310101500||ADT^A04|C1|P|2.5\r"
    "EVN|A04|20260310101400\r"
    f"{PID}\r"
    "NK1|1|Quirrel^Otto|SPO^Spouse||0731 5551\r"
    "PV1|1|E|ED||||||||||||B6||||V77|||||||||||||||||||||||||20260310101000\r"
    "PV2|||^chest pain since noon\r"
    "AL1|1||PEN^Penicillin\r"
    "AL1|2||^latex\r"
    "DG1|1||I20.9^Angina pectoris^I10||20260310120000|W\r"
    "DG1|2||E11.9^Type 2 diabetes^I10||20190101|W\r"
)


def observed(*lines: str, visit: str = "V77", number: str = "4711^^^ADT1^MR", control: str = "C2") -> str:
    head = f"MSH|^~\\&|MON|WARD|PS|PS|20260310102000||ORU^R01|{control}|P|2.5\rPID|1||{number}\r"
    return f"{head}PV1|1|E|||||||||||||||||{visit}\rOBR|1|||VS|||20260310101800\r" + "".join(
        f"OBX|{n}|{x}\r" for n, x in enumerate(lines, 1)
    )


VITALS = observed(
    "NM|8867-4^Heart rate^LN||112|/min^^UCUM|||||F",
    "NM|9279-1^Resp^LN||22|/min|||||F",
    "NM|8480-6^Sys^LN||18.0|kPa|||||F",
    "NM|8462-4^Dia^LN||85|mm[Hg]|||||F",
    "NM|8310-5^Temp^LN||101.3|[degF]|||||F",
    "NM|LOCAL^SpO2^99L^59408-5^SpO2^LN||94|%|||||F",
    "NM|72514-3^Pain^LN||7|{score}|||||F",
    "CE|75636-1^ESI^LN||2^ESI level 2^L||||||F",
)


def read(path: Path, data: bytes | str, start: int = 1) -> list[Record | Reject]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(Hl7v2Reader().read(str(path), start))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "feed.hl7"


def only(items: list[Record | Reject]) -> Record:
    assert len(items) == 1 and isinstance(items[0], Record), items
    return items[0]


def test_adt_and_oru_of_one_visit_are_one_record(file: Path) -> None:
    record = only(read(file, ADT + VITALS))
    assert record.patient == "4711@ADT1" and record.sex == "female" and record.language == "de"
    assert record.when == datetime.datetime(2026, 3, 10, 10, 10)
    assert record.age_years == pytest.approx(46.06, abs=0.01)
    assert record.pregnant is True and record.complaint == "chest pain since noon"
    assert record.allergies == ("Penicillin", "latex") and record.medications is None
    assert record.conditions == ("Type 2 diabetes",)
    assert record.vitals.measured == {
        "heart_rate": 112,
        "respiratory_rate": 22,
        "systolic": 135.0,
        "diastolic": 85,
        "temperature": 38.5,
        "spo2": 94,
        "pain": 7,
    }
    assert record.outcome.diagnosis == "Angina pectoris"
    assert (record.outcome.acuity, record.outcome.scale) == ("2", "esi")
    known = record.identifiers
    assert known.names == ("Quirrel", "Zora", "Otto") and known.birth_date == datetime.date(1980, 2, 15)
    assert set(known.numbers) == {"4711", "99", "V77"} and known.phones == ("+49 731 5550", "0731 5551")
    assert known.addresses == ("Elm 4", "Ulm", "89073")  # a state names nobody
    assert record.source.sha256 == hashlib.sha256((ADT + VITALS).encode()).hexdigest()


@pytest.mark.parametrize("ends", ["\r", "\n", "\r\n", "\r\r"])
@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("batched", [True, False])
def test_framing_line_ends_and_batches_do_not_matter(file: Path, ends: str, framed: bool, batched: bool) -> None:
    bodies = [m.replace("\r", ends) for m in (ADT, VITALS)]
    text = "".join(f"\x0b{m}\x1c\r" if framed else m for m in bodies)
    if batched:
        text = f"FHS|^~\\&|A{ends}BHS|^~\\&|A{ends}{text}BTS|2{ends}FTS|1{ends}"
    plain = only(read(file, ADT + VITALS))
    assert only(read(file, "\ufeff" + text)) == plain


def test_custom_encoding_characters(file: Path) -> None:
    table = str.maketrans("|^~\\&", "!:*?%")
    record = only(read(file, ADT.translate(table)))
    assert record.complaint == "chest pain since noon" and record.patient == "4711@ADT1"


def test_escapes_are_decoded(file: Path) -> None:
    said = r"a\F\b\S\c\T\d\R\e\E\f\X4142\g\.br\h \H\bold\N\ C:\temp end"
    record = only(read(file, ADT.replace("chest pain since noon", said)))
    assert record.complaint == "a|b^c&d~e\\fABg\nh bold C:\\temp end"


def test_character_set_of_msh_18_and_windows_text(file: Path) -> None:
    latin2 = ADT.replace("|P|2.5\r", "|P|2.5||||||8859/2\r").replace("chest pain", "ból łydki")
    assert only(read(file, latin2.encode("iso8859-2"))).complaint == "ból łydki since noon"
    assert only(read(file, ADT.replace("chest", "Fuß").encode("cp1252"))).complaint == "Fuß pain since noon"


def test_bare_line_break_inside_a_text_belongs_to_it(file: Path) -> None:
    note = observed("TX|10164-2^HPI^LN||first line\nsecond line|||||F")
    assert only(read(file, note)).history_text == "first line\nsecond line"


def test_document_text_is_history_and_a_later_document_is_not_read(file: Path) -> None:
    mdm = (
        "MSH|^~\\&|DOC|W|PS|PS|20260310103000||MDM^T02|C3|P|2.5\rPID|1||4711^^^ADT1^MR\rPV1|1|E|||||||||||||||||V77\r"
        "TXA|1|HP\rOBX|1|TX|DOC^Document||Asthma since childhood.||||||F\rOBX|2|ED|PDF^x||^AP^^Base64^QUJD||||||F\r"
    )
    assert only(read(file, ADT + mdm)).history_text == "Asthma since childhood."
    items = read(file, mdm.replace("TXA|1|HP", "TXA|1|DS"))
    assert items == [Reject("feed.hl7", 1, "a discharge summary is written after the contact, so it is not read")]


def test_diagnosis_after_72_hours_is_no_outcome(file: Path) -> None:
    assert only(read(file, ADT.replace("20260310120000", "20260313101000"))).outcome.diagnosis == "Angina pectoris"
    assert only(read(file, ADT.replace("20260310120000", "20260313101001"))).outcome.diagnosis is None


def test_wrong_deleted_and_corrected_values(file: Path) -> None:
    record = only(
        read(
            file,
            observed(
                "NM|8867-4^HR^LN||80|/min|||||W",
                "NM|8867-4^HR^LN||90|/min|||||F",
                "NM|8867-4^HR^LN||95|/min|||||F",
                "NM|9279-1^RR^LN||20|/min|||||F",
                "NM|9279-1^RR^LN||18|/min|||||C",
                "NM|8310-5^T^LN||311.2|K|||||F",
                "SN|2708-6^SpO2^LN||<^90|%|||||F",
                "ST|85354-9^BP^LN||120/80|mmHg|||||F",
            ),
        )
    )
    assert record.vitals.measured == {"heart_rate": 90, "respiratory_rate": 18, "systolic": 120, "diastolic": 80}


def test_no_known_allergies_is_an_empty_list(file: Path) -> None:
    text = ADT.replace("PEN^Penicillin", "^No known allergies").replace("AL1|2||^latex\r", "")
    assert only(read(file, text)).allergies == ()
    assert only(read(file, ADT[: ADT.index("AL1|1")])).allergies is None


def test_interleaved_visits_meet_and_other_visits_stay_apart(file: Path) -> None:
    other = observed("NM|8867-4^HR^LN||60|/min|||||F", visit="V78", number="5")
    second = observed("NM|8867-4^HR^LN||61|/min|||||F", visit="V79")
    items = read(file, ADT + other + VITALS + second)
    assert [(i.source.place, i.vitals.heart_rate) for i in items if isinstance(i, Record)] == [
        (1, 112),
        (2, 60),
        (4, 61),
    ]


def test_without_visit_numbers_a_patient_merges_within_a_day_only(file: Path) -> None:
    near = observed("NM|8867-4^HR^LN||60|/min|||||F", visit="")
    far = near.replace("20260310", "20260312")
    items = read(file, ADT + near + far)
    assert [i.source.place for i in items if isinstance(i, Record)] == [1, 3]


def test_faults_stand_in_their_place_and_quote_nothing(file: Path) -> None:
    cut = "\x0b" + ADT[:200]
    text = (
        "Zora Quirrel\rlost text\r"
        + ADT
        + "\x0bZora\x1c\r"
        + ADT.replace("ADT^A04", "SIU^S12")
        + cut
        + "\x0b"
        + VITALS
    )
    text += "\x1c\rMSH|^~\\&|KIS\rMSH|^~~&|A|B|C|D|E||ADT^A04|1\r" + ADT.replace("4711^^^ADT1^MR~99^^^SSA^SS", "")
    text += ADT.replace("ADT^A04", "ZORA^Q")
    items = read(file, text)
    places = [i.place if isinstance(i, Reject) else i.source.place for i in items]
    assert places == [1, 2, 3, 4, 5, 7, 8, 9, 10]
    reasons = [i.reason for i in items if isinstance(i, Reject)]
    for reason, word in zip(
        reasons, ["no MSH", "no MSH", "SIU", "never closed", "MSH-9", "MSH-2", "PID-3", "unknown type"], strict=True
    ):
        assert word in reason
        assert "Zora" not in reason and "Quirrel" not in reason and "ZORA" not in reason


def test_start_resumes_and_never_cuts_a_contact_in_two(file: Path) -> None:
    other = observed("NM|8867-4^HR^LN||60|/min|||||F", visit="V78", number="5")
    whole = read(file, ADT + VITALS + other)
    assert read(file, ADT + VITALS + other, start=2) == whole[1:]
    assert read(file, ADT + VITALS + other, start=1) == whole


def test_a_huge_message_is_rejected_and_the_next_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_MESSAGE", 5000)
    monkeypatch.setattr(segments, "CHUNK", 1000)
    items = read(file, ADT.replace("latex", "x" * 20_000) + "\r" + VITALS.replace("4711", "5"))
    assert isinstance(items[0], Reject) and "larger" in items[0].reason
    assert isinstance(items[1], Record) and items[1].vitals.heart_rate == 112


def test_memory_stays_flat(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "CHUNK", 1 << 14)

    def peak(count: int) -> int:
        with file.open("w", newline="") as handle:
            for n in range(count):
                handle.write(ADT.replace("4711", str(n)).replace("V77", f"V{n}"))
        tracemalloc.start()
        assert sum(isinstance(item, Record) for item in Hl7v2Reader().read(str(file))) == count
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(10)
    assert peak(1200) < peak(300) * 1.3


def test_an_empty_file_says_so(file: Path) -> None:
    assert read(file, "\r\n \x0b\x1c") == [Reject("feed.hl7", 1, "holds no message; export it again")]


def test_missing_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(Hl7v2Reader().read(str(tmp_path / "none.hl7")))


PIECES = st.sampled_from(
    [ADT, VITALS, "MSH|^~\\&|",
     "\r", "\n", "\x0b", "\x1c", "PID|1||7\r", "|", "^", "~", "\\", "&", "\\X4", "OBX|1|NM|",
     "8867-4^^LN||", "DG1|1||a||99999999\r", "BHS|", "\0", "é", "20260310", "0001", "+9999", "9" * 30, '""']
)  # fmt: skip


@given(data=st.lists(PIECES, max_size=25).map("".join).map(str.encode) | st.binary(max_size=300))
def test_nothing_raises_and_places_rise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.hl7"
    items = read(path, data)
    places = [i.place if isinstance(i, Reject) else i.source.place for i in items]
    assert places == sorted(set(places))


@given(cuts=st.lists(st.integers(0, 2000), max_size=6), noise=st.binary(max_size=6))
def test_damaged_messages_never_raise(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], noise: bytes
) -> None:
    data = (ADT + VITALS).encode()
    for cut in cuts:
        at = cut % len(data)
        data = data[:at] + noise + data[at + 1 :]
    for item in read(tmp_path_factory.getbasetemp() / "fuzz.hl7", data):
        assert isinstance(item, Record | Reject)
