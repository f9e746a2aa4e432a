"""Marked words of a patient through a whole visit, its errors and refusals: on the pages of those who may read it
and in what is sent to the record, and in no log, line, address, header, file or byte besides."""

import base64
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import pytest

from attacks.citadel import hidden
from attacks.faulty import PLANTED
from attacks.process import Running, free_port, refuse_all, running
from prescreen.store.backup import backup
from prescreen.store.base import Store
from prescreen.store.extract import export
from prescreen.store.keys import Keys
from prescreen.store.migrate import open_store
from small_web import Asked, Said, serve_web

pytestmark = pytest.mark.slow
CANARY = "Quillfeather"  # no other word of the service, and too long for chance
BORN = "1931-07-19"
FIELDS = (
    "given", "family", "complaint", "words", "conditions", "medications", "allergies", "more", "reply", "told",
    "question", "note", "handover", "summary", "rationale", "next", "invited", "notice", "glass", "path", "agent",
    "referer", "code", "login", "query", "late",
)  # fmt: skip
WORDS = {name: f"{CANARY}{name}" for name in FIELDS}


def encodings() -> list[bytes]:
    """The canary as it might lie somewhere: as it is, in any case, in base64 at each offset, in UTF-16, in hex."""
    plain = CANARY.encode()
    coded = [base64.b64encode(b"x" * shift + plain)[4:-4] for shift in range(3)]
    return [
        plain,
        plain.lower(),
        plain.upper(),
        CANARY.encode("utf-16-le"),
        plain.hex().encode(),
        *coded,
        BORN.encode(),
    ]


def told(answer: Any) -> str:
    """The headers of an answer, without the address asked for where the door keeps it to lead back there."""
    headers = dict(answer.headers)
    if answer.request.method == "GET" and headers.get("location", "").startswith("/sign-in?next="):
        del headers["location"]
    return str(headers)


class Patient:
    """A phone: follows no redirect, keeps every header it was sent."""

    def __init__(self, service: Running) -> None:
        self.client = service.client()
        self.client.headers["user-agent"] = WORDS["agent"]
        self.client.headers["referer"] = f"{service.url}/{WORDS['referer']}"
        self.headers: list[str] = []
        page = self.get("/p/welcome/en").text
        form = {"csrf": hidden(page, "csrf"), "language": "en", "agree": "yes"}
        assert self.client.post("/p/begin", data=form).status_code == 200
        self.csrf = hidden(self.get("/p/step").text, "csrf")

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        self.headers.append(told(answer))
        return answer

    def post(self, path: str, **fields: str) -> Any:
        answer = self.client.post(path, data={"csrf": self.csrf, **fields})
        self.headers.append(told(answer))
        return answer

    def walk(self) -> None:
        year, month, day = BORN.split("-")
        named = {"given": WORDS["given"], "family": WORDS["family"], "day": day, "month": month, "year": year}
        assert self.post("/p/name", **named).status_code == 303
        self.post("/p/name", given=WORDS["given"], day="99", month="99", year=WORDS["late"])
        answers: dict[str, dict[str, str]] = {
            "about": {"who": "self", "age": "90", "age_unit": "years", "sex": "male"},
            "complaint": {"complaint": f"My throat is sore {WORDS['complaint']}"},
            "screen": {"signs": "none"},
            "area": {"area": "other"},
            "onset": {"start": "days", "course": "same", "pain": "3", "words": WORDS["words"]},
            "history": {name: WORDS[name] for name in ("conditions", "medications", "allergies")},
            "measures": {"temperature": "37.9", "temperature_unit": "C"},
            "review": {"confirm": "yes"},
        }
        for _ in range(30):
            page = self.get("/p/step")
            if page.status_code == 303:
                return
            mark, step = hidden(page.text, "mark"), re.findall(r'name="step" value="([^"]*)"', page.text)[-1]
            self.post("/p/answer", mark=mark, step=step, complaint=WORDS["late"] * 400, age=WORDS["late"])
            page = self.get("/p/step")
            if page.status_code == 303:
                return
            mark = hidden(page.text, "mark")
            self.post("/p/answer", mark="0" * 16, step=step, words=WORDS["late"])
            more = {"more": WORDS["more"]} if step.startswith("more-") else {"sign": "no"}
            self.post("/p/answer", mark=mark, step=step, **answers.get(step, more))
        raise AssertionError("the interview does not end")


