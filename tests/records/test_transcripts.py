"""Transcripts: plain text, subtitles, JSON in its spellings, the request's entry, and speakers nobody knows."""

import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.errors import InputError
from prescreen.records import entries, transcripts
from prescreen.records.record import Record, Reject
from prescreen.records.transcripts import TranscriptReader
from prescreen.records.turns import find_speaker

SAID = [
    ("assistant", "What brings you in?"),
    ("patient", "My chest hurts since noon."),
    ("nurse", "Any allergies?"),
]


def read(path: Path, data: str | bytes, start: int = 1, **speakers: str) -> list[Record | Reject]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(TranscriptReader(speakers).read(str(path), start))


def only(items: list[Record | Reject]) -> Record:
    assert len(items) == 1 and isinstance(items[0], Record), items
    return items[0]


def turns(items: list[Record | Reject]) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in only(items).turns]


def reason(items: list[Record | Reject]) -> str:
    assert len(items) == 1 and isinstance(items[0], Reject), items
    return items[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "Doctor: What brings you in?\nPatient: My chest hurts\n  since noon.\n\nNurse: Any allergies?\n",
        "D: What brings you in?\r\nP: My chest hurts since noon.\r\nN: Any allergies?",
        "[doctor] What brings you in?\r[patient] My chest hurts since noon.\r[nurse] Any allergies?",
        "[00:01] Dr. Quirrel: What brings you in?\n00:00:05 PATIENT: My chest hurts since noon.\n"
        "(00:09) Nurse Joy: Any allergies?",
        "Ärztin: What brings you in?\nPatientin: My chest hurts since noon.\nPflegekraft: Any allergies?",
        "Doctor (00:01): What brings you in?\nPatient 1: <UNSURE>My</UNSURE> chest hurts since noon. <UNIN/>\n"
        "Nurse： Any allergies?",
    ],
)
def test_plain_text(tmp_path: Path, text: str) -> None:
    items = read(tmp_path / "talk.txt", text)
    assert turns(items) == SAID
    assert only(items).complaint == "My chest hurts since noon." and only(items).patient == "talk-1"


def test_relatives_and_own_names(tmp_path: Path) -> None:
    text = "Kim: Hello\nPatient's mother: He is hot.\nGuest_family: Very."
    assert turns(read(tmp_path / "a.txt", text, Kim="nurse")) == [
        ("nurse", "Hello"),
        ("relative", "He is hot."),
        ("relative", "Very."),
    ]
    with pytest.raises(ValueError, match="none of patient"):
        TranscriptReader({"Kim": "cleaner"})


@pytest.mark.parametrize("label", ["Receptionist", "Zora Quirrel", "Dr", "Voice 2"])
def test_a_speaker_nobody_knows_rejects_the_conversation(tmp_path: Path, label: str) -> None:
    items = read(tmp_path / "a.txt", f"Doctor: Hello\n{label}: My chest hurts\n")
    if label == "Dr":
        assert turns(items)[1][0] == "assistant"
    else:
        assert reason(items) == "line 2: a speaker that is not known; name it under `speakers`"


def test_words_with_a_colon_stay_in_the_turn(tmp_path: Path) -> None:
    text = "Patient: it was at\n10:30 or so, see\nhttp://x.example and\nthe doctor said: rest\nnote: twice"
    assert turns(read(tmp_path / "a.txt", text)) == [
        ("patient", "it was at 10:30 or so, see http://x.example and the doctor said: rest note: twice")
    ]


@pytest.mark.parametrize("text", ["", "just words\n", "-->", "Doctor:\nPatient:\n"])
def test_what_holds_no_turn_is_rejected(tmp_path: Path, text: str) -> None:
    assert "label each turn" in reason(read(tmp_path / "a.txt", text))


def test_webvtt(tmp_path: Path) -> None:
    text = (
        "WEBVTT - Zora\n\nNOTE Receptionist: not speech\n\nSTYLE\n::cue { color: red }\n\n1\n"
        "00:01.000 --> 00:04.000 align:start\n<v Doctor>What brings <i>you</i></v>\n\n"
        "00:00:04.000 --> 00:00:05.000\n<v Doctor>in?\n\nintro\n00:05.000 --> 00:06.000\n"
        "<v.loud Patient>My <00:05.500>chest hurts</v>\nsince &lt;noon&gt; &amp; now.\n\n"
        "00:07.000 --> 00:09.000\nNurse: Any allergies?\n\n"
        "00:09.000 --> 00:10.000\n<v Patient>No. <v Nurse>Good.\n"
    )
    assert turns(read(tmp_path / "a.vtt", text)) == [
        SAID[0],
        ("patient", "My chest hurts since <noon> & now."),
        SAID[2],
        ("patient", "No."),
        ("nurse", "Good."),
    ]
    assert "line 4: a speaker" in reason(read(tmp_path / "a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Zora>Hi"))


