"""An import in several tasks gives what one process gives, and nothing of a record reaches a log."""

import hashlib
import hmac
import importlib.util
import json
import pickle
from functools import partial
from pathlib import Path

import pytest

from prescreen.custody import CASES, CUSTODY, OUTCOMES, REJECTS
from prescreen.errors import GuardError, InputError, RunError
from prescreen.records.folder import plan_folder, read_unit
from prescreen.records.intake import Intake
from prescreen.records.record import Record
from prescreen.records.rows import Terms, make_lines
from prescreen.records.vault import Vault

if importlib.util.find_spec("datatrove") is None or importlib.util.find_spec("loguru") is None:
    pytest.skip("NOT CHECKED: datatrove is not installed; pip install prescreen[scale]", allow_module_level=True)

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep

from prescreen.records import datatrove_steps
from prescreen.records.datatrove_steps import Deidentify, ReadUnits, Sealed, WriteLines, join_shards

TERMS = Terms("safe_harbor", "clinic", "an invented basis")


class Table:
    """Stands for the sealed table: one secret a patient in every process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def secret(self, patient: str) -> bytes:
        return hmac.digest(b"invented", patient.encode(), hashlib.sha256)

    def mark(self, patient: str, sha256: str) -> str:
        return self.secret(f"{patient} {sha256}")[:16].hex()

    def label_file(self, name: str) -> str:
        return f"file-{self.secret(name)[:6].hex()}"


def export(folder: Path, clinics: int = 5) -> Path:
    """Folders of Bulk Data whose files refer to each other, with a broken line and one contact sent twice."""
    for clinic in range(clinics):
        own = folder / f"ward-{clinic}"
        own.mkdir(parents=True)
        people, visits = [], []
        for number in range(4):
            name = f"p{clinic}-{number}"
            person = {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "1980-03-05"}
            person["name"] = [{"family": "Quillfeather", "given": ["Ottoline"]}]
            visit = {"resourceType": "Encounter", "id": f"e{name}", "status": "finished"}
            visit |= {"class": {"code": "EMER"}, "subject": {"reference": f"Patient/{name}"}}
            visit |= {"period": {"start": "2024-03-05T10:00:00+01:00"}}
            visit["reasonCode"] = [{"text": f"Ottoline Quillfeather has had chest pain for {number + 1} hours"}]
            people.append(json.dumps(person))
            visits.append(json.dumps(visit))
        (own / "Patient.ndjson").write_text("\n".join([*people, "{broken"]))
        (own / "Encounter.ndjson").write_text("\n".join(visits))
    (folder / "talk.csv").write_text(
        "patient_id,complaint,acuity\nx1,sore throat,3\nx1,sore throat,3\nx2,earache,4\n"
    )
    return folder


def in_one_process(source: Path, table: Table, read=read_unit) -> dict[str, list[str]]:
    intake = Intake(table, TERMS.mode, ())
    lines = [
        make_lines(list(intake.prepare(unit, read(unit, None, {}))), TERMS) for unit in plan_folder(source).units
    ]
    return {
        name: [line for made in lines for line in made[number]]
        for number, name in enumerate((CASES, OUTCOMES, CUSTODY, REJECTS))
    }


def run(source: Path, folder: Path, tasks: int, *more: PipelineStep) -> Path:
    steps = [ReadUnits(str(source)), Deidentify(partial(Table, folder), TERMS), *more]
    steps.append(WriteLines(str(folder / "shards")))
    executor = LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=str(folder / "logs"))
    executor.run()
    return folder / "shards"


@pytest.mark.parametrize("tasks", [1, 2, 9])
def test_several_tasks_give_what_one_process_gives(tmp_path, tasks):
    source = export(tmp_path / "export")
    (tmp_path / "out").mkdir()
    counts = join_shards(run(source, tmp_path, tasks), tmp_path / "out")
    alone = in_one_process(source, Table(tmp_path))
    assert len(alone[CASES]) == 22 and len(alone[REJECTS]) == 6
    for name, lines in alone.items():
        assert (tmp_path / "out" / name).read_text().splitlines() == lines, name
        assert counts[name] == len(lines)
    assert "Quillfeather" not in "".join(line for lines in alone.values() for line in lines)


def open_shared(folder: Path) -> Vault:
    return Vault(folder / "vault", shared=True)


def test_two_processes_share_one_sealed_table(tmp_path):
    source = export(tmp_path / "export")
    steps = [ReadUnits(str(source)), Deidentify(partial(open_shared, tmp_path), TERMS)]
    steps.append(WriteLines(str(tmp_path / "shards")))
    logs = str(tmp_path / "logs")
    LocalPipelineExecutor(steps, tasks=4, workers=2, logging_dir=logs, start_method="spawn").run()
    (tmp_path / "out").mkdir()
    join_shards(tmp_path / "shards", tmp_path / "out")
    with Vault(tmp_path / "vault") as vault:
        alone = in_one_process(source, vault)
    for name, lines in alone.items():
        assert (tmp_path / "out" / name).read_text().splitlines() == lines, name


def test_two_tasks_share_the_work_and_a_finished_task_is_not_done_again(tmp_path):
    shards = run(export(tmp_path / "export"), tmp_path, 2)
    assert sorted(path.name for path in (shards / "cases").iterdir()) == ["00000.jsonl", "00001.jsonl"]
    before = {path: path.stat().st_mtime_ns for path in shards.rglob("*.jsonl")}
    run(tmp_path / "export", tmp_path, 2)
    assert {path: path.stat().st_mtime_ns for path in shards.rglob("*.jsonl")} == before


def test_a_contact_that_two_tasks_read_stands_once(tmp_path):
    source = export(tmp_path / "export", clinics=2)
    (source / "ward-9").mkdir()
    for name in ("Patient.ndjson", "Encounter.ndjson"):
        (source / "ward-9" / name).write_bytes((source / "ward-0" / name).read_bytes())
    (tmp_path / "out").mkdir()
    counts = join_shards(run(source, tmp_path, 4), tmp_path / "out")
    alone = in_one_process(source, Table(tmp_path))
    assert (tmp_path / "out" / CASES).read_text().splitlines() == alone[CASES]
    assert counts[REJECTS] == len(alone[REJECTS])
    assert sorted((tmp_path / "out" / REJECTS).read_text().splitlines()) == sorted(alone[REJECTS])


def test_a_file_that_cannot_be_read_ends_its_unit_and_not_the_task(tmp_path, monkeypatch):
    def read_half(unit, mapping, speakers):
        for number, item in enumerate(read_unit(unit, mapping, speakers)):
            if unit.name == "ward-0" and number == 3:
                raise InputError("cannot be read", file="Quillfeather.json")
            yield item

    source = export(tmp_path / "export", clinics=3)
    monkeypatch.setattr(datatrove_steps, "read_unit", read_half)
    (tmp_path / "out").mkdir()
    join_shards(run(source, tmp_path, 1), tmp_path / "out")
    alone = in_one_process(source, Table(tmp_path), read_half)
    for name, lines in alone.items():
        assert (tmp_path / "out" / name).read_text().splitlines() == lines
    assert len(alone[CASES]) == 2 + 2 + 4 + 4
    assert "Quillfeather" not in "".join(alone[REJECTS])


class Breaks(Table):
    """A sealed table that fails, quoting what it was given."""

    def secret(self, patient: str) -> bytes:
        raise RuntimeError(f"no such patient {patient}")


def test_a_failure_is_logged_without_the_record(tmp_path, capfd):
    source = export(tmp_path / "export", clinics=1)
    steps = [ReadUnits(str(source)), Deidentify(partial(Breaks, tmp_path), TERMS), WriteLines(str(tmp_path / "s"))]
    executor = LocalPipelineExecutor(steps, tasks=1, workers=1, logging_dir=str(tmp_path / "logs"))
    with pytest.raises(RunError, match=r"de-identification failed \(RuntimeError\)") as caught:
        executor.run()
    captured = capfd.readouterr()
    logs = "".join(path.read_text() for path in (tmp_path / "logs").rglob("*") if path.is_file())
    assert "de-identification failed" in logs
    for text in (logs, captured.out, captured.err, str(caught.value)):
        assert "Quillfeather" not in text and "p0-0" not in text and "no such patient" not in text


def test_a_sealed_record_neither_shows_itself_nor_leaves_its_process(tmp_path):
    unit = plan_folder(export(tmp_path, clinics=1)).units[-1]
    record = next(item for item in read_unit(unit, None, {}) if isinstance(item, Record))
    sealed = Sealed(unit, record)
    assert "Quillfeather" in repr(record)
    assert "Quillfeather" not in repr(sealed) + repr([sealed])
    with pytest.raises(GuardError):
        pickle.dumps(sealed)
