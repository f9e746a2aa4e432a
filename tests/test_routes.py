"""Marked identifiers pushed through every route from a clinic's folder to rows, cards, pages and messages."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.exports import find_marks, marks_of, write_export

FORMS = st.sampled_from(["fhir", "table", "hl7", "talk"])


def write_other(folder: Path, people, form: str) -> None:
    """The same people in another format, each named in free text."""
    if form == "table":
        with (folder / f"{people[0].last}.csv").open("w", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["mrn", "patient name", "phone", "address", "date of birth", "chief complaint", "esi"])
            for one in people:
                said = f"{one.first} {one.last} of {one.street} rang from {one.phone}: chest pain since noon"
                writer.writerow([one.mrn, f"{one.first} {one.last}", one.phone, one.street, one.born, said, "2"])
            writer.writerow([people[0].mrn, people[0].last, *"too many cells in a row"])
    elif form == "hl7":
        messages = []
        for number, one in enumerate(people):
            birth = one.born.replace("-", "")
            messages.append(
                f"MSH|^~\\&|A|B|C|D|202503011200||ADT^A04|m{number}|P|2.5\r"
                f"PID|1||{one.mrn}^^^H^MR||{one.last}^{one.first}||{birth}|F|||{one.street}^^Town||{one.phone}\r"
                f"PV1|1|E|||||||||||||||||v{number}\r"
                f"PV2|||^{one.first} {one.last} has chest pain\r"
                f"NTE|1||Call {one.last} back on {one.phone}\r"
            )
        (folder / "feed.hl7").write_text("\r".join(messages))
    elif form == "talk":
        entries = [
            {"patient_id": one.mrn, "patient_name": f"{one.first} {one.last}", "history": f"Lives at {one.street}.",
             "symptoms": f"{one.last} here, {one.phone}. cough for a week", "triage_priority": "Low"}
            for one in people
        ]  # fmt: skip
        (folder / "chat.json").write_text(json.dumps(entries))


@pytest.mark.slow
@given(st.integers(0, 10_000), st.sets(FORMS, min_size=2))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_route_carries_an_identifier(seed, forms):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        people = write_export(folder / "export/bulk", 12, seed)
        for form in sorted(forms - {"fhir"}):
            write_other(folder / "export", people, form)
        with (folder / "export/bulk/Condition.ndjson").open("a") as handle:
            handle.write(
                f'{{"resourceType": "Condition", "id": "{people[0].last}", "subject": {{"reference": 7}}}}\n'
            )
            handle.write(f'{{"resourceType": "Condition", "note": "{people[1].street}\n')
        recipes = folder / "clinic"
        recipes.mkdir()
        records = {"stage": "records", "source": "export", "vault": "vault", "basis": "invented",
                   "licence": "clinic", "processes": 2, "measured": 3, "mappings": {"*": "guess"}}  # fmt: skip
        data = {"stage": "data", "inputs": {"records": "01-records"}, "sources": [], "num_canaries": 10,
                "num_cases": {"train": 8, "valid": 2, "template": 2, "condition": 2},
                "num_pairs": {"train": 4, "valid": 2},
                "num_characters": {"train": 20_000, "valid": 1000, "test": 1000}}  # fmt: skip
        (recipes / "01-records.yaml").write_text(json.dumps(records))
        (recipes / "02-data.yaml").write_text(json.dumps(data))
        (folder / "temporary").mkdir()
        marks = marks_of(people)
        assert find_marks(marks, folder / "export")

        told = []

        def prescreen(*words: str) -> "subprocess.CompletedProcess[str]":
            environment = os.environ | {"TMPDIR": str(folder / "temporary"), "PRESCREEN_DEBUG": "1"}
            done = subprocess.run([sys.executable, "-m", "prescreen.cli", *words], cwd=folder, env=environment,
                                  capture_output=True, text=True, check=False)  # fmt: skip
            told.append(done.stdout + done.stderr)
            return done

        run = "runs/clinic/01-records"
        assert prescreen("run", "clinic").returncode == 1  # 02-data waits for the audit; tracebacks are on
        sheet = folder / "filled.csv"
        with (folder / run / "audit_sheet.csv").open(encoding="utf-8-sig", newline="") as handle:
            header, *rows = csv.reader(handle)
        place = header.index("identifier_left")
        with sheet.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows([header, *([*row[:place], "no", *row[place + 1 :]] for row in rows)])
        assert prescreen("records", "sign", run, str(sheet), "--by", "A. Person").returncode == 0
        assert prescreen("run", "clinic").returncode == 0, told[-1]
        cases = [json.loads(line) for line in (folder / run / "cases.jsonl").read_text().splitlines()]
        for words in (
            ("trace", "runs/clinic/02-data"), ("trace", cases[0]["patient_id"]), ("trace", people[0].mrn.lower()),
            ("show", run), ("records", "doubts", f"{run}/cases.jsonl", "--out", "doubts.csv", "--each", "2"),
            ("records", "files", "file-000000000000"), ("records", "withdraw", cases[1]["patient_id"]),
        ):  # fmt: skip
            prescreen(*words)
        told[:] = [text for text in told if people[0].mrn.lower() not in text]  # what we ourselves typed
        (folder / "runs/told.txt").write_text("\n".join(told))
        (folder / "export").rename(folder.parent / f"{folder.name}-export")
        try:
            assert find_marks(marks, folder) == []
            assert list((folder / "temporary").iterdir()) == []
        finally:
            (folder.parent / f"{folder.name}-export").rename(folder / "export")
