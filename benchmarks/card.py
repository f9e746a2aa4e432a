"""Training at gpt-oss-20b's true shape on a CUDA card, beside TRL: random weights made on the card, nothing read.

    python benchmarks/card.py                          # every row, a table, a file under benchmarks/results/
    python benchmarks/card.py --only sft dpo           # some rows
    python benchmarks/card.py --shape small            # the same code on a model of a few layers, on a CPU too

Before anything is timed, a model of two layers at true width must give the gradients of an fp32 pass over one
document at a time as well as plain bf16 does. Each job is a process of its own: its peak is the allocator's. Every
trainer first runs a few steps that are not timed, so that compilers and caches are warm. Useful tokens are those of
the documents: padding does not count. Random weights route tokens nearly evenly, which is kind to all; `skewed` has
router biases drawn from N(0, 1). They say nothing about quality. Without a card the small shape runs, slowly, and
of the true one only the arithmetic is written down.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from contenders import build_trl, train_ours
from record import write_record

from prescreen.devices import Device, find_speed
from prescreen.sizing import GIB, GPT_OSS_20B, Plan, estimate
from prescreen.work import count_step

SMALL = dict(zip(GPT_OSS_20B, (64, 64, 2, 8, 2, 16, 8, 2, 8192, 128), strict=True))
JOBS: dict[str, dict[str, Any]] = {
    "sft": {"task": "sft", "row": 8192, "recompute": "selective"},
    "sft, skewed": {"task": "sft", "row": 8192, "recompute": "selective", "skewed": True},
    "sft, attention only": {"task": "sft", "row": 8192, "recompute": "selective", "train": "attention"},
    "sft, 16k row": {"task": "sft", "row": 16384, "recompute": "full"},
    "sft, 16k row, MXFP4": {"task": "sft", "row": 16384, "recompute": "full", "packed": True},
    "sft, 2k row, MXFP4": {
        "task": "sft",
        "row": 2048,
        "recompute": "full",
        "packed": True,
        "count": 64,
        "most": 2048,
    },
    "sft, 64k document": {"task": "sft", "row": 65536, "recompute": "full", "long": 65536, "count": 4},
    "sft, TRL": {"task": "sft", "contender": "trl", "batch": 4, "experts": "grouped_mm", "count": 64},
    "dpo": {"task": "dpo", "row": 8192, "recompute": "selective", "count": 64},
    "dpo, TRL": {"task": "dpo", "contender": "trl", "batch": 4, "experts": "grouped_mm", "count": 16},
}
WARM = 8  # documents or pairs of the steps that are not timed


def describe(shape: str, layers: int = 0) -> dict[str, int]:
    """Sizes in the words of config.json."""
    sizes = dict(GPT_OSS_20B if shape == "20b" else SMALL)
    return {**sizes, "num_hidden_layers": layers or sizes["num_hidden_layers"]}


def make_model(sizes: dict[str, int], device: str, dtype: Any, packed: bool, skewed: bool) -> Any:
    """A model of random weights on the device, its experts dense or in MXFP4."""
    import torch
    from transformers import GptOssConfig, GptOssForCausalLM

    from prescreen.model.experts import WEIGHTS
    from prescreen.model.resident import fill_resident
    from prescreen.model.weights import settle

    torch.manual_seed(0)
    config = GptOssConfig(
        **sizes, max_position_embeddings=131072, pad_token_id=0, eos_token_id=1,
        layer_types=["sliding_attention", "full_attention"] * (sizes["num_hidden_layers"] // 2),
        router_aux_loss_coef=0.0, output_router_logits=False,
    )  # fmt: skip
    config._experts_implementation = "eager"
    if not packed:
        with torch.device(device):
            model = settle(GptOssForCausalLM._from_config(config, dtype=dtype, attn_implementation="eager"))
    else:
        with torch.device("meta"):
            wanted = dict(GptOssForCausalLM._from_config(config).named_parameters())

        def tensors() -> Any:
            for name, parameter in wanted.items():
                if not name.endswith(WEIGHTS):
                    tensor = 0.02 * torch.randn(parameter.shape, device=device, dtype=dtype)
                    yield name, tensor + 1 if "norm" in name else tensor
                    continue
                experts, inside, outside = parameter.shape
                shape = (experts, outside, inside // 32)
                yield f"{name}_blocks", torch.randint(256, (*shape, 16), dtype=torch.uint8, device=device)
                yield f"{name}_scales", torch.randint(118, 121, shape, dtype=torch.uint8, device=device)

        model = fill_resident(config, tensors(), dtype, "random weights")
    if skewed:
        for layer in model.model.layers:
            torch.nn.init.normal_(layer.mlp.router.bias)
    return model


def draw(count: int, vocabulary: int, task: str, long: int = 0, most: int = 4096) -> list[Any]:
    """Log-normal lengths, median 450, at most `most`, the last third trained; pairs share their prompt."""
    from prescreen.model.loss import IGNORE
    from prescreen.train.sharing import Document

    rng = random.Random(0)

    def ids(length: int) -> list[int]:
        return [rng.randrange(2, vocabulary) for _ in range(length)]

    units = []
    for _ in range(count):
        length = long or max(24, min(most, int(rng.lognormvariate(6.1, 0.7))))
        prompt = ids(length - length // 3)
        answers = [ids(length // 3) for _ in range(2 if task == "dpo" else 1)]
        units.append([Document(prompt + a, [IGNORE] * len(prompt) + a) for a in answers])
    return units


def begin(job: dict[str, Any], layers: int = 0) -> Any:
    """The job's model with its adapter, as `contenders` take it."""
    import torch

    from prescreen.train.settings import Lora
    from prescreen.train.start import add_adapter

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    sizes = describe(job["shape"], layers)
    model = make_model(sizes, device, job.get("dtype", dtype), job.get("packed", False), job.get("skewed", False))
    model = add_adapter(model, Lora(experts=job.get("train", "experts") == "experts"))
    return SimpleNamespace(model=model, tokenizer=None, sizes=sizes)


