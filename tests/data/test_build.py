"""The whole stage: files of the contract, licensed, split by patient, free of leaks, whole or absent."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from prescreen.clinic.case import Case
from prescreen.config import parse_recipe
from prescreen.data.build import DataRecipe, check_replay, main
from prescreen.data.clean import clean
from prescreen.data.gather import Gathered, balance_answers, gather_sources, limit_rows
from prescreen.data.records import LICENCES, Reject, Row, Text
from prescreen.data.sources import SOURCES
from prescreen.data.synthesize import synthesize_cases
from prescreen.errors import GuardError, InputError, RecipeError
from prescreen.run import Run, read_jsonl

SMALL = {
    "stage": "data",
    "num_cases": {"train": 120, "valid": 24, "template": 24, "condition": 24},
    "num_characters": {"train": 60_000, "valid": 8_000, "test": 8_000},
    "num_pairs": {"train": 40, "valid": 8},
}


def build(folder: Path, **changes) -> Run:
    recipe = parse_recipe(DataRecipe, {**SMALL, **changes}, "test")
    run = Run(folder, recipe)
    run.start()
    main(recipe, run)
    return run


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Run:
    return build(tmp_path_factory.mktemp("build") / "01-data")


def read(run: Run, name: str) -> list[dict]:
    return list(read_jsonl(run.folder / name))


LEARNED = [
    f"{part}/{file}.jsonl" for part in ("train", "valid") for file in ("cpt", "sft", "instruct", "preference")
]


def test_all_files_of_the_contract_are_there_and_in_the_manifest(small):
    expected = {
        *LEARNED,
        "train/cases.jsonl",
        "test/cpt.jsonl",
        "test/template.jsonl",
        "test/condition.jsonl",
        "rejects.jsonl",
        "card.json",
        "card.md",
    }
    assert set(small.manifest["outputs"]) == expected
    assert small.metrics["test/template.jsonl"] == 24


def test_rows_have_the_fields_other_trainers_read(small):
    for row in read(small, "train/sft.jsonl") + read(small, "train/instruct.jsonl"):
        assert set(row) == {"id", "case_id", "patient_id", "task", "source", "licence", "messages"}
        assert all(set(m) <= {"role", "content", "thinking"} for m in row["messages"])
        assert row["messages"][-1]["role"] == "assistant"
    for pair in read(small, "train/preference.jsonl"):
        assert set(pair) == {
            "id",
            "case_id",
            "patient_id",
            "task",
            "source",
            "licence",
            "reason",
            "acuity",
            "messages",
            "chosen",
            "rejected",
        }
        assert pair["messages"][-1]["role"] == "user" and len(pair["chosen"]) == len(pair["rejected"]) == 1
    for text in read(small, "train/cpt.jsonl"):
        assert set(text) == {"id", "text", "source", "licence", "kind"}


def test_ids_are_unique_in_each_file(small):
    for name in LEARNED:
        ids = [row["id"] for row in read(small, name)]
        assert len(ids) == len(set(ids)), name


def test_suites_hold_labelled_cases(small):
    for suite in ("template", "condition"):
        cases = [Case.model_validate(row) for row in read(small, f"test/{suite}.jsonl")]
        assert all(case.label and case.label.draft for case in cases)
        assert len({case.label.acuity for case in cases}) == 4
    assert not conditions(small, "test/condition.jsonl") & conditions(small, "test/template.jsonl")


def conditions(run: Run, name: str) -> set[str]:
    return {row["label"]["condition"] for row in read(run, name)}


def test_no_patient_is_in_two_parts(small):
    parts = defaultdict(set)
    for name in (*LEARNED, "test/template.jsonl", "test/condition.jsonl"):
        for row in read(small, name):
            if "patient_id" in row:
                parts[row["patient_id"]].add(name.split("/")[0])
    assert all(len(found) == 1 for found in parts.values())


def test_every_line_is_licensed(small):
    for name in (*LEARNED, "test/cpt.jsonl", "test/template.jsonl"):
        assert all(row["licence"] in LICENCES for row in read(small, name))


def test_a_tenth_of_the_text_is_general(small):
    for part in ("train", "valid", "test"):
        size = defaultdict(int)
        for text in read(small, f"{part}/cpt.jsonl"):
            size[text["kind"]] += len(text["text"])
        assert 0.10 <= size["general"] / sum(size.values()) < 0.3


def test_no_text_is_in_two_parts(small):
    texts = [text["text"] for part in ("train", "valid", "test") for text in read(small, f"{part}/cpt.jsonl")]
    assert len(texts) == len(set(texts))


def test_too_little_general_text_stops_the_build():
    medical, general = (Text("a", "x" * n, "s", "MIT", kind) for n, kind in ((95, "medical"), (5, "general")))
    with pytest.raises(GuardError, match=r"train: only 5.0% of the text is general"):
        check_replay([medical], [general], "train")


def test_the_same_recipe_gives_the_same_bytes(small, tmp_path):
    again = build(tmp_path / "again")
    assert again.manifest["outputs"] == small.manifest["outputs"]


def test_another_seed_gives_other_cases(small, tmp_path):
    other = build(tmp_path / "other", seed=1)
    assert {r["id"] for r in read(other, "train/sft.jsonl")}.isdisjoint(
        r["id"] for r in read(small, "train/sft.jsonl")
    )


def test_the_card_says_what_is_there_and_what_is_missing(small):
    card = json.loads((small.folder / "card.json").read_text())
    text = (small.folder / "card.md").read_text()
    assert sum(card["cases"]["train"]["acuity"].values()) == card["cases"]["train"]["source"]["synthetic"]
    assert card["files"]["train/sft.jsonl"]["rows"] == len(read(small, "train/sft.jsonl"))
    assert any("Longitudinal" in item for item in card["missing"])
    for name in SOURCES:
        assert name in card["skipped"][0]
    for heading in ("Sources", "Cases: train", "What is missing", "Rejected", "Licences", "Checks"):
        assert f"## {heading}" in text
    assert "age under 1" in text.split("one training case in twenty")[1].splitlines()[0]


def test_an_unknown_key_and_a_share_above_one_fail():
    for changes in (
        {"num_case": {}},
        {"sft_mix": {"report": 2}},
        {"sft_mix": {"poem": 1}},
        {"num_characters": {"general_share": 0.05}},
    ):
        with pytest.raises(RecipeError):
            parse_recipe(DataRecipe, {**SMALL, **changes}, "test")


def test_an_unknown_source_fails_even_without_data():
    with pytest.raises(RecipeError, match="unknown source 'ktsa'"):
        parse_recipe(DataRecipe, {**SMALL, "sources": ["ktsa"]}, "test")


HEADER = "patient_id,history,symptoms,diagnosis_report,triage_priority\n"
COMPLAINTS = [
    "sore throat",
    "burning urine",
    "cough",
    "ear pain",
    "a rash",
    "knee pain",
    "headache",
    "vomiting",
    "a cut",
    "chest pain",
]


def clinic_csv(path: Path, rows: int = 60) -> Path:
    lines = [
        f'mrn-{n},"asthma, stable",{COMPLAINTS[n % 10]} for {n} days,Possible {n} cause. Review.,High\n'
        for n in range(rows)
    ]
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


def test_a_clinics_own_file_is_split_by_patient_and_bad_rows_are_named(tmp_path):
    path = clinic_csv(tmp_path / "own.csv")
    with path.open("a") as handle:
        handle.write("mrn-99,none,,nothing,Low\n")
    run = build(tmp_path / "run", clinic_files=[{"path": str(path), "licence": "clinic"}])
    tested = {row["patient_id"] for row in read(run, "test/clinic.jsonl")}
    trained = {row["patient_id"] for row in read(run, "train/sft.jsonl") if row["source"] == "clinic:own.csv"}
    assert tested and trained and not tested & trained
    (reject,) = [r for r in read(run, "rejects.jsonl") if r["source"].startswith("clinic")]
    assert f"{path}, line 62: empty 'symptoms'" in reject["reason"]
    assert path in run.recipe.external()


def test_a_clinic_that_wrote_no_report_still_teaches_its_levels(tmp_path):
    path = tmp_path / "cases.jsonl"
    labelled = cases(40)
    bare = [
        c.model_copy(
            update={
                "label": c.label.model_copy(update={"draft": None}),
                "licence": "clinic",
                "source": "clinic:cases.jsonl",
                "id": f"own-{c.id}",
                "patient_id": f"own-{c.id}",
            }
        )
        for c in labelled
    ]
    path.write_text("\n".join(case.model_dump_json() for case in bare))
    run = build(tmp_path / "run", clinic_files=[{"path": str(path), "licence": "clinic"}])
    rows = [
        r for r in read(run, "train/sft.jsonl") if r["source"] == "clinic:cases.jsonl" and r["task"] == "report"
    ]
    levels = {f"own-{c.id}": c.label.acuity.value for c in labelled}
    assert len(rows) > 20
    assert all(json.loads(r["messages"][-1]["content"])["acuity"] == levels[r["case_id"]] for r in rows)


def test_an_unlicensed_row_stops_the_build(tmp_path):
    path = clinic_csv(tmp_path / "own.csv")
    with pytest.raises(GuardError, match=r"clinic:own.csv, record own-2: licence '' is not known"):
        build(tmp_path / "run", clinic_files=[{"path": str(path), "licence": ""}])
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_a_changed_clinic_file_makes_the_run_stale(tmp_path):
    path = clinic_csv(tmp_path / "own.csv")
    run = build(tmp_path / "run", clinic_files=[{"path": str(path), "licence": "clinic"}])
    assert run.is_current()
    clinic_csv(path, 61)
    assert not run.is_current()


def test_two_files_of_one_name_are_told_apart_by_the_user(tmp_path):
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "own.csv"
        path.write_text("history,symptoms,diagnosis_report,triage_priority\nnone,cough,x,Low\n")
        files.append({"path": str(path), "licence": "clinic"})
    with pytest.raises(InputError, match=r"b/own.csv: patient 'own-2' also stands in"):
        build(tmp_path / "run", clinic_files=files)


def cases(count: int, split="train") -> list[Case]:
    return list(synthesize_cases(11, count, split, "seen"))


def test_repeats_leave_training_and_stay_in_the_test():
    found = Gathered()
    one = cases(8)
    found.cases["train"] += one
    found.cases["ktas"] += [one[0].model_copy(update={"id": "test-1", "patient_id": "someone"})]
    clean(found)
    assert [case.id for case in found.cases["ktas"]] == ["test-1"]
    assert one[0].id not in {case.id for case in found.cases["train"]}
    assert any(reject.reason.startswith("repeats test-1") for reject in found.rejects)


def test_contradicting_cases_are_both_set_aside():
    found = Gathered()
    one = cases(8)
    level = next(case.label for case in one if case.label.acuity != one[0].label.acuity)
    found.cases["train"] += [*one, one[0].model_copy(update={"id": "again", "label": level})]
    clean(found)
    assert not {one[0].id, "again"} & {case.id for case in found.cases["train"]}
    assert sum(r.reason.startswith("same text, other level") for r in found.rejects) == 2


def test_text_that_holds_a_test_case_is_removed():
    found = Gathered()
    tested = next(case for case in cases(40, "test") if len(case.spoken.split()) > 30)
    found.cases["ktas"].append(tested.model_copy(update={"source": "ktas_ed"}))
    found.texts["train"] += [
        Text("book-1", f"A story. {tested.spoken}", "medquad", "MIT", "medical"),
        Text("book-2", "Another story, of something else.", "medquad", "MIT", "medical"),
    ]
    assert clean(found)["training records removed because a test case repeats them"] == 1
    assert [text.id for text in found.texts["train"]] == ["book-2"]


def test_shared_sentence_frames_stop_the_build():
    found = Gathered()
    tested = [case for case in cases(60, "test") if len(case.spoken.split()) > 20]
    found.cases["template"] += tested
    found.cases["train"] += [
        case.model_copy(
            update={
                "id": f"x-{case.id}",
                "patient_id": f"x-{case.id}",
                "age_years": 1.0,
                "complaint": f"Well, to begin with I must tell you a long story. {case.spoken} "
                "And that is all there is to say about it, I believe.",
            }
        )
        for case in tested
    ]
    with pytest.raises(GuardError, match="suite template leak into training"):
        clean(found)


def test_one_patient_on_both_sides_stops_the_build():
    found = Gathered()
    one, other = cases(2)
    found.cases["train"].append(one)
    found.cases["template"].append(other.model_copy(update={"patient_id": one.patient_id}))
    with pytest.raises(GuardError, match="stands in test and train"):
        clean(found)


def answers(source: str, count: int) -> list[Row]:
    messages = ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})
    return [Row(f"{source}-{n}", f"{n}", f"{n}", "answer", source, "MIT", messages) for n in range(count)]


@pytest.mark.parametrize(
    "refusals, letters, kept", [(10, 4, (4, 4)), (3, 9, (3, 3)), (5, 0, (0, 0)), (0, 6, (0, 6))]
)
def test_refusals_never_outnumber_benign_letters(refusals, letters, kept):
    found = Gathered()
    found.rows["train"] += answers("med_safety_bench", refusals) + answers("meqsum", letters)
    balance_answers(found)
    limit_rows(found, 100)
    sources = [row.source for row in found.rows["train"]]
    assert (sources.count("med_safety_bench"), sources.count("meqsum")) == kept
    assert len(found.rejects) == refusals + letters - sum(kept)


def test_real_rows_are_limited_by_task_and_stay_balanced():
    found = Gathered()
    found.rows["train"] += answers("med_safety_bench", 40) + answers("meqsum", 40)
    limit_rows(found, 20)
    sources = [row.source for row in found.rows["train"]]
    assert sources.count("med_safety_bench") == sources.count("meqsum") == 10


CROWDED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_build import build
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
build(Path(sys.argv[2]))
"""


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", CROWDED, str(Path(__file__).parent), str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0 and "could not be written" in ended.stderr
    assert "run again" in ended.stderr.splitlines()[-1]
    assert not (folder / "manifest.json").exists()
    assert not list(folder.rglob("*.partial"))
    for file in folder.rglob("*.jsonl"):
        for line in file.read_text().splitlines():
            json.loads(line)


