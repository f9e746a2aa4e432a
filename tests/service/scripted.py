"""People of a scripted clinic over HTTP, who meet a breaking service as people do: they try again, go on with their
code, sign in again. Everything they are told goes into the ledger. Knows pages, no store.
"""

import random
import re
import threading
import time
from queue import Empty, Queue
from typing import Any, Final

import httpx2

from service.ledger import Ledger, Signed, Told

PASSWORD: Final = "rain over the harbour"
URGENT: Final = "I have crushing chest pain going into my left arm and I am sweating"
PLAIN: Final = ("My throat has been sore since Monday", "It burns when I pass water", "My knee hurts after a fall")
PATIENCE_S: Final = 900.0


class Trouble(Exception):
    """The service did not answer, or said that it cannot now."""


class Browser:
    """A client with cookies; whatever is no answer is Trouble."""

    def __init__(self, url: str, ledger: Ledger, language: str = "en") -> None:
        self.ledger = ledger
        headers = {"accept": "text/html", "accept-language": language}
        self.client = httpx2.Client(base_url=url, timeout=15.0, trust_env=False, headers=headers)

    def get(self, path: str) -> str:
        """A page, after at most three redirects."""
        for _ in range(4):
            response = self._ask("GET", path)
            if response.status_code != 303:
                return self._page(response, path)
            path = response.headers["location"]
        raise Trouble

    def post(self, path: str, **fields: str) -> httpx2.Response:
        return self._ask("POST", path, data=fields)

    def close(self) -> None:
        self.client.close()

    def forget(self) -> None:
        self.client.cookies.clear()

    def _ask(self, method: str, path: str, **how: Any) -> httpx2.Response:
        try:
            response = self.client.request(method, path, **how)
        except httpx2.HTTPError:
            raise Trouble from None
        self.ledger.count(response.status_code)
        if response.status_code >= 500:
            if response.status_code != 503 or "retry-after" not in response.headers:
                self.ledger.complain(f"{response.status_code} at {method} {path.partition('?')[0]}")
            raise Trouble
        return response

    def _page(self, response: httpx2.Response, path: str) -> str:
        if response.status_code >= 400:
            raise Trouble
        return response.text


def hidden(page: str, name: str) -> str:
    found = re.findall(rf'name="{name}" value="([^"]*)"', page)
    if not found:
        raise Trouble
    return str(found[-1])


class Patient:
    """One visit from the door to the end of the questions."""

    def __init__(self, browser: Browser, told: Told, chance: random.Random) -> None:
        self.browser, self.told, self.chance = browser, told, chance
        self.code = ""
        self.pending: tuple[str, dict[str, str]] | None = None  # sent, and nobody said that it was kept
        self.until = time.monotonic() + PATIENCE_S

    def visit(self) -> None:
        """Try until everything is sent."""
        while not self.told.sent:
            if time.monotonic() > self.until:
                self.browser.ledger.complain(f"{self.told.word} gave up")
                return
            try:
                self._go_on()
            except Trouble:
                time.sleep(self.chance.uniform(0.1, 0.6))
                if self.code and self.chance.random() < 0.3:
                    self.browser.forget()

    def _go_on(self) -> None:
        if not self.code:
            return self._begin()
        if self.chance.random() < 0.03:
            self.browser.forget()  # the phone is put away
        page = self.browser.get("/p/step")
        if 'href="/p/resume"' in page:
            return self._resume()
        if not self.told.named:
            return self._give_name()
        shown = hidden(page, "step") if 'name="step"' in page else ""
        if self.pending and shown and self.pending[0] != shown:  # the next page is shown: the last answer was kept
            self.told.answers[self.pending[0]] = self.pending[1]
        self.pending = None
        if not shown:
            self.told.sent = True
            return None
        self._answer(page, shown)

    def _begin(self) -> None:
        page = self.browser.get("/p/welcome/en")
        form = {"csrf": hidden(page, "csrf"), "language": "en", "agree": "yes"}
        told = self.browser.post("/p/begin", **form).text
        found = re.search(r'class="code" dir="ltr">([^<]+)<', told)
        if not found:
            raise Trouble
        self.code = found[1]

    def _resume(self) -> None:
        page = self.browser.get("/p/resume")
        self.browser.post("/p/resume", csrf=hidden(page, "csrf"), code=self.code)
        self.browser.ledger.note("resumed")
        time.sleep(0.2)

    def _give_name(self) -> None:
        form = {"given": "Ines", "family": self.told.word, "day": "3", "month": "4", "year": "1981"}
        token = hidden(self.browser.get("/p/name"), "csrf")
        response = self.browser.post("/p/name", csrf=token, **form)
        self.told.named = response.status_code == 303 and response.headers["location"] == "/p/step"

    def _answer(self, page: str, step: str) -> None:
        if step in self.told.answers:
            self.browser.ledger.complain(f"{self.told.word} is asked {step} again after it was accepted")
        values = self._values(step)
        self.pending = step, values
        form = {"csrf": hidden(page, "csrf"), "mark": hidden(page, "mark"), "step": step}
        response = self.browser.post("/p/answer", **form, **values)
        if response.status_code == 303 and response.headers["location"] == "/p/step":
            self.told.answers[step], self.pending = values, None
        elif response.status_code == 422:
            self.browser.ledger.complain(f"the script's answer to {step} was not understood")

    def _values(self, step: str) -> dict[str, str]:
        word = self.told.word
        if step == "complaint":
            told = URGENT if self.told.is_urgent else PLAIN[hash(word) % len(PLAIN)]
            return {"complaint": f"{told}. {word}"}
        known = {
            "about": {"who": "self", "age": "45", "age_unit": "years", "sex": "female"},
            "pregnant": {"pregnant": "no"},
            "screen": {"signs": "none"},
            "area": {"area": "other"},
            "onset": {"start": "days", "course": "same", "pain": "3"},
            "history": {"medications": f"ramipril {word}", "allergies_none": "none"},
            "measures": {"temperature": "37.9", "temperature_unit": "C"},
            "review": {"confirm": "yes"},
        }
        if step.startswith("more-"):
            return {"more": f"No. {word}"}
        return known.get(step, {"sign": "no"})