def run_job(job: dict[str, Any]) -> None:
    """Warm up, train over the documents once, and print seconds, tokens and peak as the last line."""
    import torch

    begun = begin(job)
    units = draw(
        job.get("count", 192), begun.sizes["vocab_size"], job["task"], job.get("long", 0), job.get("most", 4096)
    )
    setting = {"row": job.get("row"), "recompute": job.get("recompute", "none")}
    on_card = torch.cuda.is_available()

    def train(part: list[Any], folder: str) -> None:
        if job.get("contender") == "trl":
            build_trl(job["task"], begun, part, Path(folder), job).train()
        else:
            train_ours(job["task"], begun, part, Path(folder), setting)
        if on_card:
            torch.cuda.synchronize()

    with tempfile.TemporaryDirectory() as folder:
        train(units[: job.get("warm", WARM)], folder)
        if on_card:
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        train(units, folder)
        seconds = time.perf_counter() - start
    tokens = sum(len(document.ids) for unit in units for document in unit)
    peak = torch.cuda.max_memory_allocated() if on_card else 0
    print(json.dumps({"seconds": seconds, "tokens": tokens, "units": len(units), "peak": peak}))


def start_job(job: dict[str, Any]) -> dict[str, Any]:
    """The same in a fresh process; a failure is a result too, with its last line."""
    done = subprocess.run([sys.executable, __file__, "--job", json.dumps(job)], capture_output=True, text=True)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:300] if done.stderr.strip() else "no word"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def check_gradients(shape: str) -> dict[str, float]:
    """How far our packed gradients, and plain ones in the same dtype, are from fp32 over one document at a time."""
    import torch

    from prescreen.train.objectives import cross_entropy
    from prescreen.train.packing import PackedRows
    from prescreen.train.trainer import use_packed_attention

    units = draw(4, describe(shape)["vocab_size"], "sft")

    def gradients(dtype: Any, packed_rows: bool) -> Any:
        begun = begin({"shape": shape, **({"dtype": dtype} if dtype else {})}, layers=2)
        model = begun.model
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter += (0.02 * torch.randn(parameter.shape, generator=generator)).to(parameter)
        if packed_rows:
            use_packed_attention(model)
            rows = PackedRows(units, 65536, 1, 0)
            batches = [{k: v.to(parameter.device) for k, v in rows[i].items()} for i in range(len(rows))]
            cross_entropy(model, batches[0]).backward()
        else:
            for (document,) in units:
                ids, labels = (torch.tensor([x], device=parameter.device) for x in (document.ids, document.labels))
                logits = model(input_ids=ids).logits[0, :-1].float()
                torch.nn.functional.cross_entropy(logits, labels[0, 1:], reduction="sum").backward()
        return torch.cat([p.grad.float().flatten().cpu() for p in model.parameters() if p.requires_grad])

    exact = gradients(torch.float32, False)
    far = {
        name: float((gradients(None, packed) - exact).norm() / exact.norm())
        for name, packed in (("ours", True), ("plain", False))
    }
    assert far["ours"] <= 1.5 * far["plain"] + 1e-4, f"our gradients are off: {far}; nothing is timed"
    return far


