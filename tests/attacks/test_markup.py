"""Hostile words in every text field of every form, and every page of every role read as a browser reads it."""

import base64
import hashlib
import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from attacks.citadel import FORMS, Browser, Citadel, fill, hidden, routes, unsafe
from attacks.corpus import HOSTILE, MARK, faults
from attacks.interview import walk
from prescreen.clinic.acuity import Acuity
from prescreen.intake.reading import clean_text
from prescreen.service.shell import HEADERS
from prescreen.store.base import Who
from prescreen.store.tables import Visit
from prescreen.store.visits import read_case

TEST = Who("test", "service")
PATIENT_WORDS = (
    "given", "family", "complaint", "words", "conditions", "medications", "allergies", "age", "temperature", "more",
)  # fmt: skip
STAFF = ("nurse", "stranger", "physician", "admin", "auditor")
OURS = {name for name, _ in HEADERS} | {
    "content-length", "content-type", "strict-transport-security", "x-request-id", "location", "set-cookie", "etag",
    "retry-after", "hx-redirect", "allow", "www-authenticate", "last-modified",
}  # fmt: skip


@pytest.fixture
def citadel(tmp_path: Path) -> Iterator[Citadel]:
    citadel = Citadel(tmp_path)
    yield citadel
    citadel.close()


def check(answer: Any, where: str) -> None:
    """The answer is ours: its headers, its status, its markup."""
    assert answer.status_code < 500, where
    assert {name.lower() for name in answer.headers} <= OURS, where
    page = answer.text
    for name, value in HEADERS:
        if name == "content-security-policy" and where == "GET /sheet" and answer.status_code == 200:
            page = check_sheet(page, answer.headers[name])
        elif name != "cache-control" or not where.startswith("GET /static"):
            assert answer.headers[name] == value, (where, name)
    assert not any(MARK in value for name, value in answer.headers.items() if name != "location"), where
    to = answer.headers.get("location", "")
    assert to == "" or (to.startswith("/") and to[1:2] != "/") or to.startswith("https://testserver/"), where
    if "html" in answer.headers.get("content-type", ""):
        assert faults(page) == [], where


def check_sheet(page: str, policy: str) -> str:
    """The sheet is one file that may be printed: its own style is allowed by its hash, and nothing else.

    Returns the page without that style and without the charts that hold no word of ours. Its links name this
    service in full, for they are followed from a file too; here they are read as paths.
    """
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    mark = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    nothing = "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
    assert policy == f"default-src 'none'; style-src 'sha256-{mark}'; {nothing}"
    page = page.replace(f"<style>{style}</style>", "").replace('<a href="https://testserver/', '<a href="/')
    return re.sub(
        r"<svg.*?</svg>", lambda chart: chart[0] if MARK in chart[0].lower() else "", page, flags=re.DOTALL
    )


def waiting(citadel: Citadel) -> str:
    with citadel.store.look(TEST) as act:
        query = select(Visit.id).where(Visit.state == "waiting").order_by(Visit.opened.desc())
        return act.session.scalars(query).first() or ""


def crawl(citadel: Citadel, browsers: Sequence[Browser], visit: str) -> int:
    """Every page that can be read, by everybody who may."""
    count = 0
    for browser in browsers:
        for route in routes(citadel.app):
            if route.method == "GET" and not route.name.startswith("oidc"):
                path = fill(route, visit)
                check(browser.get(path), f"GET {path}")
                count += 1
    return count


def review(citadel: Citadel, nurse: Browser, visit: str, words: str) -> None:
    """A nurse's whole work on a visit with these words in every field, then the signature."""
    claimed = nurse.post(f"/visits/{visit}/claim")
    assert claimed.status_code == 303, claimed.text[:200]

    def post(tail: str, **fields: str) -> Any:
        page = nurse.get(f"/visits/{visit}").text
        held = {name: hidden(page, name) for name in ("version", "seen") if f'name="{name}"' in page}
        answer = nurse.post(f"/visits/{visit}/{tail}", **{**held, **fields})
        check(answer, f"POST {tail}")
        return answer

    short = words[:220]
    post("facts", words=words[:1000], heart_rate=short, consciousness=short)
    post("facts", words=words[:1000])
    post("ask", question=words[:500])
    post("level", level=short)
    post("assign", to=short, note=words[:1000])
    citadel.work()
    lists = {name: short for name in ("finding-new", "condition-new", "next_steps", "conditions", "medications")}
    lists |= {"open_questions": short, "allergies": short, "finding-0": short, "supports-0": short}
    text = {"summary": words[:600], "rationale": words[:400], "note": words[:4000]}
    post("sign", step="check", level=Acuity.EMERGENCY.value, reason=short, **text, **lists)
    lists.pop("finding-0")
    post("sign", step="check", level=Acuity.EMERGENCY.value, reason="patient-looks-worse", **text, **lists)
    page = nurse.get(f"/visits/{visit}").text
    reason = next(iter(re.findall(r"<option>([a-z-]+)</option>", page.split('name="reason"', 1)[1])), "")
    post("sign", step="sign", level=Acuity.EMERGENCY.value, reason=reason, **text, **lists)


