"""The norms of a loaded model, computed in one pass on a CUDA card: read once, written once."""

from torch import Tensor, nn
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssRMSNorm

from prescreen.model.fuse import fuse


@fuse
def normalise(hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """transformers' own sums, in float32: [..., h] -> [..., h] in the input's dtype."""
    wide = hidden.float()
    scaled = wide * (wide.square().mean(-1, keepdim=True) + epsilon).rsqrt()
    return (weight * scaled).to(hidden.dtype)


class FusedNorm(GptOssRMSNorm):
    """The same weights; the sums as one kernel where there is a card."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        return normalise(hidden_states, self.weight, self.variance_epsilon)


def fuse_norms(model: nn.Module) -> None:
    """Exchange the arithmetic of every norm of a model."""
    for module in model.modules():
        if type(module) is GptOssRMSNorm:
            module.__class__ = FusedNorm
