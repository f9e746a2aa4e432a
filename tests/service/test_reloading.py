"""A running service notices another release, tries a candidate unseen, and stops a release that breaks a rule."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.shelves import ADMIN, make_gate
from prescreen.clinic.absences import code_absence
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.signed import ModelLabel
from prescreen.model.engine import ScriptedEngine
from prescreen.monitor import life
from prescreen.monitor.advance import advance
from prescreen.monitor.changes import Canary, Limits, Stop, Stops, Trial
from prescreen.monitor.shelf import Shelf, read_state
from prescreen.release import CURRENT, Release, key_of
from prescreen.service.engine.calling import Fault, ThreadCaller
from prescreen.service.engine.engines import label_of
from prescreen.service.engine.guarding import GuardedEngine, GuardSettings
from prescreen.service.house import House
from prescreen.service.opening import find_doubts
from prescreen.service.settings import Settings
from prescreen.service.watch.reloading import Reloader, tell_rollback
from prescreen.service.watch.stopping import keep_rules
from prescreen.service.watch.trial import Tried, is_drawn, shadow_once
from prescreen.service.worker import Worker
from prescreen.store.base import Who
from prescreen.store.loop_tables import Shadow
from prescreen.store.tables import Draft, Review, Visit
from service.live_clinic import answer
from small_release import STAGES
from store.desk import NOON, NURSE, SERVICE, make_drafted, make_store, make_waiting

DOCTOR = Who("physician-1", "physician")
STRICT = Limits(
    shadow=Trial(visits=2), canary=Canary(visits=2, share=0.5),
    stop=Stops(upgrades_to_emergency=Stop(most=0.05, least=5)),
)  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> House:
    web = {"base_url": "https://clinic.example", "hosts": ("clinic.example",)}
    settings = Settings.model_validate(
        {"clinic": {"name": "Harbour", "emergency_number": "112"}, "web": web,
         "engine": {"kind": "release", "releases": tmp_path / "releases"}}
    )  # fmt: skip
    store = make_store(tmp_path)
    return House(settings, store, shelf=Shelf(tmp_path / "releases", STAGES, store, store.clock))


def shelf_of(house: House) -> Shelf:
    assert house.shelf is not None
    return house.shelf


def sign_in_turn(shelf: Shelf, gate: Path, *, tried: bool = False) -> Release:
    """Propose, skip the trial, let two people sign, promote."""
    life.propose(shelf, gate, ADMIN, STRICT)
    for _ in range(0 if tried else 2):
        life.skip_trial(shelf, SERVICE, "this test")
    key = read_state(shelf.ledger.read()).candidate
    life.approve(shelf, DOCTOR, key)
    life.approve(shelf, ADMIN, key)
    return life.promote(shelf, ADMIN)


def scripted() -> GuardedEngine:
    return GuardedEngine(ThreadCaller(ScriptedEngine(answer)), GuardSettings(timeout_s=10))


def serve_scripted(house: House, release: Release) -> None:
    """As if the release's own weights had been loaded."""
    house.serve(scripted(), label_of(release), "")


def test_each_change_of_the_release_is_opened_anew_and_once(house: House, tmp_path: Path) -> None:
    shelf, opened = shelf_of(house), []
    look = Reloader(house, STAGES, lambda: opened.append("again"))
    look()
    assert opened == [] and not look(), "nothing changed"
    sign_in_turn(shelf, make_gate(tmp_path, "a"))
    assert look() and opened == ["again"] and not look()
    house.store.clock.pass_by(days=1)  # type: ignore[attr-defined]
    sign_in_turn(shelf, make_gate(tmp_path, "b"))
    assert look() and len(opened) == 2 and house.notice == ""
    life.rollback(shelf, Who("guard", "service"), "upgrades")
    assert look() and len(opened) == 3
    assert "taken back by a stop rule" in house.notice and "the release before it drafts" in house.notice
    house.store.clock.pass_by(days=8)  # type: ignore[attr-defined]
    assert tell_rollback(shelf.ledger.read(), house.store.clock()) == ""


def test_a_changed_ledger_is_told_to_the_staff(house: House, tmp_path: Path) -> None:
    shelf = shelf_of(house)
    sign_in_turn(shelf, make_gate(tmp_path, "a"))
    shelf.ledger.path.write_text(shelf.ledger.path.read_text().replace("admin-1", "admin-2"))
    Reloader(house, STAGES, lambda: None)()
    assert "not as it was written" in house.notice


@pytest.mark.parametrize(("approvals", "demo"), [("required", False), ("waived", False), ("required", True)])
def test_an_unsigned_release_is_refused_where_a_clinic_asks_for_signatures(
    house: House, tmp_path: Path, approvals: str, demo: bool
) -> None:
    house.settings = house.settings.model_copy(update={"approvals": approvals, "demo": demo})
    plain = Shelf(shelf_of(house).folder, STAGES, None, house.store.clock)
    release = life.promote_unsigned(plain, make_gate(tmp_path, "a"), ADMIN)
    told = find_doubts(house)(release)
    assert ("is unsigned" in told) == (approvals == "required" and not demo)