@pytest.mark.slow
def test_all_public_sources_build(data_root, tmp_path):
    run = build(tmp_path / "run", data_root=str(data_root), num_characters={"train": 1_000_000})
    card = json.loads((run.folder / "card.json").read_text())
    assert card["skipped"] == [] and set(SOURCES) <= set(card["sources"]) | {"aci_bench"}
    assert {"ktas", "primock"} <= {Path(name).stem for name in run.manifest["outputs"] if name.startswith("test/")}
    assert len(read(run, "test/ktas.jsonl")) > 200
    assert len(card["external"]) >= 12
    trained = {row["case_id"] for name in LEARNED for row in read(run, name) if "case_id" in row}
    assert not any(name.startswith("primock") for name in trained)
    assert not trained & {row["id"] for row in read(run, "test/ktas.jsonl")}
    tasks = card["files"]["train/instruct.jsonl"]["by"]
    assert {"section", "answer", "history", "ask", "report"} <= set(tasks)


def test_long_rows_are_set_aside_not_truncated(data_root):
    found = Gathered()
    gather_sources(found, ["aci_bench"], data_root, 5000)
    assert len(found.rows["train"]) > 60 and not any(r.reason.startswith("longer") for r in found.rejects)
    short = Gathered()
    gather_sources(short, ["aci_bench"], data_root, 400)
    assert all(isinstance(reject, Reject) for reject in short.rejects)
    assert len(short.rejects) > len(found.rejects)
