"""Preference stage: DPO (or KTO) over packed pairs, against reference log-probs cached before the first step."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from prescreen.errors import GuardError
from prescreen.run import Run, read_jsonl
from prescreen.train import ranks
from prescreen.train.settings import Optimisation, TuningRecipe


class PreferenceRecipe(TuningRecipe):
    """DPO from a tuned parent."""

    stage: Literal["dpo"]
    objective: Literal["dpo", "kto"] = Field("dpo", description="dpo judges pairs, kto single answers")
    beta: float = Field(0.1, gt=0, description="how closely to stay with the reference")
    reference: Literal["parent", "base"] = Field(
        "parent", description="what to stay close to: the parent as it begins, or the base without any adapter"
    )
    optimisation: Optimisation = Optimisation(learning_rate=5e-5)

    @model_validator(mode="after")
    def _base_is_there(self) -> Self:
        if self.reference == "base" and self.method == "full":
            raise ValueError("reference: base is the model without its adapter; choose method: lora")
        return self


def main(recipe: PreferenceRecipe, run: Run) -> None:
    """Train and save; metrics hold the loss before (0.6931 for DPO) and after, and preference accuracy."""
    from prescreen.train import start
    from prescreen.train.objectives import count_pairs
    from prescreen.train.trainer import fit

    data = run.inputs["data"].folder
    begun = start.begin(recipe, run)
    train = read_pairs(recipe, data / "train" / "preference.jsonl", begun.tokenizer)
    valid = read_pairs(recipe, data / "valid" / "preference.jsonl", begun.tokenizer)
    if not train:
        raise GuardError(f"{data}/train/preference.jsonl: no pair to train on")
    reference = reference_logprobs(begun.model, train, run.folder / "reference.json", recipe)
    held_reference = reference_logprobs(begun.model, valid, run.folder / "reference-valid.json", recipe)
    metrics = fit(
        begun.model,
        train,
        valid,
        _objective(recipe, reference, held_reference, len(train)),
        count_pairs,
        recipe.optimisation,
        run,
    )
    accuracy = preference_accuracy(begun.model, valid, held_reference, recipe)
    outputs = start.save(begun, recipe, run)
    if ranks.is_first():
        run.finish(
            [*outputs, run.folder / "log.jsonl"],
            {**metrics, "num_pairs": len(train), "num_valid_pairs": len(valid), "preferred_valid": accuracy},
        )


def read_pairs(recipe: PreferenceRecipe, path: Path, tokenizer: Any) -> list[list[Any]]:
    """Chosen and rejected of each row that fits, on one prompt."""
    from prescreen.train.documents import pair_documents
    from prescreen.train.sharing import share_trunks

    rows = list(read_jsonl(path)) if path.exists() else []
    pairs = [pair_documents(row, tokenizer) for row in rows[: recipe.max_rows or None]]
    return [share_trunks(pair) for pair in pairs if max(len(d.ids) for d in pair) <= recipe.max_length]


def reference_logprobs(model: Any, pairs: list[list[Any]], cache: Path, recipe: PreferenceRecipe) -> Any:
    """Log-probs of the starting model, [pairs, 2]; kept in the run folder so that a resumed run reuses them."""
    import json

    import torch

    from prescreen.run import write_json

    kept = ranks.agree(lambda: json.loads(cache.read_text()) if cache.exists() else None)
    if kept is not None:
        return torch.tensor(kept)
    with nullcontext() if recipe.reference == "parent" else model.disable_adapter():
        scores = pair_logprobs(model, pairs, recipe.optimisation.tokens_per_row)
    if ranks.is_first():
        write_json(cache, scores.tolist())
    return scores


def pair_logprobs(model: Any, pairs: list[list[Any]], budget: int) -> Any:
    """Log-probs of chosen and rejected under the model as it stands, [pairs, 2] on the CPU."""
    import torch

    from prescreen.train.division import own_rows
    from prescreen.train.objectives import document_logprobs
    from prescreen.train.packing import PackedRows

    rows = PackedRows(pairs, budget, 1, 0)
    scores = torch.zeros(len(pairs), 2)
    device = next(model.parameters()).device
    model.eval()
    with torch.no_grad():
        for row in own_rows(rows):
            batch = {k: v.to(device) for k, v in row.items()}
            scores[batch["units"].cpu()] = document_logprobs(model, batch).reshape(-1, 2).cpu()
    return ranks.add_up(scores.to(device)).cpu()


def _objective(recipe: PreferenceRecipe, reference: Any, held: Any, num_train: int) -> Any:
    """The loss; validation rows are told from training rows by whether gradients are on."""
    import torch

    from prescreen.train import objectives

    make = {"dpo": objectives.dpo, "kto": objectives.kto}[recipe.objective]
    training, validation = make(recipe.beta, reference), make(recipe.beta, held)
    return lambda model, batch: (training if torch.is_grad_enabled() else validation)(model, batch)


def preference_accuracy(model: Any, pairs: list[list[Any]], reference: Any, recipe: PreferenceRecipe) -> Any:
    """Held-out pairs whose chosen answer gained more than its rejected twin: {right, of}."""
    if not pairs:
        return {"right": 0, "of": 0}
    gains = pair_logprobs(model, pairs, recipe.optimisation.tokens_per_row) - reference
    return {"right": int((gains[:, 0] > gains[:, 1]).sum()), "of": len(pairs)}
