"""The chain walked both ways: from a run back to the records, from a patient on to every model and release."""

import csv
import json

import pytest
from typer.testing import CliRunner

from prescreen.cli import STAGES, app
from prescreen.data.split import assign_part
from prescreen.errors import GuardError
from prescreen.pipeline import load_steps, open_run, run_steps
from prescreen.records.vault import Vault
from prescreen.run import Run, write_json
from prescreen.tracing import belongs, find_rows, find_served, has_learned, list_runs, trace_down, trace_up
from prescreen.train.supervised import SupervisedRecipe
from records.exports import write_export


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """An import, its signed audit, a data run, a model and its release; the model learned nothing but is one."""
    folder = tmp_path_factory.mktemp("clinic")
    write_export(folder / "export", 120)  # somebody falls into the test part, however codes are drawn
    (folder / "clinic").mkdir()
    small = {"train": 8, "valid": 2, "template": 2, "condition": 2}
    texts = {"train": 40_000, "valid": 1000, "test": 1000}
    recipes = {
        "01-records": {"stage": "records", "source": str(folder / "export"), "vault": str(folder / "vault"),
                       "basis": "consent of 2026", "processes": 1, "measured": 0},
        "02-data": {"stage": "data", "inputs": {"records": "01-records"}, "sources": [], "num_cases": small,
                    "num_characters": texts, "num_pairs": {"train": 4, "valid": 2}},
    }  # fmt: skip
    for name, values in recipes.items():
        (folder / f"clinic/{name}.yaml").write_text(json.dumps(values))
    steps = load_steps(folder / "clinic", STAGES)
    records = run_steps(steps[:1], folder / "runs/clinic", STAGES)[0].run
    sign(records)
    data = run_steps(steps, folder / "runs/clinic", STAGES)[1].run
    recipe = SupervisedRecipe(stage="sft", rows="sft", base="twin", inputs={"data": "02-data"})
    model = Run(folder / "runs/clinic/03-sft", recipe, {"data": data})
    model.start()
    (model.folder / "adapter.txt").write_text("weights")
    model.finish([model.folder / "adapter.txt"], {})
    release = {"candidate": "sft", "model": str(model.folder.resolve()), "weights": "ab" * 32, "gate": "",
               "verdict": "", "serves": "sft",
               "expires": "2030-01-01", "promoted": "2026-11-26T00:00:00Z"}  # fmt: skip
    (folder / "releases").mkdir()
    write_json(folder / "releases/current.json", release)
    return folder


def sign(run):
    """Answer every row of the sheet with no, and sign."""
    sheet = run.folder / "audit_sheet.csv"
    with sheet.open(encoding="utf-8-sig", newline="") as handle:
        header, *rows = csv.reader(handle)
    place = header.index("identifier_left")
    filled = run.folder.parent / "filled.csv"
    with filled.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *([*row[:place], "no", *row[place + 1 :]] for row in rows)])
    done = CliRunner().invoke(app, ["records", "sign", str(run.folder), str(filled), "--by", "A. Person"])
    assert done.exit_code == 0 and "passed" in done.stdout, done.output


def trace(clinic, what):
    options = ["--runs", str(clinic / "runs"), "--releases", str(clinic / "releases")]
    done = CliRunner().invoke(app, ["trace", str(what), *options])
    assert done.exception is None, done.exception
    return done.stdout


def test_from_a_model_back_to_the_records(clinic):
    steps = list(trace_up(open_run(clinic / "runs/clinic/03-sft", STAGES)))
    assert [(step.depth, step.name) for step in steps] == [(0, "03-sft"), (1, "02-data"), (2, "01-records")]
    last = steps[-1].facts
    assert last["rows"] == "120 of 120 patients" and last["readers"] == "fhir/1 120"
    assert last["right"] == "clinic: consent of 2026 120" and last["audit"].startswith(
        "passed, signed by A. Person"
    )
    assert "clinic/safe_harbor (clinic)" in steps[1].facts["rows by source"]


def test_a_file_of_a_run_and_a_release_lead_to_their_run(clinic):
    for start in ("runs/clinic/03-sft/adapter.txt", "releases/current.json"):
        told = trace(clinic, clinic / start)
        assert told.index("03-sft") < told.index("02-data") < told.index("01-records")
        assert "releases that serve one: current.json" in told


