"""Our losses equal TRL's on unpacked single-turn batches, with its router loss off.

TRL is the oracle here, not the engine: see docs/decisions for where its gpt-oss path differs.
"""

import copy
import warnings

import pytest
import torch

from prescreen.model.loss import IGNORE
from prescreen.train.objectives import count_tokens, cross_entropy, document_logprobs, dpo
from prescreen.train.packing import build_row
from prescreen.train.sharing import Document, share_trunks
from prescreen.train.trainer import use_packed_attention

trl = pytest.importorskip("trl", reason="TRL is not installed: no loss oracle")


@pytest.fixture
def words(tokenizer):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|return|>", pad_token="<|endoftext|>")


def rows(count, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def ids(low, high):
        size = int(torch.randint(low, high, (1,), generator=generator))
        return torch.randint(0, 300, (size,), generator=generator).tolist()

    return [{"prompt": ids(5, 30), "chosen": ids(4, 20), "rejected": ids(4, 20)} for _ in range(count)]


def document(row, side):
    return Document(row["prompt"] + row[side], [IGNORE] * len(row["prompt"]) + row[side])


def packed(model):
    twin = copy.deepcopy(model)
    use_packed_attention(twin)
    return twin


def test_cross_entropy_equals_trl(small_model, words, tmp_path):
    from datasets import Dataset

    data = rows(6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = trl.SFTTrainer(
            model=copy.deepcopy(small_model),
            processing_class=words,
            args=trl.SFTConfig(
                output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to=[], router_aux_loss_coef=0.0,
                max_length=None, gradient_checkpointing=False, completion_only_loss=True,
            ),
            train_dataset=Dataset.from_list(
                [
                    {"input_ids": r["prompt"] + r["chosen"],
                     "completion_mask": [0] * len(r["prompt"]) + [1] * len(r["chosen"])}
                    for r in data
                ]
            ),
        )  # fmt: skip
        batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(data))])
        trainer.model.eval()
        theirs = trainer.compute_loss(trainer.model, batch)
    row = build_row([[document(r, "chosen")] for r in data])
    ours = cross_entropy(packed(small_model), row) / count_tokens(row)
    assert abs(ours.item() - theirs.item()) < 1e-5


@pytest.mark.parametrize("sft_weight", [0.0, 0.7])
def test_dpo_equals_trl_and_starts_at_ln_2(small_model, words, tmp_path, sft_weight):
    from datasets import Dataset

    data = rows(4, seed=3)
    if sft_weight:  # TRL takes the mean over all chosen tokens together, we over each pair's own
        data = [{**row, "chosen": (row["chosen"] * 8)[:8]} for row in data]
    policy = copy.deepcopy(small_model)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = trl.DPOTrainer(
            model=policy,
            ref_model=copy.deepcopy(small_model),
            processing_class=words,
            args=trl.DPOConfig(
                output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to=[], beta=0.1, max_length=None,
                router_aux_loss_coef=0.0, gradient_checkpointing=False,
                loss_type=["sigmoid", "sft"], loss_weights=[1.0, sft_weight],
            ),
            train_dataset=Dataset.from_list([{"prompt": "I have", "chosen": " pain", "rejected": " chest"}] * 2),
        )  # fmt: skip
        batch = trainer.data_collator(
            [{"prompt_ids": r["prompt"], "chosen_ids": r["chosen"], "rejected_ids": r["rejected"]} for r in data]
        )
        trainer.model.eval()
        theirs = trainer.compute_loss(trainer.model, batch).item()
    row = build_row(
        [share_trunks([document(r, side) for side in ("chosen", "rejected")]) for r in data], range(len(data))
    )
    start = packed(small_model)
    reference = document_logprobs(start, row).detach().reshape(-1, 2)
    assert abs(dpo(0.1, reference)(start, row).item() / len(data) - 0.6931) < 1e-4
    ours = dpo(0.1, reference, sft_weight)(packed(policy), row).item() / len(data)
    assert abs(ours - theirs) < 1e-5
    assert abs(ours - 0.6931) > 1e-3, "the policy must differ for this comparison to say anything"
