"""What a clinic may hand us: its own columns, and every way a file can be broken. One sentence, file and line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.report import SeedEntry
from prescreen.data.clauses import review_history
from prescreen.data.clinic_file import (
    ClinicFile,
    Columns,
    collect_clinic_files,
    read_clinic_file,
    read_gold,
    read_seed_entries,
    write_seed_entries,
)
from prescreen.data.records import Reject
from prescreen.data.synthesize import synthesize_cases
from prescreen.errors import InputError, PrescreenError

SEED = {
    "history": "Patient has hypertension and type 2 diabetes, no known allergies.",
    "symptoms": "Complains of chest pain and shortness of breath.",
    "diagnosis_report": "Possible angina. Recommend urgent cardiology consult and ECG.",
    "triage_priority": "High",
}
GOOD = json.dumps(SEED)
HEADER = "history,symptoms,diagnosis_report,triage_priority"
ROW = "none,sore throat,Viral. Fluids.,Low"


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_requests_own_sample_becomes_a_case_with_a_draft(tmp_path):
    (case,) = read_clinic_file(write(tmp_path, "one.json", GOOD))
    assert case.history_text == SEED["history"] and case.complaint == SEED["symptoms"]
    assert case.label.acuity is Acuity.HIGH and case.label.accepted == (Acuity.HIGH, Acuity.EMERGENCY)
    draft = case.label.draft
    assert draft.history.conditions == ["hypertension", "type 2 diabetes"]
    assert draft.history.allergies == ["no known allergies"] and draft.history.medications == []
    assert [f.name for f in draft.findings] == ["chest pain", "shortness of breath"]
    assert all(f.evidence in case.spoken and f.status == "present" for f in draft.findings)
    assert draft.next_steps == ["Recommend urgent cardiology consult and ECG."]
    assert draft.differential[0].condition == "angina"


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.json", GOOD),
        ("b.json", f"[{GOOD},\n {GOOD}]"),
        ("c.jsonl", f"{GOOD}\n\n{GOOD}\r\n"),
        ("d.csv", f"{HEADER}\n{ROW}\n"),
        ("e.csv", f"\ufeff{HEADER}\r\n{ROW}\r\n"),
        ("f.tsv", f"{HEADER}\n{ROW}".replace(",", "\t")),
        ("g.csv", f"{HEADER}\n{ROW}".replace(",", ";")),
        ("h.jsonl", f"\ufeff{GOOD}"),
        ("i.csv", f'{HEADER}\nnone,"sore throat,\nsince Monday",Viral.,Low'),
    ],
)
def test_all_usual_forms_are_read(tmp_path, name, content):
    assert all(case.label for case in read_clinic_file(write(tmp_path, name, content)))


BROKEN = {
    "malformed line": ("x.jsonl", f'{GOOD}\n{{"history": "a", \n', "x.jsonl, line 2: not valid JSON"),
    "two objects on a line": ("x.jsonl", f"{GOOD} {GOOD}", "line 1: more than one JSON value"),
    "no object": ("x.jsonl", "[1, 2]", "line 1: expected an object"),
    "malformed list": ("x.json", f"[{GOOD},\n\n{{]", "line 3: not valid JSON"),
    "missing comma": ("x.json", f"[{GOOD}\n{GOOD}]", "line 2: a comma or ] is missing"),
    "unclosed list": ("x.json", f"[{GOOD}", "a comma or ] is missing"),
    "lines in a .json": ("x.json", f"{GOOD}\n{GOOD}", r"name the file \.jsonl"),
    "deep nesting": ("x.jsonl", "[" * 100_000, "nested too deeply"),
    "missing column": (
        "x.csv",
        "history,complaint,triage_priority\na,b,Low",
        "no column 'symptoms'; found history, complaint, triage_priority; name yours",
    ),
    "missing label": ("x.jsonl", '{"history": "a", "symptoms": "b"}', "no column 'triage_priority'"),
    "unknown priority": (
        "x.csv",
        f"{HEADER}\na,cough,r,Soonish",
        "line 2: unknown priority 'Soonish'; seed takes low, medium, high",
    ),
    "no priority": ("x.csv", f"{HEADER}\na,cough,r,", "line 2: unknown priority ''"),
    "empty symptoms": ("x.csv", f"{HEADER}\n{ROW}\na,  ,r,Low", "line 3: empty 'symptoms'"),
    "null symptoms": ("x.jsonl", GOOD.replace(f'"{SEED["symptoms"]}"', "null"), "empty 'symptoms'"),
    "not UTF-8": ("x.csv", f"{HEADER}\n{ROW}\n".encode() + b"caf\xe9,a,b,Low", "line 3: not UTF-8"),
    "UTF-16": ("x.csv", HEADER.encode("utf-16"), "UTF-8"),
    "NUL bytes": ("x.csv", f"{HEADER}\n{ROW}\0".encode(), "line 2: holds NUL bytes"),
    "huge field": ("x.csv", f"{HEADER}\na,{'b' * 10_000_000},r,Low", "line 2: field 'symptoms' holds 10,000,000"),
    "huge JSON field": (
        "x.jsonl",
        GOOD.replace("angina", "a" * 10_000_000),
        "field 'diagnosis_report' holds 10,000,0",
    ),
    "empty file": ("x.csv", "", "the file is empty"),
    "blank file": ("x.jsonl", " \n\n", "the file is empty"),
    "empty list": ("x.json", "[]", "no record"),
    "header only": ("x.csv", HEADER, "only a header"),
    "ragged row": ("x.csv", f"{HEADER}\n{ROW}\na,b,Low", "line 3: 3 fields where the header has 4"),
    "unclosed quote": ("x.csv", f'{HEADER}\n{ROW}\na,"b,c,Low\n{ROW}', "line 3: a quotation mark"),
    "column twice": ("x.csv", f"{HEADER},history\n{ROW},x", "'history' stands twice"),
    "spreadsheet": ("x.xlsx", b"PK\x03\x04", "cannot read .xlsx; save it as CSV"),
    "not a case": ("x.jsonl", '{"schema_version": "1", "id": "1", "complaint": "a"}', "line 1: not a case"),
}


@pytest.mark.parametrize("name, content, message", BROKEN.values(), ids=BROKEN.keys())
def test_a_fault_is_one_sentence_with_file_and_line(tmp_path, name, content, message):
    path = write(tmp_path, name, content)
    with pytest.raises(InputError, match=message) as caught:
        read_clinic_file(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(InputError, match="this is a folder"):
        read_clinic_file(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_clinic_file(tmp_path / "none.csv")


@given(st.binary(max_size=300), st.sampled_from([".json", ".jsonl", ".csv"]))
def test_any_bytes_give_cases_or_one_sentence(tmp_path_factory, content, ending):
    path = tmp_path_factory.mktemp("any") / f"x{ending}"
    path.write_bytes(content)
    try:
        cases = read_clinic_file(path)
    except PrescreenError as error:
        assert "\n" not in str(error)
    else:
        assert cases


def test_five_lines_of_mapping_read_a_clinics_own_columns(tmp_path):
    mapping = write(
        tmp_path,
        "map.yaml",
        "history: background\nsymptoms: complaint\ntriage_priority: colour\npatient_id: mrn\nscale: mts\n",
    )
    path = write(tmp_path, "own.csv", "mrn,background,complaint,colour\n17,none,burnt hand,Orange\n")
    (case,) = read_clinic_file(path, mapping)
    assert (case.patient_id, case.label.acuity) == ("17", Acuity.EMERGENCY)
    assert case.label.draft.rationale.startswith("Complaint: burnt hand; no measured vital sign")


def test_age_sex_and_vitals_columns_are_read_and_checked(tmp_path):
    columns = Columns(age="years", vitals={"heart_rate": "pulse", "consciousness": "avpu"})
    head = "history,symptoms,triage_priority,years,sex,pulse,avpu\n"
    (case,) = read_clinic_file(write(tmp_path, "v.csv", head + 'a,cough,Low,"40,5",F,88,Alert'), columns)
    assert (case.age_years, case.sex, case.vitals.heart_rate) == (40.5, "female", 88)
    assert case.vitals.consciousness == "alert"
    for row, message in (
        ("a,cough,Low,old,F,88,alert", "'years' holds 'old'"),
        ("a,cough,Low,9,F,1e9,alert", "outside"),
        ("a,cough,Low,nan,F,88,alert", "outside"),
        ("a,cough,Low,9,F,8,sleepy", "consciousness must"),
    ):
        with pytest.raises(InputError, match=message):
            read_clinic_file(write(tmp_path, "v.csv", head + row), columns)
    with pytest.raises(InputError, match="unknown vital sign 'pulse'"):
        read_clinic_file(
            write(tmp_path, "v.csv", head + "a,cough,Low,9,F,8,alert"), Columns(vitals={"pulse": "pulse"})
        )


def test_a_mapping_with_an_unknown_key_fails(tmp_path):
    with pytest.raises(PrescreenError, match="complaint: unknown key"):
        read_clinic_file(
            write(tmp_path, "x.csv", f"{HEADER}\n{ROW}"), write(tmp_path, "m.yaml", "complaint: text\n")
        )


def test_gold_may_be_a_range():
    level = read_gold("high|emergency", "acuity")
    assert level.acuity is Acuity.HIGH and level.accepted == (Acuity.HIGH, Acuity.EMERGENCY)
    assert read_gold("Medium", "seed").accepted == (Acuity.MEDIUM,)
    with pytest.raises(InputError, match="unknown priority 'soon'"):
        read_gold("high|soon", "acuity")


def test_a_file_that_says_emergency_means_four_levels(tmp_path):
    rows = [{**SEED, "triage_priority": label} for label in ("High", "Emergency")]
    high, emergency = read_clinic_file(write(tmp_path, "x.json", json.dumps(rows)))
    assert high.label.accepted == (Acuity.HIGH,) and emergency.label.acuity is Acuity.EMERGENCY


def test_the_common_schema_and_ktas_columns_are_known(tmp_path):
    cases = list(synthesize_cases(1, 5, "test", "seen"))
    lines = "\n".join(case.model_dump_json() for case in cases)
    assert read_clinic_file(write(tmp_path, "c.jsonl", lines)) == cases
    ktas = "case_id,Sex,Age,Chief_complain,SBP,KTAS_expert\n9,1,50,abd pain,90,3\n"
    (case,) = read_clinic_file(write(tmp_path, "k.csv", ktas))
    assert (case.id, case.label.acuity, case.vitals.systolic) == ("9", Acuity.HIGH, 90)
    with pytest.raises(InputError, match="line 2: unknown priority '9'; ktas takes"):
        read_clinic_file(write(tmp_path, "k.csv", ktas.replace(",3\n", ",9\n")))


def test_an_unlabelled_record_is_read_when_no_gold_is_needed(tmp_path):
    path = write(tmp_path, "x.jsonl", '{"history": "", "symptoms": "cough"}')
    (case,) = read_clinic_file(path, gold=False)
    assert case.label is None


text = st.text(max_size=60)


@given(
    st.lists(
        st.builds(SeedEntry, history=text, symptoms=text, diagnosis_report=text, triage_priority=text),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([".json", ".jsonl"]),
)
def test_seed_entries_survive_a_round_trip_byte_for_byte(tmp_path_factory, entries, ending):
    path = tmp_path_factory.mktemp("seed") / f"x{ending}"
    write_seed_entries(entries, path)
    again = (
        read_seed_entries(path) if not any("\0" in v for e in entries for v in e.model_dump().values()) else entries
    )
    assert again == entries


def test_a_seed_entry_with_a_strange_key_is_refused(tmp_path):
    with pytest.raises(InputError, match="line 1: not a seed entry"):
        read_seed_entries(write(tmp_path, "x.jsonl", GOOD.replace("symptoms", "symptom")))


def test_collecting_keeps_the_good_and_names_the_bad(tmp_path):
    path = write(tmp_path, "x.csv", f"{HEADER}\n{ROW}\na,b,Low\na,cough,r,Soonish\n{ROW}\n")
    found = list(collect_clinic_files([ClinicFile(path=path, licence="clinic")]))
    rejects = [item for item in found if isinstance(item, Reject)]
    assert len(found) == 4 and len(rejects) == 2
    assert "line 3: 3 fields" in rejects[0].reason and "unknown priority 'Soonish'" in rejects[1].reason


def test_a_file_without_one_good_record_stops_the_build(tmp_path):
    path = write(tmp_path, "x.csv", f"{HEADER}\na,,r,Low")
    with pytest.raises(InputError, match=r"not one usable record; the first fault: .*line 2: empty 'symptoms'"):
        list(collect_clinic_files([ClinicFile(path=path, licence="clinic")]))


def test_a_patient_in_two_files_stops_the_build(tmp_path):
    body = f"patient_id,{HEADER}\nmrn-1,{ROW}\nmrn-1,{ROW}\n"
    files = [ClinicFile(path=write(tmp_path, name, body), licence="clinic") for name in ("a.csv", "b.csv")]
    assert len(list(collect_clinic_files(files[:1]))) == 2
    with pytest.raises(
        InputError, match=r"b.csv: patient 'mrn-1' also stands in .*a.csv; keep each patient in one file"
    ):
        list(collect_clinic_files(files))


def test_histories_are_read_in_their_own_words():
    found = review_history("Known asthma; takes salbutamol inhaler. Allergic to penicillin.")
    assert (found.conditions, found.medications) == (["asthma"], ["takes salbutamol inhaler"])
    assert found.allergies == ["Allergic to penicillin"]
