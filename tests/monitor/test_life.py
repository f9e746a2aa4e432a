"""A release's life: nothing is promoted without gate, trial and two people; a rollback restores the exact bytes."""

import datetime
from pathlib import Path

import pytest

from monitor.shelves import ADMIN, DOCTOR, label_of, make_contact, make_gate, make_shelf
from prescreen.clinic.acuity import Acuity
from prescreen.errors import GuardError, RefusedError, RunError
from prescreen.evals.drafting import hash_run_weights
from prescreen.monitor import life
from prescreen.monitor.advance import advance
from prescreen.monitor.changes import Canary, Limits, Trial
from prescreen.monitor.shelf import CANARY, SHADOW, Shelf, find_doubt, find_trial, read_state, read_trying
from prescreen.pipeline import open_run
from prescreen.release import CURRENT, key_of, open_release, read_release
from prescreen.store.audit import verify
from prescreen.store.base import Who
from store.desk import NURSE, SERVICE

FEW = Limits(shadow=Trial(visits=4), canary=Canary(visits=3, share=0.2))
OTHER = Who("physician-2", "physician")


def sign_both(shelf: Shelf) -> None:
    key = read_state(shelf.ledger.read()).candidate
    life.approve(shelf, DOCTOR, key)
    life.approve(shelf, ADMIN, key)


def serve_first(shelf: Shelf, gate: Path) -> life.Release:
    """The first release: no champion to be compared with, two signatures."""
    life.propose(shelf, gate, ADMIN, FEW)
    assert advance(shelf, [], SERVICE).state.stage == "ready"
    sign_both(shelf)
    return life.promote(shelf, ADMIN)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return make_shelf(tmp_path)


def today(shelf: Shelf) -> datetime.date:
    return shelf.clock().date()


def test_the_first_release_needs_two_people_and_nothing_else(shelf: Shelf, tmp_path: Path) -> None:
    gate = make_gate(tmp_path, "a")
    life.propose(shelf, gate, ADMIN, FEW)
    step = advance(shelf, [], SERVICE)
    assert step.sentence == "waits for the signature of physician and admin"
    with pytest.raises(RefusedError, match="physician and admin is missing"):
        life.promote(shelf, ADMIN)
    life.approve(shelf, DOCTOR, step.state.candidate)
    assert advance(shelf, [], SERVICE).sentence == "waits for the signature of admin"
    assert not (shelf.folder / CURRENT).exists()
    life.approve(shelf, ADMIN, step.state.candidate)
    assert "serves until" in advance(shelf, [], SERVICE).sentence
    release = open_release(shelf.folder, shelf.stages, today(shelf))
    assert shelf.store is not None and find_doubt(shelf.folder, release, shelf.store) == ""
    deeds = [line.deed for line in shelf.ledger.read()]
    assert deeds == ["proposed", "shadow judged", "canary judged", "approved", "approved", "promoted"]
    assert shelf.ledger.verify().whole and verify(shelf.store).whole


@pytest.mark.parametrize(
    ("who", "why"),
    [(DOCTOR, "signed already"), (OTHER, "signed already"), (Who("physician-1", "admin"), "signed already"),
     (NURSE, "a physician and an admin"), (Who("guard", "service"), "a physician and an admin")],
)  # fmt: skip
def test_the_second_signature_is_of_another_role_and_another_person(
    shelf: Shelf, tmp_path: Path, who: Who, why: str
) -> None:
    life.propose(shelf, make_gate(tmp_path, "a"), ADMIN)
    key = advance(shelf, [], SERVICE).state.candidate
    life.approve(shelf, DOCTOR, key)
    with pytest.raises(RefusedError, match=why):
        life.approve(shelf, who, key)


def test_a_signature_is_of_exactly_this_candidate(shelf: Shelf, tmp_path: Path) -> None:
    life.propose(shelf, make_gate(tmp_path, "a"), ADMIN)
    key = advance(shelf, [], SERVICE).state.candidate
    with pytest.raises(RefusedError, match="not the candidate"):
        life.approve(shelf, DOCTOR, "ab" * 32)
    (tmp_path / "a" / "03-dpo" / "weights.safetensors").write_text("others")
    with pytest.raises(RunError, match="changed after it was written"):
        life.approve(shelf, DOCTOR, key)


