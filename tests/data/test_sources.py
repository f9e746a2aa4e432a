"""Public sources are read as they are, misleading records are set aside, and what is absent is said to be."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.data.dialogues import consultation_turns, keep_heard, priority_label, read_aci, read_mts
from prescreen.data.histories import read_histories
from prescreen.data.ktas import draft_record, ktas_part, read_ktas, read_record
from prescreen.data.letters import read_letters
from prescreen.data.records import LICENCES, Reject, Row, Text
from prescreen.data.reference import clean_section, cut_sentences, read_medquad
from prescreen.data.sources import SOURCES, Skipped, find_files, read_source, source_files
from prescreen.errors import InputError, RecipeError

KTAS = {
    "case_id": "k-1",
    "Sex": "1",
    "Age": "71",
    "Chief_complain": "dizzy spell",
    "Mental": "2",
    "Pain": "0",
    "NRS_pain": "",
    "SBP": "88",
    "DBP": "50",
    "HR": "120",
    "RR": "24",
    "BT": "36.5",
    "Saturation": "",
    "KTAS_RN": "5",
    "Diagnosis in ED": "Influenza",
    "Disposition": "1",
    "KTAS_expert": "2",
}


def write_lines(path: Path, *records: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path.parent


def test_every_source_has_a_licence_we_know_and_an_origin():
    for name, source in SOURCES.items():
        assert source.licence in LICENCES, name
        assert re.search(r"@ [0-9a-f]{40}|PyPI", source.origin), name
        assert len(source.handled) > 40, name


def test_an_absent_root_or_folder_skips_with_a_sentence(tmp_path):
    for root in (None, tmp_path, tmp_path / "nowhere"):
        for name in SOURCES:
            skipped = find_files(name, root)
            assert isinstance(skipped, Skipped) and skipped.reason.startswith(f"{name} skipped: ")
    assert source_files(list(SOURCES), tmp_path) == []


def test_an_unknown_source_is_named():
    with pytest.raises(RecipeError, match=r"unknown source 'ktsa'; known: .*ktas_ed"):
        find_files("ktsa", None)


def test_a_changed_layout_is_the_users_to_mend(tmp_path):
    folder = write_lines(tmp_path / "meqsum" / "meqsum.jsonl", {"text": "no such field"})
    with pytest.raises(InputError, match=f"{folder}.*not the layout of meqsum"):
        list(read_source("meqsum", tmp_path))


def test_a_ktas_record_keeps_what_is_known_at_the_door_and_nothing_later():
    case = read_record(KTAS, "ktas_ed", "CC-BY-4.0")
    assert (case.age_years, case.sex, case.complaint) == (71, "female", "dizzy spell")
    assert (case.vitals.heart_rate, case.vitals.spo2, case.vitals.pain) == (120, None, 0)
    assert case.vitals.consciousness == "voice"
    assert case.label.acuity is Acuity.EMERGENCY
    assert "nfluenza" not in case.model_dump_json()
    without = {**KTAS, "KTAS_RN": "1", "Diagnosis in ED": "Stroke", "Disposition": "6"}
    assert read_record(without, "ktas_ed", "CC-BY-4.0") == case


def test_a_ktas_draft_says_what_the_record_holds():
    case = read_record(KTAS, "ktas_ed", "CC-BY-4.0")
    draft = draft_record(case, Acuity.EMERGENCY)
    assert draft == case.label.draft
    assert "systolic blood pressure 88 mmHg (low)" in draft.rationale
    assert draft.open_questions == ["Oxygen saturation was not measured."]
    assert all(finding.evidence in case.spoken for finding in draft.findings)


@pytest.mark.parametrize("column, value", [("Saturation", "7"), ("BT", "366"), ("SBP", "fast"), ("HR", "")])
def test_an_impossible_measurement_is_missing_not_believed(column, value):
    case = read_record({**KTAS, column: value}, "ktas_ed", "CC-BY-4.0")
    field = {"Saturation": "spo2", "BT": "temperature", "SBP": "systolic", "HR": "heart_rate"}[column]
    assert getattr(case.vitals, field) is None


def test_complaints_lost_to_encoding_are_rejected(tmp_path):
    lines = [",".join(KTAS)]
    lines += [
        ",".join({**KTAS, "case_id": f"k-{n}", "Chief_complain": said}.values())
        for n, said in enumerate(["?? ??", "", "cough"])
    ]
    (tmp_path / "ktas_dev.csv").write_text("\n".join(lines), encoding="utf-8")
    found = list(read_ktas(tmp_path))
    assert [type(item) for item in found] == [Reject, Reject, Case]
    assert found[0].where == "ktas_dev.csv, line 2"


def test_a_note_that_says_what_nobody_said_is_rejected(tmp_path):
    heard = {
        "id": "m-1",
        "section_header": "ALLERGY",
        "section_text": "No allergies.",
        "dialogue": "Doctor: Any allergies?\r\nPatient: No allergies.",
    }
    invented = {
        "id": "m-2",
        "section_header": "GENHX",
        "dialogue": heard["dialogue"],
        "section_text": "Sixty year old banker with crushing substernal pressure radiating through both "
        "shoulders since yesterday afternoon.",
    }
    unheard = {**heard, "id": "m-3", "section_header": "EXAM"}
    write_lines(tmp_path / "train.jsonl", heard, invented, unheard)
    write_lines(tmp_path / "valid.jsonl", {**heard, "id": "m-4"})
    found = list(read_mts(tmp_path))
    assert [type(item) for item in found] == [Row, Reject, Reject, Row]
    assert found[0].part == "train" and found[3].part == "valid"
    assert "\r" not in found[0].read and found[0].read.endswith("Section: allergies")


def test_swapped_speakers_cannot_mislead_and_examination_is_cut(tmp_path):
    note = (
        "CHIEF COMPLAINT\n\nKnee pain.\n\nPHYSICAL EXAM\n\nSwollen.\n\nSOCIAL HISTORY\n\nGardener.\n\nPLAN\n\nRest."
    )
    record = {"encounter_id": "E1", "dialogue": "[doctor] my knee hurts\n[patient] since when", "note": note}
    write_lines(tmp_path / "train.jsonl", record)
    write_lines(tmp_path / "valid.jsonl")
    (row,) = read_aci(tmp_path)
    assert row.read == "- my knee hurts\n- since when"
    assert row.learned == "CHIEF COMPLAINT\nKnee pain.\nSOCIAL HISTORY\nGardener." == keep_heard(note)


def test_a_consultation_ends_before_the_advice_and_has_no_recogniser_tags():
    said = [
        "Doctor: What brings you here?",
        "Patient: <UNSURE>My</UNSURE> ear hurts <UNIN/>.",
        "Doctor: <UNIN/>",
        "Doctor: Any fever?",
        "Patient: No.",
        "Doctor: I would recommend drops.",
        "Patient: Thank you, drops.",
    ]
    turns = consultation_turns("\n".join(said))
    assert [turn.text for turn in turns] == ["What brings you here?", "My ear hurts.", "Any fever?", "No."]
    assert [turn.speaker for turn in turns] == ["assistant", "patient", "assistant", "patient"]


def test_an_ambiguous_priority_accepts_the_more_urgent_neighbour_only():
    assert priority_label("medium", True).accepted == (Acuity.MEDIUM, Acuity.HIGH)
    assert priority_label("medium", False).accepted == (Acuity.MEDIUM,)
    assert priority_label("emergency", True).accepted == (Acuity.EMERGENCY,)


def test_long_answers_end_where_a_sentence_ends():
    text = " ".join(f"Sentence number {n} ends here." for n in range(40))
    pieces = list(cut_sentences(text, 50))
    assert " ".join(pieces) == text
    assert all(piece.endswith(".") and len(piece.split()) <= 50 for piece in pieces)


def test_textbook_sections_lose_what_dangles():
    text = (
        "Learning Outcomes\nBy the end of this section, you should be able to:\n- Define blood.\n"
        "Blood carries oxygen to every organ of the whole body (). (credit: A. Painter)\n| cell\n| table\n"
        "Three things about blood are worth knowing here:\n- it is red.\n- it is warm.\n"
        "See https://example.org for a longer text about this very matter."
    )
    assert clean_section(text) == (
        "Blood carries oxygen to every organ of the whole body.\n"
        "Three things about blood are worth knowing here: it is red; it is warm."
    )


def test_ageing_answers_are_left_out(tmp_path):
    answer = "A long enough answer of more than ten words, as it must be here."
    base = {"id": "1", "source": "X", "question": "What is (are) Y ?", "answer": answer, "qtype": "information"}
    write_lines(tmp_path / "medquad_nih_cdc.jsonl", base, {**base, "id": "2", "qtype": "research"})
    text, reject = read_medquad(tmp_path)
    assert isinstance(text, Text) and text.text.startswith("What is Y?\n")
    assert isinstance(reject, Reject) and "age quickly" in reject.reason


def test_a_letter_is_handed_on_and_never_answered_with_advice(tmp_path):
    write_lines(
        tmp_path / "meqsum.jsonl",
        {"chq": "SUBJECT: rash\nMESSAGE: I live in [LOCATION] and itch.", "summary": "Why do I itch?"},
    )
    (row,) = read_letters(tmp_path)
    assert row.read == "rash\nI live in and itch." and "Why do I itch?" in row.learned and "nurse" in row.learned


def test_a_record_keeps_diagnoses_medicines_and_allergies_only(tmp_path):
    kinds = {
        "Asthma (disorder)": "active",
        "Full-time employment (finding)": "active",
        "Otitis (disorder)": "resolved",
        "Medication review due (situation)": "active",
        "Chronic pain (finding)": "active",
    }
    record = {
        "patient_id": "s-1",
        "gender": "male",
        "deceased": None,
        "conditions": [{"text": text, "status": status} for text, status in kinds.items()],
        "medications": [{"text": "Salbutamol", "status": "active"}, {"text": "Amoxicillin", "status": "stopped"}],
        "allergies": [{"text": "Tree nut (substance)"}],
    }
    write_lines(tmp_path / "patient_histories.jsonl", record, {**record, "patient_id": "s-2", "deceased": "2020"})
    row, dead = read_histories(tmp_path)
    assert row.learned == "Conditions: Asthma; Chronic pain\nMedications: Salbutamol\nAllergies: Tree nut"
    assert isinstance(dead, Reject)


def test_the_staged_sets_read_as_expected(data_root):
    counts = {}
    for name in SOURCES:
        items = list(read_source(name, data_root))
        counts[name] = Counter(type(item).__name__ for item in items)
        assert all(getattr(item, "licence", SOURCES[name].licence) == SOURCES[name].licence for item in items)
    assert counts["ktas_ed"]["Case"] + counts["ktas_ed"]["Reject"] == 790
    assert counts["ktas_ed"]["Reject"] == 12
    assert counts["primock57"] == {"Case": 25}
    assert counts["mts_dialog"]["Row"] > 1100 and counts["mts_dialog"]["Reject"] < 150
    assert counts["medquad"]["Text"] > 5000
    assert counts["openstax_nursing"]["Text"] > 2000
    assert counts["synthea_sample"]["Row"] + counts["synthea_sample"]["Reject"] == 25


def test_staged_ktas_labels_match_their_levels_and_the_split_is_stable(data_root):
    cases = [item for item in read_source("ktas_ed", data_root) if isinstance(item, Case)]
    assert Counter(case.label.acuity.value for case in cases) == {
        "emergency": 154,
        "high": 306,
        "medium": 271,
        "low": 47,
    }
    assert all(case.age_years >= 16 for case in cases)
    parts = Counter(ktas_part(case.id) for case in cases)
    assert 430 < parts["train"] < 500 and 210 < parts["test"] < 270


def test_no_staged_consultation_gives_its_advice_away(data_root):
    for case in read_source("primock57", data_root):
        assert len(case.turns) > 10 and "<" not in case.text
        assert case.complaint and len(case.complaint.split()) >= 2
        ours = " ".join(turn.text for turn in case.turns[len(case.turns) // 2 :] if turn.speaker == "assistant")
        assert not re.search(r"\b(ambulance|prescribe|I recommend)\b", ours), case.id