def life(citadel: Citadel, words: str) -> int:
    """One visit and everything around it with these words."""
    patient = citadel.patient()
    for page in walk(patient, dict.fromkeys(PATIENT_WORDS, words)):
        assert faults(page) == []
    visit = waiting(citadel)
    citadel.work()
    staff = {login: citadel.staff(login) for login in STAFF}
    check(staff["nurse"].post("/handover", team="clinic", body=words), "handover")
    told = {"family": words[:80], "given": words[:80], "reference": words[:80], "birth_date": words[:10]}
    check(staff["nurse"].post("/invitations", team="clinic", language="en", **told), "invite")
    check(
        staff["nurse"].post(
            "/invitations", team="clinic", language="en", **{**told, "reference": "", "birth_date": ""}
        ),
        "invite",
    )
    for why in (words, f"A change that was meant: {words[:400]}"):
        change = {"signal": "complaint_mix", "week": "2026-W40", "why": why}
        check(staff["physician"].post("/sheet/changes", **change), "accept")
    check(staff["physician"].post("/sheet/changes", signal=words, week=words, why=words), "accept")
    check(staff["stranger"].post(f"/glass/{visit}", reason=words[:500]), "glass")
    check(staff["stranger"].post(f"/glass/{visit}", reason="I must see it " + words[:400]), "glass")
    user = {"login": words, "name": words, "role": "nurse", "teams": "clinic", "reference": words}
    check(staff["admin"].post("/admin/people/add", **user), "add")
    user["login"] = f"u{abs(hash(words)) % 10**9}"
    check(staff["admin"].post("/admin/people/add", **user), "add")
    check(staff["admin"].post("/admin/people/add", **{**user, "reference": "Practitioner/7"}), "add")
    review(citadel, staff["nurse"], visit, words)
    check(patient.post("/p/reply", answer=words), "reply")
    citadel.work()
    return crawl(citadel, [patient, citadel.browser(), *staff.values()], visit)


@pytest.mark.parametrize("words", HOSTILE[2::25], ids=lambda words: str(HOSTILE.index(words)))
def test_hostile_words_stay_words_wherever_they_go(citadel: Citadel, words: str) -> None:
    assert life(citadel, words) > 150


@pytest.mark.long
@pytest.mark.parametrize("words", HOSTILE, ids=lambda words: str(HOSTILE.index(words)))
def test_every_hostile_word_stays_a_word(citadel: Citadel, words: str) -> None:
    assert life(citadel, words) > 150


@pytest.mark.slow
def test_every_field_of_every_unsafe_route_and_every_part_of_a_path(citadel: Citadel) -> None:
    """Each hostile word into one field after the other, the others empty, as somebody who may."""
    browsers = {login: citadel.staff(login) for login in STAFF}
    browsers["patient"] = citadel.patient()
    walk(citadel.patient())
    visit, count = waiting(citadel), 0
    skip = ("sign-out", "patient-leave", "account-password", "account-totp", "hooks-call", "fhir-write")
    for number, route in enumerate(unsafe(citadel.app)):
        if route.name in skip:
            continue
        fields = FORMS[route.name].replace("-N", "-0").split()
        for at, field in enumerate(fields):
            words = HOSTILE[(number * 7 + at * 3) % len(HOSTILE)]
            for browser in browsers.values():
                check(browser.post(fill(route, visit), **{field: words}), f"{route.name} {field}")
                count += 1
    nurse = browsers["nurse"]
    for words in HOSTILE:
        for path in ("/queue", "/queue/rows", "/sign-in", "/account", "/", "/p/resume"):
            asked = dict.fromkeys(("whose", "next", "why", "done", "problem", "language"), words)
            check(nurse.get(path, params=asked), path)
        for path in ("/i/", "/p/welcome/", "/visits/", "/static/", "/audit/visits/", "/glass/", "/fhir/", "/x/"):
            who = browsers["auditor"] if path.startswith("/audit") else nurse
            told = html.escape(words, quote=True).encode("utf-8", "replace")
            escaped = "".join(f"%{byte:02x}" for byte in told[:600])
            check(who.get(path + escaped), path)
            raw = "".join(f"%{byte:02x}" for byte in words.encode("utf-8", "replace")[:600])
            check(who.get(path + raw), path)
            count += 2
        check(browsers["auditor"].get("/audit", params={"action": words, "actor": words, "before": words}), "audit")
        headers = {
            "accept-language": html.escape(words)[:200]
            .encode("ascii", "replace")
            .decode()
            .replace("\r", "")
            .replace("\n", "")
            .replace("\0", "")
        }
        check(nurse.get("/", headers=headers), "accept-language")
    assert count > 900


