"""Preference stage: DPO over packed pairs, or KTO over pairs or single answers, against cached reference log-probs.

KTO takes `kto.jsonl` where the data run has one: answers that are wanted or not, without a twin.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

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
    sft_weight: float = Field(
        0.0, ge=0, description="weight of the chosen answers' mean loss per token beside DPO's; 0 is plain DPO"
    )
    reference: Literal["parent", "base"] = Field(
        "parent", description="what to stay close to: the parent as it begins, or the base without any adapter"
    )
    optimisation: Optimisation = Optimisation(learning_rate=5e-5)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.reference == "base" and self.method == "full":
            raise ValueError("reference: base is the model without its adapter; choose method: lora")
        if self.sft_weight and self.objective != "dpo":
            raise ValueError("sft_weight: only dpo has chosen answers to add it for; leave it out")
        return self


class Material(NamedTuple):
    """Units to learn from; `wanted` says of each single answer whether it is, None where units are pairs."""

    units: list[list[Any]]
    wanted: list[bool] | None
    left_out: int = 0  # longer than allowed

    @property
    def each(self) -> int:
        """Scored answers a unit has."""
        return 2 if self.wanted is None else 1


def main(recipe: PreferenceRecipe, run: Run) -> None:
    """Train and save; metrics hold the loss before (0.6931 for DPO) and after, and preference accuracy."""
    from prescreen.train import start
    from prescreen.train.objectives import count_pairs
    from prescreen.train.trainer import fit

    data = run.inputs["data"].folder
    begun = start.begin(recipe, run)
    train = read_material(recipe, data / "train", begun.tokenizer)
    valid = read_material(recipe, data / "valid", begun.tokenizer)
    if not train.units:
        raise GuardError(f"{data}/train: no pair or answer to train on")
    if train.wanted is not None and len(set(train.wanted)) < 2:
        raise GuardError(f"{data}/train/kto.jsonl: all answers are of one kind; KTO needs wanted and unwanted ones")
    reference = reference_logprobs(begun.model, train, run.folder / "reference.json", recipe)
    held_reference = reference_logprobs(begun.model, valid, run.folder / "reference-valid.json", recipe)
    metrics = fit(
        begun.model,
        train.units,
        valid.units,
        _objective(recipe, (train, reference), (valid, held_reference)),
        count_pairs,
        recipe.optimisation,
        run,
    )
    accuracy = preference_accuracy(begun.model, valid, held_reference, recipe)
    outputs = start.save(begun, recipe, run)
    if ranks.is_first():
        run.finish(
            [*outputs, run.folder / "log.jsonl"],
            {
                **metrics,
                "num_pairs": len(train.units),
                "num_left_out": train.left_out,
                "num_valid_pairs": len(valid.units),
                "preferred_valid": accuracy,
            },
        )


def read_material(recipe: PreferenceRecipe, part: Path, tokenizer: Any) -> Material:
    """Pairs, or for KTO the single answers where the data run has them."""
    answers = part / "kto.jsonl"
    if recipe.objective == "kto" and answers.exists():
        return read_answers(recipe, answers, tokenizer)
    pairs, left_out = read_pairs(recipe, part / "preference.jsonl", tokenizer)
    return Material(pairs, None, left_out)


def read_answers(recipe: PreferenceRecipe, path: Path, tokenizer: Any) -> Material:
    """Every single answer that fits."""
    from prescreen.train.documents import answer_document

    rows = list(read_jsonl(path))[: recipe.max_rows or None]
    documents = [(answer_document(row, tokenizer), bool(row["label"])) for row in rows]
    kept = [(document, wanted) for document, wanted in documents if len(document.ids) <= recipe.max_length]
    left_out = len(documents) - len(kept)
    return Material([[document] for document, _ in kept], [wanted for _, wanted in kept], left_out)


def read_pairs(recipe: PreferenceRecipe, path: Path, tokenizer: Any) -> tuple[list[list[Any]], int]:
    """Chosen and rejected of each row that fits, on one prompt, and how many do not."""
    from prescreen.train.documents import pair_documents
    from prescreen.train.sharing import share_trunks

    rows = list(read_jsonl(path)) if path.exists() else []
    pairs = [pair_documents(row, tokenizer) for row in rows[: recipe.max_rows or None]]
    kept = [share_trunks(pair) for pair in pairs if max(len(d.ids) for d in pair) <= recipe.max_length]
    return kept, len(pairs) - len(kept)


def reference_logprobs(model: Any, material: Material, cache: Path, recipe: PreferenceRecipe) -> Any:
    """Log-probs of the starting model, [units, 2 or 1]; kept in the run folder for a resumed run."""
    import json

    import torch

    from prescreen.run import write_json

    kept = ranks.agree(lambda: json.loads(cache.read_text()) if cache.exists() else None)
    if kept is not None:
        return torch.tensor(kept)
    with nullcontext() if recipe.reference == "parent" else model.disable_adapter():
        scores = pair_logprobs(model, material.units, recipe.optimisation.tokens_per_row, material.each)
    if ranks.is_first():
        write_json(cache, scores.tolist())
    return scores


def pair_logprobs(model: Any, pairs: list[list[Any]], budget: int, each: int = 2) -> Any:
    """Log-probs of chosen and rejected, or of single answers, under the model as it stands, on the CPU."""
    import torch

    from prescreen.train.division import own_rows
    from prescreen.train.objectives import document_logprobs
    from prescreen.train.packing import PackedRows

    rows = PackedRows(pairs, budget, 1, 0)
    scores = torch.zeros(len(pairs), each)
    device = next(model.parameters()).device
    model.eval()
    with torch.no_grad():
        for row in own_rows(rows):
            batch = {k: v.to(device) for k, v in row.items()}
            scores[batch["units"].cpu()] = document_logprobs(model, batch).reshape(-1, each).cpu()
    return ranks.add_up(scores.to(device)).cpu()


def _objective(recipe: PreferenceRecipe, train: tuple[Material, Any], valid: tuple[Material, Any]) -> Any:
    """The loss; validation rows are told from training rows by whether gradients are on."""
    import torch

    from prescreen.train import objectives

    def make(material: Material, reference: Any) -> Any:
        if material.wanted is not None:
            return objectives.kto_answers(recipe.beta, reference, torch.tensor(material.wanted, dtype=torch.bool))
        if recipe.objective == "kto":
            return objectives.kto(recipe.beta, reference)
        return objectives.dpo(recipe.beta, reference, recipe.sft_weight)

    training, validation = make(*train), make(*valid)
    return lambda model, batch: (training if torch.is_grad_enabled() else validation)(model, batch)


def preference_accuracy(model: Any, material: Material, reference: Any, recipe: PreferenceRecipe) -> Any:
    """Held-out pairs whose chosen answer gained more than its twin, or answers that moved the right way."""
    import torch

    if not material.units:
        return {"right": 0, "of": 0}
    gains = pair_logprobs(model, material.units, recipe.optimisation.tokens_per_row, material.each) - reference
    if material.wanted is None:
        right = gains[:, 0] > gains[:, 1]
    else:
        right = (gains[:, 0] > 0) == torch.tensor(material.wanted)
    return {"right": int(right.sum()), "of": len(material.units)}
