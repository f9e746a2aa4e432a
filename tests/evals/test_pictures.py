"""Pictures of a report: one for the same figures, another for others."""

import base64

import pytest

from prescreen.evals import pictures

RIGHT = [[3, 0, 0, 0, 0], [0, 4, 0, 0, 0], [0, 0, 5, 0, 0], [0, 0, 0, 6, 0]]


def test_the_same_figures_are_drawn_once_and_changed_ones_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[object] = []
    real = pictures._svg
    monkeypatch.setattr(pictures, "_svg", lambda figure: (saved.append(figure), real(figure))[1])
    tables = {"drawn once": [list(row) for row in RIGHT]}
    first = pictures.draw_confusions(tables)
    assert pictures.draw_confusions(tables) == first and len(saved) == 1
    tables["drawn once"][0][0] = 2  # the same object with another count
    assert pictures.draw_confusions(tables) != first and len(saved) == 2
    assert b"<svg" in base64.b64decode(first.partition(",")[2])


def test_only_the_last_pictures_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(pictures, "_svg", lambda figure: drawn.append("") or str(len(drawn)))
    for number in range(pictures.REMEMBERED + 1):
        pictures.draw_confusions({f"page {number}": RIGHT})
    again = pictures.draw_confusions({"page 0": RIGHT})
    assert again == str(pictures.REMEMBERED + 2)  # forgotten, drawn anew
    assert pictures.draw_confusions({f"page {pictures.REMEMBERED}": RIGHT}) == str(pictures.REMEMBERED + 1)
