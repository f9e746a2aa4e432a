"""Arithmetic of a step against published figures and torch's own counter; the speeds it is divided by."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from prescreen.cli import STAGES
from prescreen.devices import CARDS, Device, Speed, find_speed
from prescreen.doctor import say_seconds
from prescreen.model.shape import TwinShape, new_model
from prescreen.needs import BYTES_PER_TOKEN, Need, Schedule, describe_twin, size_steps
from prescreen.pipeline import load_steps
from prescreen.sizing import GIB, GPT_OSS_20B, Plan, Recompute, Trained
from prescreen.train.settings import Lora
from prescreen.train.start import add_adapter
from prescreen.train.trainer import use_packed_attention
from prescreen.work import Forward, count_forward, count_step, decoded_bytes, keys_seen

FROZEN = Plan(2048, "bfloat16", "attention")  # an adapter of rank 0: its own arithmetic is not in the table
TABLE = [  # length; GFLOP a token: forward, LoRA's step, the same recomputing all, the vocabulary included
    (2048, 7.44, 15.1, 22.6),
    (4096, 7.64, 15.7, 23.4),
    (8192, 8.05, 16.9, 25.0),
    (32768, 10.46, 24.2, 34.6),
]


@pytest.mark.parametrize(("length", "forward", "step", "recomputed"), TABLE)
def test_gpt_oss_20b_costs_what_was_worked_out_by_hand(
    length: int, forward: float, step: float, recomputed: float
) -> None:
    parts = count_forward(GPT_OSS_20B, FROZEN, length)
    assert (parts.layers + parts.head) / 1e9 == pytest.approx(forward, rel=2e-3)
    assert count_step(GPT_OSS_20B, FROZEN, length) / 1e9 == pytest.approx(step, rel=4e-3)
    everything = FROZEN._replace(recompute="full")  # the table's recomputes the vocabulary too, ours never does
    found = count_step(GPT_OSS_20B, everything, length) + parts.head
    assert found / 1e9 == pytest.approx(recomputed, rel=4e-3)


def test_keys_seen_is_the_mean_over_a_document() -> None:
    for length, window in ((5, 8), (8, 8), (40, 8), (40, None)):
        seen = [min(i + 1, window or length) for i in range(length)]
        assert keys_seen(length, window) == pytest.approx(sum(seen) / length)


SHAPE = TwinShape(layers=2, hidden=64, intermediate=32, experts=4, heads=4, kv_heads=2, head_dim=16)
VOCABULARY, TOKENS, RANK = 1600, 128, 32


def counted_by_torch(shape: TwinShape, trained: Trained) -> float:
    """Operations of forward and backward per token without attention's sums, by torch's own counter."""
    from prescreen.train.objectives import cross_entropy
    from prescreen.train.packing import build_row
    from prescreen.train.sharing import Document

    model: Any = new_model(shape, VOCABULARY, 0, 1).train()
    if trained != "all":
        model = add_adapter(model, Lora(rank=RANK, experts=trained == "experts"))
    use_packed_attention(model)
    ids = torch.randint(2, VOCABULARY, (TOKENS,)).tolist()
    with FlopCounterMode(display=False) as counter:
        cross_entropy(model, build_row([[Document(ids, ids)]])).backward()
    counts = counter.get_flop_counts()["Global"]
    return sum(count for name, count in counts.items() if "attention" not in str(name)) / TOKENS


@pytest.mark.parametrize("trained", ["all", "attention", "experts"])
def test_a_step_is_what_torch_counts(trained: Trained) -> None:
    """A layer's, from models of two and four: the first has no use for its input's gradient.

    Attention apart, which torch's counter takes as if nothing were masked.
    """
    plan = Plan(TOKENS, "float32", trained, 0 if trained == "all" else RANK)
    config = {**describe_twin(SHAPE), "vocab_size": VOCABULARY}
    ours = count_step(config, plan, TOKENS, labelled=0) - 3 * count_forward(config, plan, TOKENS).attention
    few, many = (counted_by_torch(SHAPE.model_copy(update={"layers": n}), trained) for n in (2, 4))
    assert ours / SHAPE.layers == pytest.approx((many - few) / 2, rel=0.01)


def test_recomputing_and_labels_cost_what_they_say() -> None:
    plan = Plan(2048, "bfloat16", "experts", 16)
    costs = [count_step(GPT_OSS_20B, plan._replace(recompute=each), 2048) for each in ("none", "selective", "full")]
    assert costs[0] < costs[1] < 1.03 * costs[0] < costs[2]
    forward: Forward = count_forward(GPT_OSS_20B, plan, 2048)
    assert costs[2] - costs[0] == pytest.approx(forward.layers)
    assert costs[0] - count_step(GPT_OSS_20B, plan, 2048, labelled=0.5) == pytest.approx(forward.head)


@pytest.mark.parametrize(("recompute", "passes"), [("none", 2), ("selective", 3), ("full", 3)])
def test_a_packed_base_is_decoded_for_each_pass_of_each_row(recompute: Recompute, passes: int) -> None:
    plan = Plan(2048, "bfloat16", "experts", 8, packed=True, recompute=recompute)
    assert decoded_bytes(GPT_OSS_20B, plan) / passes == pytest.approx(19.117e9 * 2.53, rel=1e-3)
    assert decoded_bytes(GPT_OSS_20B, plan._replace(packed=False)) == 0


def test_a_step_is_its_rows_and_a_stage_its_steps() -> None:
    speed = Speed(1e14, 1e12, "")
    need = Need("03-sft", Plan(4096, "bfloat16", "experts", 8), GPT_OSS_20B, "", Schedule(rows=4))
    one = need._replace(schedule=Schedule(rows=1)).step_seconds(speed)
    assert need.step_seconds(speed) == pytest.approx(4 * one)
    assert need.stage_seconds(speed) is None
    twice = need._replace(schedule=Schedule(rows=4, epochs=2, tokens=1e6))
    assert twice.stage_seconds(speed) == pytest.approx(2e6 / 16384 * 4 * one)
    stopped = need._replace(schedule=Schedule(rows=4, max_steps=3, tokens=1e6))
    assert stopped.stage_seconds(speed) == pytest.approx(3 * 4 * one)


def test_tokens_come_from_a_finished_data_run(write_recipes: Callable[..., Path], tmp_path: Path) -> None:
    inputs = {"data": "01-data"}
    tuned = {"inputs": {**inputs, "parent": "02-cpt"}}
    folder = write_recipes(
        {
            "01-data": {"stage": "data"},
            "02-cpt": {"stage": "cpt", "inputs": inputs, "rows": "cpt", "base": "twin", "max_rows": 2},
            "03-sft": {"stage": "sft", "rows": "sft", "tasks": ["ask"], **tuned},
            "04-dpo": {"stage": "dpo", **tuned},
        }
    )
    train = tmp_path / "runs" / "01-data" / "train"
    train.mkdir(parents=True)
    line = json.dumps({"task": "ask", "text": "x" * 100}) + "\n"
    (train / "cpt.jsonl").write_text(line * 5)
    (train / "sft.jsonl").write_text(line * 3 + line.replace("ask", "report"))

    def tokens() -> list[float | None]:
        needs = size_steps(load_steps(folder, STAGES), "float32", tmp_path / "runs")
        return [need.schedule.tokens for need in needs]

    assert tokens() == [None] * 3
    (train.parent / "manifest.json").write_text("{}")
    assert tokens() == [2 * len(line) / BYTES_PER_TOKEN, 3 * len(line) / BYTES_PER_TOKEN, 0.0]


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
    ],
)
def test_a_card_has_the_share_of_its_own_data_sheet(name: str, card: str) -> None:
    speed = find_speed(Device(name, 24 * GIB, True))
    assert speed and speed.products == pytest.approx(0.2 * CARDS[card][0] * 1e12)
    assert f"{card}'s data sheet, as seen on an H200" in speed.basis


def test_an_unknown_card_has_no_speed_and_a_cpu_is_measured() -> None:
    for name in ("NVIDIA T4000", "NVIDIA RTX A1000"):
        assert find_speed(Device(name, 16 * GIB, True)) is None
    speed = find_speed(Device("CPU, 2 cores", GIB, False))
    assert speed and speed.products > 1e8 and speed.memory > 1e7 and "measured now" in speed.basis


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.123, "0.12 s"), (2.34, "2.3 s"), (45.6, "46 s"), (100, "1.7 min"), (7200, "2.0 h"), (50000, "14 h")],
)
def test_durations_are_said_as_people_would(seconds: float, said: str) -> None:
    assert say_seconds(seconds) == said
