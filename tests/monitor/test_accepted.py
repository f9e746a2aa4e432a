"""A reference moves by a person's decision alone, with a name and a reason, and the file says so."""

import datetime
from pathlib import Path

import pytest

from prescreen.errors import InputError, RecipeError
from prescreen.monitor.accepted import append_accepted, latest, read_accepted, rebase

MONDAY = datetime.date(2026, 1, 5)
WHY = "A practice for children has opened next door."


def test_accepted_changes_are_kept_and_the_last_counts(tmp_path: Path) -> None:
    file = tmp_path / "watch" / "accepted.jsonl"
    assert read_accepted(file) == ()
    for weeks in (0, 8):
        since = MONDAY + datetime.timedelta(weeks=weeks)
        changes = rebase(read_accepted(file), "age_mix", since, by="n-1", why=WHY)
        append_accepted(file, changes[-1])
    found = read_accepted(file)
    assert [one.by for one in found] == ["n-1", "n-1"] and len(file.read_text().splitlines()) == 2
    assert latest(found) == {"age_mix": MONDAY + datetime.timedelta(weeks=8)}


def test_what_is_no_decision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no signal"):
        rebase((), "weather", MONDAY, by="n-1", why=WHY)
    with pytest.raises(InputError, match="no Monday"):
        rebase((), "age_mix", MONDAY + datetime.timedelta(days=1), by="n-1", why=WHY)
    for by, why in (("", WHY), ("n-1", "so")):
        with pytest.raises(InputError, match="why"):
            rebase((), "age_mix", MONDAY, by=by, why=why)
    (tmp_path / "accepted.jsonl").write_text('{"signal": "age_mix"}\n')
    with pytest.raises(InputError, match=r"accepted\.jsonl, line 1"):
        read_accepted(tmp_path / "accepted.jsonl")
