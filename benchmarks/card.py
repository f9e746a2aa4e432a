"""Training at gpt-oss-20b's true shape on a CUDA card, beside TRL: random weights made on the card, nothing read.

    python benchmarks/card.py                          # every row, a table, a file under benchmarks/results/
    python benchmarks/card.py --only sft dpo           # some rows
    python benchmarks/card.py --shape small            # the same code on a model of a few layers, on a CPU too
    python benchmarks/card.py --only sft --profile P   # and, in P-sft.txt, what one pass spends its time on

Before anything is timed, a model of two layers at true width must give the gradients of an fp32 pass over one
document at a time as well as plain bf16 does. One process runs all jobs on bf16 weights, another those on MXFP4
ones; each job has a fresh adapter, and its peak is the allocator's. Every trainer first runs a few steps that are
not timed, and again whatever a compiler took part in. Useful tokens are those of the documents, without padding.
TRL's batch is halved until it fits the card, and its DPO asks its reference in each step: precomputing begins by
hashing all weights on the CPU, minutes at this size. A larger card lends only 78 GiB (`--within`). Random weights
route tokens nearly evenly, which is kind to all; `skewed` has router biases drawn from N(0, 1). They say nothing
about quality. Without a card the small shape runs, slowly, and of the true one only the arithmetic is written down.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from contenders import build_trl, train_ours
from record import write_record

from prescreen.devices import Device, find_speed
from prescreen.sizing import GIB, GPT_OSS_20B, Plan, estimate
from prescreen.work import count_step

SMALL = dict(zip(GPT_OSS_20B, (64, 64, 2, 8, 2, 16, 8, 2, 8192, 128), strict=True))
TRL = {"contender": "trl", "experts": "grouped_mm", "recompute": "full", "batch": 4, "warm": 8}
WIDE = {"row": 16384, "recompute": "full", "warm": 64}
JOBS: dict[str, dict[str, Any]] = {
    "sft": {"task": "sft", "row": 8192, "recompute": "selective"},
    "sft, TRL": {"task": "sft", "count": 48, **TRL},
    "sft, 16k row": {"task": "sft", **WIDE},
    "dpo": {"task": "dpo", "row": 8192, "recompute": "selective", "count": 64},
    "dpo, TRL": {"task": "dpo", "count": 12, **TRL, "warm": 4, "precompute": False},
    "sft, 64k document": {"task": "sft", "row": 65536, "recompute": "full", "long": 65536, "count": 1, "warm": 1},
    "sft, skewed": {"task": "sft", "row": 8192, "recompute": "selective", "skewed": True},
    "sft, attention only": {"task": "sft", "row": 8192, "recompute": "selective", "train": "attention"},
    "sft, TRL, flex": {"task": "sft", "count": 24, **TRL, "attention": "flex_attention"},
    "sft, 16k row, MXFP4": {"task": "sft", **WIDE, "packed": True},
    "sft, 2k row, MXFP4": {
        "task": "sft",
        "row": 2048,
        "recompute": "full",
        "packed": True,
        "count": 64,
        "most": 2000,
    },
}
MARK = "found: "
PATIENCE = 90  # seconds of a job after which it says, and says again, where it stands
WARM = 24  # documents or pairs of the steps that are not timed


def describe(shape: str, layers: int = 0) -> dict[str, int]:
    """Sizes in the words of config.json."""
    sizes = dict(GPT_OSS_20B if shape == "20b" else SMALL)
    return {**sizes, "num_hidden_layers": layers or sizes["num_hidden_layers"]}


def make_model(sizes: dict[str, int], device: str, dtype: Any, packed: bool) -> Any:
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
    return model


def skew(model: Any, scale: float) -> None:
    """Router biases drawn from N(0, scale); 0: even routing again."""
    import torch

    for name, parameter in model.named_parameters():
        if name.endswith("router.bias"):
            torch.nn.init.normal_(parameter, std=scale)


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


def place() -> tuple[str, Any]:
    """Where the models live, and in which dtype."""
    import torch

    return ("cuda", torch.bfloat16) if torch.cuda.is_available() else ("cpu", torch.float32)


def adapt(model: Any, train: str) -> Any:
    """The model with a fresh adapter, as `contenders` take it."""
    from prescreen.train.settings import Lora
    from prescreen.train.start import add_adapter

    return add_adapter(model, Lora(experts=train == "experts"))


def run_job(model: Any, job: dict[str, Any], profile: str) -> dict[str, Any]:
    """Warm up, then train over the documents once: seconds, tokens, and bytes at the peak."""
    import torch

    begun = SimpleNamespace(model=adapt(model, job.get("train", "experts")), tokenizer=None)
    begun.model.base_model.model.gradient_checkpointing_disable()
    skew(begun.model, 1.0 if job.get("skewed") else 0.0)
    sizes = (model.config.vocab_size, job["task"], job.get("long", 0), job.get("most", 4096))
    units = draw(job.get("count", 192), *sizes)
    setting = {"row": job.get("row"), "recompute": job.get("recompute", "none")}
    on_card = torch.cuda.is_available()

    def train(part: list[Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            if job.get("contender") == "trl":
                build_trl(job["task"], begun, part, Path(folder), job).train()
            else:
                train_ours(job["task"], begun, part, Path(folder), setting)
        if on_card:
            torch.cuda.synchronize()

    try:
        train(units[: job.get("warm", WARM)])
        compiled = 1
        while compiled:
            if on_card:
                torch.cuda.reset_peak_memory_stats()
            start, compiled = time.perf_counter(), count_compiled()
            train(units)
            seconds, compiled = time.perf_counter() - start, count_compiled() - compiled
        peak = torch.cuda.max_memory_allocated() if on_card else 0
        if profile:
            from torch.profiler import profile as watch

            with watch() as watched:
                train(units[:32])
            tables = (watched.key_averages().table(f"self_{of}_time_total", row_limit=60) for of in ("cuda", "cpu"))
            Path(profile).write_text("\n".join(tables))
    finally:
        begun.model.unload()
    tokens = sum(len(document.ids) for unit in units for document in unit)
    return {"seconds": seconds, "tokens": tokens, "units": len(units), "peak": peak}


def count_compiled() -> int:
    """Graphs compiled so far; more of them while time runs would spoil it."""
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"]


def keep_within(gib: float) -> None:
    """Let this process have no more of the card's memory than that: what runs fits a smaller card."""
    import torch

    if torch.cuda.is_available():
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, gib * GIB / whole))