def test_numbers_of_any_size_are_no_fault(citadel: Citadel) -> None:
    auditor, admin, nurse = (citadel.staff(login) for login in ("auditor", "admin", "nurse"))
    for number in ("-1", "0", "9223372036854775807", "9223372036854775808", "9" * 400, "1e9", "0x10", "NaN", "٣"):
        check(auditor.get("/audit", params={"before": number}), f"before {number}")
        check(nurse.post("/visits/" + "0" * 32 + "/sign", version=number), "sign")
        check(admin.get("/admin/record", params={"x": number}), "record")
        check(citadel.patient().post("/p/name", day=number, month=number, year=number), "name")


@pytest.mark.slow
def test_invalid_bytes_are_no_fault_in_any_encoding(citadel: Citadel) -> None:
    walk(citadel.patient())
    visit = waiting(citadel)
    browsers = {login: citadel.staff(login) for login in STAFF}
    browsers["patient"] = citadel.patient()
    wild = (
        b"%ff%fe%c0%af",
        b"\xff\xfe\xc0\xaf",
        b"%ed%a0%80",
        b"%u0041",
        b"%",
        b"%%%",
        b"&&&===;;;",
        b"\0\0",
        b"%00",
    )
    for route in unsafe(citadel.app):
        if route.name in ("sign-out", "patient-leave"):
            continue
        for login, browser in browsers.items():
            if login == "patient" or route.name.startswith(("visit", "hand", "user", "grant", "glass")):
                for body in wild:
                    field = FORMS[route.name].replace("-N", "-0").split()[:1]
                    name = field[0].encode() if field else b"x"
                    headers = {"x-csrf-token": browser.csrf, "content-type": "application/x-www-form-urlencoded"}
                    told = browser.client.request(
                        route.method, fill(route, visit), content=name + b"=" + body, headers=headers
                    )
                    check(told, f"{route.name} {body!r}")
    for codec in (
        "unicode_escape",
        "utf-7",
        "idna",
        "punycode",
        "undefined",
        "utf-16",
        "zlib",
        "a%00",
        "é",
        "x" * 999,
    ):
        part = 'Content-Disposition: form-data; name="login"\r\n\r\n\\ud800+2AA-\xff'.encode("latin-1")
        body = b"--x\r\n" + part + b"\r\n--x--\r\n"
        kind = f"multipart/form-data; boundary=x; charset={codec}".encode("latin-1", "replace")
        told = citadel.browser().client.post("/sign-in", content=body, headers={"content-type": kind})
        check(told, codec)
        assert told.status_code in (403, 415)


def test_the_nurse_reads_exactly_what_was_written(citadel: Citadel) -> None:
    nurse = citadel.staff("nurse")
    for words in HOSTILE[:30:5]:
        walk(citadel.patient(), {"complaint": words})
        visit = waiting(citadel)
        with citadel.store.look(TEST) as act:
            kept = read_case(act, act.session.get_one(Visit, visit)).complaint
        assert kept == clean_text(words)
        page = html.unescape(re.sub(r"</?mark[^>]*>", "", nurse.get(f"/visits/{visit}").text))
        assert kept in page
        citadel.clock.pass_by(seconds=1)


def test_every_field_on_a_page_is_in_the_table_of_fields(citadel: Citadel) -> None:
    """A field that is added to a page must be attacked as well."""
    patient = citadel.patient()
    pages = walk(patient)
    visit = waiting(citadel)
    citadel.work()
    browsers = [citadel.staff(login) for login in STAFF]
    browsers[0].post(f"/visits/{visit}/claim")
    for browser in [*browsers, citadel.browser()]:
        for route in routes(citadel.app):
            if route.method == "GET" and route.name not in ("static", "live", "ready"):
                pages.append(browser.get(fill(route, visit)).text)
    known = {word.replace("-N", "-0") for fields in FORMS.values() for word in fields.split()} | {
        "csrf",
        "action",
        "actor",
    }
    seen = set()
    for page in pages:
        seen |= {
            re.sub(r"-\d+$", "-0", name)
            for tag, name in re.findall(r"<(input|textarea|select|button)\b[^>]*?\bname=\"([^\"]+)\"", page)
        }
    assert len(seen) > 40 and seen <= known, seen - known
