"""A person at a browser: a patient who goes from page to page, a member of staff who signs in by the door.

Knows the pages as people do (labels, buttons, names of fields), nothing of what stands behind them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prescreen.intake.languages import say
from service.live_clinic import Clinic

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
COMPLAINTS = {
    "en": "My throat has been sore since Monday and swallowing hurts.",
    "es": "Me duele la garganta desde el lunes y me cuesta tragar.",
    "ar": "حلقي يؤلمني منذ يوم الاثنين والبلع صعب.",
    "de": "Mein Hals tut seit Montag weh und das Schlucken fällt mir schwer.",
}
Told = Mapping[str, Mapping[str, str]]


@contextmanager
def open_browser(path: str) -> Iterator[Any]:
    """A chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=path, args=ARGS)
        yield running
        running.close()


def open_page(browser: Any, width: int, height: int, **options: Any) -> Any:
    """A page of its own context; what its console complains about is kept in `faults`."""
    page = browser.new_context(viewport={"width": width, "height": height}, **options).new_page()
    page.set_default_timeout(15_000)
    page.faults = []
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    return page


def begin(page: Any, clinic: Clinic, language: str = "en", name: tuple[str, str] = ("Ines", "Marlow")) -> str:
    """From the door to the first question; returns the code to go on later."""
    page.goto(clinic.url + "/")
    press(page, page.locator(f"a[hreflang={language}]"))
    page.locator("input[name=agree]").check()
    press(page, page.get_by_role("button", name=say(language, "button.start"), exact=True))
    code: str = page.locator(".code").inner_text()
    press(page, page.get_by_role("link", name=say(language, "button.next"), exact=True))
    page.locator("#given").fill(name[0])
    page.locator("#family").fill(name[1])
    for part, value in (("day", "3"), ("month", "4"), ("year", "1981")):
        page.locator(f"#{part}").fill(value)
    press(page, page.get_by_role("button", name=say(language, "button.next"), exact=True))
    return code


def step_of(page: Any) -> str:
    """The name of the page's question; empty after the last."""
    field = page.locator("form[action='/p/answer'] input[name=step]")
    return str(field.get_attribute("value")) if field.count() else ""


def plain_answers(language: str = "en", **told: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """What a person without danger signs answers."""
    return {
        "about": {"who": "self", "age": "45", "age_unit": "years", "sex": "female"},
        "pregnant": {"pregnant": "no"},
        "complaint": {"complaint": COMPLAINTS[language]},
        "screen": {"signs": "none"},
        "area": {"area": "throat"},
        "onset": {"start": "days", "course": "same", "pain": "3"},
        "history": {"medications": "ramipril", "allergies_none": "none"},
        "measures": {"temperature": "37.9", "temperature_unit": "°C"},
        "review": {"confirm": "yes"},
        **told,
    }


def fill(page: Any, values: Mapping[str, str]) -> None:
    """Fill the fields of a page by their names, whatever kind they are."""
    form = page.locator("form[action='/p/answer']")
    for name, value in values.items():
        box = form.locator(f"[name='{name}']")
        kind = box.first.get_attribute("type") or ""
        if kind in ("radio", "checkbox"):
            form.locator(f"[name='{name}'][value='{value}']").check()
        elif box.first.evaluate("node => node.tagName") == "SELECT":
            box.select_option(value)
        else:
            box.fill(value)


def press(page: Any, button: Any) -> None:
    """Press a button that leads to another page, and wait for that page."""
    with page.expect_navigation():
        button.click()


def send(page: Any) -> None:
    """Press the page's own button."""
    press(page, page.locator("form[action='/p/answer'] .go button"))


def answer_until(page: Any, told: Told, stop: str = "", look: Callable[[str], None] | None = None) -> list[str]:
    """Answer page by page until `stop` is shown or nothing more is asked; the steps that were answered."""
    walked: list[str] = []
    for _ in range(16):
        step = step_of(page)
        if not step or step == stop:
            return walked
        if look:
            look(step)
        fill(page, told.get(step, {"more": "Cold drinks help."} if step.startswith("more-") else {"sign": "no"}))
        send(page)
        walked.append(step)
    raise AssertionError(f"more pages than promised: {walked}")


def sign_in(page: Any, clinic: Clinic, login: str) -> None:
    """Through the door, with the password the console told."""
    page.goto(f"{clinic.url}/sign-in")
    page.get_by_label("Login", exact=True).fill(login)
    page.get_by_label("Password", exact=True).fill(clinic.passwords[login])
    press(page, page.get_by_role("button", name="Sign in", exact=True))
    page.wait_for_url(lambda url: not url.endswith("/sign-in"))


def find_faults(page: Any) -> list[str]:
    """What axe finds wrong, and whether something is wider than the screen."""
    from axe_playwright_python.sync_playwright import Axe

    told = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]}).response["violations"]
    faults = [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in told]
    if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"):
        faults.append("wider than the screen")
    return faults
