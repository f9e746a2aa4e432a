"""KTO over single answers: wanted ones gain, unwanted ones lose, and nothing is said of twins."""

import json
import math

import pytest
import torch

from prescreen.errors import GuardError
from prescreen.run import read_jsonl
from prescreen.train import preference, supervised
from prescreen.train.objectives import judge_answers
from prescreen.train.preference import PreferenceRecipe
from prescreen.train.settings import Lora
from small_runs import BRIEF, SMALL, carry_out, pair, row, supervise, write_data


def answer(i, *, wanted):
    told = pair(i)
    side = told["chosen"] if wanted else told["rejected"]
    return {"id": f"{i}", "messages": row(i)["messages"][:1], "completion": side, "label": wanted}


def write_answers(path, rows):
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    made = write_data(tmp_path_factory.mktemp("runs") / "01-data")
    for part, count in (("train", 12), ("valid", 4)):
        rows = [answer(i, wanted=i % 3 > 0) for i in range(count)]
        write_answers(made.folder / part / "kto.jsonl", rows)
    return made


def recipe(**values):
    inputs = {"data": "01-data", "parent": "02-base"}
    told = {"stage": "dpo", "inputs": inputs, "lora": Lora(rank=4), "optimisation": BRIEF, "objective": "kto"}
    return PreferenceRecipe(**{**told, **values})


@pytest.fixture(scope="module")
def base(data):
    return carry_out(supervised, data, "02-base", supervise("pretrain", "cpt", twin=SMALL, method="full"))


def test_single_answers_are_learned_where_the_data_run_has_them(data, base):
    run = carry_out(preference, data, "03-kto", recipe(), parent=base)
    kept = json.loads((run.folder / "reference.json").read_text())
    assert len(kept) == run.metrics["num_pairs"] == 12
    assert {len(one) for one in kept} == {1}
    first = next(read_jsonl(run.folder / "log.jsonl"))
    assert first["loss"] == pytest.approx(0.5, abs=0.05)  # at the start every answer stands at the reference
    assert run.metrics["valid_loss"]["after"] < run.metrics["valid_loss"]["before"]


def test_without_such_a_file_kto_judges_pairs(data, base, tmp_path):
    material = preference.read_material(recipe(objective="dpo"), data.folder / "train", _tokenizer(base))
    assert material.wanted is None
    assert material.each == 2


def test_answers_of_one_kind_are_refused(data, base, tmp_path_factory):
    alone = write_data(tmp_path_factory.mktemp("runs") / "01-data")
    write_answers(alone.folder / "train" / "kto.jsonl", [answer(i, wanted=True) for i in range(4)])
    with pytest.raises(GuardError, match="of one kind"):
        carry_out(preference, alone, "03-kto", recipe(), parent=base)


def test_the_loss_pushes_each_kind_its_own_way():
    """Four answers, one wanted: in closed form, and where the gradient points."""
    gains = torch.tensor([1.0, 1.0, -1.0, 0.0], requires_grad=True)
    loss = judge_answers(gains, torch.tensor([2.0, -2 / 3, -2 / 3, -2 / 3]), 0.5)
    point = 0.25
    lost = [2 * (1 - sigmoid(0.5 * (1 - point))), *(2 / 3 * (1 - sigmoid(0.5 * (point - g))) for g in (1, -1, 0))]
    assert loss.item() == pytest.approx(sum(lost), abs=1e-5)
    loss.backward()
    assert gains.grad[0] < 0 < gains.grad[1:].min()


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def _tokenizer(base):
    from prescreen.model.weights import load_model

    return load_model(base.folder).tokenizer