def candidate_of(house: House, shelf: Shelf, stage: str, share: float = 0.0) -> Tried:
    state = read_state(shelf.ledger.read())
    label = ModelLabel(name="dpo", version="b", engine="script", weights="b", verdict="v", trial=stage)
    return Tried(scripted(), label, state.candidate or "cd" * 32, stage, share, NOON)  # type: ignore[arg-type]


def test_in_shadow_the_real_draft_comes_first_and_the_visit_is_untouched(house: House) -> None:
    house.tried = candidate_of(house, shelf_of(house), "shadow")
    house.reload = lambda: False
    house.serve(scripted(), ModelLabel(name="a", version="1", engine="script"), "")
    visit = make_waiting(house.store)
    worker = Worker(house)
    assert not worker.shadow_once(), "no real draft is there yet"
    assert worker.draft_once()
    with house.store.look(SERVICE) as look:
        before = look.session.get_one(Visit, visit.id)
        kept = (before.level, before.level_model, before.version, before.draft_id)
    assert worker.shadow_once() and not worker.shadow_once()
    with house.store.look(SERVICE) as look:
        after = look.session.get_one(Visit, visit.id)
        assert (after.level, after.level_model, after.version, after.draft_id) == kept
        (shadow,) = look.session.scalars(select(Shadow))
        assert shadow.draft_id == after.draft_id and shadow.level_model == Acuity.MEDIUM.rank
        assert look.session.get_one(Draft, shadow.draft_id).label["trial"] == ""  # type: ignore[index]


@pytest.mark.parametrize(("text", "kept"), [("no JSON at all", 1), (None, 0)])
def test_an_unreadable_answer_counts_against_a_candidate_and_an_absent_engine_does_not(
    house: House, text: str | None, kept: int
) -> None:
    tried = candidate_of(house, shelf_of(house), "shadow")
    engine = GuardedEngine(None) if text is None else GuardedEngine(ThreadCaller(ScriptedEngine(lambda _: text)))
    house.tried = tried._replace(engine=engine)
    make_drafted(house.store)
    with house.store.act(SERVICE) as act:
        from prescreen.store.tables import Job

        for job in act.session.scalars(select(Job)):
            job.state = "done"
    assert shadow_once(house, house.tried) is bool(kept)
    with house.store.look(SERVICE) as look:
        assert [shadow.level for shadow in look.session.scalars(select(Shadow))] == [None] * kept


def test_the_canary_is_drawn_by_a_key_and_marked(house: House) -> None:
    tried = candidate_of(house, shelf_of(house), "canary", share=0.3)
    drawn = [is_drawn(house.store.keys, f"visit-{n}", tried) for n in range(2000)]
    assert 0.25 < sum(drawn) / 2000 < 0.35, "the share asked for"
    other = tried._replace(release="ef" * 32)
    assert drawn != [is_drawn(house.store.keys, f"visit-{n}", other) for n in range(2000)]
    assert not any(is_drawn(house.store.keys, f"visit-{n}", tried._replace(stage="shadow")) for n in range(50))
    house.tried = tried._replace(share=1.0)
    house.serve(scripted(), ModelLabel(name="a", version="1", engine="script"), "")
    visit = make_waiting(house.store)
    assert Worker(house).draft_once()
    with house.store.look(SERVICE) as look:
        draft = look.session.get_one(Draft, look.session.get_one(Visit, visit.id).draft_id)
        assert draft.label is not None and (draft.label["name"], draft.label["trial"]) == ("dpo", "canary")


def test_where_the_candidate_fails_in_canary_the_champion_drafts_and_it_is_counted(house: House) -> None:
    bad = GuardedEngine(ThreadCaller(ScriptedEngine(lambda _: "nothing")))
    house.tried = candidate_of(house, shelf_of(house), "canary", share=1.0)._replace(engine=bad)
    house.serve(scripted(), ModelLabel(name="a", version="1", engine="script"), "")
    visit = make_waiting(house.store)
    assert Worker(house).draft_once()
    with house.store.look(SERVICE) as look:
        draft = look.session.get_one(Draft, look.session.get_one(Visit, visit.id).draft_id)
        assert draft.label is not None and draft.label["name"] == "a"
        (shadow,) = look.session.scalars(select(Shadow))
        assert shadow.level is None and shadow.draft_id == draft.id


def sign_visits(house: House, release: Release, final: Acuity, number: int) -> None:
    """Visits this release drafted as medium and a nurse signed at `final`."""
    for _ in range(number):
        visit, _ = make_drafted(house.store)
        with house.store.act(NURSE) as act:
            row = act.session.get_one(Visit, visit.id)
            draft = act.session.get_one(Draft, row.draft_id)
            draft.label, row.level_model, row.level = label_of(release).model_dump(), 1, 1
            act.session.add(
                Review(id=f"r{visit.id}"[:36], visit_id=row.id, draft_id=draft.id, signer=NURSE.id, at=act.now,
                       state="signed", level=final.rank, level_before=1, seconds=9.0, undo_until=act.now, seen="",
                       body=b"")
            )  # fmt: skip


