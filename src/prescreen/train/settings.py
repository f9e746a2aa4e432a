"""Settings every training recipe shares. Torch-free, so that recipes are checked without loading it."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from prescreen.config import Recipe, Strict
from prescreen.errors import GuardError

Recompute = Literal["none", "selective", "full"]


class Lora(Strict):
    """A PEFT adapter. Expert tensors take no dropout; the router is always frozen."""

    rank: int = Field(8, ge=1, description="rank of every update")
    alpha: int = Field(16, ge=1, description="scale numerator: update = alpha / rank * B A")
    experts: bool = Field(True, description="also adapt the experts' gate_up_proj and down_proj")


class Optimisation(Strict):
    """How long and how fast. A step is `rows_per_step` rows of at most `tokens_per_row` tokens."""

    learning_rate: float = Field(2e-4, gt=0, description="peak learning rate")
    schedule: Literal["cosine", "cosine_with_min_lr", "linear", "constant_with_warmup"] = Field(
        "cosine_with_min_lr", description="how the learning rate falls after the warm-up"
    )
    final_lr_share: float = Field(0.1, ge=0, le=1, description="last learning rate as a share of the peak")
    warmup_steps: int = Field(10, ge=0, description="steps over which the learning rate rises from 0")
    epochs: int = Field(1, ge=1, description="passes over the rows, packed anew each time")
    max_steps: int = Field(0, ge=0, description="stop after this many steps; 0: all epochs")
    tokens_per_row: int = Field(4096, ge=64, description="budget of one packed row, in tokens")
    rows_per_step: int = Field(1, ge=1, description="rows accumulated per optimiser step")
    recompute: Recompute = Field(
        "none", description="what the backward computes again to save memory: nothing, cheap sums, or every layer"
    )
    weight_decay: float = Field(0.01, ge=0, description="AdamW's decay of weights, not of biases and norms")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="memory of AdamW's mean gradient")
    adam_beta2: float = Field(
        0.95, ge=0, lt=1, description="memory of its square; 0.999 learns far slower in few steps"
    )
    max_grad_norm: float = Field(1.0, gt=0, description="a longer gradient is scaled down to this length")
    log_every: int = Field(5, ge=1, description="steps between lines of log.jsonl")
    eval_every: int = Field(0, ge=0, description="steps between validation losses; 0: only before and after")
    save_every: int = Field(50, ge=0, description="steps between checkpoints; 0: none")


class TuningRecipe(Recipe):
    """A stage that trains a model. `inputs`: data, and parent unless `base` names a model."""

    base: str | None = Field(None, description="`twin` or a model folder; leave out when inputs.parent is a run")
    max_rows: int = Field(0, ge=0, description="use at most this many rows or pairs; 0: all")
    max_length: int = Field(
        2048,
        ge=16,
        description="longest document in tokens; text is split, longer dialogues or pairs are left out and counted",
    )
    method: Literal["full", "lora"] = Field("lora", description="train every weight, or an adapter")
    lora: Lora = Lora()
    base_experts: Literal["decoded", "mxfp4"] = Field(
        "decoded",
        description="mxfp4: an MXFP4 base's experts stay as stored, exact in a quarter of the memory; needs lora",
    )
    host_embeddings: bool = Field(
        False, description="keep a frozen base's input embeddings in the host's memory: 1.1 GiB less on the card"
    )
    frozen: frozenset[Literal["router", "sinks"]] = Field(
        frozenset(), description="weights that `method: full` leaves as they are; an adapter touches neither"
    )
    optimisation: Optimisation = Optimisation()

    @property
    def makes_model(self) -> bool:
        """Whether the stage starts from a new model of its own."""
        return False

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        starts = {"base": self.base is not None, "inputs.parent": "parent" in self.inputs, "twin": self.makes_model}
        if sum(starts.values()) != 1:
            given = ", ".join(name for name, is_given in starts.items() if is_given) or "none"
            raise ValueError(
                f"name exactly one start, base or inputs.parent (or twin, to pretrain); given: {given}"
            )
        if self.base_experts == "mxfp4" and self.method == "full":
            raise ValueError("base_experts: mxfp4 keeps the base frozen; choose method: lora")
        if self.host_embeddings and self.method == "full":
            raise ValueError("host_embeddings keeps the embeddings frozen; choose method: lora")
        if self.frozen and self.method == "lora":
            raise ValueError("an adapter leaves router and sinks as they are; frozen is for method: full")
        if "data" not in self.inputs:
            raise ValueError("inputs.data must name the data run")
        return self

    def external(self) -> list[Path]:
        from prescreen.model.files import weight_files

        return weight_files(self.base) if self.base else []

    def check_processes(self, processes: int) -> None:
        if self.optimisation.rows_per_step < processes:
            raise GuardError(
                f"{processes} processes cannot share {self.optimisation.rows_per_step} row(s) a step; "
                f"set optimisation.rows_per_step to {processes} or a multiple of it"
            )