def test_signatures_do_not_outlive_a_candidate(shelf: Shelf, tmp_path: Path) -> None:
    life.propose(shelf, make_gate(tmp_path, "a"), ADMIN)
    life.approve(shelf, DOCTOR, advance(shelf, [], SERVICE).state.candidate)
    life.retire(shelf, ADMIN, "not this one")
    life.propose(shelf, make_gate(tmp_path, "b"), ADMIN)
    assert advance(shelf, [], SERVICE).state.approvals == {}


def test_what_changed_between_proposal_and_promotion_stops_it(shelf: Shelf, tmp_path: Path) -> None:
    release = life.propose(shelf, make_gate(tmp_path, "a"), ADMIN)
    advance(shelf, [], SERVICE)
    sign_both(shelf)
    kept = shelf.folder / "candidates" / f"{key_of(release)}.json"
    whole = kept.read_text()
    kept.write_text(whole.replace('"visits": 100', '"visits": 1'))
    with pytest.raises(RunError, match="not what was proposed"):
        life.promote(shelf, ADMIN)
    kept.write_text(whole)
    (tmp_path / "a" / "03-dpo" / "weights.safetensors").write_text("others")
    with pytest.raises(RunError, match="may not serve"):
        life.promote(shelf, ADMIN)
    assert not (shelf.folder / CURRENT).exists()