class Staff:
    """Somebody who signs in, as often as it takes."""

    def __init__(self, browser: Browser, login: str, chance: random.Random) -> None:
        self.browser, self.login, self.chance = browser, login, chance

    def get(self, path: str) -> str:
        page = self.browser.get(path)
        if 'name="password"' not in page:
            return page
        form = {"csrf": hidden(page, "csrf"), "login": self.login, "password": PASSWORD}
        if self.browser.post("/sign-in", **form).status_code != 303:
            time.sleep(1.0)
            raise Trouble
        return self.browser.get(path)


class Nurse(Staff):
    """Takes whoever waits, decides first where asked to, signs, now and then takes it back."""

    def work(self, done: threading.Event) -> None:
        """Until everybody has gone home and nobody waits."""
        idle = 0
        while not (done.is_set() and idle > 2):
            try:
                idle = 0 if self._take_next() else idle + 1
            except Trouble:
                idle = 0
                time.sleep(self.chance.uniform(0.1, 0.6))
            if idle:
                time.sleep(0.2)

    def _take_next(self) -> bool:
        lines = self.get("/queue").split('<li class="line')[1:]
        free = [re.findall(r'id="line-([0-9a-f]{32})"', line)[0] for line in lines if _is_free(line)]
        if not free:
            return False
        visit = free[0] if self.chance.random() < 0.7 else self.chance.choice(free)
        page = self.get(f"/visits/{visit}")
        if 'action="/visits/' + visit + '/claim"' in page:
            self.browser.post(f"/visits/{visit}/claim", csrf=hidden(page, "csrf"))
            page = self.get(f"/visits/{visit}")
        if 'id="first"' in page:
            form = page.split('id="first"', 1)[1]
            version = re.findall(r'name="version" value="(\d+)"', form)[0]
            self.browser.post(f"/visits/{visit}/blind", csrf=hidden(page, "csrf"), version=version, level="medium")
            page = self.get(f"/visits/{visit}")
        if '<form id="sign"' in page and 'id="do" name="step" value="sign"' in page:
            self._sign(visit, page)
        return True

    def _sign(self, visit: str, page: str) -> None:
        form = page.split('<form id="sign"', 1)[1]
        held = {name: re.findall(rf'name="{name}" value="([^"]*)"', form)[0] for name in ("version", "seen")}
        level = re.findall(r'name="level" value="(\w+)" required data-key="\d"(?: checked)?', page)
        ticked = re.findall(r'name="level" value="(\w+)" required data-key="\d" checked', page)
        note = f"agreed, entry {self.login}-{self.chance.getrandbits(48):012x}"
        told = self.browser.ledger.signed.setdefault(note, Signed(visit))
        reason = {"reason": "agrees after reading", "note": note, "level": (ticked or level)[0]}
        csrf = hidden(page, "csrf")
        response = self.browser.post(f"/visits/{visit}/sign", csrf=csrf, step="sign", **held, **reason)
        told.told = response.status_code == 303
        if told.told and self.chance.random() < 0.06:
            told.unsure = True
            back = self.browser.post(f"/visits/{visit}/undo", csrf=csrf)
            told.undone, told.unsure = back.status_code == 303, False
            self.browser.ledger.note("undone" if told.undone else "too late to undo")


class Admin(Staff):
    """Sends again what was given up."""

    def send_again(self) -> int:
        page = self.get("/admin/record")
        rows = re.findall(r'name="row" value="([^"]+)"', page)
        for row in rows:
            self.browser.post("/admin/record/again", csrf=hidden(page, "csrf"), row=row)
        return len(rows)


def run_clinic(url: str, ledger: Ledger, visits: int, seed: int, crowd: int = 5, nurses: int = 2) -> None:
    """Patients come, `crowd` at a time, and nurses review, until all is signed."""
    waiting: Queue[Told] = Queue()
    for number in range(visits):
        told = Told(f"Marlow{seed:03d}x{number:05d}", is_urgent=number % 7 == 3)
        ledger.patients[told.word] = told
        waiting.put(told)

    def come(place: int) -> None:
        chance = random.Random(seed * 1000 + place)
        while True:
            try:
                told = waiting.get_nowait()
            except Empty:
                return
            browser = Browser(url, ledger)
            Patient(browser, told, chance).visit()
            browser.close()

    done = threading.Event()
    patients = [threading.Thread(target=come, args=(place,), daemon=True) for place in range(crowd)]
    staff = [Nurse(Browser(url, ledger), f"nurse{n + 1}", random.Random(seed * 77 + n)) for n in range(nurses)]
    reviews = [threading.Thread(target=nurse.work, args=(done,), daemon=True) for nurse in staff]
    for thread in (*patients, *reviews):
        thread.start()
    for thread in patients:
        thread.join()
    done.set()
    for thread in reviews:
        thread.join(max(PATIENCE_S, 2.0 * visits))
        if thread.is_alive():
            ledger.complain("a nurse was still at work when all patients had gone home")
    for nurse in staff:
        nurse.browser.close()


def _is_free(line: str) -> bool:
    """Whether a row of the queue is this nurse's to take up."""
    return '/claim"' in line or ">Go on</a>" in line
