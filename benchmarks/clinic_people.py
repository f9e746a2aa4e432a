"""Patients and nurses as browsers for `clinic_load.py`: real forms, cookies, hidden fields, think times.

Knows the pages' forms and nothing behind them. Everybody is invented.
"""

import asyncio
import html
import math
import random
import re
import ssl
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
from clinic_house import LANGUAGES, PASSWORD

_HIDDEN = re.compile(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"')
_FORM = re.compile(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', re.S)
_AREA = re.compile(r'<textarea[^>]*name="([\w-]+)"[^>]*>(.*?)</textarea>', re.S)
_SELECT = re.compile(r'<select[^>]*name="([\w-]+)"[^>]*>(.*?)</select>', re.S)
_OPTION = re.compile(r"<option( selected)?>([^<]*)</option>")
CLAIM = re.compile(r'action="/visits/([0-9a-f]{32})/claim"')
_ALARM = re.compile(r'class="alarm" role="alert">([^<]*)')
_TICKED = re.compile(r'<input form="sign" type="radio" name="level" value="(\w+)"[^>]* checked')
_PLAIN_SSL = ssl.create_default_context()  # one for all browsers: making it takes longer than a page

STORIES = (
    "It burns when I pass water since the day before yesterday, and I need to go all the time.",
    "A scratchy throat and a runny nose since Monday. I mostly need a note for work.",
    "My lower back aches after I moved boxes on Saturday. It does not go down my legs.",
    "I have had a dry cough for two weeks and it keeps me awake at night.",
    "My left knee is swollen since I fell off my bike, but I can walk on it.",
    "An itchy red rash on both arms after gardening; it is a little better today.",
    "I get out of breath on the stairs more than before and my ankles are swollen in the evening.",
    "I have a headache behind my eyes for three days. Paracetamol helps for some hours.",
)
ALARMING = "For an hour I have had a heavy pressure in my chest. It goes into my jaw and I am sweating."


@dataclass
class Ledger:
    """What was measured and what was acknowledged: that is what must be found in the store."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    views: list[float] = field(default_factory=list)  # from a press to the page, ways between included
    plain_views: list[float] = field(default_factory=list)  # those that asked no model
    model_views: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    conflicts: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)  # by the patient's family name, kept by the service
    begun: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    signed: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    open_tries: Counter[str] = field(default_factory=Counter)  # cut off by the end: may or may not have been kept
    number: int = 0

    def next_name(self) -> str:
        self.number += 1
        return f"Load-{self.number:05d}"

    def count(self) -> int:
        return sum(len(times) for times in self.times.values())


class Gone(Exception):
    """This person cannot go on; the error has been counted."""


class Browser:
    """One person's browser."""

    def __init__(self, base: str, ledger: Ledger) -> None:
        self.ledger, self.path = ledger, "/"
        self.client = httpx2.AsyncClient(
            base_url=base, headers={"accept": "text/html"}, verify=_PLAIN_SSL, timeout=60.0, trust_env=False
        )

    async def close(self) -> None:
        await self.client.aclose()

    async def go(
        self,
        name: str,
        path: str,
        form: dict[str, Any] | None = None,
        accept: Sequence[int] = (),
        asks: bool = False,
    ) -> str:
        """Press something and read the page that comes; a redirect is followed as a browser does."""
        begun = time.perf_counter()
        response = await self._send(name, path, form, accept)
        if response.status_code == 303:
            path = response.headers["location"]
            response = await self._send(f"GET {_route(path)}", path, None, accept)
        if response.status_code == 303:  # e.g. from a step to the waiting page
            path = response.headers["location"]
            response = await self._send(f"GET {_route(path)}", path, None, accept)
        self.path = path
        took = time.perf_counter() - begun
        self.ledger.views.append(took)
        (self.ledger.model_views if asks else self.ledger.plain_views).append(took)
        return response.text

    async def _send(self, name: str, path: str, form: dict[str, Any] | None, accept: Sequence[int]) -> Any:
        begun = time.perf_counter()
        try:
            method = "GET" if form is None else "POST"
            response = await self.client.request(method, path, data=form)
        except httpx2.HTTPError as error:
            self.ledger.errors[f"{name} {type(error).__name__}"] += 1
            raise Gone from None
        self.ledger.times[name].append(time.perf_counter() - begun)
        if response.status_code in accept:
            told = _ALARM.search(response.text)
            self.ledger.conflicts[f"{name} {response.status_code} {told[1] if told else ''}"] += 1
        elif response.status_code not in (200, 303):
            self.ledger.errors[f"{name} {response.status_code}"] += 1
            raise Gone
        return response


def _route(path: str) -> str:
    return re.sub(r"[0-9a-f]{32}", "ID", path.partition("?")[0])


def form_to(page: str, action: str) -> dict[str, Any]:
    """The fields a browser would send of a form as it stands."""
    for where, inner in _FORM.findall(page):
        if html.unescape(where) == action:
            fields: dict[str, Any] = {name: html.unescape(value) for name, value in _HIDDEN.findall(inner)}
            for name, value in _AREA.findall(inner):
                fields[name] = html.unescape(value).removeprefix("\n")
            for name, options in _SELECT.findall(inner):
                told = _OPTION.findall(options)
                chosen = [value for selected, value in told if selected] or [value for _, value in told[:1]]
                if chosen:
                    fields[name] = html.unescape(chosen[0])
            return fields
    raise Gone


@dataclass
class Pace:
    """How long people think: patients exponentially with this mean, nurses evenly within these seconds."""

    patient_s: float = 6.0
    nurse_s: tuple[float, float] = (20.0, 30.0)
    refresh_s: float = 10.0
    until: float = math.inf  # of time.monotonic: then everybody stops where they are

    async def think(self, random: random.Random) -> None:
        await asyncio.sleep(min(random.expovariate(1 / self.patient_s), 60.0) if self.patient_s > 0 else 0)
        if time.monotonic() >= self.until:
            raise Gone


async def live_patients(base: str, ledger: Ledger, pace: Pace, seed: int, until: float) -> None:
    """One chair in the waiting room: patient after patient until the clinic closes."""
    chance = random.Random(seed)
    await asyncio.sleep(chance.random() * pace.patient_s)
    while time.monotonic() < until:
        browser = Browser(base, ledger)
        try:
            await walk(browser, ledger, pace, chance)
        except Gone:
            await asyncio.sleep(min(1.0, max(0.0, until - time.monotonic())))
        finally:
            await browser.close()


async def walk(browser: Browser, ledger: Ledger, pace: Pace, chance: random.Random, *, plain: bool = False) -> None:
    """One patient from the door to the waiting page; a plain one speaks English and says nothing alarming."""
    language = chance.choices(LANGUAGES, (85, 5, 5, 5))[0] if not plain else "en"
    alarming = not plain and chance.random() < 0.1
    name = ledger.next_name()
    await browser.go("GET /", "/")
    await pace.think(chance)
    page = await browser.go("GET /p/welcome", f"/p/welcome/{language}")
    await pace.think(chance)
    page = await browser.go("POST /p/begin", "/p/begin", {**form_to(page, "/p/begin"), "agree": "yes"})
    await pace.think(chance)
    page = await browser.go("GET /p/name", "/p/name")
    await pace.think(chance)
    given = {"given": "Test", "family": name, "day": "3", "month": "5", "year": str(chance.randint(1940, 2005))}
    page = await browser.go("POST /p/name", "/p/name", {**form_to(page, "/p/name"), **given})
    ledger.begun.add(name)
    for turn in range(40):
        if browser.path != "/p/step":
            break
        await pace.think(chance)
        if turn == 5 and chance.random() < 0.1:
            page = await browser.go("POST /p/back", "/p/back", form_to(page, "/p/back"))
        page = await _answer(browser, ledger, page, name, chance, alarming)
    else:
        ledger.errors["an interview does not end"] += 1
    ledger.finished.add(name)
    for _ in range(2):
        await pace.think(chance)
        await browser.go("GET /p/news", "/p/news")
    await browser.go("POST /p/leave", "/p/leave", form_to(page, "/p/leave"))


async def _answer(
    browser: Browser, ledger: Ledger, page: str, name: str, chance: random.Random, alarming: bool
) -> str:
    form = form_to(page, "/p/answer")
    step = form["step"]
    filled = {**{key: form[key] for key in ("csrf", "mark", "step")}, **answer_to(step, page, chance, alarming)}
    ledger.open_tries[name] += 1
    asks = step == "measures" or step.startswith("more-")
    page = await browser.go("POST /p/answer" + (" (model)" if asks else ""), "/p/answer", filled, asks=asks)
    ledger.answers[name] += 1
    ledger.open_tries[name] -= 1
    return page


def answer_to(step: str, page: str, chance: random.Random, alarming: bool) -> dict[str, str]:
    story = ALARMING if alarming else chance.choice(STORIES)
    if chance.random() < 0.1:
        story = " ".join([story, *chance.choices(STORIES[:5], k=6)])[:700]
    known: dict[str, dict[str, str]] = {
        "about": {"who": "self", "age": str(chance.randint(20, 80)), "age_unit": "years",
                  "sex": chance.choice(("female", "male"))},
        "pregnant": {"pregnant": "no"},
        "complaint": {"complaint": story},
        "screen": {"signs": "none"},
        "area": {"area": chance.choice(("back", "throat", "urinary", "fever"))},
        "onset": {"start": "days", "course": "same", "pain": str(chance.randint(1, 5))},
        "history": {"conditions": "high blood pressure", "medications": "amlodipine", "allergies_none": "none"},
        "measures": {"temperature": "37.1", "temperature_unit": "C", "heart_rate": str(chance.randint(60, 95))},
        "review": {"confirm": "yes"},
    }  # fmt: skip
    if step in known:
        return known[step]
    return {"more": "Since two days, a little every hour."} if 'name="more"' in page else {"sign": "no"}


async def live_nurse(base: str, ledger: Ledger, pace: Pace, number: int, until: float) -> None:
    """One nurse's shift: the list refreshes by itself while case after case is reviewed and signed."""
    browser, chance = Browser(base, ledger), random.Random(1000 + number)
    try:
        page = await browser.go("GET /sign-in", "/sign-in")
        form = {**form_to(page, "/sign-in"), "login": f"nurse{number}", "password": PASSWORD}
        await browser.go("POST /sign-in", "/sign-in", form)
        refresher = asyncio.create_task(_refresh(browser, pace, until))
        while time.monotonic() < until:
            try:
                await review(browser, ledger, pace, chance)
            except Gone:
                await asyncio.sleep(1)
        await refresher
    except Gone:
        pass
    finally:
        await browser.close()


async def _refresh(browser: Browser, pace: Pace, until: float) -> None:
    while time.monotonic() < until:
        await asyncio.sleep(pace.refresh_s)
        try:
            await browser.go("GET /queue/rows", "/queue/rows")
        except Gone:
            continue


async def review(browser: Browser, ledger: Ledger, pace: Pace, chance: random.Random) -> None:
    """The top case that nobody holds, from the claim to the signature."""
    page = await browser.go("GET /queue", "/queue")
    free = CLAIM.findall(page)
    if not free:
        await asyncio.sleep(pace.refresh_s / 2)
        return
    visit = free[0]
    await asyncio.sleep(chance.random() * min(2.0, pace.refresh_s))
    csrf = form_to(page, f"/visits/{visit}/claim")
    page = await browser.go("POST claim", f"/visits/{visit}/claim", csrf, accept=(409,))
    if "is reviewing this visit" in page:
        return  # a colleague was quicker
    if 'id="first"' in page:
        form = {**form_to(page, f"/visits/{visit}/blind"), "level": "medium"}
        page = await browser.go("POST blind", f"/visits/{visit}/blind", form, accept=(409,))
    await asyncio.sleep(chance.uniform(*pace.nurse_s))
    for _ in range(4):
        page = await browser.go("POST sign", f"/visits/{visit}/sign", sign_form(page, visit, chance), accept=(409,))
        if browser.path == "/queue":
            ledger.signed.append(visit)
            break
    else:
        ledger.errors["a visit could not be signed in four tries"] += 1
        return
    if chance.random() < 0.07:
        form = form_to(page, f"/visits/{visit}/undo")
        await browser.go("POST undo", f"/visits/{visit}/undo", form)
        ledger.signed.remove(visit)
        ledger.undone.append(visit)


def sign_form(page: str, visit: str, chance: random.Random) -> dict[str, Any]:
    """The whole report as it stands, with the level that is ticked and a reason."""
    ticked = _TICKED.findall(page)
    form = form_to(page, f"/visits/{visit}/sign")
    reasons = (
        _OPTION.findall(page.split('id="reason"', 1)[1].split("</select>", 1)[0]) if 'id="reason"' in page else []
    )
    told = [value for _, value in reasons if value != "none needed"]
    return {**form, "level": ticked[0] if ticked else "medium", "reason": chance.choice(told) if told else "",
            "note": "Seen and spoken to.", "step": "sign"}  # fmt: skip


def sum_up(seconds: Sequence[float]) -> dict[str, float | int]:
    """Count, median, 95th and 99th percentile and the longest, in milliseconds."""
    found = sorted(seconds)
    if not found:
        return {"n": 0}
    return {
        "n": len(found),
        "median_ms": round(statistics.median(found) * 1000, 1),
        "p95_ms": round(found[max(0, -(-len(found) * 95 // 100) - 1)] * 1000, 1),
        "p99_ms": round(found[max(0, -(-len(found) * 99 // 100) - 1)] * 1000, 1),
        "max_ms": round(found[-1] * 1000, 1),
    }
