"""A shadow is kept sealed and touches nothing: no level, no version, no page; real work always comes first."""

import datetime

import pytest
from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel
from prescreen.errors import GuardError
from prescreen.store.audit import verify
from prescreen.store.base import Store
from prescreen.store.charts import open_chart
from prescreen.store.contacts import read_contacts
from prescreen.store.extract import read_visit
from prescreen.store.holding import claim
from prescreen.store.loop_tables import Shadow
from prescreen.store.queue import read_queue
from prescreen.store.retention import shred
from prescreen.store.shadows import find_unshadowed, keep_shadow, list_shadows, read_shadow
from prescreen.store.tables import Job, Visit
from prescreen.store.trials import read_trial_contacts
from store.desk import NOON, NURSE, SERVICE, make_case, make_drafted, make_waiting

KEY = "ab" * 32
LABEL = ModelLabel(name="candidate", version="ab", engine="in-process", weights="cd" * 32, verdict="ef" * 32)


def end_jobs(store: Store) -> None:
    """As if the real drafts had been made by the worker."""
    with store.act(SERVICE) as act:
        for job in act.session.scalars(select(Job)):
            job.state = "done"


def shadow_of(store: Store, *, drafted: bool = True, level: Acuity = Acuity.EMERGENCY) -> Shadow:
    with store.look(SERVICE) as look:
        work = find_unshadowed(look, KEY, NOON)
    assert work is not None
    report = told(level)
    with store.act(SERVICE) as act:
        kept = keep_shadow(act, work, KEY, report, LABEL, drafted=drafted, seconds=1.5)
    assert kept is not None
    return kept


def told(level: Acuity) -> Report:
    base = finalise(make_case(), None, "the model's answer is no report")
    return base.model_copy(update={"acuity": level, "model_acuity": level, "summary": "shadow-marker-of-this-test"})


@pytest.mark.parametrize("level", list(Acuity))
def test_a_shadow_never_moves_a_visit(store: Store, level: Acuity) -> None:
    visit, _ = make_drafted(store)
    end_jobs(store)
    columns = [column.name for column in Visit.__table__.columns]
    with store.look(SERVICE) as look:
        before = [look.session.get_one(Visit, visit.id).__dict__[name] for name in columns]
    shadow = shadow_of(store, level=level)
    assert shadow.level == level.rank
    with store.look(SERVICE) as look:
        assert [look.session.get_one(Visit, visit.id).__dict__[name] for name in columns] == before


def test_no_page_and_no_log_shows_it(store: Store) -> None:
    visit, _ = make_drafted(store)
    end_jobs(store)
    shadow = shadow_of(store)
    with store.act(NURSE) as act:
        claim(act, visit.id)
        chart = open_chart(act, visit.id, "visit.open")
        queue = read_queue(act, ["clinic"])
    assert "shadow-marker" not in repr(chart) + repr(queue) and "candidate" not in repr(chart)
    with store.look(SERVICE) as look:
        lines = [line for line in read_visit(look, visit.id) if line.action == "visit.shadow"]
        assert len(lines) == 1 and "level" not in lines[0].detail and "emergency" not in lines[0].detail
        assert read_shadow(look, look.session.get_one(Shadow, shadow.id)).summary.startswith("shadow-marker")
    assert b"shadow-marker" not in shadow.report and verify(store).whole


def test_real_work_comes_first_and_each_draft_is_shadowed_once(store: Store) -> None:
    make_waiting(store)
    visit, _ = make_drafted(store)
    with store.look(SERVICE) as look:
        assert find_unshadowed(look, KEY, NOON) is None, "a real draft waits"
    end_jobs(store)
    with store.look(SERVICE) as look:
        work = find_unshadowed(look, KEY, NOON)
    assert work is not None and work.visit_id == visit.id, "only beside a real draft"
    shadow_of(store)
    with store.look(SERVICE) as look:
        assert find_unshadowed(look, KEY, NOON) is None
        assert find_unshadowed(look, "cd" * 32, NOON) is not None, "another candidate has its own"
    with store.act(SERVICE) as act:
        assert keep_shadow(act, work, KEY, told(Acuity.LOW), LABEL, drafted=True, seconds=1) is None
    with store.look(SERVICE) as look:
        assert len(list_shadows(look, visit.id)) == 1


def test_what_is_old_is_dropped_rather_than_caught_up(store: Store) -> None:
    make_drafted(store)
    end_jobs(store)
    store.clock.pass_by(minutes=31)  # type: ignore[attr-defined]
    with store.look(SERVICE) as look:
        assert find_unshadowed(look, KEY, NOON) is None


def test_the_trial_counts_levels_labels_and_failures(store: Store) -> None:
    make_drafted(store)
    end_jobs(store)
    shadow_of(store, drafted=False)
    with store.look(SERVICE) as look:
        (contact,) = read_trial_contacts(look, NOON)
        (whole,) = read_contacts(look, NOON, NOON + datetime.timedelta(days=1))
    assert (whole.shadow, whole.shadow_model, whole.shown) == (None, LABEL, contact.shown)
    assert contact.shadow_model == LABEL and contact.shadow is None and contact.level is None
    assert contact.model is None and contact.no_draft == "off"


def test_the_level_of_the_last_shadow_stands_in_the_contact(store: Store) -> None:
    make_drafted(store)
    end_jobs(store)
    shadow_of(store, level=Acuity.HIGH)
    with store.look(SERVICE) as look:
        (contact,) = read_contacts(look, NOON, NOON + datetime.timedelta(days=1))
    assert (contact.shadow, contact.shadow_model) == (Acuity.HIGH, LABEL)


def test_a_shadow_goes_with_its_patient(store: Store) -> None:
    visit, _ = make_drafted(store)
    end_jobs(store)
    shadow = shadow_of(store)
    with store.act(SERVICE) as act:
        act.session.get_one(Visit, visit.id).state = "signed"
        shred(act, visit.patient_id, "patient asked")
    with store.look(SERVICE) as look, pytest.raises(GuardError, match="the key was destroyed"):
        read_shadow(look, look.session.get_one(Shadow, shadow.id))
