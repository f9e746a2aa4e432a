"""A line of the queue: the rule that fired, or the patient's own words on one line; never what a draft says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel
from prescreen.store.base import Store
from prescreen.store.drafts import attach_draft
from prescreen.store.glimpse import _TURNS, SHOWN, Glimpse, cut_words, glimpse, rule_names
from prescreen.store.queue import read_queue
from prescreen.store.retention import shred
from prescreen.store.tables import Patient, Visit
from prescreen.store.visits import alert, lock_visit
from store.desk import NURSE, SERVICE, make_case, make_drafted, make_store, make_waiting
from store.test_visits import sign_it

LABEL = ModelLabel(name="m", version="1", engine="test")


@pytest.fixture
def store(tmp_path: Path):
    store = make_store(tmp_path)
    yield store
    store.close()


def look_at(store: Store, visit_id: str) -> Glimpse:
    with store.look(NURSE) as act:
        return glimpse(act, read_queue(act, ["clinic"]))[visit_id]


def draft(complaint: str) -> Report:
    made = finalise(make_case(complaint), None, "no model in this test")
    wrote = {"rationale": "RATIONALE", "summary": "SUMMARY", "red_flags": ["MODELFLAG"]}
    return made.model_copy(update={**wrote, "acuity": Acuity.HIGH, "model_acuity": Acuity.HIGH})


@pytest.mark.parametrize("decides_first", [False, True])
def test_words_where_no_rule_fired_and_nothing_of_the_draft(store: Store, decides_first: bool) -> None:
    said = "I have had a sore throat\n since Monday \u202e and it will not go"
    visit = make_waiting(store, said)
    before = look_at(store, visit.id)
    with store.act(SERVICE) as act:
        row = lock_visit(act, visit.id)
        row.blind = decides_first
        attach_draft(act, row, draft(said), LABEL)
    seen = look_at(store, visit.id)
    assert (seen.rule, seen.words) == ("", "I have had a sore throat since Monday and it will not go")
    assert seen.decides_first is decides_first and before.words == seen.words
    assert not {"RATIONALE", "SUMMARY", "MODELFLAG"} & set(" ".join(map(str, seen)).split())


def test_the_rule_where_one_fired(store: Store) -> None:
    visit, report = make_drafted(store, "crushing chest pain and I am sweating")
    seen = look_at(store, visit.id)
    assert report.rules and seen.rule and seen.words == ""


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_rule_of_the_heaviest_alert_whichever_came_last(store: Store, order: tuple[int, int]) -> None:
    names = rule_names()
    told = [(rule, names[rule], level) for rule, level in zip(names, (Acuity.EMERGENCY, Acuity.HIGH), strict=False)]
    visit = make_waiting(store, "I have a cough")
    for place in order:
        with store.act(SERVICE) as act:
            alert(act, lock_visit(act, visit.id), [told[place][0]], told[place][2])
    assert look_at(store, visit.id).rule == told[0][1]


def test_nothing_is_told_of_who_was_shredded(store: Store) -> None:
    review = sign_it(store, channels=())
    with store.act(SERVICE) as act:
        visit = act.session.get_one(Visit, review.visit_id)
        shred(act, visit.patient_id, "patient asked")
        assert act.session.get_one(Patient, visit.patient_id).sealed_key is None
        visit.state = "waiting"
    seen = look_at(store, review.visit_id)
    assert (seen.name, seen.rule, seen.words) == ("data destroyed", "", "")


@given(st.text(max_size=400))
def test_a_cut_keeps_one_line_of_whole_words(told: str) -> None:
    line = cut_words(told)
    assert len(line) <= SHOWN + 2 and line.splitlines() in ([], [line])
    kept, said = line.removesuffix(" …").split(), told.translate(_TURNS).split()
    assert kept == said[: len(kept)] or (len(kept) == 1 and said[0].startswith(kept[0]))
    assert kept == said or line.endswith(" …")


def test_a_cut_at_a_word() -> None:
    assert cut_words("word " * 30).removesuffix(" …").split() == ["word"] * 14
    assert cut_words("x" * 200) == "x" * SHOWN + " …"
    assert cut_words(" a \n b ") == "a b"
