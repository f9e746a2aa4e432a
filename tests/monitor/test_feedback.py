"""The stage over a real small store: files of a data run, nobody's name in them, withdrawal, custody, tracing."""

import json
from pathlib import Path

import pytest

from monitor.corrections import MONDAY
from monitor.signed_store import (
    FAMILIES,
    GIVEN,
    MODEL,
    fill,
    make_recipe,
    make_store,
    name_patient,
    run_feedback,
    sign_one,
)
from prescreen.cli import STAGES
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Finding
from prescreen.clinic.signed import PatientLink
from prescreen.custody import Correction, read_custody
from prescreen.errors import GuardError
from prescreen.evals.held_out import load_suite
from prescreen.pipeline import load_stage, open_run, stage_code
from prescreen.records.vault import Vault
from prescreen.run import Run, read_jsonl
from prescreen.store.base import Store
from prescreen.tracing import describe, find_rows, trace_down
from service.ward import TURNS, make_case, make_draft

COUNT = 18
FILES = ("train/preference", "train/sft", "train/kto", "valid/preference", "train/cases", "test/corrections")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clinic")
    store = make_store(folder)
    fill(store, COUNT, hours=24)
    store.close()
    return folder


@pytest.fixture(scope="module")
def run(clinic: Path) -> Run:
    return run_feedback(clinic)


def lines(run: Run, name: str) -> list[dict]:
    return list(read_jsonl(run.folder / f"{name}.jsonl"))


def test_it_leaves_what_training_and_evaluation_read(run: Run) -> None:
    assert all((run.folder / f"{name}.jsonl").is_file() for name in FILES)
    for pair in lines(run, "train/preference"):
        chosen, rejected = (json.loads(pair[side][0]["content"]) for side in ("chosen", "rejected"))
        assert chosen["acuity"] == pair["acuity"] != rejected["acuity"]
        assert pair["reason"] in ("level_raised", "level_lowered")
    held = load_suite(run.folder, "corrections", _Choice())
    assert held and all(case.label is not None and case.label.origin == "the level a nurse signed" for case in held)
    assert {row["label"] for row in lines(run, "train/kto")} == {True, False}
    assert run.metrics["train/preference.jsonl"] == len(lines(run, "train/preference"))


class _Choice:
    seed, suites, train_cases, max_cases = 0, (), "", None


def test_nobody_is_named_in_any_file(run: Run, clinic: Path) -> None:
    names = {*FAMILIES, *GIVEN}
    written = [path for path in run.folder.rglob("*") if path.is_file()]
    for path in written:
        text = path.read_text(encoding="utf-8").lower()
        found = {name for name in names if name.lower() in text}
        assert not found, f"{path.name}: {len(found)} names"
        assert not [n for n in range(COUNT) if str(700100 + n) in text], path.name
        assert "nurse-1" not in text and "p-1" not in text
    said = " ".join(row["messages"][1]["content"] for row in lines(run, "train/kto"))
    assert "This is " in said  # the sentence that named them is still there, with another name


def test_custody_leads_from_each_row_to_a_signature_by_codes(run: Run) -> None:
    custody = list(read_custody(run.folder))
    assert len(custody) == COUNT and all(isinstance(line, Correction) for line in custody)
    by_case = {line.row: line for line in custody}
    for name, part in (("train/preference", "train"), ("test/corrections", "test")):
        for row in lines(run, name):
            line = by_case[row.get("case_id", row["id"])]
            assert isinstance(line, Correction) and line.part == part and line.weights == MODEL.weights
    assert len({line.signer for line in custody if isinstance(line, Correction)}) == 3


def test_parts_hold_other_patients_and_later_days(run: Run) -> None:
    part = {
        line.row: (line.part, line.patient) for line in read_custody(run.folder) if isinstance(line, Correction)
    }
    learned = {patient for name, patient in part.values() if name in ("train", "valid")}
    assert not learned & {patient for name, patient in part.values() if name == "test"}
    card = json.loads((run.folder / "card.json").read_text())
    assert sum(one["signatures"] for one in card["parts"].values()) == COUNT


def test_the_same_store_gives_the_same_bytes(run: Run, clinic: Path) -> None:
    again = run_feedback(clinic, "02-again")
    assert again.manifest["outputs"] == run.manifest["outputs"]


