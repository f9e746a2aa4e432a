"""The verbs of a release's life, as a person types them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.shelves import make_gate
from prescreen import cli
from prescreen.errors import GuardError, RefusedError, RunError
from prescreen.monitor.ledger import read_lines
from prescreen.monitor.shelf import read_state
from prescreen.store.accounts import add_user
from prescreen.store.base import Store
from prescreen.store.migrate import open_store
from prescreen.store.passwords import hash_password
from prescreen.store.tables import Base
from small_release import STAGES
from store.desk import SERVICE

PASSWORD = "rain over the harbour"
Call = Callable[..., str]


@pytest.fixture
def clinic(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path / 'clinic' / 'prescreen.db'}", tmp_path / "clinic" / "keys")
    kept = hash_password(PASSWORD)
    with store.act(SERVICE) as act:
        for login, role in (("mara", "physician"), ("otto", "admin"), ("nils", "nurse")):
            user = add_user(act, login, name=f"{login.title()} Lind", role=role, teams=["clinic"]).user
            user.password, user.must_change = kept, False
        new = add_user(act, "ida", name="Ida Lind", role="admin").user
        new.password = kept
    return store


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    for name, target in STAGES.items():
        monkeypatch.setitem(cli.STAGES, name, target)

    def run(*words: object, told: str = "", code: int = 0, data: bool = True) -> str:
        more = ["--releases", str(tmp_path / "releases"), *(["--data", str(tmp_path / "clinic")] if data else [])]
        done = CliRunner().invoke(cli.app, [*map(str, words), *more], input=told)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.output

    return run


def test_a_release_from_its_gate_to_its_rollback(clinic: Store, call: Call, tmp_path: Path) -> None:
    gate = make_gate(tmp_path, "a")
    assert "waits for the signature of physician and admin" in call("promote", gate)
    told = call("release", "history")
    assert "proposed" in told and " signed " in told and "unsigned" not in told
    assert "signature of admin" in call("release", "approve", "--login", "mara", told=f"{PASSWORD}\n\n")
    assert "serves until" in call("release", "approve", "--login", "otto", told=f"{PASSWORD}\n\n")
    assert '"candidate": "dpo"' in call("release", "show")
    assert '"candidate": "dpo"' in call("release", data=False)
    assert "whole: 6 lines" in call("release", "verify")
    assert "not looked at" in call("release", "verify", data=False)
    with pytest.raises(GuardError, match="signed by a clinic"):
        call("release", "rollback", data=False)
    assert (tmp_path / "releases" / "current.json").exists(), "a refused rollback takes nothing out"
    assert "the rules alone draft now" in call("release", "rollback", "--why", "a drill")
    assert "whole: 7 lines" in call("release", "verify")


@pytest.mark.parametrize(
    ("login", "password", "why"),
    [("mara", "wrong", "wrong; nothing was signed"), ("nobody", PASSWORD, "wrong; nothing was signed"),
     ("ida", PASSWORD, "wrong; nothing was signed"), ("nils", PASSWORD, "a physician and an admin")],
)  # fmt: skip
def test_only_who_may_signs_and_nobody_says_what_was_wrong(
    clinic: Store, call: Call, tmp_path: Path, login: str, password: str, why: str
) -> None:
    call("promote", make_gate(tmp_path, "a"))
    with pytest.raises(RefusedError, match=why):
        call("release", "approve", "--login", login, told=f"{password}\n\n")
    assert "approved" not in call("release", "history")


def test_guesses_are_slowed_down_as_at_the_door(clinic: Store, call: Call, tmp_path: Path) -> None:
    call("promote", make_gate(tmp_path, "a"))
    told = []
    for _ in range(10):  # five are free, then each waits twice as long as the one before
        with pytest.raises(RefusedError) as refused:
            call("release", "approve", "--login", "mara", told="wrong\n\n")
        told.append(str(refused.value))
    assert "nothing was signed" in told[0] and any("too many tries" in sentence for sentence in told)


def test_a_second_factor_is_asked_where_the_account_has_one(clinic: Store, call: Call, tmp_path: Path) -> None:
    import pyotp

    from prescreen.store.accounts import find_user

    secret = pyotp.random_base32()
    with clinic.act(SERVICE) as act:
        user = find_user(act, "mara")
        assert user is not None
        user.totp = act.keys.seal_own(f"users|totp|{user.id}", secret)
    call("promote", make_gate(tmp_path, "a"))
    with pytest.raises(RefusedError, match="nothing was signed"):
        call("release", "approve", "--login", "mara", told=f"{PASSWORD}\n\n")
    code = pyotp.TOTP(secret).now()
    assert "signature of admin" in call("release", "approve", "--login", "mara", told=f"{PASSWORD}\n{code}\n")


def test_without_a_clinic_a_release_is_unsigned_and_says_so(call: Call, tmp_path: Path) -> None:
    assert "unsigned" in call("promote", make_gate(tmp_path, "a"), data=False)
    assert "unsigned" in call("release", "history", data=False)
    assert "the rules alone" in call("release", "rollback", data=False)


def test_a_changed_ledger_ends_with_code_1(clinic: Store, call: Call, tmp_path: Path) -> None:
    call("promote", make_gate(tmp_path, "a"))
    ledger = tmp_path / "releases" / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace("proposed", "retired", 1))
    assert "NOT WHOLE: line 1 was changed" in call("release", "verify", code=1)


def test_a_person_ends_a_candidate_and_what_serves_goes_on(clinic: Store, call: Call, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no candidate to retire"):
        call("release", "retire", "--why", "a drill")
    call("promote", make_gate(tmp_path, "a"))
    for login in ("mara", "otto"):
        call("release", "approve", "--login", login, told=f"{PASSWORD}\n\n")
    serves = (tmp_path / "releases" / "current.json").read_text()
    call("promote", make_gate(tmp_path, "b"))
    assert (tmp_path / "releases" / "shadow.json").exists()
    key = read_state(read_lines(tmp_path / "releases" / "ledger.jsonl")).candidate
    (tmp_path / "releases" / "candidates" / f"{key}.json").unlink()
    with pytest.raises(RunError, match="prescreen release retire"):
        call("update", tmp_path, "--status")
    with pytest.raises(GuardError, match="signed by a clinic"):
        call("release", "retire", "--why", "a drill", data=False)
    assert "is retired" in call("release", "retire", "--why", "its proposal is gone")
    assert not (tmp_path / "releases" / "shadow.json").exists()
    assert (tmp_path / "releases" / "current.json").read_text() == serves
    assert "candidate: none" in call("update", tmp_path, "--status")
    assert "whole" in call("release", "verify")


def test_status_says_where_the_candidate_stands(clinic: Store, call: Call, tmp_path: Path) -> None:
    assert "candidate: none" in call("update", tmp_path, "--status")
    call("promote", make_gate(tmp_path, "a"))
    told = call("update", tmp_path, "--status")
    assert "ready since" in told and "signatures missing: physician, admin" in told
    assert Base.metadata.tables["shadows"] is not None
