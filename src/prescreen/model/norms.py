"""The norms of a loaded model in fewer passes: one kernel on a CUDA card, torch's own norm elsewhere."""

import torch
import torch.nn.functional as F
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
    """The same weights and sums; torch's own norm differs from transformers' by no bit in float32."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        if hidden_states.is_cuda or hidden_states.dtype != torch.float32:
            return normalise(hidden_states, self.weight, self.variance_epsilon)
        return F.rms_norm(hidden_states, self.weight.shape, self.weight, self.variance_epsilon)


def fuse_norms(model: nn.Module) -> None:
    """Exchange the arithmetic of every norm of a model."""
    for module in model.modules():
        if type(module) is GptOssRMSNorm:
            module.__class__ = FusedNorm
