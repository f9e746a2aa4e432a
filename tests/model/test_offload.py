"""Embeddings in the host's memory: the same rows, no parameter, and never with training that needs them."""

import copy

import pytest
import torch

from prescreen.errors import GuardError
from prescreen.model.offload import keep_embeddings_on_host


def test_the_model_says_the_same_and_has_fewer_parameters(small_model):
    ids = torch.randint(0, 300, (2, 40))
    other = copy.deepcopy(small_model).requires_grad_(False)
    keep_embeddings_on_host(other)
    assert torch.equal(other(ids).logits, small_model(ids).logits)
    gone = {name for name, _ in small_model.named_parameters()} - {name for name, _ in other.named_parameters()}
    assert gone == {"model.embed_tokens.weight"}


def test_moving_the_model_leaves_the_rows_where_they_are(small_model):
    model = small_model.requires_grad_(False)
    keep_embeddings_on_host(model)
    model.to("meta")
    assert model.get_input_embeddings().rows.device.type == "cpu"


def test_embeddings_that_are_trained_stay(small_model):
    with pytest.raises(GuardError, match="choose method: lora"):
        keep_embeddings_on_host(small_model)