def test_a_patient_who_withdraws_is_found_left_out_and_makes_the_run_stale(run: Run, clinic: Path) -> None:
    stage = load_stage("feedback", STAGES, "test")
    finished = Run(run.folder, run.recipe, code=stage_code(stage))
    finished.start()
    stage.module.main(run.recipe, finished)
    assert finished.is_current()
    one = next(line for line in read_custody(run.folder) if isinstance(line, Correction) and line.part == "train")
    found = find_rows(one.patient, [open_run(run.folder, STAGES)])
    assert found and found[0].files["train/kto.jsonl"] + found[0].files["train/cases.jsonl"] > 0
    assert [line.source for line in find_rows(one.source, [open_run(run.folder, STAGES)])[0].custody] == [
        one.source
    ]
    recipe = make_recipe(clinic)
    with Vault(recipe.vault, new=False) as vault:
        vault.withdraw(one.patient)
    assert not finished.is_current()
    after = run_feedback(clinic, "03-after")
    assert one.patient not in {line.patient for line in read_custody(after.folder)}
    assert {"the patient has withdrawn": 1}.items() <= json.loads((after.folder / "card.json").read_text())[
        "left out"
    ].items()


def test_tracing_says_what_a_batch_was_made_of(run: Run) -> None:
    opened = open_run(run.folder, STAGES)
    facts = describe(opened)
    assert facts["signatures"].startswith(f"{COUNT} of ")
    assert "level_raised" in facts["edits"] and "twin 2026-09" in facts["drafted by"]
    assert trace_down([opened], [opened]) == []


def make_small(folder: Path) -> Store:
    store = make_store(folder)
    store.clock.now = MONDAY  # type: ignore[attr-defined]
    return store


def sign_many(store: Store, count: int, **told: object) -> None:
    """Visits that differ in words and levels, one after the other."""
    for number in range(count):
        story = (
            f"My {SORE[number % len(SORE)]} has been sore for {number + 2} days since I {DID[number % len(DID)]}."
        )
        case = make_case(complaint=story, turns=TURNS[:2])
        sore = SORE[number % len(SORE)]
        finding = Finding(name=f"sore {sore}", status="present", evidence=f"My {sore} has been sore")
        draft = make_draft(findings=[finding], summary=f"Sore {sore}.")
        link = name_patient(number)
        level = (Acuity.LOW, Acuity.HIGH)[number % 2]
        sign_one(store, case, draft, level=level, link=link, **told)  # type: ignore[arg-type]
        store.clock.pass_by(hours=26)  # type: ignore[attr-defined]


SORE = ("elbow", "left knee", "right heel", "thumb", "lower back", "shoulder", "wrist")
DID = ("dug the garden", "fell off a stool", "ran for the bus", "painted the hall", "moved a piano")


def test_invented_patients_train_only_what_is_labelled_plumbing(tmp_path: Path) -> None:
    store = make_small(tmp_path)
    sign_many(store, 8, label=MODEL.model_copy(update={"verdict": "demo, unreleased"}))
    store.close()
    with pytest.raises(GuardError, match="too_few: 0 of 0"):
        run_feedback(tmp_path, limits={"fewest_pairs": 2})
    assert not (tmp_path / "runs" / "01-feedback" / "manifest.json").exists()
    run = run_feedback(tmp_path, limits={"fewest_pairs": 2, "one_signer": 1, "too_alike": 1}, label="plumbing")
    assert run.metrics["label"] == "plumbing" and run.metrics["train/preference.jsonl"] > 0


def test_identifiers_written_into_finals_stop_the_batch_and_nothing_is_written(tmp_path: Path) -> None:
    store = make_small(tmp_path)
    for number in range(6):
        link = name_patient(number)
        case = make_case(complaint=f"My {SORE[number]} hurts since I {DID[number % 5]}.", turns=())
        final = _final_naming(case, link)
        sign_one(store, case, make_draft(findings=[]), final=final, link=link)
        store.clock.pass_by(hours=26)  # type: ignore[attr-defined]
    store.close()
    with pytest.raises(GuardError, match="phi: 6 of 6") as stopped:
        run_feedback(tmp_path, limits={"fewest_pairs": 1, "one_signer": 1, "too_alike": 1})
    told = str(stopped.value)
    folder = tmp_path / "runs" / "01-feedback"
    assert {path.name for path in folder.iterdir()} == {"recipe.yaml", "started.json", "stopped.json"}
    assert not [name for name in (*FAMILIES, *GIVEN) if name in told + (folder / "stopped.json").read_text()]


def _final_naming(case: Case, link: PatientLink):
    from prescreen.clinic.floor import finalise

    report = finalise(case, make_draft(findings=[]))
    summary = f"{link.given} {link.family} called from 0151 496 {link.birth_date.year}; wants a note."  # type: ignore[union-attr]
    return report.model_copy(update={"summary": summary, "acuity": Acuity.HIGH})
