"""A patient's whole way through the real pages, with words of our choice in every field that takes words."""

import re
from collections.abc import Mapping

from attacks.citadel import Browser, hidden

CALM = "My throat has been sore since Monday"
NAMES = ("given", "family")


def plain(words: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Answers by page; `words` are laid over them by field."""
    pages = {
        "about": {"who": "self", "age": "45", "age_unit": "years", "sex": "male"},
        "pregnant": {"pregnant": "no"},
        "complaint": {"complaint": CALM},
        "screen": {"signs": "none"},
        "area": {"area": "other"},
        "onset": {"start": "days", "course": "same", "pain": "3", "words": "It scratches."},
        "history": {"conditions": "none", "medications": "ramipril", "allergies": "penicillin"},
        "measures": {"temperature": "37.9", "temperature_unit": "C"},
        "review": {"confirm": "yes"},
    }
    for page in pages.values():
        page.update({name: words[name] for name in page if name in words})
    return pages


def walk(browser: Browser, words: Mapping[str, str] | None = None) -> list[str]:
    """Name and every answer until the interview ends; all pages that were shown."""
    words = words or {}
    named = {name: words.get(name, name.title()) for name in NAMES}
    told = browser.post("/p/name", **named, day="3", month="4", year="1981")
    assert told.status_code == 303, told.status_code
    pages, answers, seen = [browser.get("/p/name").text], plain(words), ""
    for _ in range(30):
        answer = browser.get("/p/step")
        if answer.status_code == 303:
            pages.append(browser.get("/p/wait").text)
            return pages
        pages.append(answer.text)
        step = re.findall(r'name="step" value="([^"]*)"', answer.text)[-1]
        mark = hidden(answer.text, "mark")
        more = {"more": words.get("more", "No.")} if step.startswith("more-") else {"sign": "no"}
        form = answers.get(step, more)
        if seen == mark and step == "measures":
            form = {"temperature": "37.9", "temperature_unit": "C"}
        seen = mark
        told = browser.post("/p/answer", mark=mark, step=step, **form)
        assert told.status_code in (303, 422), (step, told.status_code)
        if told.status_code == 422:
            pages.append(told.text)
            answers[step] = plain({})[step]
    raise AssertionError("an interview that does not end")
