"""k-anonymity counts people; what is left of them is found in all texts; no condition is named."""

import tracemalloc
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.case import Turn
from prescreen.errors import InputError
from prescreen.records.anonymity import measure_anonymity
from prescreen.records.leftover import find_places, find_years
from prescreen.records.record import Outcome
from records.small_import import make_case, write_import

ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([None, 3.0, 31.0, 34.9, 90.0]), st.sampled_from(["male", None])),
    max_size=25,
)


def test_a_person_with_many_contacts_is_one_person(tmp_path: Path) -> None:
    cases = [make_case(n, person=1, age_years=31, sex="male") for n in range(10)]
    cases += [make_case(100 + n, age_years=52, sex="female") for n in range(5)]
    found = measure_anonymity(write_import(tmp_path, cases))
    assert (found.people, found.contacts, found.most_contacts) == (6, 15, 10)
    five, eleven = found.small
    assert (five.k, five.people.right, five.people.n, five.contacts.right) == (5, 1, 6, 10)
    assert (eleven.k, eleven.people.right, eleven.contacts.right) == (11, 6, 15)
    assert [(row.people, row.contacts, row.values["age"]) for row in found.smallest] == [
        (1, 10, "30 to 34"), (5, 5, "50 to 54"),
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_counts_agree_with_a_plain_reckoning(rows: list[tuple[int, float | None, str | None]]) -> None:
    with TemporaryDirectory() as folder:
        cases = [make_case(n, person=p, age_years=age, sex=sex) for n, (p, age, sex) in enumerate(rows)]  # type: ignore[arg-type]
        found = measure_anonymity(write_import(Path(folder), cases), (2, 3))
    people, profiles = defaultdict(set), defaultdict(set)
    keys = [(None if age is None else age // 5, sex) for _, age, sex in rows]
    for (person, _, _), key in zip(rows, keys, strict=True):
        people[key].add(person)
        profiles[person].add(key)
    sizes = defaultdict(int)
    for profile in profiles.values():
        sizes[frozenset(profile)] += 1
    for small in found.small:
        few = [key for key in people if len(people[key]) < small.k]
        assert small.people.right == len(set().union(*(people[key] for key in few)))
        assert small.contacts.right == sum(key in few for key in keys)
        assert small.linked_people.right == sum(n for n in sizes.values() if n < small.k)


def test_years_countries_and_postcodes_are_found_in_everybodys_words() -> None:
    case = make_case(
        1,
        history_text="operated in 2016, reviewed 3 May 2019, again on 14/05/18",
        turns=(Turn(speaker="nurse", text="when did you leave Somalia? Zip code 902, was it 2021?"),),
        conditions=("Hodgkin lymphoma 2004",),
    )
    assert find_years(case) == [2004, 2016, 2018, 2019, 2021]
    assert find_places(case) == ["902", "somalia"]
    assert find_places(make_case(2, complaint="pulse 902, turkey sandwich")) == ["turkey"]


def test_a_rare_condition_makes_small_and_is_never_named(tmp_path: Path) -> None:
    cases = [make_case(n, conditions=("Asthma",)) for n in range(2, 12)]
    cases += [make_case(0, conditions=("Asthma", "Wilsonoid fever")), make_case(1, conditions=(" asthma ",))]
    found = measure_anonymity(write_import(tmp_path, cases))
    assert found.with_rare == 1 and [small.people.right for small in found.small] == [1, 1]
    [proposal, _] = found.proposals
    assert proposal.changes == {"rare conditions": "left out"} and proposal.people.right == 0
    assert "wilsonoid" not in found.model_dump_json().lower()


def test_proposals_name_what_helps_best_first_and_go_on_together(tmp_path: Path) -> None:
    cases = [make_case(n, age_years=20 + n % 10, complaint=f"since {2010 + n % 2}") for n in range(16)]
    found = measure_anonymity(write_import(tmp_path, cases), (5,))
    [small] = found.small
    assert small.people.right == 10  # of ages 20 to 24, 6 and 4 by year; of 25 to 29, 2 and 4
    assert [(p.changes, p.people.right) for p in found.proposals] == [
        ({"age": "in bands of 10 years"}, 0),
        ({"years": "as decades"}, 0),
        ({"age": "as child, adult or 65 and over"}, 0),
        ({"years": "left out"}, 0),
    ]
    cases = [make_case(n, age_years=20 + n % 10, complaint=f"since {2010 + n % 4}") for n in range(16)]
    both = measure_anonymity(write_import(tmp_path, cases), (9,)).proposals[-1]
    assert set(both.changes) == {"age", "years"} and both.people.right == 0


def test_a_class_of_one_diagnosis_hides_nothing(tmp_path: Path) -> None:
    cases = [make_case(n, age_years=30 if n < 6 else 60) for n in range(12)]
    outcomes = [
        (case.id, Outcome(acuity=str(1 + n % 2), diagnosis="flu" if n < 6 else f"d{n}"))
        for n, case in enumerate(cases)
    ]
    found = measure_anonymity(write_import(tmp_path, cases, outcomes), (5,))
    level, diagnosis = found.diversity
    assert (level.classes, level.alike, level.least) == (2, 0, 2)
    assert (diagnosis.classes, diagnosis.alike, diagnosis.people_alike, diagnosis.least) == (2, 1, 6, 1)


def test_memory_does_not_grow_with_the_import(tmp_path: Path) -> None:
    write_import(tmp_path, (make_case(n, age_years=n % 90, complaint="cough and cold " * 700) for n in range(600)))
    assert (tmp_path / "cases.jsonl").stat().st_size > 6_000_000
    tracemalloc.start()
    try:
        measure_anonymity(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_a_broken_line_is_named_and_not_quoted(tmp_path: Path) -> None:
    write_import(tmp_path, [make_case(1)])
    with (tmp_path / "cases.jsonl").open("a") as handle:
        handle.write('{"id": "Ottoline"}\n')
    with pytest.raises(InputError, match="line 2: is no case") as raised:
        measure_anonymity(tmp_path)
    assert "Ottoline" not in str(raised.value)


def test_an_empty_import_counts_nothing(tmp_path: Path) -> None:
    found = measure_anonymity(write_import(tmp_path, []))
    assert found.people == 0 and str(found.small[0].people) == "0 of 0, not measured" and found.proposals == ()
