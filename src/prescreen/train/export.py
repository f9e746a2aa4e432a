"""Export: one merged model folder in openai's layout, measured against the adapter it came from.

Attention-only adapters leave the expert bytes of an MXFP4 base untouched; expert changes are re-quantised. The
drift that costs is measured on held-out rows and kept with the export.
"""

from typing import Any, Literal

from pydantic import Field

from prescreen.config import Recipe
from prescreen.errors import RunError
from prescreen.run import Run, read_jsonl


class ExportRecipe(Recipe):
    """Merge and write. `inputs`: parent (a training run) and data (for the drift measurement)."""

    stage: Literal["export"]
    storage: Literal["dense", "mxfp4"] = Field("mxfp4", description="mxfp4 is what vLLM and llama.cpp expect")
    rows: str = Field("sft", description="file below valid/ of the data run, without .jsonl")
    num_rows: int = Field(32, ge=1, description="held-out rows on which the drift is measured")


def main(recipe: ExportRecipe, run: Run) -> None:
    """Write `model/`; metrics hold the drift against the merged parent and the hashes of every file."""
    from prescreen.model import weights

    parent = run.inputs["parent"].folder
    merged, tokenizer, _ = weights.load_model(parent)
    folder = run.folder / "model"
    weights.save_model(merged, tokenizer, folder, recipe.storage)
    exported = weights.load_dense(folder)
    held_out = read_jsonl(run.inputs["data"].folder / "valid" / f"{recipe.rows}.jsonl")
    rows = [row for row in held_out if "messages" in row][: recipe.num_rows]
    if not rows:
        raise RunError(f"{run.inputs['data'].folder}: no held-out rows to measure the export on")
    run.finish([folder], {"drift": measure_drift(merged, exported, tokenizer, rows), "storage": recipe.storage})


def measure_drift(before: Any, after: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Mean KL(before || after) per trained token, agreement of the likeliest token, and how many tokens."""
    import torch

    from prescreen.train.documents import turn_documents

    kl, agree, count = 0.0, 0, 0
    before.set_attn_implementation("eager")
    with torch.inference_mode():
        for row in rows:
            document = turn_documents(row["messages"], tokenizer)[-1]
            ids = torch.tensor([document.ids])
            at = torch.tensor([i - 1 for i, label in enumerate(document.labels) if label >= 0 and i > 0])
            p, q = (model(ids).logits[0, at].float().log_softmax(-1) for model in (before, after))
            kl += float((p.exp() * (p - q)).sum())
            agree += int((p.argmax(-1) == q.argmax(-1)).sum())
            count += len(at)
    return {"kl_per_token": kl / count, "top_token_agreement": agree / count, "num_tokens": count}
