"""Which file goes to which reader, and that nothing is passed over in silence."""

import gzip
import json

import pytest

from prescreen.errors import InputError
from prescreen.records.folder import count_contacts, plan_folder

BUNDLE = json.dumps({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Encounter"}}]})


def test_every_kind_is_known_by_its_contents(tmp_path):
    (tmp_path / "fhir").mkdir()
    (tmp_path / "fhir/Patient.ndjson").write_text('{"resourceType":"Patient","id":"1"}\n')
    (tmp_path / "fhir/Encounter.ndjson.gz").write_bytes(
        gzip.compress(b'{"resourceType": "Encounter"}\n{"resourceType": "Encounter"}\n')
    )
    (tmp_path / "one.json").write_text(BUNDLE)
    (tmp_path / "feed.dat").write_bytes(b"\x0bMSH|^~\\&|A\rPID|1\rMSH|^~\\&|B\r")
    (tmp_path / "door.csv").write_text("id;complaint\n1;cough\n2;rash\n")
    (tmp_path / "sheet.bin").write_bytes(b"PK\x03\x04rest")
    (tmp_path / "talk.vtt").write_text("WEBVTT\n")
    (tmp_path / "chat.json").write_text('[{"symptoms": "cough"}]')
    (tmp_path / "scan.pdf").write_bytes(b"%PDF")
    (tmp_path / "README.md").write_text("about")
    (tmp_path / ".hidden.csv").write_text("a;b\n")
    (tmp_path / "linked").symlink_to(tmp_path / "fhir", target_is_directory=True)
    plan = plan_folder(tmp_path, skip=["chat.*"])
    found = {unit.name: (unit.kind, len(unit.files)) for unit in plan.units}
    assert found == {
        "fhir": ("fhir", 2), "one.json": ("fhir", 1), "feed.dat": ("hl7v2", 1), "door.csv": ("table", 1),
        "sheet.bin": ("table", 1), "talk.vtt": ("transcript", 1),
    }  # fmt: skip
    assert plan.unread == ("README.md", "linked", "scan.pdf")
    about = {unit.name: count_contacts(unit) for unit in plan.units}
    assert about["feed.dat"] == 2 and about["door.csv"] == 3 and about["one.json"] == 1


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_bytes(b"%PDF")])
def test_nothing_to_read_is_said(tmp_path, make):
    make(tmp_path / "export")
    with pytest.raises(InputError, match=r"correct the path|nothing here"):
        plan_folder(tmp_path / "export")
