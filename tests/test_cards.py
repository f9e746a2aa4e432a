"""The settings the gpt-oss-20b recipes name for each card: they fit, with room, and the page's figures are ours."""

import re
from pathlib import Path

import pytest

from prescreen.cli import STAGES
from prescreen.devices import Device, find_speed
from prescreen.doctor import say_seconds
from prescreen.needs import ROOM, Need, size_steps
from prescreen.pipeline import load_steps, parse_overrides
from prescreen.sizing import GIB

FOLDER = Path(__file__).parents[1] / "recipes" / "gpt-oss-20b"
PAGE = (FOLDER / "README.md").read_text()
USABLE = {80: 79.0, 48: 44.5, 24: 22.4, 16: 15.6}  # GiB a driver leaves, the least of such cards (H100, L40S, L4)
NAMED = {80: "H100", 48: "L40S", 24: "RTX 4090", 16: "RTX 4080"}
SETTINGS = {int(card): said for card, said in re.findall(r"^\| (\d+) GB \| (.+) \|$", PAGE, re.MULTILINE)}


def needs_on(card: int) -> list[Need]:
    said = re.findall(r"[\w.]+=\w+", SETTINGS[card])
    assert said or SETTINGS[card] == "none"
    return size_steps(load_steps(FOLDER, STAGES, parse_overrides(said)), "bfloat16")


def test_every_card_has_its_settings() -> None:
    assert list(SETTINGS) == list(USABLE)


@pytest.mark.parametrize("card", USABLE)
def test_settings_fit_their_card_with_a_tenth_to_spare(card: int) -> None:
    needs = needs_on(card)
    assert len(needs) == 4
    for need in needs:
        assert need.peak <= ROOM * USABLE[card] * GIB, need.step
        assert need.step_tokens == 32768
        assert need.plan.tokens >= need.longest


def test_the_page_says_what_is_predicted() -> None:
    wanted = []
    for together in zip(*(needs_on(card) for card in USABLE), strict=True):
        cells = [f"`{together[0].step}`"]
        for card, need in zip(USABLE, together, strict=True):
            speed = find_speed(Device(NAMED[card], 0, True))
            assert speed
            step = need.step_seconds(speed)
            million = 1e6 * step / need.step_tokens
            cells.append(f"{need.peak / GIB:.1f} GiB, {say_seconds(step)}, {say_seconds(million)}")
        wanted.append(f"| {' | '.join(cells)} |")
    assert [line for line in wanted if line not in PAGE] == []
