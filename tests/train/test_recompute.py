"""Recomputing changes memory and time, never a value."""

import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from prescreen.model.experts import register_experts
from prescreen.model.grouped import register_grouped
from prescreen.model.split import unwrap
from prescreen.train.objectives import cross_entropy
from prescreen.train.packing import build_row
from prescreen.train.recompute import checkpoint_arguments, is_dear
from prescreen.train.settings import Lora
from prescreen.train.sharing import Document
from prescreen.train.start import add_adapter
from prescreen.train.trainer import use_packed_attention


class Count(TorchDispatchMode):
    """How many dear operations ran."""

    def __init__(self):
        super().__init__()
        self.dear = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.dear += is_dear(operation, args)
        return operation(*args, **(kwargs or {}))


def step(model, how, adapter, register):
    model = copy.deepcopy(model).train()
    if adapter:
        torch.manual_seed(1)
        model = add_adapter(model, Lora(rank=4, experts=True))
        model.enable_input_require_grads()  # transformers asks for it before it recomputes; here for all alike
    use_packed_attention(model)
    unwrap(model).set_experts_implementation(register())
    arguments = checkpoint_arguments(how)
    if arguments["gradient_checkpointing"]:
        model.gradient_checkpointing_enable(arguments["gradient_checkpointing_kwargs"])
    ids = torch.randint(0, 300, (60,), generator=torch.Generator().manual_seed(0)).tolist()
    row = build_row([[Document(ids[:25], ids[:25])], [Document(ids[25:], ids[25:])]])
    with Count() as forward:
        loss = cross_entropy(model, row)
    with Count() as backward:
        loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    return loss.detach(), gradients, forward.dear, backward.dear


@pytest.mark.parametrize("register", [register_experts, register_grouped])
@pytest.mark.parametrize("adapter", [False, True])
def test_values_stay_and_only_full_repeats_what_is_dear(small_model, adapter, register):
    plain, *others = [step(small_model, how, adapter, register) for how in ("none", "selective", "full")]
    for loss, gradients, forward, _ in others:
        assert torch.equal(loss, plain[0]) and forward == plain[2]
        for name, gradient in plain[1].items():
            assert torch.allclose(gradients[name], gradient, atol=1e-6), name
    selective, full = others
    assert selective[3] == plain[3], "selective keeps every dear result"
    assert full[3] > plain[3]
