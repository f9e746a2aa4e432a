"""A reference moves by a person's decision alone, with a name and a reason, and store, log and sheet say so."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prescreen.cli import app
from prescreen.errors import InputError, RecipeError
from prescreen.monitor import sheet
from prescreen.monitor.accepted import accept, decide, latest, read_accepted
from prescreen.store.base import Who
from prescreen.store.people import AuditLine
from store.desk import make_store

MONDAY = datetime.date(2026, 1, 5)
WHY = "A practice for children has opened next door."
LEAD = Who("ines", "admin")


def test_accepted_changes_are_kept_with_their_line_and_the_last_counts(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with store.look(LEAD) as act:
        assert read_accepted(act) == ()
    for weeks in (8, 0):
        with store.act(LEAD) as act:
            accept(act, "age_mix", MONDAY + datetime.timedelta(weeks=weeks), WHY)
    with store.look(LEAD) as act:
        found = read_accepted(act)
        lines = act.session.query(AuditLine).filter_by(action="signal.accept").all()
    assert [(one.by, one.why) for one in found] == [("ines", WHY)] * 2
    assert latest(found) == {"age_mix": MONDAY + datetime.timedelta(weeks=8)}
    assert [(line.actor, line.detail) for line in lines] == [
        ("ines", f'{{"signal":"age_mix","since":"{since}"}}') for since in ("2026-03-02", "2026-01-05")
    ]
    store.close()


def test_what_is_no_decision_is_refused() -> None:
    with pytest.raises(RecipeError, match="no signal"):
        decide("weather", MONDAY, by="n-1", why=WHY)
    with pytest.raises(InputError, match="no Monday"):
        decide("age_mix", MONDAY + datetime.timedelta(days=1), by="n-1", why=WHY)
    for by, why in (("", WHY), ("n-1", "so")):
        with pytest.raises(InputError, match="why"):
            decide("age_mix", MONDAY, by=by, why=why)


def test_the_sheet_judges_by_what_was_accepted_until_its_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, told = make_store(tmp_path), list[dict[str, Any]]()
    judge = sheet.judge
    monkeypatch.setattr(sheet, "judge", lambda weeks, **how: told.append(how) or judge(weeks, **how))
    with store.act(LEAD) as act:
        accept(act, "age_mix", MONDAY, WHY)
        accept(act, "overrides", MONDAY + datetime.timedelta(weeks=2), WHY)
    with store.look(LEAD) as act:
        page = sheet.draw_up(act, MONDAY + datetime.timedelta(weeks=1))
    assert told == [{"rebased": {"age_mix": MONDAY}}]
    assert "with a new reference: Ages from 2026-W02." in page and WHY not in page
    store.close()


def test_the_verb_accepts_in_somebodys_name_and_lists(tmp_path: Path) -> None:
    make_store(tmp_path).close()
    where = ["--data", str(tmp_path / "clinic"), "--keys", str(tmp_path / "keys")]

    def call(*words: str) -> Any:
        return CliRunner().invoke(app, ["accept", *words, *where])

    assert call("age_mix", "--why", WHY, "--week", "2026-W02").exit_code != 0  # by nobody
    assert call("age_mix", "--why", "so", "--week", "2026-W02", "--by", "ines").exit_code != 0
    assert "0 accepted" in call().output
    done = call("age_mix", "--why", WHY, "--week", "2026-W02", "--by", "ines")
    assert done.exit_code == 0 and "from 2026-W02 on" in done.output
    assert f"age_mix from 2026-W02, by ines: {WHY}" in call().output