def test_a_held_gate_is_never_proposed(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the gate says hold"):
        life.propose(shelf, make_gate(tmp_path, "a", verdict="hold"), ADMIN)
    assert shelf.ledger.read() == []


def test_through_shadow_and_canary_to_the_next_release(shelf: Shelf, tmp_path: Path) -> None:
    first = serve_first(shelf, make_gate(tmp_path, "a"))
    second = life.propose(shelf, make_gate(tmp_path, "b"), SERVICE, FEW)
    assert advance(shelf, [], SERVICE).sentence.startswith("shadow goes on: 0 of 4")
    assert shelf.store is not None
    assert find_trial(shelf.folder, shelf.store) == ("shadow", read_trying(shelf.folder, SHADOW))
    seen = [
        make_contact(n, model=label_of(first), shadow=Acuity.MEDIUM, shadow_model=label_of(second))
        for n in range(4)
    ]
    assert advance(shelf, seen, SERVICE).state.stage == "canary"
    trying = read_trying(shelf.folder, CANARY)
    assert trying is not None and trying.share == 0.2 and not (shelf.folder / SHADOW).exists()
    drafted = [make_contact(n, model=label_of(second, "canary")) for n in range(10, 13)]
    step = advance(shelf, [*seen, *drafted], SERVICE)
    assert step.sentence == "waits for the signature of physician and admin"
    assert not (shelf.folder / CANARY).exists(), "while two people think, the champion drafts alone"
    assert open_release(shelf.folder, shelf.stages, today(shelf)).weights == first.weights
    sign_both(shelf)
    assert "serves until" in advance(shelf, [], SERVICE).sentence
    assert open_release(shelf.folder, shelf.stages, today(shelf)).weights == second.weights


def test_a_trial_that_ends_badly_ends_the_candidate_and_nothing_else(shelf: Shelf, tmp_path: Path) -> None:
    first = serve_first(shelf, make_gate(tmp_path, "a"))
    second = life.propose(shelf, make_gate(tmp_path, "b"), SERVICE, FEW)
    advance(shelf, [], SERVICE)
    lost = make_contact(
        1, level=Acuity.EMERGENCY, model=label_of(first), shadow=Acuity.HIGH, shadow_model=label_of(second)
    )
    step = advance(shelf, [lost], SERVICE)
    assert "an emergency the champion found is placed lower: v0001" in step.sentence
    assert step.state.candidate == "" and not (shelf.folder / SHADOW).exists()
    assert open_release(shelf.folder, shelf.stages, today(shelf)).weights == first.weights
    assert [line.deed for line in shelf.ledger.read()][-2:] == ["shadow judged", "retired"]


def test_a_trial_without_a_verdict_ends_by_its_last_day(shelf: Shelf, tmp_path: Path) -> None:
    serve_first(shelf, make_gate(tmp_path, "a"))
    life.propose(shelf, make_gate(tmp_path, "b"), SERVICE, FEW)
    advance(shelf, [], SERVICE)
    shelf.clock.pass_by(days=61)  # type: ignore[attr-defined]
    assert "no verdict within 60 days" in advance(shelf, [], SERVICE).sentence


def test_only_what_the_ledger_says_is_tried(shelf: Shelf, tmp_path: Path) -> None:
    """A file somebody put there starts no second engine."""
    serve_first(shelf, make_gate(tmp_path, "a"))
    life.propose(shelf, make_gate(tmp_path, "b"), SERVICE, FEW)
    advance(shelf, [], SERVICE)
    assert shelf.store is not None
    text = (shelf.folder / SHADOW).read_text()
    (shelf.folder / CANARY).write_text(text)
    (shelf.folder / SHADOW).unlink()
    assert find_trial(shelf.folder, shelf.store) is None


def test_a_rollback_brings_back_the_exact_release_before(shelf: Shelf, tmp_path: Path) -> None:
    serve_first(shelf, make_gate(tmp_path, "a"))
    whole = (shelf.folder / CURRENT).read_bytes()
    shelf.clock.pass_by(days=1)  # type: ignore[attr-defined]
    life.propose(shelf, make_gate(tmp_path, "b"), SERVICE, FEW)
    life.skip_trial(shelf, SERVICE, "this test")
    life.skip_trial(shelf, SERVICE, "this test")
    sign_both(shelf)
    life.promote(shelf, ADMIN)
    assert (shelf.folder / CURRENT).read_bytes() != whole
    back = life.rollback(shelf, Who("guard", "service"), "upgrades")
    assert back is not None and (shelf.folder / CURRENT).read_bytes() == whole
    assert open_release(shelf.folder, shelf.stages, today(shelf)) == back
    model = open_run(tmp_path / "a" / "03-dpo", shelf.stages)
    assert back.weights == hash_run_weights(model)
    assert shelf.store is not None and find_doubt(shelf.folder, back, shelf.store) == ""
    line = shelf.ledger.read()[-1]
    assert (line.deed, line.role, line.detail["why"], line.detail["to"]) == (
        "rolled back", "service", "upgrades", key_of(back)
    )  # fmt: skip
    assert life.rollback(shelf, ADMIN, "this one too") is None and not (shelf.folder / CURRENT).exists()
    assert shelf.ledger.verify().whole


def test_a_rollback_passes_over_what_no_longer_holds(shelf: Shelf, tmp_path: Path) -> None:
    """A, then B, then C: B's weights changed meanwhile, so A serves; nothing rolled back comes back."""
    for number, name in enumerate("abc"):
        shelf.clock.pass_by(days=number)  # type: ignore[attr-defined]
        gate = make_gate(tmp_path, name)
        life.propose(shelf, gate, ADMIN, FEW)
        life.skip_trial(shelf, SERVICE, "this test")
        life.skip_trial(shelf, SERVICE, "this test")
        sign_both(shelf)
        life.promote(shelf, ADMIN)
    (tmp_path / "b" / "03-dpo" / "weights.safetensors").write_text("others")
    life.rollback(shelf, ADMIN, "c is worse")
    assert "/a/" in read_release(shelf.folder / CURRENT).model
    assert life.rollback(shelf, ADMIN, "a too") is None


def test_without_a_store_it_serves_unsigned_and_a_clinic_refuses_it(tmp_path: Path) -> None:
    plain = make_shelf(tmp_path, signed=False)
    release = life.promote_unsigned(plain, make_gate(tmp_path, "a"), ADMIN)
    assert open_release(plain.folder, plain.stages, today(plain)) == release
    clinic = make_shelf(tmp_path)
    assert clinic.store is not None
    assert "is unsigned" in find_doubt(clinic.folder, release, clinic.store)


def test_a_release_put_there_past_the_ledger_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    first = serve_first(shelf, make_gate(tmp_path, "a"))
    shelf.clock.pass_by(days=1)  # type: ignore[attr-defined]
    from prescreen.release import make_current, read_candidate

    other = read_candidate(make_gate(tmp_path, "b"), shelf.stages, shelf.clock())
    make_current(other, shelf.folder)
    assert shelf.store is not None
    assert "unsigned" in find_doubt(shelf.folder, other, shelf.store)
    life.rollback(shelf, ADMIN, "by hand")
    assert "another release serves" in find_doubt(shelf.folder, first, shelf.store)


def test_a_changed_ledger_promotes_nothing(shelf: Shelf, tmp_path: Path) -> None:
    life.propose(shelf, make_gate(tmp_path, "a"), ADMIN)
    advance(shelf, [], SERVICE)
    text = shelf.ledger.path.read_text()
    shelf.ledger.path.write_text(text.replace('"role":"admin"', '"role":"physician"', 1))
    with pytest.raises(GuardError, match="line 1 was changed"):
        life.promote(shelf, ADMIN)
    with pytest.raises(GuardError, match="line 1 was changed"):
        life.approve(shelf, DOCTOR, "ab" * 32)