class Nurse:
    """A nurse's browser."""

    def __init__(self, service: Running, login: str = "nurse") -> None:
        self.client, self.csrf = service.staff(login)
        self.headers: list[str] = []

    def get(self, path: str, **more: Any) -> str:
        answer = self.client.get(path, **more)
        self.headers.append(told(answer))
        return str(answer.text)

    def post(self, path: str, **fields: str) -> Any:
        answer = self.client.post(path, data={"csrf": self.csrf, **fields})
        self.headers.append(told(answer))
        return answer

    def visit(self, visit: str, tail: str, **fields: str) -> Any:
        page = self.get(f"/visits/{visit}")
        held = {name: hidden(page, name) for name in ("version", "seen") if f'name="{name}"' in page}
        return self.post(f"/visits/{visit}/{tail}", **{**held, **fields})


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, list[str], list[Any]]]:
    """The service after a whole visit with all that can go wrong; all headers, all requests to the record."""
    with (
        collect() as (collector, watched),
        refuse_all() as (record, told),
        running(tmp_path_factory.mktemp("canary"), record, watched.settings(collector)) as service,
    ):
        patient, nurse = Patient(service), Nurse(service)
        patient.walk()
        page = nurse.get("/queue")
        assert WORDS["family"] in page
        line = next(part for part in page.split("<li class")[1:] if WORDS["family"] in part)
        visit = re.findall(r"/visits/([0-9a-f]{32})", line)[0]
        live(service, patient, nurse, visit)
        headers = [*patient.headers, *nurse.headers]
        for client in (patient.client, nurse.client):
            client.close()
        watched.scrape()
        yield service, headers, told


class Watched:
    """Who watches the service: Prometheus and a collector of traces, as far as their libraries are here."""

    def __init__(self) -> None:
        self.port, self.spans, self.numbers = free_port(), list[bytes](), b""

    def settings(self, collector: str) -> str:
        numbers = f"metrics: {{port: {self.port}}}\n" if find_spec("prometheus_client") else ""
        there = find_spec("opentelemetry.sdk") and find_spec("opentelemetry.exporter")
        return numbers + (f"traces: {{endpoint: '{collector}/v1/traces'}}\n" if there else "")

    def scrape(self) -> None:
        if find_spec("prometheus_client"):
            self.numbers = httpx2.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False).content


WATCHED: list[Watched] = []


@contextmanager
def collect() -> Iterator[tuple[str, Watched]]:
    """A collector of traces, and all that was read of the service."""
    watched = Watched()
    WATCHED[:] = [watched]

    def take(asked: Asked) -> Said:
        watched.spans.append(f"{asked.path} {dict(asked.headers)}".encode() + asked.body)
        return Said(200, b"", {"Content-Type": "application/x-protobuf"})

    with serve_web(take) as url:
        yield url, watched


def live(service: Running, patient: Patient, nurse: Nurse, visit: str) -> None:
    """Everything after the interview, errors first."""
    for path in ("/x/", "/i/", "/visits/", "/static/", "/p/welcome/"):
        nurse.get(path + WORDS["path"])
        patient.get(f"{path}{WORDS['path']}?q={WORDS['query']}")
    assert nurse.post(f"/visits/{visit}/claim").status_code == 303
    assert nurse.visit(visit, "facts", words=f"Looks pale {WORDS['told']}", heart_rate="81").status_code == 303
    nurse.visit(visit, "facts", heart_rate=WORDS["late"])
    for _ in range(100):  # a draft of the new facts may come between reading and asking: then it is read again
        asked = nurse.visit(visit, "ask", question=f"Is it {WORDS['question']}?").status_code
        if asked == 303:
            break
        assert asked == 409
        time.sleep(0.2)
    assert asked == 303
    page = patient.get("/p/wait").text
    question = hidden(page, "asked")
    assert WORDS["question"] in page
    broken = patient.post("/p/reply", asked=question, answer=f"{PLANTED} {WORDS['reply']}")
    assert broken.status_code == 500 and CANARY not in broken.text
    assert patient.post("/p/reply", answer=WORDS["reply"] * 200).status_code == 422
    assert patient.post("/p/reply", asked=question, answer=f"Yes, {WORDS['reply']}").status_code == 303
    assert patient.post("/p/reply", asked=question, answer=WORDS["late"]).status_code == 409
    patient.client.post("/p/reply", content=(WORDS["late"] * 30_000).encode())
    nurse.post("/handover", team="clinic", body=WORDS["handover"])
    nurse.post("/invitations", team="clinic", language="en", family=WORDS["invited"], birth_date=BORN)
    nurse.post("/invitations", team="clinic", language="en", family=WORDS["invited"], reference=WORDS["late"])
    nurse.post(f"/glass/{visit}", reason=f"I must see it {WORDS['glass']}")
    nurse.visit(visit, "assign", to="0" * 32, note=WORDS["note"])
    with service.client() as stranger:
        token = hidden(stranger.get("/sign-in").text, "csrf")
        stranger.post("/sign-in", data={"csrf": token, "login": WORDS["login"], "password": WORDS["login"]})
        stranger.post("/p/resume", data={"csrf": token, "code": WORDS["code"]})
        stranger.post("/p/begin", data={"csrf": token, "language": "en", "agree": "yes", "invite": WORDS["code"]})
    wait_for(lambda: "new draft is on its way" not in nurse.get(f"/visits/{visit}"))
    texts = {
        "summary": WORDS["summary"],
        "rationale": WORDS["rationale"],
        "next_steps": WORDS["next"],
        "note": WORDS["note"],
    }
    assert nurse.visit(visit, "sign", level="", **texts).status_code == 422
    page = nurse.get(f"/visits/{visit}")
    reasons = re.findall(r"<option>([a-z-]+)</option>", page.split('name="reason"', 1)[1])
    told = {"level": "high", "reason": reasons[0], "step": "sign", **texts}
    assert nurse.visit(visit, "sign", **told).status_code == 303
    assert nurse.visit(visit, "sign", **told).status_code == 409
    assert WORDS["summary"] in nurse.get(f"/visits/{visit}/print")
    admin = Nurse(service, "admin")
    wait_for(lambda: "given up" in admin.get("/admin/record") and "<table>" in admin.get("/admin/record"))
    for path in ("/admin/record", "/admin/system", "/admin/people"):
        assert CANARY not in admin.get(path), path
    auditor = Nurse(service, "auditor")
    for path in ("/audit", f"/audit/visits/{visit}"):
        page = auditor.get(path)
        assert CANARY not in page, path
    auditor.get("/audit", params={"action": WORDS["query"]})
    for who in (admin, auditor):
        nurse.headers += who.headers
        who.client.close()


