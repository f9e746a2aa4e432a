"""A vocabulary and a model small enough to build in every test."""

import pytest
import torch

from prescreen.model.shape import TwinShape, new_model
from prescreen.model.tokenizer import PAD, RETURN, build_tokenizer, select_tokens, split_words
from prescreen.train.settings import Lora
from prescreen.train.start import add_adapter

TEXT = """system developer user assistant analysis final commentary You are ChatGPT, a large language model trained
by OpenAI. Knowledge cutoff: 2024-06 Current date: 2026-01-01 Reasoning: low # Valid channels: analysis, commentary,
final. Channel must be included for every message. # Instructions Review the history, analyse and draft.
I have chest pain and shortness of breath since this morning, my left arm hurts. {"summary":"x","acuity":"high"}"""
SMALL = TwinShape(layers=2, hidden=32, intermediate=32, experts=4, heads=4, kv_heads=2, head_dim=8, window=16)


@pytest.fixture(scope="session")
def tokenizer():
    return build_tokenizer(select_tokens(split_words([TEXT])))


@pytest.fixture
def small_model(tokenizer):
    torch.manual_seed(0)
    size = tokenizer.get_vocab_size()
    return new_model(SMALL, size, tokenizer.token_to_id(PAD), tokenizer.token_to_id(RETURN)).eval()


@pytest.fixture(scope="module")
def fresh_memory_is_nan():
    """Memory that is asked for and not written holds NaN, so that nothing rests on what lay there."""
    torch.use_deterministic_algorithms(True, warn_only=True)  # torch fills new memory only in this mode
    yield
    torch.use_deterministic_algorithms(False)


def add_small_adapter(model):
    """An adapter on attention and all experts whose factors are not zero, the same each time."""
    model = add_adapter(model, Lora(rank=4, alpha=8, experts=True))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model
