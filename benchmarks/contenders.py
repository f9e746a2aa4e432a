"""What is trained and by whom: documents, the twin with the same trainable tensors, and three trainers.

`check_equal` holds every trainer against a plain pass, one document at a time in fp32.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

STEP_DOCUMENTS = 16  # documents of one optimiser step, for those who count documents
ROW = 2048  # our packed row, in tokens: as fast as 4,096 here in a fifth less memory


# --- documents --------------------------------------------------------------------------------------


def draw_documents(kind: str, count: int, folder: Path) -> list[Any]:
    """`count` units: `dialogues` and `pairs` of the synthesizer, `random` tokens of dialogue-like lengths."""
    from prescreen.model.weights import read_tokenizer
    from prescreen.run import read_jsonl
    from prescreen.train.documents import pair_documents, turn_documents

    tokenizer = read_tokenizer("twin")
    if kind == "random":
        return [[document] for document in random_documents(count, tokenizer.get_vocab_size())]
    name = "preference" if kind == "pairs" else "sft"
    path = folder / "01-data" / "train" / f"{name}.jsonl"
    if not path.exists():
        recipe = Path(__file__).parent.parent / "recipes" / "tiny" / "01-data.yaml"
        command = [sys.executable, "-m", "prescreen.cli", "run", str(recipe), "--runs", str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        path = next(folder.rglob(f"01-data/train/{name}.jsonl"))
    rows = list(read_jsonl(path))[:count]
    if kind == "pairs":
        return [pair_documents(row, tokenizer) for row in rows]
    return [[document] for row in rows for document in turn_documents(row["messages"], tokenizer)][:count]


def random_documents(count: int, vocabulary: int) -> list[Any]:
    """Log-normal lengths, median 300, at most 2,048; the second half is trained; nothing is shared."""
    import random

    from prescreen.model.loss import IGNORE
    from prescreen.train.sharing import Document

    rng = random.Random(0)
    documents = []
    for _ in range(count):
        length = max(8, min(2048, int(rng.lognormvariate(5.7, 0.6))))
        ids = [rng.randrange(vocabulary - 64) for _ in range(length)]
        documents.append(Document(ids, [IGNORE] * (length // 2) + ids[length // 2 :]))
    return documents


def split_answer(document: Any) -> tuple[list[int], list[int]]:
    """Prompt and answer of a document whose trained tokens stand at its end."""
    trained = document.num_trained
    return document.ids[:-trained], document.ids[-trained:]


# --- contenders -------------------------------------------------------------------------------------


def load(train: str) -> Any:
    """The twin in fp32 with the same trainable tensors for every contender."""
    import torch

    from prescreen.model.weights import load_model
    from prescreen.train.settings import Lora
    from prescreen.train.start import add_adapter

    torch.manual_seed(0)
    model, tokenizer, _ = load_model("twin", torch.float32)
    if train == "full":
        model.requires_grad_(True)
    else:
        model = add_adapter(model, Lora(experts=train == "experts"))
    return SimpleNamespace(model=model, tokenizer=tokenizer)


def train_ours(task: str, begun: Any, units: list[Any], folder: Path, setting: dict[str, Any]) -> None:
    """The pipeline's own loop: packed rows, shared beginnings, cached reference."""
    from prescreen.train import objectives, preference, sharing
    from prescreen.train.settings import Optimisation
    from prescreen.train.trainer import fit, use_packed_attention

    use_packed_attention(begun.model)
    row, recompute = setting.get("row", ROW), setting.get("recompute", "none")
    optimisation = Optimisation(tokens_per_row=row, recompute=recompute, save_every=0, log_every=1000)
    run = SimpleNamespace(folder=folder, recipe=SimpleNamespace(seed=0, stage=task))
    if task == "sft":
        fit(begun.model, units, [], objectives.cross_entropy, objectives.count_tokens, optimisation, run)
        return
    pairs = [sharing.share_trunks(unit) for unit in units]
    reference = preference.pair_logprobs(begun.model, pairs, optimisation.tokens_per_row)
    fit(begun.model, pairs, [], objectives.dpo(0.1, reference), objectives.count_pairs, optimisation, run)


