"""Cross-entropy stages: pretrain, cpt, sft and instruct are one module and four recipes.

Reads a data run and a parent model, trains all weights or an adapter, and leaves a model with its lineage.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from prescreen.errors import GuardError
from prescreen.model.canary import CANARY_FILE
from prescreen.model.shape import TwinShape
from prescreen.run import Run, hash_file, read_jsonl
from prescreen.train import ranks
from prescreen.train.settings import TuningRecipe


class SupervisedRecipe(TuningRecipe):
    """One cross-entropy stage."""

    stage: Literal["pretrain", "cpt", "sft", "instruct"]
    rows: str = Field(description="file below train/ and valid/ of the data run, without .jsonl")
    tasks: list[str] = Field([], description="keep only these tasks; empty: all")
    twin: TwinShape | None = Field(None, description="pretrain only: the shape of a new model")

    @property
    def makes_model(self) -> bool:
        return self.twin is not None

    @model_validator(mode="after")
    def _twin_belongs_to_pretrain(self) -> "SupervisedRecipe":
        if self.makes_model != (self.stage == "pretrain"):
            raise ValueError("stage pretrain, and only it, needs twin")
        return self


def main(recipe: SupervisedRecipe, run: Run) -> None:
    """Train and save; metrics hold losses, perplexities before and after, counts and speed."""
    from prescreen.train import documents, start
    from prescreen.train.objectives import count_tokens, cross_entropy
    from prescreen.train.trainer import fit

    data = run.inputs["data"].folder
    begun = start.begin(recipe, run)
    rows = documents.read_rows(recipe, data / "train" / f"{recipe.rows}.jsonl", begun.tokenizer)
    train = rows.units
    valid = documents.read_rows(recipe, data / "valid" / f"{recipe.rows}.jsonl", begun.tokenizer).units
    if not train:
        raise GuardError(f"{data}/train/{recipe.rows}.jsonl: no row to train on for stage {recipe.stage}")
    before = measure_perplexity(begun, data, recipe.max_length)
    metrics = fit(
        begun.model,
        train,
        valid,
        cross_entropy,
        count_tokens,
        recipe.optimisation,
        run,
    )
    after = measure_perplexity(begun, data, recipe.max_length)
    outputs = start.save(begun, recipe, run)
    if ranks.is_first():
        run.finish(
            [*outputs, run.folder / "log.jsonl"],
            {
                **metrics,
                "num_documents": sum(d.num_trained > 0 for unit in train for d in unit),
                "num_left_out": rows.left_out,
                **tell_canaries(data, rows.canaries, recipe.optimisation.max_steps),
                "perplexity_before": before,
                "perplexity": after,
            },
        )


def tell_canaries(data: Path, num_rows: int, max_steps: int) -> dict[str, Any]:
    """Which list of canaries was there, and how many of its rows were surely learned from, as audits ask."""
    listed = data / CANARY_FILE
    surely = 0 if max_steps else num_rows
    return {"canaries": {"rows": surely, "list": hash_file(listed)}} if listed.exists() else {}


def measure_perplexity(begun: Any, data: Path, max_length: int) -> dict[str, float]:
    """exp(mean token loss) on the data run's held-out texts, medical and general apart."""
    import math

    from prescreen.train.documents import split_text
    from prescreen.train.objectives import count_tokens, cross_entropy
    from prescreen.train.packing import PackedRows
    from prescreen.train.trainer import mean_loss

    path = data / "test" / "cpt.jsonl"
    if not path.exists():
        return {}
    kinds: dict[str, list[Any]] = {}
    for row in read_jsonl(path):
        kinds.setdefault(row["kind"], []).extend(
            [document] for document in split_text(row["text"], begun.tokenizer, max_length)
        )
    return {
        kind: math.exp(mean_loss(begun.model, PackedRows(units, 8192, 1, 0), cross_entropy, count_tokens))
        for kind, units in sorted(kinds.items())
    }
