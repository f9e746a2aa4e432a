"""Each guard rail of training is provoked once: what would go wrong in silence must stop with a sentence.

Others stand beside what they guard: sinks, isolation and dropout in test_attention, the row budget in test_packing,
an overlong dialogue, the router loss, fp16 and inexact experts in test_stages.
"""

import datetime
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from prescreen.errors import GuardError
from prescreen.model.harmony import PINNED_DATE, render_prompt
from prescreen.model.loss import IGNORE
from prescreen.model.shape import new_model
from prescreen.model.tokenizer import RETURN
from prescreen.model.weights import save_model
from prescreen.train import start
from prescreen.train.documents import check_document
from prescreen.train.objectives import count_tokens, cross_entropy
from prescreen.train.settings import Lora, Optimisation
from prescreen.train.sharing import Document
from prescreen.train.trainer import find_last, fit, use_packed_attention
from small_model import SMALL, add_small_adapter


def test_a_checkpoint_killed_while_it_was_written_is_passed_over(tmp_path):
    assert find_last(tmp_path / "none yet") is None
    for step, files in ((8, ("adapter.safetensors", "trainer_state.json")), (10, ("adapter.safetensors",))):
        (tmp_path / f"checkpoint-{step}").mkdir()
        for name in files:
            (tmp_path / f"checkpoint-{step}" / name).touch()
    assert find_last(tmp_path) == str(tmp_path / "checkpoint-8")
    (tmp_path / "checkpoint-10" / "trainer_state.json").touch()
    assert find_last(tmp_path) == str(tmp_path / "checkpoint-10"), "ten is more than eight"


def test_a_dialogue_must_train_something_and_end_with_the_stop_token(tokenizer):
    stop = tokenizer.token_to_id(RETURN)
    check_document(Document([5, 6, stop], [IGNORE, 6, stop]), tokenizer)
    with pytest.raises(GuardError, match="without an assistant answer"):
        check_document(Document([5, 6], [IGNORE, IGNORE]), tokenizer)
    with pytest.raises(GuardError, match="no stop token"):
        check_document(Document([5, 6, 7], [IGNORE, 6, 7]), tokenizer)


def test_an_empty_loss_mask_is_refused_before_the_first_step(small_model, tmp_path):
    use_packed_attention(small_model)
    run = SimpleNamespace(folder=tmp_path, recipe=SimpleNamespace(seed=0, stage="sft"))
    silent = [[Document([5, 6, 7], [IGNORE] * 3)]]
    with pytest.raises(GuardError, match="every loss mask is empty"):
        fit(small_model, silent, [], cross_entropy, count_tokens, Optimisation(), run)


def test_an_adapter_that_misses_the_experts_is_refused(small_model, monkeypatch):
    """PEFT only warns when it finds no expert tensor of that name, and would train attention alone."""
    monkeypatch.setattr(start, "EXPERT_TARGETS", ["mlp.experts.no_such_weight"])
    with (
        pytest.warns(RuntimeWarning, match="no parameter was matched"),
        pytest.raises(GuardError, match="matched other weights"),
    ):
        start.add_adapter(small_model, Lora(rank=2, experts=True))


def test_an_adapter_that_was_not_saved_as_trained_is_refused(small_model, tmp_path):
    model = add_small_adapter(small_model)
    model.save_pretrained(str(tmp_path))
    start.check_adapter(model, tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    stored = load_file(file)
    name = next(iter(stored))
    save_file({**stored, name: stored[name] + 1e-3}, file)
    with pytest.raises(GuardError, match="differs"):
        start.check_adapter(model, tmp_path)
    save_file({key: value for key, value in stored.items() if key != name}, file)
    with pytest.raises(GuardError, match="differs"):
        start.check_adapter(model, tmp_path)


def test_experts_that_mxfp4_cannot_hold_are_refused(tokenizer, tmp_path):
    torch.manual_seed(0)
    odd = SMALL.model_copy(update={"intermediate": 48})
    model = new_model(odd, tokenizer.get_vocab_size(), 0, 1)
    with pytest.raises(GuardError, match="multiple of 32"):
        save_model(model, tokenizer, tmp_path / "odd", "mxfp4")


def test_the_system_block_does_not_know_today():
    """A date that moves would show the model a prompt it was never trained on."""
    said = "".join(str(piece) for piece in render_prompt([{"role": "user", "content": "hello"}]))
    assert PINNED_DATE in said and datetime.date.today().isoformat() not in said.replace(PINNED_DATE, "")