def test_the_weights_a_signed_report_names_lead_to_the_run_behind_their_release(clinic):
    for weights in ("ab" * 32, "ab" * 6):
        told = trace(clinic, weights)
        assert "03-sft" in told and "01-records" in told and "releases that serve one: current.json" in told
    for other in ("ab" * 5, "cd" * 32, "AB" * 32):
        assert find_served(other, clinic / "releases", STAGES) is None


def test_from_a_patient_to_every_model_and_release(clinic):
    runs = list_runs(clinic / "runs", STAGES)
    learned = {case["patient_id"] for case in read_lines(clinic / "runs/clinic/02-data/train/cases.jsonl")}
    with Vault(clinic / "vault") as vault:
        codes = [entry.codes()["safe_harbor"] for entry in vault.entries()]
    code = next(code for code in codes if code in learned)
    found = find_rows(code, runs)
    assert [rows.run.name for rows in found] == ["01-records", "02-data"] and len(found[0].custody) == 1
    assert sum(found[1].files.values()) >= 2  # the case and at least one row made of it
    assert [run.name for run in trace_down([found[1].run], runs) if has_learned(run)] == ["03-sft"]
    told = trace(clinic, code)
    assert "03-sft" in told and "current.json" in told and "train/cases.jsonl" in told
    row = found[0].custody[0].row
    assert find_rows(row, runs)[0].custody == found[0].custody
    assert find_rows(f"{row}-report", runs)[0].run.name == "02-data"


def test_rows_of_others_do_not_belong():
    row = {"id": "aa-report", "case_id": "aa", "patient_id": "p"}
    assert belongs(row, "p", set()) and belongs(row, "aa", set()) and belongs(row, "aa-report", set())
    assert belongs({"id": "aa-text"}, "p", {"aa"}) and not belongs({"id": "ab-text"}, "p", {"aa"})
    assert not belongs({"id": "x"}, "p", set())


def test_what_is_nowhere_is_said(clinic):
    done = CliRunner().invoke(app, ["trace", "0123456789abcdef", "--runs", str(clinic / "runs")])
    assert "nor an id or code" in str(done.exception)


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_and_texts_are_split_by_patient(clinic):
    folder = clinic / "runs/clinic/02-data"
    parts = {name: {case["patient_id"] for case in read_lines(folder / name)} for name in
             ("train/cases.jsonl", "test/clinic.jsonl")}  # fmt: skip
    assert parts["test/clinic.jsonl"] and not parts["train/cases.jsonl"] & parts["test/clinic.jsonl"]
    cases = {case["id"]: case["patient_id"] for case in read_lines(clinic / "runs/clinic/01-records/cases.jsonl")}
    read = {
        part: {cases.get(row["id"].removesuffix("-text")) for row in read_lines(folder / part / "cpt.jsonl")}
        - {None}
        for part in ("train", "valid", "test")
    }
    assert read["train"] and all(assign_part(code) == part for part, codes in read.items() for code in codes)


def test_nothing_learns_from_real_records_without_an_audit(clinic, tmp_path):
    steps = load_steps(clinic / "clinic", STAGES)
    run_steps(steps[:1], tmp_path, STAGES)
    with pytest.raises(GuardError, match="before an audit"):
        run_steps(steps, tmp_path, STAGES)


def test_who_withdrew_is_left_out_of_an_older_import(clinic, tmp_path, monkeypatch):
    """The import is not run again here: the build itself asks."""
    steps = load_steps(clinic / "clinic", STAGES)
    records = run_steps(steps[:1], tmp_path, STAGES)[0].run
    sign(records)
    before = run_steps(steps, tmp_path, STAGES)[1].run
    gone = read_lines(before.folder / "train/cases.jsonl")
    code = next(case["patient_id"] for case in gone if case["source"].startswith("clinic"))
    monkeypatch.setattr("prescreen.data.imported.read_withdrawn", lambda vault: frozenset([code]))
    after = run_steps(load_steps(clinic / "clinic", STAGES, {"data.seed": "1"}), tmp_path, STAGES)[1].run
    for path in sorted(after.folder.rglob("*.jsonl")):
        if path.name != "rejects.jsonl":
            assert all(row.get("patient_id") != code for row in read_lines(path)), path