def predict(job: dict[str, Any]) -> dict[str, Any]:
    """What `doctor` would say of our own jobs: peak without the CUDA context, as the allocator counts, and speed.

    Speed is arithmetic over the share of an H100's published peak that `doctor` assumes, decoding left out.
    """
    plan = Plan(
        job["row"], "bfloat16", job.get("train", "experts"), 8, job.get("packed", False),
        job.get("recompute", "none"), job["task"] == "dpo",
    )  # fmt: skip
    sizes = describe(job["shape"])
    memory = estimate(sizes, plan)
    flop = count_step(sizes, plan, job.get("long", 600), labelled=0.33)
    speed = find_speed(Device("NVIDIA H100 80GB HBM3", 0, True))
    assert speed is not None
    return {
        "predicted": memory.peak - memory.runtime,
        "gflop_per_token": round(flop / 1e9, 2),
        "predicted_tokens_per_s": round(speed.products / flop),
        "basis": speed.basis,
    }


def print_table(found: dict[str, dict[str, Any]]) -> None:
    """Useful tokens and pairs a second, peak beside its prediction."""
    print("| job | tokens/s | units/s | peak GiB | predicted GiB |\n| --- | --- | --- | --- | --- |")
    for name, one in found.items():
        predicted = f"{one['predicted'] / GIB:.1f}" if "predicted" in one else ""
        if "seconds" not in one:
            print(f"| {name} | {one.get('failed', 'not measured')} | | | {predicted} |")
            continue
        speed = f"{one['tokens'] / one['seconds']:.0f} | {one['units'] / one['seconds']:.2f}"
        print(f"| {name} | {speed} | {one['peak'] / GIB:.1f} | {predicted} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--shape", default="20b", choices=["20b", "small"])
    parser.add_argument("--only", nargs="*", help="rows whose name begins so", default=[""])
    chosen = parser.parse_args()
    if chosen.job:
        run_job(json.loads(chosen.job))
        return
    import torch

    on_card = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if on_card else "cpu"
    measures = on_card or chosen.shape == "small"
    far = check_gradients(chosen.shape) if measures else "not measured: no card"
    print(f"{device}: gradients against fp32, relative: {far}", flush=True)
    found = {}
    for name, job in JOBS.items():
        if name.startswith(tuple(chosen.only)):
            job = {**job, "shape": chosen.shape}
            possible = measures and (on_card or "long" not in job)
            found[name] = start_job(job) if possible else {"not measured": "no card" if not on_card else "too long"}
            found[name] |= {} if "contender" in job else predict(job)
            print(name, found[name], flush=True)
    packages = ("torch", "transformers", "trl", "peft")
    path = write_record(f"card-{chosen.shape}", packages, card=device, gradients=far, jobs=found)
    print_table(found)
    print(f"written: {path}")


if __name__ == "__main__":
    main()
