"""Memory arithmetic against published sizes and against a real model of the same classes."""

import json
from collections.abc import Callable
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from prescreen.cli import STAGES
from prescreen.devices import Device, describe_device
from prescreen.doctor import LEAST_MEMORY, check_need, refuse_oversized
from prescreen.errors import RecipeError
from prescreen.model.loss import sum_cross_entropy, token_logprobs
from prescreen.model.shape import TwinShape, new_model
from prescreen.needs import ROOM, Need, advise, cheaper, describe_twin, size_steps
from prescreen.pipeline import load_steps
from prescreen.sizing import (
    GIB,
    GPT_OSS_20B,
    LOGIT_COPIES,
    Plan,
    Precision,
    Trained,
    count_lora,
    count_parameters,
    estimate,
    kept_per_token,
)
from prescreen.train.objectives import cross_entropy
from prescreen.train.packing import build_row
from prescreen.train.settings import Lora
from prescreen.train.sharing import Document
from prescreen.train.start import add_adapter
from prescreen.train.trainer import use_packed_attention


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
    packed, dense = (
        estimate(GPT_OSS_20B, Plan(2048, "bfloat16", "experts", 8, packed, "full")).peak / GIB
        for packed in (True, False)
    )
    assert packed < 24 < 40 < dense < 48
    assert estimate(GPT_OSS_20B, Plan(2048, "bfloat16", "all")).peak / GIB > 150


ON_A_CARD = {
    "sft": Plan(8192, "bfloat16", "experts", 8, recompute="selective"),
    "sft, skewed": Plan(8192, "bfloat16", "experts", 8, recompute="selective"),
    "sft, attention only": Plan(8192, "bfloat16", "attention", 8, recompute="selective"),
    "sft, 16k row": Plan(16384, "bfloat16", "experts", 8, recompute="full"),
    "sft, 64k document": Plan(65536, "bfloat16", "experts", 8, recompute="full"),
    "sft, 2k row, MXFP4": Plan(2048, "bfloat16", "experts", 8, packed=True, recompute="full"),
    "sft, 16k row, MXFP4": Plan(16384, "bfloat16", "experts", 8, packed=True, recompute="full"),
    "dpo": Plan(8192, "bfloat16", "experts", 8, recompute="selective", preference=True),
}
MEASURED = Path(__file__).parent.parent / "benchmarks" / "results" / "card-20b-2026-11-27.json"


@pytest.mark.parametrize("job", ON_A_CARD)
def test_a_peak_measured_on_a_card_is_predicted(job: str) -> None:
    """Never too low, lest a run die; at most a fifteenth too high. The allocator's peak: no CUDA context."""
    peak = json.loads(MEASURED.read_text())["jobs"][job]["peak"]
    found = estimate(GPT_OSS_20B, ON_A_CARD[job])
    assert peak <= found.peak - found.runtime <= peak * 16 / 15


SMALL = {
    "hidden": 64, "intermediate": 32, "experts": 4, "heads": 4, "kv_heads": 2, "head_dim": 8, "window": 16,
}  # fmt: skip
TOKENS = 256


def kept_by_autograd(shape: TwinShape, trained: Trained) -> int:
    """Bytes of everything autograd keeps for the backward, weights apart."""
    torch.manual_seed(0)
    model: Any = new_model(shape, 1600, 0, 1).train()
    if trained != "all":
        model = add_adapter(model, Lora(rank=4, experts=trained == "experts"))
    use_packed_attention(model)
    weights = {p.untyped_storage().data_ptr() for p in [*model.parameters(), *model.buffers()]}
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # the tensor too, lest its address be used again
        return tensor

    ids = torch.randint(2, 1600, (TOKENS,)).tolist()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        cross_entropy(model, build_row([[Document(ids, ids)]]))
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("trained", ["all", "attention", "experts"])
@pytest.mark.parametrize("chosen", [2, 3])
def test_what_a_layer_keeps_is_what_autograd_keeps(trained: Trained, chosen: int) -> None:
    """Per token and layer, from models of two and four layers; a few bytes of indices are not counted."""
    shapes = [TwinShape.model_validate({**SMALL, "layers": n, "experts_per_token": chosen}) for n in (2, 4)]
    few, many = (kept_by_autograd(shape, trained) for shape in shapes)
    rank = 0 if trained == "all" else 4
    kept, again = kept_per_token(describe_twin(shapes[0]), Plan(TOKENS, "float32", trained, rank))
    assert kept == pytest.approx((many - few) / 2 / TOKENS, rel=0.03) and again == 0


