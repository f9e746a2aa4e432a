"""Coverage-guided fuzzing of the readers with atheris, outside the default tests; the package is not in the lock.

    PYTHONPATH=src:tests python tests/fuzz/readers.py fhir -max_total_time=120

First comes fhir, ndjson, hl7v2, table, transcript or chat; what follows goes to libFuzzer. Whatever the bytes,
a reader gives records and rejects: an exception is a crash, and so is a reject that quotes 12 bytes of the file.
"""

import re
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["prescreen.records", "json", "csv", "zipfile"]):
    from prescreen.errors import InputError
    from prescreen.records.fhir import FhirReader
    from prescreen.records.hl7v2 import Hl7v2Reader
    from prescreen.records.record import Record, Reject
    from prescreen.records.tables import TableReader
    from prescreen.records.transcripts import TranscriptReader

READERS = {
    "fhir": (FhirReader(), "export.json"),
    "ndjson": (FhirReader(), "export.ndjson"),
    "hl7v2": (Hl7v2Reader(), "feed.hl7"),
    "table": (TableReader(), "door.csv"),
    "transcript": (TranscriptReader(), "talk.json"),
    "chat": (TranscriptReader(), "talk.vtt"),
}
SEEDS = {
    "fhir": b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"p"}},{"resource":'
    b'{"resourceType":"Encounter","id":"e","status":"finished","subject":{"reference":"Patient/p"},'
    b'"period":{"start":"2025-01-01"},"reasonCode":[{"text":"cough"}]}}]}',
    "ndjson": b'{"resourceType":"Patient","id":"p","birthDate":"1980-01-01"}\n{"resourceType":"Encounter","id":"e",'
    b'"subject":{"reference":"Patient/p"},"status":"finished"}\n',
    "hl7v2": b"MSH|^~\\&|A|B|C|D|202503011200||ADT^A04|m|P|2.5\rPID|1||77||Doe^Jo||19800101|F\r"
    b"PV1|1|E\rPV2|||^cough\r",
    "table": b"patient id,age,sex,chief complaint,esi\n1,44,F,cough,3\n2,31,M,rash,4\n",
    "transcript": b'[{"symptoms":"cough","history":"asthma","triage_priority":"Low"}]',
    "chat": b"WEBVTT\n\n00:00.000 --> 00:02.000\n<v Doctor>Hello\n\n00:02.000 --> 00:04.000\n<v Patient>I cough\n",
}


def main() -> None:
    name = sys.argv.pop(1)
    reader, file = READERS[name]
    folder = tempfile.TemporaryDirectory(dir="/dev/shm")
    path = Path(folder.name) / file
    corpus = Path(folder.name) / "corpus"
    corpus.mkdir()
    (corpus / "seed").write_bytes(SEEDS[name])

    def one(data: bytes) -> None:
        path.write_bytes(data)
        text = data.decode("latin-1")
        try:
            for item in reader.read(str(path)):
                assert isinstance(item, Record | Reject)
                if isinstance(item, Reject):
                    said = item.reason.replace("resourceType", "")
                    quoted = [part for part in re.findall(r"\S{12,}", said) if part in text]
                    assert not quoted, "a reject quotes the file"
        except InputError:
            pass

    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[1:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
