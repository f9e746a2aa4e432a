"""Hostile words in a real browser: no dialog, no script of theirs, no complaint about our own pages."""

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from attacks.corpus import HOSTILE
from attacks.process import Running, running

BROWSER = shutil.which("chromium") or ""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="chromium is not installed: nothing was looked at"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
MARKUP = [words for words in HOSTILE if "<" in words and len(words) < 200]
WATCH = """
window.seen = []; window.xq7z = () => window.seen.push('ran');
document.addEventListener('securitypolicyviolation',
  e => window.seen.push(e.violatedDirective + ' ' + e.blockedURI));
"""
INLINE = """
() => { const box = document.createElement('div');
  box.innerHTML = '<img src=/static/none.svg onerror="xq7z()"><a href="javascript:xq7z()" id=bait>x</a>'
    + '<p style="color:red">x</p>';
  document.body.append(box); document.getElementById('bait').click();
  const script = document.createElement('script'); script.textContent = 'xq7z()'; document.body.append(script);
  const far = document.createElement('script'); far.src = 'https://evil.example/x.js'; document.body.append(far);
  const form = document.createElement('form'); form.action = 'https://evil.example/'; form.method = 'post';
  document.body.append(form); form.submit(); }
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("browser")) as service:
        yield service


@pytest.fixture(scope="module")
def page(service: Running) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        chromium = tool.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page()
        page.add_init_script(WATCH)
        yield page
        chromium.close()


def visit_of(page: Any, service: Running, words: str) -> None:
    """A patient who writes these words wherever words go, on a phone."""
    page.goto(f"{service.url}/p/welcome/en")
    page.check("input[name=agree]")
    page.click("form[action='/p/begin'] button")
    page.goto(f"{service.url}/p/name")
    page.fill("#given", words[:80].replace("\0", ""))
    page.fill("#family", words[:80].replace("\0", ""))
    page.click("form[action='/p/name'] button")
    for _ in range(30):
        if "/p/wait" in page.url:
            return
        for control in page.query_selector_all("main form[action='/p/answer'] textarea"):
            control.fill(words)
        for name in dict.fromkeys(re.findall(r'type="radio" name="([^"]+)"', page.content())):
            wanted = {"sex": "male", "sign": "no", "area": "other", "pregnant": "no", "who": "self"}.get(name)
            choice = page.query_selector(f"input[name={name}][value='{wanted}']") if wanted else None
            (choice or page.query_selector(f"input[name={name}]")).check()
        if page.query_selector("input[name=signs][value=none]"):
            page.check("input[name=signs][value=none]")
        if page.query_selector("#confirm"):
            page.check("#confirm")
        if page.query_selector("#age"):
            page.fill("#age", "45")
        page.click("form[action='/p/answer'] .go button")
    raise AssertionError("the interview does not end")


def test_a_browser_runs_nothing_of_theirs_and_complains_about_nothing_of_ours(page: Any, service: Running) -> None:
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda message: said.append(f"{message.type} {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error {error}"))
    looked = 0
    for words in (" ".join(MARKUP[:9]), " ".join(MARKUP[9:])):
        visit_of(page, service, words[:1_000])
    page.goto(f"{service.url}/sign-in")
    page.fill("#login", "nurse")
    page.fill("#password", service.passwords["nurse"])
    page.click("main form button")
    visits = list(dict.fromkeys(re.findall(r"/visits/([0-9a-f]{32})", page.content())))
    assert len(visits) >= 8
    for path in (
        "/queue",
        "/handover",
        "/account",
        *(f"/visits/{visit}{tail}" for visit in visits for tail in ("", "/print")),
    ):
        page.goto(f"{service.url}{path}")
        seen = page.evaluate("() => window.seen")
        assert seen == [], (path, seen)
        looked += 1
    said = [line for line in said if not line.startswith("verbose") and "422" not in line]  # hints, refused forms
    assert looked > 15 and said == []


def test_the_policy_stops_what_would_be_put_into_a_page(page: Any, service: Running) -> None:
    page.goto(f"{service.url}/")
    page.evaluate(INLINE)
    page.wait_for_timeout(1_000)
    seen = page.evaluate("() => window.seen")
    assert "ran" not in seen
    stopped = {line.split(" ")[0] for line in seen}
    assert {"script-src-attr", "script-src-elem", "style-src-attr", "form-action"} <= stopped, seen
    assert page.url.startswith(service.url)


def test_no_other_page_can_frame_ours(page: Any, service: Running) -> None:
    page.set_content(f"<iframe src='{service.url}/sign-in'></iframe>")
    page.wait_for_timeout(1_000)
    frames = [frame for frame in page.frames if frame != page.main_frame]
    assert all("Sign in" not in frame.content() for frame in frames)