def test_each_setting_advised_needs_less_and_the_first_that_fits_is_named() -> None:
    need = Need("03-sft", Plan(8192, "bfloat16", "all"), GPT_OSS_20B, "gpt-oss-20b")
    peaks = [need.peak, *(estimate(GPT_OSS_20B, plan).peak for _, plan in cheaper(need.plan, need.longest))]
    assert all(later < earlier for earlier, later in pairwise(peaks))
    assert advise(need, 24 * GIB).startswith("method=lora base_experts=mxfp4 optimisation.recompute=full ")
    assert advise(need, 10 * GIB) == "no setting makes it fit"


@pytest.mark.parametrize("preference", [False, True])
def test_advice_keeps_the_longest_document_in_a_row_until_the_last_resort(preference: bool) -> None:
    """A row shorter than a document, or than a pair, is refused by packing."""
    plan = Plan(16384, "bfloat16", "experts", 16, preference=preference)
    length = 2048
    for settings, cheap in cheaper(plan, 4096 if preference else 2048):
        length = int(str(settings.get("max_length", length)))
        assert cheap.tokens >= length * (2 if preference else 1)
    assert cheap.tokens == 512


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


def test_what_does_not_fit_is_a_fault_and_what_hardly_fits_a_note() -> None:
    need = Need("03-sft", Plan(4096, "bfloat16", "all"), GPT_OSS_20B, "gpt-oss-20b")
    for memory, state, word in (
        (400, "ok", ""),
        (need.peak // GIB + 3, "note", "; tight: method=lora"),
        (80, "fault", "; it does not fit: method=lora would need"),
    ):
        sign = check_need(need, Device("NVIDIA H100", memory * GIB, True), None)
        assert sign.state == state and word in sign.detail
    assert "weights" not in sign.detail
    assert "weights 39.0" in check_need(need, Device("NVIDIA H100", 80 * GIB, True), None, parts=True).detail
    assert sign.figures and sum(sign.figures["parts"].values()) == sign.figures["peak"] == need.peak


def test_only_what_is_still_to_be_trained_is_refused(
    write_recipes: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    vast = {"stage": "cpt", "inputs": {"data": "01-data"}, "rows": "cpt", "base": "/models/gone"}
    folder = write_recipes({"02-cpt": {**vast, "optimisation": {"tokens_per_row": 10**9}}})
    steps = load_steps(folder, STAGES)
    with pytest.raises(RecipeError, match=r"02-cpt needs about .* --force tries all the same"):
        refuse_oversized(steps, tmp_path / "runs")
    done = tmp_path / "runs" / "02-cpt"
    done.mkdir(parents=True)
    (done / "manifest.json").write_text("{}")
    (done / "recipe.yaml").write_text(yaml.safe_dump(steps[0].recipe.model_dump(mode="json")))
    refuse_oversized(steps, tmp_path / "runs")
    changed = load_steps(folder, STAGES, {"seed": "1"})
    with pytest.raises(RecipeError):
        refuse_oversized(changed, tmp_path / "runs")
    monkeypatch.setenv("WORLD_SIZE", "2")
    refuse_oversized(changed, tmp_path / "runs")


@pytest.mark.parametrize("name", ["tiny", "public", "seed", "twin"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_small_recipes_fit_anywhere(name: str, precision: Precision) -> None:
    needs = size_steps(load_steps(Path(__file__).parents[1] / "recipes" / name, STAGES), precision)
    assert needs and all(need.peak < ROOM * LEAST_MEMORY for need in needs)


@pytest.mark.parametrize("preference", [False, True])
def test_logits_at_their_peak_are_the_copies_counted(preference: bool) -> None:
    """What torch holds at once while four chunks are scored, with gradients."""
    chunk, vocabulary = 64, 8192
    hidden = torch.randn(4 * chunk, 8, requires_grad=True)
    weight, targets = torch.randn(vocabulary, 8), torch.zeros(4 * chunk, dtype=torch.long)
    score = token_logprobs if preference else sum_cross_entropy
    with torch.profiler.profile(profile_memory=True) as profile:
        score(hidden, weight, targets, chunk).sum().backward()
    changes = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    sizes = accumulate(event.nbytes() for event in sorted(changes, key=lambda event: event.start_ns()))
    assert max(sizes) / (chunk * vocabulary * 4) == pytest.approx(LOGIT_COPIES, abs=0.3)


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
