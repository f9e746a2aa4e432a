"""Memory arithmetic against published sizes and against a real model of the same classes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prescreen.cli import STAGES
from prescreen.doctor import Device, check_needs, describe_device, find_devices
from prescreen.model.shape import TwinShape, new_model
from prescreen.pipeline import load_steps
from prescreen.sizing import (
    GIB,
    GPT_OSS_20B,
    Need,
    count_lora,
    count_parameters,
    describe_twin,
    estimate_bytes,
    size_steps,
)


def test_gpt_oss_20b_has_its_published_sizes() -> None:
    sizes = count_parameters(GPT_OSS_20B)
    assert round(sizes.total / 1e9, 3) == 20.915
    assert round(sizes.experts / 1e9, 3) == 19.117
    assert round(sizes.total * 2 / GIB, 1) == 39.0
    assert round((sizes.experts * 17 / 32 + (sizes.total - sizes.experts) * 2) / GIB, 1) == 12.8


def test_rank_8_adapters_have_their_known_sizes() -> None:
    attention, everything = (count_lora(GPT_OSS_20B, 8, experts=experts) for experts in (False, True))
    assert round(attention / 1e6, 1) == 4.0
    assert round((everything - attention) / 1e6, 1) == 88.5


def test_count_equals_a_real_model() -> None:
    shape = TwinShape(layers=2, hidden=64, intermediate=32, experts=4, heads=4, kv_heads=2, head_dim=16)
    model = new_model(shape, 8192, 0, 1)
    assert count_parameters(describe_twin(shape)).total == sum(p.numel() for p in model.parameters())


def test_mxfp4_fits_where_bf16_does_not() -> None:
    trained = count_lora(GPT_OSS_20B, 8, experts=True)
    packed, dense = (
        estimate_bytes(GPT_OSS_20B, trained=trained, tokens=2048, storage=storage) / GIB
        for storage in ("mxfp4", "bfloat16")
    )
    assert packed < 24 < 40 < dense < 48
    assert estimate_bytes(GPT_OSS_20B, trained=None, tokens=2048, storage="bfloat16") / GIB > 300


def test_steps_inherit_their_parents_base(write_recipes: Callable[..., Path], tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text(json.dumps({**GPT_OSS_20B, "num_hidden_layers": 2}))
    inputs = {"data": "01-data", "parent": "02-cpt"}
    folder = write_recipes(
        {
            "01-data": {"stage": "data"},
            "02-cpt": {"stage": "cpt", "inputs": {"data": "01-data"}, "rows": "cpt", "base": str(base)},
            "03-sft": {"stage": "sft", "inputs": inputs, "rows": "sft"},
            "04-dpo": {"stage": "dpo", "inputs": {**inputs, "parent": "03-sft"}},
            "05-sft": {"stage": "sft", "inputs": {"data": "01-data"}, "rows": "sft", "base": "/models/gone"},
        }
    )
    needs = size_steps(load_steps(folder, STAGES), "bfloat16")
    assert [need.step for need in needs] == ["02-cpt", "03-sft", "04-dpo", "05-sft"]
    assert [need.base for need in needs[:3]] == [str(base)] * 3
    assert needs[3].base == "/models/gone is not here, taken as gpt-oss-20b"
    assert needs[3].peak > needs[2].peak


def test_what_does_not_fit_is_a_fault() -> None:
    memory = find_devices()[-1].memory
    signs = list(check_needs([Need("03-sft", memory // 2, "twin"), Need("04-dpo", memory * 2, "twin")]))
    assert [sign.state for sign in signs] == ["ok", "fault"]
    assert "does not fit" in signs[1].detail


@pytest.mark.parametrize(
    ("device", "word"),
    [
        (Device("CPU, 2 cores", GIB, False), "without bf16 units, fp32 will be used"),
        (Device("CPU, 2 cores", GIB, True), "with bf16 units, fp32 will be used"),
        (Device("NVIDIA H100", 80 * GIB, True), "bf16 will be used"),
    ],
)
def test_devices_say_which_precision_is_used(device: Device, word: str) -> None:
    assert word in describe_device(device)
