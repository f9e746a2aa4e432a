"""What `doctor` predicts beside what training takes: peak memory of the process, one process per case.

    python benchmarks/memory.py            # a table, and a file under benchmarks/results/

Random weights of several shapes, random documents, two optimiser steps through the pipeline's own loop, fp32 on a
CPU. The peak is the kernel's high-water mark of resident memory (Linux); on a GPU it would be the allocator's.
Freed memory goes back at once here; left alone, the C library keeps up to two thirds more and is faster.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from record import write_record

from prescreen.model.shape import TwinShape
from prescreen.needs import describe_twin
from prescreen.sizing import GIB, Plan, estimate

SIZES = {"experts_per_token": 4, "heads": 8, "kv_heads": 2, "head_dim": 32}
WIDE = TwinShape(layers=6, hidden=256, intermediate=256, experts=8, **SIZES)
MANY = TwinShape(layers=4, hidden=512, intermediate=512, experts=32, **SIZES)
VOCABULARY = 8192
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}  # freed memory goes back at once
CASES: dict[str, tuple[TwinShape, Plan]] = {
    "all weights": (WIDE, Plan(4096, "float32", "all")),
    "all weights, selective": (WIDE, Plan(4096, "float32", "all", recompute="selective")),
    "all weights, full": (WIDE, Plan(4096, "float32", "all", recompute="full")),
    "attention adapter": (WIDE, Plan(4096, "float32", "attention", 8)),
    "attention adapter, full": (WIDE, Plan(8192, "float32", "attention", 8, recompute="full")),
    "expert adapter": (WIDE, Plan(4096, "float32", "experts", 8)),
    "expert adapter, selective": (WIDE, Plan(4096, "float32", "experts", 8, recompute="selective")),
    "expert adapter, full": (WIDE, Plan(8192, "float32", "experts", 8, recompute="full")),
    "many experts": (MANY, Plan(1024, "float32", "experts", 8)),
    "many experts, mxfp4": (MANY, Plan(1024, "float32", "experts", 8, packed=True)),
    "many experts, mxfp4, full": (MANY, Plan(2048, "float32", "experts", 8, packed=True, recompute="full")),
}


def high_water() -> int:
    """Peak resident bytes of this process since the mark was last set."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def build(shape: TwinShape, plan: Plan) -> Any:
    """The model of a case, ready to train."""
    from prescreen.model import mxfp4, resident
    from prescreen.model.shape import new_model
    from prescreen.train.settings import Lora
    from prescreen.train.start import add_adapter
    from prescreen.train.trainer import use_packed_attention

    model = new_model(shape, VOCABULARY, 0, 1)
    if plan.packed:
        for layer in model.model.layers:
            for name in resident.WEIGHTS:
                packed = mxfp4.encode(getattr(layer.mlp.experts, name))
                resident.keep_packed(layer.mlp.experts, name, packed, model.dtype)
    if plan.trained != "all":
        model = add_adapter(model, Lora(rank=plan.rank, experts=plan.trained == "experts"))
    use_packed_attention(model)
    return model


def measure(name: str) -> None:
    """Train two steps and print the peak as the last line."""
    import torch

    from prescreen.train.objectives import count_tokens, cross_entropy
    from prescreen.train.settings import Optimisation
    from prescreen.train.sharing import Document
    from prescreen.train.trainer import fit

    shape, plan = CASES[name]
    ids = torch.randint(2, VOCABULARY, (2 * plan.tokens // 512, 512), generator=torch.Generator().manual_seed(0))
    units = [[Document(row, list(range(len(row))))] for row in ids.tolist()]
    settings = Optimisation(tokens_per_row=plan.tokens, save_every=0, recompute=plan.recompute)
    with tempfile.TemporaryDirectory() as folder:
        model = build(shape, plan)
        Path("/proc/self/clear_refs").write_text("5")  # the mark starts anew: building is not training
        run = SimpleNamespace(folder=Path(folder), recipe=SimpleNamespace(seed=0, stage="sft"))
        fit(model, units, [], cross_entropy, count_tokens, settings, run)
    print(json.dumps({"peak": high_water()}))


def compare(name: str) -> dict[str, Any]:
    """One case in a process of its own, beside its prediction."""
    command = [sys.executable, __file__, "--case", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **ALLOCATOR})
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    shape, plan = CASES[name]
    predicted = estimate({**describe_twin(shape), "vocab_size": VOCABULARY}, plan)
    peak = json.loads(done.stdout.strip().splitlines()[-1])["peak"]
    return {"case": name, "measured": peak, "predicted": predicted.peak, "parts": predicted._asdict()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--only", help="cases whose name holds this")
    chosen = parser.parse_args()
    if chosen.case:
        measure(chosen.case)
        return
    results = []
    print("| case | measured GiB | predicted GiB | predicted / measured |\n| --- | --- | --- | --- |")
    for name in CASES:
        if chosen.only is None or chosen.only in name:
            one = compare(name)
            results.append(one)
            measured, predicted = one["measured"] / GIB, one["predicted"] / GIB
            print(f"| {name} | {measured:.2f} | {predicted:.2f} | {predicted / measured:.2f} |", flush=True)
    if chosen.only is None:
        packages = ("torch", "transformers", "peft")
        path = write_record("memory-cpu", packages, allocator=ALLOCATOR, cases=results)
        print(f"written: {path.name}")


if __name__ == "__main__":
    main()