def build_trl(task: str, begun: Any, units: list[Any], folder: Path, setting: dict[str, Any]) -> Any:
    """TRL's trainer on tokens: padded batches of like length, router loss off, eager attention, its exact one."""
    import datasets
    import torch
    import trl
    from transformers import PreTrainedTokenizerFast

    from prescreen.model.split import unwrap
    from prescreen.model.weights import read_tokenizer

    datasets.disable_progress_bars()
    known = begun.tokenizer or read_tokenizer("twin")
    words = PreTrainedTokenizerFast(tokenizer_object=known, eos_token="<|return|>", pad_token="<|endoftext|>")
    model, on_card = begun.model, torch.cuda.is_available()
    if "ref" in getattr(model, "peft_config", {}):
        model.delete_adapter("ref")  # a trainer's that warmed up
    inner = unwrap(model)
    inner.set_attn_implementation(setting.get("attention", "eager"))
    inner.set_experts_implementation(setting["experts"])
    batch = setting["batch"] if task == "sft" else max(1, setting["batch"] // 2)
    common: dict[str, Any] = {
        "output_dir": str(folder), "use_cpu": not on_card, "bf16": on_card, "report_to": [], "max_length": None,
        "router_aux_loss_coef": 0.0, "num_train_epochs": 1,
        "gradient_checkpointing": setting.get("recompute") == "full",
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "per_device_train_batch_size": batch, "save_strategy": "no", "logging_strategy": "no",
        "gradient_accumulation_steps": max(1, STEP_DOCUMENTS // (batch if task == "sft" else 2 * batch)),
        "disable_tqdm": True, "seed": 0,
    }  # fmt: skip
    if task == "sft":
        rows = []
        for (document,) in units:
            prompt, answer = split_answer(document)
            rows.append({"input_ids": document.ids, "completion_mask": [0] * len(prompt) + [1] * len(answer)})
        arguments = trl.SFTConfig(
            **common, completion_only_loss=True, train_sampling_strategy="group_by_length", packing=False
        )
        return trl.SFTTrainer(
            model=model, processing_class=words, args=arguments, train_dataset=datasets.Dataset.from_list(rows)
        )
    rows = []
    for chosen, rejected in units:
        prompt, good = split_answer(chosen)
        rows.append({"prompt_ids": prompt, "chosen_ids": good, "rejected_ids": split_answer(rejected)[1]})
    arguments = trl.DPOConfig(**common, beta=0.1, precompute_ref_log_probs=setting.get("precompute", True))

    class Tokenized(trl.DPOTrainer):
        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset

    return Tokenized(
        model=model, processing_class=words, args=arguments, train_dataset=datasets.Dataset.from_list(rows)
    )


def train_trl(task: str, begun: Any, units: list[Any], folder: Path, setting: dict[str, Any]) -> None:
    build_trl(task, begun, units, folder, setting).train()


def train_plain(task: str, begun: Any, units: list[Any], folder: Path, setting: dict[str, Any]) -> None:
    """The request's own way: transformers' Trainer, pairs of documents padded to the longest of all."""
    import torch
    from transformers import Trainer, TrainingArguments

    from prescreen.model.split import unwrap

    inner = unwrap(begun.model)
    inner.set_attn_implementation("eager")
    width = max(len(document.ids) for (document,) in units)

    def collate(rows: list[Any]) -> dict[str, Any]:
        def padded(name: str, fill: int) -> Any:
            return torch.tensor([getattr(d, name) + [fill] * (width - len(d.ids)) for d in rows])

        lengths = torch.tensor([len(d.ids) for d in rows])
        mask = (torch.arange(width) < lengths[:, None]).long()
        return {"input_ids": padded("ids", 0), "labels": padded("labels", -100), "attention_mask": mask}

    arguments = TrainingArguments(
        output_dir=str(folder), use_cpu=True, report_to=[], per_device_train_batch_size=2, num_train_epochs=1,
        save_strategy="no", logging_strategy="no", disable_tqdm=True, remove_unused_columns=False,
    )  # fmt: skip
    documents = [document for (document,) in units]
    Trainer(model=begun.model, args=arguments, train_dataset=documents, data_collator=collate).train()


CONTENDERS: dict[str, Callable[..., None]] = {"ours": train_ours, "trl": train_trl, "plain": train_plain}


# --- the same losses and gradients, before anything is timed ----------------------------------------


def gradients(model: Any, loss: Any) -> dict[str, Any]:
    """The gradient of every trainable tensor, by name."""
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def check_equal(train: str, units: list[Any], folder: Path) -> float:
    """The largest difference in loss or, relative to its tensor, in gradient; AssertionError from 1e-4 on.

    An adapter's B starts at zero and would hide A's gradient: both start from small random numbers here.
    """
    import torch

    from prescreen.model.split import unwrap
    from prescreen.train.objectives import count_tokens, cross_entropy
    from prescreen.train.packing import PackedRows
    from prescreen.train.trainer import use_packed_attention

    def fresh() -> Any:
        begun = load(train)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in begun.model.parameters():
                if parameter.requires_grad and train != "full":
                    parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
        return begun

    plain = fresh()
    inner = unwrap(plain.model)
    inner.set_attn_implementation("eager")
    total = sum(document.num_trained for (document,) in units)
    wanted_loss, wanted = 0.0, {}
    for (document,) in units:
        ids, labels = torch.tensor([document.ids]), torch.tensor([document.labels])
        logits = plain.model(input_ids=ids).logits[0, :-1]
        loss = torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=-100, reduction="sum") / total
        for name, gradient in gradients(plain.model, loss).items():
            wanted[name] = wanted.get(name, 0) + gradient
        wanted_loss += loss.item()

    ours = fresh()
    use_packed_attention(ours.model)
    rows = PackedRows(units, 65536, 1, 0)
    assert len(rows) == 1 and count_tokens(rows[0]) == total
    trl = fresh()
    trainer = build_trl("sft", trl, units, folder, {"batch": len(units), "experts": "grouped_mm"})
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(units))])
    worst = 0.0
    for model, loss in (
        (ours.model, cross_entropy(ours.model, rows[0]) / total),
        (trainer.model, trainer.compute_loss(trainer.model, batch)),
    ):
        found = gradients(model, loss)
        differences = [abs(loss.item() - wanted_loss)]
        differences += [float((found[name] - g).norm() / g.norm().clamp(min=1e-12)) for name, g in wanted.items()]
        assert max(differences) < 1e-4, f"losses or gradients differ by {max(differences):.1e}; nothing is timed"
        worst = max(worst, *differences)
    return worst