def test_subrip(tmp_path: Path) -> None:
    text = (
        "1\r\n00:00:01,000 --> 00:00:02,000\r\nDoctor: What brings\r\n\r\n2\r\n00:00:02,000 --> 00:00:03,000\r\n"
        "you in?\r\n\r\n3\r\n00:00:04,000 --> 00:00:05,000\r\nPatient: My chest hurts\r\nsince noon.\r\n\r\n4\r\n"
        "00:00:06,000 --> 00:00:07,000\r\nNurse: Any allergies?\r\n"
    )
    assert turns(read(tmp_path / "a.srt", text.encode("utf-16"))) == SAID


LABELS = {"assistant": "Doctor", "patient": "Patient", "nurse": "Nurse"}


@pytest.mark.parametrize(("who", "what"), [("speaker", "text"), ("role", "content"), ("from", "value")])
@pytest.mark.parametrize("form", ["list", "lines", "object", "nested", "string", "pairs"])
def test_json_spellings(tmp_path: Path, who: str, what: str, form: str) -> None:
    talk: list[object] = [{who: LABELS[speaker], what: text, "start": 1.5} for speaker, text in SAID]
    data = {
        "list": json.dumps(talk),
        "lines": "\n".join(map(json.dumps, talk)),
        "object": json.dumps({"id": "7", "messages": [{"role": "system", "content": "Be kind"}, *talk]}),
        "nested": json.dumps([{"dialogue": talk}]),
        "string": json.dumps({"transcript": "\n".join(f"{LABELS[s]}: {t}" for s, t in SAID)}),
        "pairs": json.dumps([{LABELS[s]: t for s, t in SAID}]),
    }[form]
    assert turns(read(tmp_path / ("a.jsonl" if form == "lines" else "a.json"), data)) == SAID


def test_many_conversations_and_their_facts(tmp_path: Path) -> None:
    talk = [{"speaker": LABELS[speaker], "text": text} for speaker, text in SAID]
    bad = [{"speaker": "Zora", "text": "Hi"}]
    facts = {
        "patient_id": 7,
        "patient_firstname": "Zora",
        "patient_age": "22-month",
        "gender": "F",
        "cc": "chest pain",
    }
    values = [{"turns": talk, **facts}, {"turns": bad}, {"turns": [5]}, 5, {"x": 1}, {"turns": talk}]
    for name, data in (("a.json", json.dumps(values)), ("a.jsonl", "\n".join(map(json.dumps, values)))):
        items = read(tmp_path / name, data)
        assert [type(i).__name__ for i in items] == ["Record", "Reject", "Reject", "Reject", "Reject", "Record"]
        assert all("Zora" not in i.reason for i in items if isinstance(i, Reject))
        first = items[0]
        assert isinstance(first, Record)
        assert first.patient == "7" and first.sex == "female" and first.complaint == "chest pain"
        assert first.age_years == pytest.approx(1.833) and first.identifiers.names == ("Zora",)
        assert read(tmp_path / name, data, start=5) == items[4:]


def test_the_requests_own_entry(tmp_path: Path) -> None:
    entry = {
        "history": "Patient has hypertension, no known allergies.",
        "symptoms": "Complains of chest pain.",
        "diagnosis_report": "Possible angina. Recommend ECG.",
        "triage_priority": "High",
    }
    for data in (json.dumps(entry, indent=1), json.dumps([entry])):
        record = only(read(tmp_path / "a.json", data))
        assert record.history_text == entry["history"] and record.complaint == entry["symptoms"]
        assert (record.outcome.acuity, record.outcome.scale) == ("High", "seed")
        assert record.outcome.diagnosis == entry["diagnosis_report"] and record.turns == ()
    assert "neither" in reason(read(tmp_path / "a.json", json.dumps({**entry, "symptoms": " "})))


