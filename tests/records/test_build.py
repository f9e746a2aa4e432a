"""The import as a whole: rows with custody, nobody who may not be there, and no name anywhere it is written."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from prescreen.cli import STAGES
from prescreen.custody import read_custody
from prescreen.errors import RecipeError
from prescreen.pipeline import load_steps, run_steps
from prescreen.records import build
from prescreen.records.vault import Vault
from records.exports import find_marks, marks_of, write_export


def write_recipe(tmp_path, folder="import", **more):
    places = {"source": str(tmp_path / "export"), "vault": str(tmp_path / "vault")}
    right = {"basis": "invented", "licence": "Apache-2.0 (project)"}
    values = {"stage": "records", **places, **right, "processes": 1, "measured": 0, **more}
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "01-records.yaml").write_text(json.dumps(values))
    return tmp_path / folder


def bring_in(tmp_path, folder="import", **more):
    """Run the import; its folder and the lines of its files."""
    steps = load_steps(write_recipe(tmp_path, folder, **more), STAGES)
    run = run_steps(steps, tmp_path / "runs" / folder, STAGES)[0].run
    files = {path.stem: read_lines(path) for path in run.folder.glob("*.jsonl")}
    return run, files


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_with_their_custody(tmp_path):
    write_export(tmp_path / "export", 30)
    run, files = bring_in(tmp_path)
    assert len(files["cases"]) == run.metrics["cases"] == 30 and files["rejects"] == []
    assert [case["id"] for case in files["cases"]] == [line["row"] for line in files["custody"]]
    assert [case["id"] for case in files["cases"]] == [line["id"] for line in files["outcomes"]]
    custody = list(read_custody(run.folder))
    assert len({line.source for line in custody}) == len({line.patient for line in custody}) == 30
    assert {line.place for line in custody} == set(range(1, 31)) and len({line.file for line in custody}) == 1
    assert {case["label"]["acuity"] for case in files["cases"]} <= {"low", "medium", "high", "emergency"}
    assert all(case["age_years"] == int(case["age_years"]) for case in files["cases"])
    with Vault(tmp_path / "vault") as vault:
        assert vault.find_file(custody[0].file) == "Encounter.ndjson"
        assert {entry.codes()["safe_harbor"] for entry in vault.entries()} == {line.patient for line in custody}


def test_several_processes_write_what_one_writes(tmp_path):
    write_export(tmp_path / "export", 300)
    one, _ = bring_in(tmp_path, "one")
    two, _ = bring_in(tmp_path, "two", processes=2)
    assert one.manifest["outputs"] == two.manifest["outputs"]


def test_the_withdrawn_the_unwilling_and_repeats_stay_out(tmp_path):
    write_export(tmp_path / "export", 8)
    (tmp_path / "export/door.csv").write_text(
        "patient id,complaint,consent\nk1,cough,yes\nk2,rash,no\nk1,cough,yes\nk3,fever,yes\n"
    )
    run, files = bring_in(tmp_path, mappings={"door.csv": "guess"})
    assert run.metrics["cases"] == 10
    assert sorted(line["reason"] for line in files["rejects"]) == [
        "the patient does not consent",
        "the same contact was already read",
    ]
    with Vault(tmp_path / "vault") as vault:
        gone = vault.withdraw("Patient/p3").codes()["safe_harbor"]
        vault.withdraw("k3")
    assert gone in {case["patient_id"] for case in files["cases"]}
    run, files = bring_in(tmp_path, mappings={"door.csv": "guess"})
    assert run.metrics["cases"] == 8 and gone not in {case["patient_id"] for case in files["cases"]}
    assert [line["reason"] for line in files["rejects"]].count("the patient has withdrawn") == 2


def test_a_table_nobody_looked_at_is_refused(tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export/door.csv").write_text("patient id,complaint\nk1,cough\n")
    with pytest.raises(RecipeError, match="tables without a mapping: 1"):
        bring_in(tmp_path)


def test_an_unreadable_file_is_a_reject_and_the_rest_comes_in(tmp_path):
    write_export(tmp_path / "export", 3)
    (tmp_path / "export/Ozzy Brimstone.txt").write_bytes(b"\x00\xff" * 50)
    (tmp_path / "export/cut.xlsx").write_bytes(b"PK\x03\x04 cut off")
    run, files = bring_in(tmp_path, mappings={"*": "guess"})
    assert run.metrics["cases"] == 3 and len(files["rejects"]) == 2
    assert "Brimstone" not in json.dumps(files) + json.dumps(run.manifest)


def test_no_identifier_stands_in_anything_that_was_written(tmp_path, monkeypatch, capfd, caplog):
    """Rows, custody, rejects, manifests, the sealed table, temporary files, logs, the terminal: all searched."""
    people = write_export(tmp_path / "export", 40)
    stray = {"resourceType": "Condition", "id": people[0].last, "subject": {"reference": people[1].mrn}}
    broken = json.dumps({**stray, "code": {"text": people[0].street}})
    with (tmp_path / "export/Observation.ndjson").open("a") as handle:
        handle.write(f'{broken}\n{broken[:-9]}\n{{"name": "{people[2].last}"}}\n')
    (tmp_path / f"export/{people[3].last}.csv").write_text(
        f"patient id,complaint\n{people[3].mrn},cough,{people[3].last}\n"
    )
    (tmp_path / f"export/{people[4].last}.pdf").write_bytes(b"%PDF")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("SQLITE_TMPDIR", str(temporary))
    run, files = bring_in(tmp_path, mappings={"*": "guess"})
    assert run.metrics["cases"] == 40 and len(files["rejects"]) >= 4
    marks = marks_of(people)
    assert find_marks(marks, tmp_path / "export")  # the search does find them where they are
    told = capfd.readouterr()
    (tmp_path / "runs/told.txt").write_text(told.out + told.err + caplog.text)
    for searched in ("runs", "vault", "temporary"):
        assert find_marks(marks, tmp_path / searched) == []
    assert list(temporary.iterdir()) == []


def test_a_fault_inside_names_nobody(tmp_path, monkeypatch):
    """Whatever goes wrong in a detector, the message and the reject hold nothing of the record."""
    people = write_export(tmp_path / "export", 3)

    def fail(record, *rest, **more):
        raise ValueError(record.complaint)

    monkeypatch.setattr("prescreen.records.deid.deidentify.find_spans", fail)
    _, files = bring_in(tmp_path)
    assert files["cases"] == [] and len(files["rejects"]) == 3
    assert find_marks(marks_of(people), tmp_path / "runs") == []


def test_what_was_interrupted_goes_on_where_it_stood(tmp_path, monkeypatch):
    write_export(tmp_path / "export/a", 30)
    write_export(tmp_path / "export/b", 60)  # half of them a second time
    monkeypatch.setattr(build, "BATCH", 4)
    monkeypatch.setattr(build, "EACH", 2)
    monkeypatch.setattr(build, "UNDER_WAY", 1)
    whole, _ = bring_in(tmp_path, "whole")
    steps = load_steps(write_recipe(tmp_path, "cut"), STAGES)
    true_write, written = build.write, []

    def fail(lines, vault, journal):
        if len(written) in (5, 11, 12):
            written.append(0)
            raise KeyboardInterrupt
        written.append(len(lines.cases))
        true_write(lines, vault, journal)

    monkeypatch.setattr(build, "write", fail)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run_steps(steps, tmp_path / "runs/cut", STAGES)
    run = run_steps(steps, tmp_path / "runs/cut", STAGES)[0].run
    assert run.manifest["outputs"] == whole.manifest["outputs"]
    assert run.metrics == whole.metrics
    assert run.metrics["cases"] == 60 and run.metrics["rejects"] == 30
    assert 60 < sum(written) < 100  # it did go on, and did not begin anew each time


@pytest.mark.slow
def test_killed_at_random_moments_it_loses_and_doubles_nothing(tmp_path):
    write_export(tmp_path / "export", 2500)
    whole, _ = bring_in(tmp_path, "whole", processes=2)
    recipe = write_recipe(tmp_path, "killed", processes=2)
    command = [sys.executable, "-m", "prescreen.cli", "run", str(recipe), "--runs", str(tmp_path / "runs")]
    rng, landed = random.Random(3), 0
    for _ in range(12):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(rng.uniform(1.5, 4))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            landed += 1
        process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    manifest = json.loads((tmp_path / "runs/killed/01-records/manifest.json").read_text())
    assert landed >= 2 and manifest["outputs"] == whole.manifest["outputs"]
    assert manifest["metrics"] == whole.metrics


@pytest.mark.slow
def test_memory_does_not_grow_with_the_export(tmp_path):
    """A process of its own each, since a peak is never given back; the long one is twenty times the short one."""
    peaks = []
    for patients in (200, 4000):
        folder = tmp_path / str(patients)
        write_export(folder / "export", patients)
        recipe = write_recipe(folder, processes=1)
        program = (
            "import re, sys; from pathlib import Path; from prescreen.cli import STAGES\n"
            "from prescreen.pipeline import load_steps, run_steps\n"
            f"run_steps(load_steps(Path({str(recipe)!r}), STAGES), Path({str(folder / 'runs')!r}), STAGES)\n"
            "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.2 * peaks[0]


def test_an_import_of_real_records_ends_with_a_report_and_a_sheet(tmp_path):
    people = write_export(tmp_path / "export", 30)
    run, _ = bring_in(tmp_path, licence="clinic", measured=5)
    risk = json.loads((run.folder / "risk.json").read_text())
    assert risk["cases"] == risk["records"] == 30 and risk["taken"]["name"] > 0
    assert risk["blindfold"] and risk["planted"]["recalls"] and risk["anonymity"]
    page = (run.folder / "risk.html").read_text()
    assert "Safe Harbor" in page and "not yet audited" in page
    assert (run.folder / "audit_sheet.csv").read_text(encoding="utf-8-sig").count("complaint") >= 30
    assert find_marks(marks_of(people), tmp_path / "runs") == []


def test_public_sets_come_in_by_one_command(tmp_path, data_root):
    for name in ("synthea_sample", "mts_dialog", "aci_bench", "primock57", "ktas_ed"):
        (tmp_path / "export").mkdir(exist_ok=True)
        for path in sorted((data_root / name).rglob("*")):
            if path.is_file() and not path.name.startswith("MTS-") and path.name != "patient_histories.jsonl":
                target = tmp_path / "export" / name / path.relative_to(data_root / name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path)
    _, files = bring_in(tmp_path, mappings={"ktas*.csv": "guess"}, licence="CC-BY-4.0", processes=2)
    readers = {name: sum(line["reader"] == name for line in files["custody"]) for name in ("fhir/1", "table/1")}
    assert readers == {"fhir/1": 46, "table/1": 790}
    assert len(files["custody"]) == len({line["row"] for line in files["custody"]}) == 2219
    assert len(files["rejects"]) == 4