def wait_for(done: Any) -> None:
    import time

    for _ in range(100):
        if done():
            return
        time.sleep(0.2)
    raise AssertionError("it does not come to an end")


def hits(data: bytes) -> list[bytes]:
    return [code for code in encodings() if code in data]


def test_no_sink_holds_a_marked_word(lived: tuple[Running, list[str], list[Any]], tmp_path: Path) -> None:
    service, headers, told = lived
    assert told, "the record system was never asked"
    sinks: dict[str, bytes] = {
        "response headers": "\n".join(headers).encode(),
        "requests to the record": "\n".join(f"{one.line}\n{one.headers}" for one in told).encode(),
        "command line": Path(f"/proc/{service.pid}/cmdline").read_bytes(),
        "environment": Path(f"/proc/{service.pid}/environ").read_bytes(),
    }
    files = [path for path in service.folder.rglob("*") if path.is_file()]
    sinks |= {str(path.relative_to(service.folder)): path.read_bytes() for path in files}
    assert any(name.endswith(".db") for name in sinks) and any(name.endswith("-wal") for name in sinks)
    assert len(sinks["log"]) > 10_000 and b"prescreen.service" in sinks["log"] and b"sqlalchemy" in sinks["log"]
    found = {name: hits(data) for name, data in sinks.items() if hits(data)}
    assert found == {}


def test_numbers_and_traces_hold_none_of_it(lived: tuple[Running, list[str], list[Any]]) -> None:
    pytest.importorskip("prometheus_client", reason="NOT TESTED: prometheus-client is not here")
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="NOT TESTED: OpenTelemetry is not here")
    [watched] = WATCHED
    marks = (b"/visits/{visit_id}/sign", b"delivery", b"error.type")
    wait_for(lambda: all(mark in b"".join(watched.spans) for mark in marks))  # they leave in batches
    numbers, spans = watched.numbers, b"".join(watched.spans)
    assert b'prescreen_signatures{by="rules",window="day"} 1' in numbers and b"/visits/{visit_id}/sign" in numbers
    assert not hits(numbers) and not hits(spans)
    database = lived[0].folder / "data" / "prescreen.db"
    link = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    tables = ("patients", "visits", "users", "reviews")
    ids = [str(row[0]) for table in tables for row in link.execute(f"select id from {table}")]
    link.close()
    assert len(ids) > 3 and not [one for one in ids if one.encode() in spans + numbers]


def test_rows_hold_codes_alone(lived: tuple[Running, list[str], list[Any]]) -> None:
    service = lived[0]
    database = service.folder / "data" / "prescreen.db"
    link = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    errors = [row[0] for row in link.execute("select error from outgoing where state = 'dead'")]
    details = [str(row) for row in link.execute("select actor, thing, detail from audit")]
    link.close()
    assert errors and all(errors) and not hits("\n".join(errors).encode())
    assert len(details) > 20 and not hits("\n".join(details).encode())


def test_backup_and_the_log_for_the_auditor_hold_none_of_it(
    lived: tuple[Running, list[str], list[Any]], tmp_path: Path
) -> None:
    service = lived[0]
    store: Store = open_store(
        f"sqlite:///{service.folder / 'data' / 'prescreen.db'}", service.folder / "data" / "keys"
    )
    backup(store, tmp_path / "backup")
    for form in ("jsonl", "csv"):
        export(store, tmp_path / f"audit.{form}", form)  # type: ignore[arg-type]
    store.close()
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        assert not hits(path.read_bytes()), path.name


def test_the_search_finds_what_is_there() -> None:
    """The canary's own check: in each form it is seen."""
    for data in (CANARY, CANARY.lower(), CANARY.upper(), base64.b64encode(f"ab{CANARY}cd".encode()).decode(), BORN):
        assert hits(f"...{data}...".encode()), data
    assert not hits(b"quill feather")
    assert Keys is not None and httpx2 is not None