def test_damaged_lines_stand_in_their_place(tmp_path: Path) -> None:
    good = json.dumps({"symptoms": "cough"})
    items = read(tmp_path / "a.jsonl", f'{good}\n{{"symptoms": "cou\n{good}\n{{"symptoms": nope}}\n{good}\n')
    assert [type(i).__name__ for i in items] == ["Record", "Reject", "Record", "Reject", "Record"]
    assert [i.place if isinstance(i, Reject) else i.source.place for i in items] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "data", ["", "[", "[[", "]", "{", "[" * 5000, "9" * 6000, '{"symptoms": "cough"', "\0", "nul"]
)
def test_what_is_no_json_is_rejected(tmp_path: Path, data: str) -> None:
    assert "again" in reason(read(tmp_path / "a.json", data)) or data == "]"


def test_a_list_that_is_never_closed_says_so(tmp_path: Path) -> None:
    items = read(tmp_path / "a.json", '[{"symptoms": "cough"}, ')
    assert isinstance(items[0], Record) and isinstance(items[1], Reject) and "truncated" in items[1].reason
    talk = '[{"speaker": "Doctor", "text": "Hello"}, {"speaker": "Pat'
    assert "again" in reason(read(tmp_path / "a.json", talk))


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "MAX_FILE", 1000)
    assert "longer" in reason(read(tmp_path / "a.txt", "Doctor: " + "x" * 2000))
    monkeypatch.setattr(entries, "MAX_ENTRY", 1 << 17)
    items = read(tmp_path / "a.json", json.dumps([{"symptoms": "x" * (1 << 19)}]))
    assert isinstance(items[0], Reject) and "longer" in items[0].reason


def test_damage_is_seen_where_it_is_not_at_the_end_of_the_file() -> None:
    handle = io.StringIO('{"symptoms": nope}\n' + '{"symptoms": "cough"}\n' * 50_000)
    found = entries.read_entries(handle)
    assert next(found).fault and next(found).value == {"symptoms": "cough"}
    assert handle.tell() <= 2 * entries.CHUNK


def test_memory_stays_flat(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / "a.json"
        entry = json.dumps({"symptoms": "cough " * 30})
        path.write_text("[" + ",\n".join([entry] * count) + "]")
        tracemalloc.start()
        assert sum(isinstance(item, Record) for item in TranscriptReader().read(str(path))) == count
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(10)
    assert peak(4_000) < peak(2_000) * 1.3


def test_labels() -> None:
    assert find_speaker("Doctor_2", {}) == "assistant" and find_speaker("GUEST_CLINICIAN", {}) == "assistant"
    assert find_speaker("doctor said", {}) is None and find_speaker("Dr Quirrel", {}) == "assistant"
    assert find_speaker("patient_guest", {}) == "relative" and find_speaker("patient file", {}) is None


def test_missing_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(TranscriptReader().read(str(tmp_path / "none.txt")))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["Doctor", "D: hi", "1:2", "", "é"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["speaker", "text", "role", "content", "turns", "symptoms", "age", "Doctor", "when"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(values=st.lists(JSON, max_size=5), lines=st.booleans(), cut=st.integers(0, 40))
def test_no_json_raises(
    tmp_path_factory: pytest.TempPathFactory, values: list[object], lines: bool, cut: int
) -> None:
    text = "\n".join(map(json.dumps, values)) if lines else json.dumps(values)
    items = read(tmp_path_factory.getbasetemp() / "fuzz.json", text[: len(text) - cut])
    places = [i.place if isinstance(i, Reject) else i.source.place for i in items]
    assert places == sorted(set(places))


PIECES = st.sampled_from(
    ["Doctor: ", "P:", "<v Nurse>", "<v ", "\n", "\n\n", "-->", "00:01.000 --> 00:02.000", "[patient]", ":", "：",
     "Zora", "&#0;",
     "&lt;", "<", ">", "\0", "\u2028", "(00:01)", "WEBVTT", "[[[", " "]
)  # fmt: skip


@given(data=st.lists(PIECES, max_size=30).map("".join).map(str.encode) | st.binary(max_size=200))
def test_no_text_raises(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    for name in ("fuzz.txt", "fuzz.vtt", "fuzz.jsonl"):
        for item in read(tmp_path_factory.getbasetemp() / name, data):
            assert isinstance(item, Record | Reject)


@pytest.mark.parametrize(
    ("file", "count", "rejected"),
    [("primock57/dev.jsonl", 25, 0), ("aci_bench/train.jsonl", 67, 0), ("mts_dialog/train.jsonl", 1175, 4)],
)
def test_public_sets_are_read(data_root: Path, file: str, count: int, rejected: int) -> None:
    items = list(TranscriptReader().read(str(data_root / file)))
    assert len(items) == count and sum(isinstance(item, Reject) for item in items) == rejected
