"""Recomputing changes memory and time, never a value."""

import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from prescreen.model import weights
from prescreen.model.experts import register_experts
from prescreen.model.grouped import register_grouped
from prescreen.model.keeping import PRODUCTS
from prescreen.model.resident import load_resident
from prescreen.model.split import unwrap
from prescreen.train.objectives import cross_entropy
from prescreen.train.packing import build_row
from prescreen.train.recompute import checkpoint_arguments
from prescreen.train.settings import Lora
from prescreen.train.sharing import Document
from prescreen.train.start import add_adapter
from prescreen.train.trainer import use_packed_attention

ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
NARROW = 32  # a product over fewer numbers, as an adapter's second one, costs less than keeping it


def is_dear(operation, arguments):
    if operation in PRODUCTS:
        return arguments[operation == torch.ops.aten.addmm.default].shape[-1] >= NARROW
    return operation == ATTENTION


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
@pytest.mark.parametrize("trained", ["all", "adapter", "adapter on MXFP4"])
def test_values_stay_and_only_full_repeats_what_is_dear(small_model, tokenizer, tmp_path, trained, register):
    model = small_model
    if trained == "adapter on MXFP4":
        weights.save_model(small_model, tokenizer, tmp_path, "mxfp4")
        model = load_resident(tmp_path)
    adapter = trained != "all"
    plain, *others = [step(model, how, adapter, register) for how in ("none", "selective", "full")]
    for loss, gradients, forward, _ in others:
        assert torch.equal(loss, plain[0]) and forward == plain[2]
        for name, gradient in plain[1].items():
            assert torch.allclose(gradients[name], gradient, atol=1e-6), name
    selective, full = others
    routers = small_model.config.num_hidden_layers
    assert selective[3] == plain[3] + routers, "selective keeps every dear result but the routers' few numbers"
    assert full[3] > plain[3]
