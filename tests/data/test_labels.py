"""Wrong labels that were planted are found first, and a second rater's sheet comes back as figures."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label
from prescreen.data.clean import clean
from prescreen.data.doubts import Doubt, count_contradictions, find_contradictions, rank_doubts
from prescreen.data.gather import Gathered
from prescreen.data.label_sheet import COLUMNS, key_path, read_key, read_label_sheet, write_label_sheet
from prescreen.data.split import hash_share
from prescreen.data.synthesize import synthesize_cases
from prescreen.errors import InputError

LOW, MEDIUM, HIGH, EMERGENCY = Acuity
LONG = "since this morning my left knee has been swollen and hot and I can hardly bend it at all"


def make(name: str, complaint: str, level: Acuity, **more) -> Case:
    label = Label(acuity=level, accepted=(level,), origin="invented")
    return Case(id=name, patient_id=name, source="x", licence="clinic", complaint=complaint, label=label, **more)


@pytest.fixture(scope="module")
def flipped() -> tuple[list[Case], set[str]]:
    """Invented cases, one in twenty with a level two away from its own."""
    cases, wrong = [], set()
    for case in synthesize_cases(5, 900, "train", "seen"):
        assert case.label is not None
        if hash_share("flip", case.id) < 0.05:
            level = list(Acuity)[(case.label.acuity.rank + 2) % 4]
            case = case.model_copy(update={"label": Label(acuity=level, accepted=(level,), origin="x")})
            wrong.add(case.id)
        cases.append(case)
    return cases, wrong


def test_planted_wrong_labels_are_doubted_first(flipped):
    cases, wrong = flipped
    doubts = rank_doubts(cases)
    assert len(wrong) > 25
    for times, share in ((1, 0.25), (4, 0.75)):  # by chance: 0.05 and 0.2; thousands of cases do better
        assert len({doubt.case_id for doubt in doubts[: times * len(wrong)]} & wrong) >= share * len(wrong)
    assert all(doubt.confident for doubt in doubts[: len(wrong)])


def test_doubts_do_not_depend_on_the_order_of_the_cases(flipped):
    cases, _ = flipped
    assert rank_doubts(cases[:300]) == rank_doubts(cases[:300][::-1])


def test_a_patients_own_other_cases_do_not_vouch_for_a_label():
    # one patient with the same wrong level twenty times: learned from, the level would look right
    some = [make(f"k{n}", f"{LONG} for {n} days", LOW) for n in range(60)]
    some += [
        make(f"c{n}", f"crushing pain in the chest, grey and sweating, {n} minutes", EMERGENCY) for n in range(60)
    ]
    odd = [make(f"z{n}", f"{LONG} and the trombone hurts {n}", EMERGENCY) for n in range(20)]
    odd = [case.model_copy(update={"patient_id": "z"}) for case in odd]
    worst = rank_doubts(some + odd)[:20]
    assert {doubt.case_id for doubt in worst} == {case.id for case in odd}
    assert {(doubt.likelier, doubt.confident) for doubt in worst} == {(LOW, True)}


def test_too_little_to_learn_from_gives_no_doubts():
    assert rank_doubts([make(f"a{n}", LONG, LOW) for n in range(50)]) == []
    assert rank_doubts([]) == []


def test_every_accepted_level_leaves_nothing_to_doubt(flipped):
    cases, _ = flipped
    wide = cases[0].model_copy(update={"label": Label(acuity=LOW, accepted=tuple(Acuity), origin="x")})
    assert wide.id not in {doubt.case_id for doubt in rank_doubts([wide, *cases[1:]])}


def test_nearly_the_same_words_with_levels_far_apart_are_listed():
    body = " ".join(f"word{n}" for n in range(120))
    cases = [
        make("a", body, LOW),
        make("b", body.replace("word60", "changed"), HIGH),
        make("c", body.replace("word7 ", "other "), MEDIUM),
        make("d", body.replace("word", "term"), EMERGENCY),
        make("e", "abdominal pain", LOW),
        make("f", "Abdominal pain", EMERGENCY),
    ]
    found = list(find_contradictions(cases))
    assert [(c.low, c.high, c.apart) for c in found] == [("a", "b", 2), ("e", "f", 3)]
    assert list(count_contradictions(found).values()) == [1, 1]
    assert [(c.low, c.high) for c in find_contradictions(cases, 1)] == [
        ("a", "b"),
        ("a", "c"),
        ("c", "b"),
        ("e", "f"),
    ]


Rows = list[dict[str, str]]


def read_rows(path: Path) -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def save(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_sheet_shows_neither_label_nor_why_it_was_drawn(flipped, tmp_path):
    cases, wrong = flipped
    doubts = rank_doubts(cases)
    path = tmp_path / "audit.csv"
    assert write_label_sheet(path, cases, doubts, each=10) == len(read_rows(path)) > 40
    words = {cell for row in read_rows(path) for cell in row.values()}
    assert not words & {"low", "medium", "high", "emergency", "doubtful", "chance"}
    known = {case.id: case.label.acuity for case in cases}
    order = [known[row["id"]] for row in read_rows(path)]
    assert sum(a is b for a, b in itertools.pairwise(order)) < len(order) / 2  # levels stand mixed
    assert len({row["id"] for row in read_rows(path)} & wrong) >= 10


def test_a_returned_sheet_says_what_sklearn_says(tmp_path):
    draw = np.random.default_rng(3)
    cases = [make(f"n{n}", f"story {n}", list(Acuity)[n % 4]) for n in range(200)]  # levels equally often
    path = tmp_path / "audit.csv"
    write_label_sheet(path, cases, [], each=50)
    rows = read_rows(path)
    known = {case.id: case.label.acuity.rank for case in cases}
    given, second = [], []
    for row in rows:
        rank = min(3, max(0, known[row["id"]] + int(draw.integers(-1, 2))))
        given.append(known[row["id"]])
        second.append(rank)
        row["second_level"] = list(Acuity)[rank].value.upper()
    audit = read_label_sheet(save(tmp_path / "nurse.csv", rows), key_path(path))
    assert audit.rater == "nurse" and audit.empty == 0
    assert audit.kappa.value == pytest.approx(cohen_kappa_score(given, second))
    assert audit.weighted.value == pytest.approx(cohen_kappa_score(given, second, weights="quadratic"))
    assert audit.kappa.low < audit.kappa.value < audit.kappa.high
    assert len(audit.differs) == sum(a != b for a, b in zip(given, second, strict=True))
    assert sum(rate.n for rate in audit.by_level.values()) == 200


def test_levels_weigh_as_they_occur_and_doubtful_cases_do_not_count(tmp_path):
    cases = [make(f"l{n}", f"story {n}", LOW) for n in range(90)]
    cases += [make(f"h{n}", f"other {n}", HIGH) for n in range(10)]
    path = tmp_path / "audit.csv"
    doubts = [Doubt(f"l{n}", LOW, HIGH, -1.0) for n in range(90)]
    write_label_sheet(path, cases, doubts, each=10)
    rows, key = read_rows(path), read_key(key_path(path))
    wrong = {f"h{n}" for n in range(5)}  # every second high label
    wrong |= {name for name, chosen in key.chosen.items() if chosen.drawn == "doubtful"}
    for row in rows:
        row["second_level"] = "low" if (row["id"][0] == "l") != (row["id"] in wrong) else "high"
    audit = read_label_sheet(save(tmp_path / "nurse.csv", rows), key_path(path))
    assert audit.same.value == pytest.approx(0.95)  # not 0.75, as among the cases drawn by chance
    assert (audit.by_level[HIGH].right, audit.by_level[HIGH].n) == (5, 10)
    assert (audit.by_level[LOW].n, audit.doubtful.right, audit.doubtful.n) == (10, 10, 10)
    assert {d.case_id for d in audit.differs} == {f"h{n}" for n in range(5)} | wrong
    assert [d.apart for d in audit.differs] == [2] * 10 + [-2] * 5


def test_no_cell_is_a_formula_and_such_ids_come_back(tmp_path):
    cases = [make("=1+1", "=HYPERLINK(0)", LOW), make("b", " @SUM(1)", HIGH, medications=("-x",))]
    path = tmp_path / "audit.csv"
    write_label_sheet(path, cases, [], each=1)
    rows = read_rows(path)
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    for row in rows:
        row["second_level"] = "low"
    audit = read_label_sheet(save(tmp_path / "n.csv", rows), key_path(path))
    assert [d.case_id for d in audit.differs] == ["b"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda rows: rows[0].update(second_level="urgent"), "is no level"),
        (lambda rows: rows[0].update(mark="0"), "not this key's"),
        (lambda rows: rows.append(rows[0]), "earlier line"),
        (lambda rows: [row.update(second_level="") for row in rows], "not one second_level"),
    ],
)
def test_faults_are_named_without_words_of_a_patient(tmp_path, change, fault):
    path = tmp_path / "audit.csv"
    write_label_sheet(path, [make("a", "secret words", LOW), make("b", "secret too", HIGH)], [], each=1)
    rows = read_rows(path)
    for row in rows:
        row["second_level"] = "low"
    change(rows)
    with pytest.raises(InputError, match=fault) as caught:
        read_label_sheet(save(tmp_path / "n.csv", rows), key_path(path))
    assert "secret" not in str(caught.value)


def test_a_lost_key_is_said(tmp_path):
    path = tmp_path / "audit.csv"
    write_label_sheet(path, [make("a", "x", LOW)], [], each=1)
    key_path(path).unlink()
    with pytest.raises(InputError, match="beside the sheet"):
        read_label_sheet(path, key_path(path))


def test_the_build_counts_contradictions_before_it_removes_repeats():
    found = Gathered()
    found.cases["train"] += [make("a", LONG, LOW, age_years=30), make("b", LONG, EMERGENCY, age_years=30)]
    assert clean(found)["pairs of nearly the same words two or more levels apart"] == 1
