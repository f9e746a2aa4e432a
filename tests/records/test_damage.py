"""Whatever lies in the folder: the import ends, what is sound comes in, and each reject says where and why."""

import gzip
import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.records.build import RecordsRecipe, main
from prescreen.run import Run
from records.exports import write_export

HOSTILE = [
    b"", b"\x00" * 300, b"\xff\xfe\xfd", b"[" * 5000, b'{"a":' * 5000, b"PK\x03\x04", b"\x1f\x8b\x08broken",
    b'{"resourceType": "Patient", "id": ["p1"], "name": 7}\n', b'{"resourceType": "Encounter", "id": "e0"',
    b'=HYPERLINK("http://x";"y"),@SUM(1),\n"unclosed', b"MSH|^~\\&|" + b"|" * 9000, b"MSH\rPID|||\r\x1c\x0b\x0b",
    "\u202eniks\x85\u2028".encode(), b"<v Doctor>hello\n00:00 --> 00:01\n", b'{"symptoms": 1e999, "history": NaN}',
]  # fmt: skip
ENDINGS = [".json", ".ndjson", ".ndjson.gz", ".jsonl", ".csv", ".xlsx", ".hl7", ".txt", ".vtt", ".srt", ".dat"]


def bring_in(folder):
    places = {"source": folder / "export", "vault": folder / "vault"}
    recipe = RecordsRecipe(**places, basis="invented", processes=1, measured=0, mappings={"*": "guess"})
    run = Run(folder / "run", recipe)
    run.start()
    main(recipe, run)
    return [[json.loads(line) for line in (run.folder / name).read_text().splitlines()]
            for name in ("cases.jsonl", "rejects.jsonl")]  # fmt: skip


CONTENTS = st.one_of(st.sampled_from(HOSTILE), st.binary(max_size=400))
SLIPS = st.tuples(
    st.sampled_from(["Patient", "Encounter", "Observation"]), st.integers(0, 4000), st.binary(max_size=40)
)


@given(st.lists(st.tuples(CONTENTS, st.sampled_from(ENDINGS)), max_size=6), st.lists(SLIPS, max_size=4))
@settings(max_examples=40, deadline=None)
def test_damage_never_stops_an_import(strangers, slips):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_export(folder / "export/sound", 2)
        write_export(folder / "export/hurt", 4)
        for number, (content, ending) in enumerate(strangers):
            (folder / f"export/stranger{number}{ending}").write_bytes(content)
        for kind, place, new in slips:
            path = folder / f"export/hurt/{kind}.ndjson"
            data = path.read_bytes()
            path.write_bytes(data[:place] + new + data[place + len(new) + 1 :])
        cases, rejects = bring_in(folder)
        assert len({case["id"] for case in cases}) == len(cases) >= 2
        assert all(r["file"].startswith("file-") and r["place"] >= 0 and r["reason"] for r in rejects)
        assert [path.name for path in (folder / "run").iterdir() if path.name.startswith(".")] == []


def test_a_bomb_is_one_reject(tmp_path):
    """300 MB of one line in 300 kB of gzip, beside a sound export."""
    write_export(tmp_path / "export", 2)
    with gzip.open(tmp_path / "export/Bomb.ndjson.gz", "wb", compresslevel=9) as handle:
        handle.write(b'{"resourceType":"Patient","id":"')
        for _ in range(300):
            handle.write(b"a" * (1 << 20))
    cases, rejects = bring_in(tmp_path)
    assert len(cases) == 2 and len(rejects) == 1 and "16 MB" in rejects[0]["reason"]
    shutil.rmtree(tmp_path / "export")