@pytest.mark.parametrize(("final", "stopped"), [(Acuity.EMERGENCY, True), (Acuity.MEDIUM, False)])
def test_a_stop_rule_rolls_back_by_itself(house: House, tmp_path: Path, final: Acuity, stopped: bool) -> None:
    shelf = shelf_of(house)
    first = sign_in_turn(shelf, make_gate(tmp_path, "a"))
    house.store.clock.pass_by(days=1)  # type: ignore[attr-defined]
    second = sign_in_turn(shelf, make_gate(tmp_path, "b"))
    serve_scripted(house, second)
    sign_visits(house, second, final, 6)
    why = keep_rules(house)
    assert ("upgrades to emergency: 6/6" in why) is stopped
    current = (shelf.folder / CURRENT).read_text()
    assert (first.weights in current) is stopped and (second.weights in current) is not stopped
    if stopped:
        line = shelf.ledger.read()[-1]
        assert (line.deed, line.who, line.role) == ("rolled back", "guard", "service")
        assert shelf.ledger.verify().whole
        serve_scripted(house, first)
        assert keep_rules(house) == "", "what the one before drafted is counted apart"


def fail_visits(house: House, number: int) -> None:
    """Visits on which the model that served answered something that is no report."""
    for _ in range(number):
        visit, _ = make_drafted(house.store)
        with house.store.act(SERVICE) as act:
            draft = act.session.get_one(Draft, act.session.get_one(Visit, visit.id).draft_id)
            draft.label, draft.why = None, Fault.UNREADABLE.value


def test_answers_that_were_no_reports_take_back_the_release_that_gave_them_and_no_other(
    house: House, tmp_path: Path
) -> None:
    shelf = shelf_of(house)
    first = sign_in_turn(shelf, make_gate(tmp_path, "a"))
    house.store.clock.pass_by(days=1)  # type: ignore[attr-defined]
    second = sign_in_turn(shelf, make_gate(tmp_path, "b"))
    serve_scripted(house, second)
    fail_visits(house, 20)
    house.store.clock.pass_by(minutes=1)  # type: ignore[attr-defined]
    assert "schema failures: 20/20" in keep_rules(house)
    serve_scripted(house, first)
    assert keep_rules(house) == "", "the release before gave none of these answers"
    assert read_state(shelf.ledger.read()).served == (key_of(first),)
    fail_visits(house, 20)
    assert "schema failures: 20/20" in keep_rules(house), "these it gave"


def test_five_are_not_enough_to_stop(house: House, tmp_path: Path) -> None:
    release = sign_in_turn(shelf_of(house), make_gate(tmp_path, "a"))
    serve_scripted(house, release)
    sign_visits(house, release, Acuity.EMERGENCY, 4)
    assert keep_rules(house) == ""


def test_where_the_rollback_cannot_be_written_the_rules_draft_alone(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = sign_in_turn(shelf_of(house), make_gate(tmp_path, "a"))
    serve_scripted(house, release)
    sign_visits(house, release, Acuity.EMERGENCY, 6)

    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert keep_rules(house)
    assert house.label is None and "could not be written" in house.why


def lose_limits(shelf: Shelf, release: Release) -> None:
    (shelf.folder / "candidates" / f"{key_of(release)}.json").unlink()


def change_limits(shelf: Shelf, release: Release) -> None:
    path = shelf.folder / "candidates" / f"{key_of(release)}.json"
    path.write_text(path.read_text().replace('"most": 0.05', '"most": 0.95'))


def change_ledger(shelf: Shelf, release: Release) -> None:
    shelf.ledger.path.write_text(shelf.ledger.path.read_text().replace("admin-1", "admin-2"))


def lose_ledger(shelf: Shelf, release: Release) -> None:
    shelf.ledger.path.unlink()


@pytest.mark.parametrize("spoil", [lose_limits, change_limits, change_ledger, lose_ledger])
def test_a_release_whose_limits_cannot_be_read_does_not_serve(
    house: House, tmp_path: Path, spoil: Callable[[Shelf, Release], None]
) -> None:
    shelf = shelf_of(house)
    release = sign_in_turn(shelf, make_gate(tmp_path, "a"))
    serve_scripted(house, release)
    spoil(shelf, release)
    assert "limits cannot be read" in keep_rules(house)
    assert house.label is None and "restore the folder of releases" in house.why


def test_every_reason_that_says_unreadable_is_known_by_its_words() -> None:
    from prescreen.monitor.guard import UNREADABLE

    told = {fault for fault in Fault if code_absence(fault.value) in UNREADABLE}
    assert told == {Fault.CUT, Fault.UNREADABLE}


def test_a_trial_is_ended_by_the_service_and_never_passed_by_it(house: House, tmp_path: Path) -> None:
    shelf = shelf_of(house)
    first = sign_in_turn(shelf, make_gate(tmp_path, "a"))
    serve_scripted(house, first)
    life.propose(shelf, make_gate(tmp_path, "b"), SERVICE, STRICT)
    advance(shelf, [], SERVICE)
    house.store.clock.pass_by(days=61)  # type: ignore[attr-defined]
    assert "no verdict within" in keep_rules(house)
    assert read_state(shelf.ledger.read()).candidate == ""
