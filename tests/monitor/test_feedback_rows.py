"""Rows out of signatures: agreeing is no preference, and a level changed alone argues for nobody."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.corrections import draw_cases, make_reviewed, relevel, settle
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.edits import is_clinical
from prescreen.clinic.report import Consideration, Draft
from prescreen.data.records import Pair
from prescreen.monitor.feedback.frames import argues_for_itself, frame_pair
from prescreen.monitor.feedback.raters import find_looked, watch_signers
from prescreen.monitor.feedback.reviewed import Reviewed
from prescreen.monitor.feedback.rows import (
    balance_lengths,
    make_answers,
    make_case,
    make_pairs,
    make_rows,
    measure_ratio,
)
from prescreen.monitor.feedback.settings import Limits
from prescreen.monitor.feedback.told_apart import measure_area, measure_copied
from prescreen.monitor.feedback.writing import find_uneven

COUNT = 48
DRAWN = [make_reviewed(case, rules, n, random.Random(n)) for n, (case, rules) in enumerate(draw_cases(5, COUNT))]
BATCH = [replace(one, rules=None) for one in DRAWN]  # no rule asked for any of these levels
LEVELS = st.sampled_from(list(Acuity))


def answer(side) -> Draft:
    return Draft.model_validate_json(side[0]["content"])


def unchanged(one: Reviewed, **changes: object) -> Reviewed:
    assert one.draft is not None
    return settle(replace(one, final=one.draft, **changes))


def test_a_pair_is_made_only_of_a_clinical_edit() -> None:
    for one in BATCH:
        assert bool(make_pairs(one)) == is_clinical(one.kinds)
        assert make_pairs(unchanged(one)) == make_pairs(replace(one, draft=None)) == []
    changed = next(one for one in BATCH if is_clinical(one.kinds))
    assert make_pairs(replace(changed, kinds=frozenset({"wording_only"}))) == []


@given(st.integers(0, COUNT - 1), LEVELS, st.booleans())
def test_a_level_and_the_rest_are_pairs_of_their_own(number: int, level: Acuity, more: bool) -> None:
    one = relevel(unchanged(BATCH[number]), level)
    assert one.draft is not None
    if more:
        told = [Consideration(condition="hay fever", supports=[], against=[]), *one.final.differential[:2]]
        one = settle(replace(one, final=one.final.model_copy(update={"differential": told})))
    changed = level != one.draft.acuity
    pairs = {pair.id.rpartition("-")[2]: pair for pair in make_pairs(one)}
    assert set(pairs) == ({"level"} if changed else set()) | ({"pair"} if more else set())
    if changed:
        chosen, rejected = (answer(side) for side in (pairs["level"].chosen, pairs["level"].rejected))
        assert (chosen.acuity, rejected.acuity) == (level, one.draft.acuity)
        named = chosen.rationale.replace(level.value.capitalize(), rejected.acuity.value.capitalize(), 1)
        assert chosen.model_copy(update={"acuity": rejected.acuity, "rationale": named}) == rejected
        assert pairs["level"].reason in one.kinds
    if more:
        chosen, rejected = (answer(side) for side in (pairs["pair"].chosen, pairs["pair"].rejected))
        assert chosen.acuity == rejected.acuity == level
        assert chosen.model_copy(update={"differential": rejected.differential}) == rejected
        assert pairs["pair"].reason == "differential_changed"


@given(st.integers(0, COUNT - 1), LEVELS, LEVELS)
def test_a_level_that_a_rule_raised_is_no_ones_judgement(number: int, level: Acuity, rules: Acuity) -> None:
    one = relevel(unchanged(BATCH[number]), level)
    assert one.draft is not None
    told = [Consideration(condition="hay fever", supports=[], against=[]), *one.final.differential[:2]]
    one = settle(replace(one, rules=rules, final=one.final.model_copy(update={"differential": told})))
    raised = one.draft.acuity < level == rules
    names = {pair.id.rpartition("-")[2] for pair in make_pairs(one)}
    assert ("level" in names) == (level != one.draft.acuity and not raised) and "pair" in names
    assert bool(make_rows(one, {one.code})) == bool(make_answers(one, {one.code})) == (not raised)
    nobody = replace(one, draft=None, shown=None)
    assert bool(make_rows(nobody, {one.code})) == (level != rules), "written by rules alone and left as it was"


def test_a_level_is_judged_on_what_the_nurse_put_right() -> None:
    one = next(one for one in BATCH if one.kinds == {"level_raised"} and len(one.final.findings) > 1)
    mended = settle(replace(one, final=one.final.model_copy(update={"findings": one.final.findings[:1]})))
    (level,) = [pair for pair in make_pairs(mended) if pair.id.endswith("-level")]
    assert [answer(side).findings for side in (level.chosen, level.rejected)] == [mended.final.findings] * 2


def test_a_level_that_nothing_stands_before_is_not_learned() -> None:
    one = next(one for one in BATCH if one.kinds == {"level_raised"})
    bare = settle(replace(one, final=one.final.model_copy(update={"findings": [], "red_flags": []})))
    assert [pair.id.rpartition("-")[2] for pair in make_pairs(bare)] == ["pair"] and make_rows(bare, set()) == []
    denied = [finding.model_copy(update={"status": "denied"}) for finding in one.final.findings]
    denying = settle(replace(one, final=one.final.model_copy(update={"findings": denied, "red_flags": []})))
    assert make_rows(denying, set()) == []


def test_a_report_out_of_which_the_floor_took_something_teaches_its_level_alone() -> None:
    agreed = unchanged(BATCH[0])
    lost = replace(agreed, whole=False)
    assert [row.task for row in make_rows(lost, {lost.code})] == ["priority"]
    assert make_answers(lost, {lost.code}) == []


@given(st.integers(0, COUNT - 1), LEVELS)
def test_neither_side_of_a_level_change_argues_for_the_other(number: int, level: Acuity) -> None:
    one = relevel(unchanged(BATCH[number]), level)
    assert one.draft is not None
    sides = frame_pair(one.draft, one.final)
    assert sides.framed == (level != one.draft.acuity)
    if not sides.framed:
        assert (sides.chosen, sides.rejected) == (one.final, one.draft)
        return
    assert sides.chosen.acuity == level and sides.rejected.acuity == one.draft.acuity
    assert sides.chosen.rationale.startswith(level.value.capitalize())
    assert one.draft.rationale not in (sides.chosen.rationale, sides.rejected.rationale)
    swapped = sides.rejected.rationale.replace(one.draft.acuity.value.capitalize(), level.value.capitalize(), 1)
    assert swapped == sides.chosen.rationale  # one template, on both sides
    assert sides.chosen.next_steps == sides.rejected.next_steps
    assert not [step for step in sides.chosen.next_steps if "today" in step or "emergency" in step.lower()]


def test_what_a_nurse_wrote_for_her_level_is_kept() -> None:
    draft = BATCH[0].draft
    assert draft is not None
    level = Acuity.LOW if draft.acuity is not Acuity.LOW else Acuity.HIGH
    told = {"acuity": level, "rationale": "Known for years and seen last week.", "next_steps": ["Phone on Friday"]}
    final = draft.model_copy(update=told)
    sides = frame_pair(draft, final)
    assert sides.chosen == final and sides.rejected == draft
    assert argues_for_itself(draft, final)


def test_a_level_changed_alone_is_learned_as_a_level_only() -> None:
    one = next(one for one in BATCH if one.kinds == {"level_raised"})
    (row,) = make_rows(one, set())
    assert row.task == "priority"
    assert row.messages[-1]["content"] == one.level.value


def test_agreement_is_learned_only_from_who_looks() -> None:
    agreed = unchanged(BATCH[0])
    assert make_rows(agreed, set()) == [] and make_answers(agreed, set()) == []
    (row,) = make_rows(agreed, {agreed.code})
    assert row.task == "report" and json.loads(row.messages[-1]["content"])["acuity"] == agreed.level.value
    (one,) = make_answers(agreed, {agreed.code})
    assert one.label is True


def test_single_answers_of_a_correction_are_both_sides_of_its_pair() -> None:
    one = next(one for one in BATCH if is_clinical(one.kinds))
    bad, good = make_answers(one, set())
    assert one.draft is not None and (bad.label, good.label) == (False, True)
    assert answer(bad.completion).acuity == one.draft.acuity and answer(good.completion).acuity == one.level


def test_a_held_out_case_has_the_signed_level_and_no_other() -> None:
    case = make_case(BATCH[3])
    assert case.label is not None
    assert case.label.acuity == BATCH[3].level and case.label.accepted == (BATCH[3].level,)


def draw_pairs() -> list[Pair]:
    batch = list(BATCH)
    for number, one in enumerate(BATCH):
        level = Acuity.LOW if number % 2 else Acuity.HIGH
        batch.append(replace(relevel(unchanged(one), level), patient=f"other-{number}"))
    return [pair for one in batch for pair in make_pairs(one)]


def test_chosen_cannot_be_told_from_rejected_by_words_or_length() -> None:
    pairs = draw_pairs()
    area = measure_area(pairs)
    assert area.pairs >= 40 and area.value is not None and area.low is not None
    assert area.low < 0.6, area
    assert 0.9 <= measure_ratio(pairs) <= 1.1
    assert 0.8 < (measure_copied(pairs) or 0) <= 1


def test_a_template_on_one_side_is_seen() -> None:
    def mark(pair: Pair) -> Pair:
        told = answer(pair.chosen)
        told = told.model_copy(update={"rationale": f"Nurse's own view. {told.rationale}"})
        return replace(pair, chosen=({**pair.chosen[0], "content": told.model_dump_json()},))

    area = measure_area([mark(pair) for pair in draw_pairs()])
    assert area.low is not None and area.low > 0.9


def test_too_few_pairs_have_no_area() -> None:
    assert measure_area(draw_pairs()[:5]).value is None


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), max_size=40))
def test_lengths_are_balanced_by_leaving_out(lengths: list[tuple[int, int]]) -> None:
    base = draw_pairs()[0]
    pairs = [
        replace(base, id=f"{n}", chosen=({"role": "assistant", "content": "x" * a},),
                rejected=({"role": "assistant", "content": "x" * b},))
        for n, (a, b) in enumerate(lengths)
    ]  # fmt: skip
    balanced = balance_lengths(pairs)
    assert 0.9 <= balanced.ratio <= 1.1
    assert len(balanced.pairs) + len(balanced.dropped) == len(pairs)
    if 0.9 <= measure_ratio(pairs) <= 1.1:
        assert balanced.dropped == []


def test_where_length_would_be_learned_the_batch_is_stopped() -> None:
    base = draw_pairs()[0]
    longer = ({**base.chosen[0], "content": base.chosen[0]["content"] * 2},)
    pairs = [replace(base, id=f"{n}", chosen=longer) for n in range(30)]
    (stop,) = find_uneven(balance_lengths(pairs), 20)
    assert (stop.name, stop.count, stop.of) == ("uneven", 30, 30)
    even = draw_pairs()
    assert find_uneven(balance_lengths([*pairs, *even]), len(even)) == [], "what is left is even, and enough"
    assert find_uneven(balance_lengths(even[:3]), 20) == [], "too few is another stop"


def test_who_looks_is_known_by_time_and_own_choices() -> None:
    limits = Limits()
    slow = [unchanged(one, signer="a", seconds=40, blind=None) for one in BATCH[:12]]
    fast = [unchanged(one, signer="b", seconds=2, blind=None) for one in BATCH[12:24]]
    few = [unchanged(one, signer="c", seconds=40, blind=None) for one in BATCH[24:26]]
    agreed = [unchanged(one, signer="c", seconds=2, blind=one.draft.acuity) for one in BATCH[26:28] if one.draft]
    looked = find_looked([*slow, *fast, *few, *agreed], limits)
    assert looked == {one.code for one in (*slow, *agreed)}


def test_of_who_is_mostly_quick_not_even_the_slow_signatures_count() -> None:
    batch = [unchanged(one, signer="a", seconds=40 if n < 3 else 2, blind=None) for n, one in enumerate(BATCH[:12])]
    assert batch[0].draft is not None
    batch[0] = replace(batch[0], blind=batch[0].level)  # one own choice agrees by chance
    (looks,) = watch_signers(batch, Limits())
    assert looks.stamps(Limits()) and not looks.looks(Limits())
    assert find_looked(batch, Limits()) == set()
    mended = [replace(one, final=_lowered(one)) if n > 8 else one for n, one in enumerate(batch)]
    (looks,) = watch_signers([settle(one) for one in mended], Limits())
    assert not looks.stamps(Limits()) and not looks.looks(Limits())  # neither one nor the other
    assert find_looked([settle(one) for one in mended], Limits()) == {batch[0].code}


def _lowered(one: Reviewed) -> Draft:
    return one.final.model_copy(update={"acuity": Acuity.LOW if one.level is not Acuity.LOW else Acuity.HIGH})


@pytest.mark.parametrize(("kept", "looks"), [(0, False), (5, True)])
def test_who_gives_up_own_choices_does_not_look(kept: int, looks: bool) -> None:
    batch = []
    for number, one in enumerate(BATCH[:12]):
        assert one.draft is not None
        other = Acuity.LOW if one.draft.acuity is not Acuity.LOW else Acuity.HIGH
        own = unchanged(one, signer="a", seconds=40, blind=other if number < 6 else None)
        batch.append(replace(relevel(own, other), blind=other, seconds=40) if number < kept else own)
    found = find_looked(batch, Limits())
    assert (batch[-1].code in found) == looks
