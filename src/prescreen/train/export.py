"""Export: one merged model folder in openai's layout, measured against the adapter it came from.

Experts an adapter left alone keep the bytes of an MXFP4 base; the others are rounded anew. What that costs is
measured on held-out rows, kept with the export and held against limits: beyond them nothing is exported.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from prescreen.config import Recipe
from prescreen.errors import GuardError, RunError
from prescreen.run import Run, read_jsonl

LONGEST = 4096  # tokens of a row that calibrates or measures


class ExportRecipe(Recipe):
    """Merge and write. `inputs`: parent (a training run) and data (to calibrate and to measure the drift)."""

    stage: Literal["export"]
    storage: Literal["dense", "mxfp4"] = Field("mxfp4", description="mxfp4 is what vLLM and llama.cpp expect")
    rounding: Literal["nearest", "compensated"] = Field(
        "compensated", description="nearest: each value alone; compensated: against what calibration rows ask"
    )
    rows: str = Field("sft", description="file below train/ and valid/ of the data run, without .jsonl")
    calibration_rows: int = Field(128, ge=1, description="training rows that compensated rounding looks at")
    num_rows: int = Field(32, ge=1, description="held-out rows on which the drift is measured")
    max_kl_per_token: float = Field(0.05, gt=0, description="an export that drifts further fails")
    min_level_agreement: float = Field(
        0.95, ge=0, le=1, description="share of held-out answers that must keep their level, or the export fails"
    )


def main(recipe: ExportRecipe, run: Run) -> None:
    """Write `model/`; metrics hold the drift against the parent and how many experts were rounded."""
    from prescreen.model import weights
    from prescreen.model.resident import load_stored
    from prescreen.train.drift import last_documents, measure_drift
    from prescreen.train.trainer import use_packed_attention

    parent, folder = run.inputs["parent"].folder, run.folder / "model"
    live, tokenizer, _ = weights.load_model(parent, merge=False, load_base=load_stored)
    held_out = last_documents(list(_read(recipe, run, "valid", recipe.num_rows)), tokenizer, LONGEST)
    if not held_out:
        raise RunError(f"{run.inputs['data'].folder}: no held-out rows to measure the export on")
    use_packed_attention(live.eval())
    shutil.rmtree(folder, ignore_errors=True)  # of an interrupted attempt
    figures: dict[str, Any] = {"storage": recipe.storage}
    if recipe.storage == "dense":
        weights.save_model(weights.load_model(parent).model, tokenizer, folder)
    else:
        figures |= {"rounding": recipe.rounding, "experts": write_packed(recipe, run, live, tokenizer, folder)}
    exported = load_stored(folder)
    drift = measure_drift(live, exported, tokenizer, held_out).report()
    check_drift(recipe, drift, folder)
    if recipe.storage == "mxfp4" and recipe.rounding == "compensated":
        from prescreen.train.requantise import round_layers, swap_experts

        swap_experts(exported, round_layers(live))
        figures["drift_nearest"] = measure_drift(live, exported, tokenizer, held_out).report()
    run.finish([folder], {"drift": drift, **figures})


def write_packed(recipe: ExportRecipe, run: Run, live: Any, tokenizer: Any, folder: Path) -> dict[str, int]:
    """Every tensor in openai's layout, layer by layer; returns how many experts kept their bytes, how many not."""
    from prescreen.model.checkpoint import Shards, write_config
    from prescreen.model.split import merged_tensors, unwrap
    from prescreen.model.weights import save_tokenizer
    from prescreen.train.drift import last_documents
    from prescreen.train.packing import PackedRows
    from prescreen.train.requantise import check_shapes, compensate_layers, round_layers

    check_shapes(live)
    layers = round_layers(live)
    if recipe.rounding == "compensated":
        documents = last_documents(list(_read(recipe, run, "train", recipe.calibration_rows)), tokenizer, LONGEST)
        if not documents:
            raise RunError(f"{run.inputs['data'].folder}: no training rows to calibrate on; use rounding: nearest")
        rows = PackedRows([[document] for document in documents], LONGEST, 1, recipe.seed)
        layers = compensate_layers(live, [rows[i] for i in range(len(rows))])
    shards = Shards(folder)
    counts = {"kept": 0, "rounded": 0}
    for number, layer in enumerate(layers):
        for name, packed in layer.packed.items():
            shards.add_packed(f"model.layers.{number}.mlp.experts.{name}", packed)
            shards.add_dense(f"model.layers.{number}.mlp.experts.{name}_bias", layer.biases[name])
        counts = {"kept": counts["kept"] + layer.kept, "rounded": counts["rounded"] + layer.rounded}
    for name, tensor in merged_tensors(live):
        shards.add_dense(name, tensor)
    shards.close()
    write_config(unwrap(live).config, folder)
    save_tokenizer(tokenizer, folder)
    return counts


def check_drift(recipe: ExportRecipe, drift: dict[str, Any], folder: Path) -> None:
    """GuardError, and no model folder, when the export has moved too far."""
    kl, level = drift["kl_per_token"], drift["level_agreement"]
    mend = "use rounding: compensated or storage: dense" if recipe.rounding == "nearest" else "use storage: dense"
    if not kl <= recipe.max_kl_per_token:
        problem = f"KL {kl:.4f} a token, allowed {recipe.max_kl_per_token:g}"
    elif level is None and recipe.min_level_agreement > 0:
        problem = "whether levels stay is not known: no held-out row states one"
        mend = "hold rows back that do, or set min_level_agreement: 0"
    elif level is not None and level < recipe.min_level_agreement:
        asked = f"{drift['num_levels']} answers, asked {recipe.min_level_agreement:.1%}"
        problem = f"the level is the same in {level:.1%} of {asked}"
    else:
        return
    shutil.rmtree(folder)
    raise GuardError(f"the export drifts too far from the model it was made of ({problem}); {mend}")


def _read(recipe: ExportRecipe, run: Run, split: str, count: int) -> Iterator[dict[str, Any]]:
    """The first `count` conversations of a split, or its texts where it holds no conversation."""
    path = run.inputs["data"].folder / split / f"{recipe.rows}.jsonl"
    rows = list(read_jsonl(path)) if path.exists() else []
    yield from ([row for row in rows if "messages" in row] or rows)[:count]
