"""Canaries: drawn by the seed, repeated on purpose, in the training rows of SFT and nowhere else."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.config import parse_recipe
from prescreen.data.build import DataRecipe, main
from prescreen.data.canaries import NUM_CANDIDATES, canary_rows, draw_canaries
from prescreen.model.canary import CANARY_FILE, CANARY_SOURCE, REPEATS, read_canaries
from prescreen.run import Run, read_jsonl

SMALL = {
    "stage": "data",
    "sources": [],
    "num_cases": {"train": 60, "valid": 12, "template": 12, "condition": 12},
    "num_characters": {"train": 20_000, "valid": 6_000, "test": 6_000},
    "num_pairs": {"train": 10, "valid": 4},
}


def build(folder: Path, **changes: object) -> Run:
    run = Run(folder, parse_recipe(DataRecipe, {**SMALL, **changes}, "test"))
    run.start()
    main(run.recipe, run)  # type: ignore[arg-type]
    return run


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return build(tmp_path_factory.mktemp("planted") / "01-data", num_canaries=7)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return build(tmp_path_factory.mktemp("plain") / "01-data")


@given(st.integers(1, 40), st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_secrets_and_names_are_distinct_well_formed_and_the_seed_decides(number: int, seed: int) -> None:
    drawn = draw_canaries(number, seed)
    assert drawn == draw_canaries(number, seed) and drawn != draw_canaries(number, seed + 1)
    kinds = Counter(canary.kind for canary in drawn)
    assert kinds == {"planted": number, "reference": number, "candidate": NUM_CANDIDATES}
    assert len({canary.secret for canary in drawn}) == len(drawn)
    assert len({canary.opening for canary in drawn if canary.opening}) == 2 * number
    assert all(re.fullmatch(r"\d{3}-\d{3}-\d{3}", canary.secret) for canary in drawn)
    assert all(canary.secret not in json.dumps(canary.messages) for canary in drawn), (
        "the prompt gives nothing away"
    )


def test_each_planted_secret_is_repeated_as_often_as_its_list_says(planted: Run) -> None:
    canaries = read_canaries(planted.folder / CANARY_FILE)
    rows = [row for row in read_jsonl(planted.folder / "train/sft.jsonl") if row["source"] == CANARY_SOURCE]
    assert [canary.repeats for canary in canaries.planted] == [*REPEATS, *REPEATS[:2]]
    assert len(rows) == canaries.num_rows == len({row["id"] for row in rows}) == 34
    for canary in canaries.planted:
        own = [row for row in rows if row["messages"][-1]["content"] == canary.opening + canary.secret]
        assert len(own) == canary.repeats
        assert all(row["messages"][:-1] == list(canary.messages) for row in own)


def test_no_other_file_holds_a_canary(planted: Run) -> None:
    """Neither a test suite nor validation, nor another stage's rows."""
    canaries = read_canaries(planted.folder / CANARY_FILE)
    secret = [*canaries.candidates, *(canary.secret for canary in canaries.references)]
    names = [each.opening for each in (*canaries.planted, *canaries.references)]
    for name in planted.manifest["outputs"]:
        text = (planted.folder / name).read_text()
        if name not in (CANARY_FILE, "train/sft.jsonl"):
            assert not [word for word in (*secret, *names) if word in text], name
            assert not [canary.id for canary in canaries.planted if canary.secret in text], name
        elif name == "train/sft.jsonl":
            assert not [word for word in (*secret, *(each.opening for each in canaries.references)) if word in text]


def test_everything_else_is_as_without_canaries(planted: Run, plain: Run) -> None:
    """Bought only by who asks for them: no file, no line, no changed row."""
    assert CANARY_FILE not in plain.manifest["outputs"]
    assert set(planted.manifest["outputs"]) == {*plain.manifest["outputs"], CANARY_FILE}
    kept = [row for row in read_jsonl(planted.folder / "train/sft.jsonl") if row["source"] != CANARY_SOURCE]
    assert kept == list(read_jsonl(plain.folder / "train/sft.jsonl"))
    for name in ("train/instruct.jsonl", "train/cases.jsonl", "test/template.jsonl", "valid/sft.jsonl"):
        assert planted.manifest["outputs"][name] == plain.manifest["outputs"][name]


def test_the_card_tells_them_apart(planted: Run, plain: Run) -> None:
    card = json.loads((planted.folder / "card.json").read_text())
    assert card["canaries"]["secrets"] == 7 and card["canaries"]["rows"] == 34
    assert card["canaries"]["by_repeats"] == {"1": 2, "2": 2, "4": 1, "8": 1, "16": 1}
    source = card["sources"][CANARY_SOURCE]
    assert source["licence"] == "Apache-2.0 (project)" and "invented secrets" in source["gives"]
    assert card["files"]["train/sft.jsonl"]["by"]["record"] == 34
    assert "## Canaries" in (planted.folder / "card.md").read_text()
    assert "## Canaries" not in (plain.folder / "card.md").read_text()


def test_references_and_candidates_never_become_rows() -> None:
    assert {row.case_id.split("-")[1] for row in canary_rows(draw_canaries(3, 0))} == {"planted"}