def run_jobs(shape: str, jobs: dict[str, dict[str, Any]], profile: str, within: float) -> None:
    """Jobs on one set of weights; each result is a line of its own. A failure is a result too."""
    import faulthandler
    import gc

    import torch

    keep_within(within)
    device, dtype = place()
    packed = any(job.get("packed") for job in jobs.values())
    model = make_model(describe(shape), device, dtype, packed)
    for name, job in jobs.items():
        job, found = dict(job), None
        faulthandler.dump_traceback_later(PATIENCE, repeat=True)
        while found is None:
            try:
                found = run_job(
                    model,
                    job,
                    Path(f"{profile}-{name.replace(', ', '-').replace(' ', '-')}.txt") if profile else None,
                )
            except Exception as error:
                if isinstance(error, torch.OutOfMemoryError) and job.get("batch", 1) > 1:
                    job["batch"] //= 2
                else:
                    found = {"failed": f"{type(error).__name__}: {str(error)[:300]}"}
                    traceback.print_exc()
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        faulthandler.cancel_dump_traceback_later()
        batch = {"batch": job["batch"]} if "batch" in job else {}
        print(MARK + json.dumps([name, {**found, **batch}]), flush=True)


def start_jobs(chosen: argparse.Namespace, jobs: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same in a fresh process, result by result."""
    command = [sys.executable, __file__, "--jobs", json.dumps(jobs)]
    for name in ("shape", "profile", "within"):
        command += [f"--{name}", str(getattr(chosen, name))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            if line.startswith(MARK):
                yield json.loads(line.removeprefix(MARK))


def check_gradients(shape: str) -> dict[str, float]:
    """How far our packed gradients, and plain ones in the same dtype, are from fp32 over one document at a time."""
    import torch

    from prescreen.train.objectives import cross_entropy
    from prescreen.train.packing import PackedRows
    from prescreen.train.trainer import use_packed_attention

    units = draw(4, describe(shape)["vocab_size"], "sft")
    device, dtype = place()

    def gradients(exact: bool, packed_rows: bool) -> Any:
        model = make_model(describe(shape, layers=2), device, dtype, packed=False)
        model = adapt(model.float() if exact else model, "experts")
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_" in name:
                    parameter.copy_(0.02 * torch.randn(parameter.shape, generator=generator))
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

    exact = gradients(True, False)
    far = {
        name: float((gradients(False, packed) - exact).norm() / exact.norm())
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
    parser.add_argument("--jobs", help=argparse.SUPPRESS)
    parser.add_argument("--shape", default="20b", choices=["20b", "small"])
    parser.add_argument("--only", nargs="*", help="rows of these names, or all that begin so with a star")
    parser.add_argument("--profile", default="", help="write the time of each kernel to files that begin so")
    parser.add_argument("--within", type=float, default=78.0, help="GiB of the card's memory that may be used")
    chosen = parser.parse_args()
    if chosen.jobs:
        run_jobs(chosen.shape, json.loads(chosen.jobs), chosen.profile, chosen.within)
        return
    import torch

    on_card = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if on_card else "cpu"
    measures = on_card or chosen.shape == "small"
    wanted = {
        name: job
        for name, job in JOBS.items()
        if chosen.only is None or any(fnmatch(name, pattern) for pattern in chosen.only)
    }
    far: Any = "not measured: no card"
    if measures:  # in a process of its own, which gives the card's memory back
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            far = pool.submit(check_gradients, chosen.shape).result()
    print(f"{device}: gradients against fp32, relative: {far}", flush=True)
    predicted = {
        name: predict({**job, "shape": chosen.shape}) for name, job in wanted.items() if "contender" not in job
    }
    why = "too long, or the process died" if measures else "no card"
    found = {name: {"not measured": why, **predicted.get(name, {})} for name in wanted}

    def write() -> Path:
        packages = ("torch", "transformers", "trl", "peft")
        facts = {"card": device, "within_gib": chosen.within, "gradients": far}
        return write_record(f"card-{chosen.shape}", packages, **facts, jobs=found)

    for packed in (True, False):
        possible = {
            name: job
            for name, job in wanted.items()
            if bool(job.get("packed")) == packed and measures and (on_card or "long" not in job)
        }
        for name, one in start_jobs(chosen, possible) if possible else ():
            found[name] = {**one, **predicted.get(name, {})}
            print(name, one, flush=True)
            write()
    print_table(found)
    print(f"written: {write()}")


if __name__ == "__main__":
    main()
