"""A frozen base's input embeddings in the host's memory: 1.1 GiB of gpt-oss-20b that a small card can use.

A pass looks up its own tokens' rows there and sends them over. Knows nothing about the rest of the model.
"""

from typing import Any

from torch import Tensor, nn

from prescreen.errors import GuardError


class HostEmbedding(nn.Module):
    """Looks like an embedding. Its rows are no parameter, so that moving the model leaves them where they are."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        weight = embedding.weight.detach()
        self.device = weight.device
        self.rows = weight.cpu().pin_memory() if weight.is_cuda else weight

    def forward(self, ids: Tensor) -> Tensor:
        """[...] -> [..., h], on the model's device."""
        found = self.rows.index_select(0, ids.flatten().to(self.rows.device))
        return found.unflatten(0, ids.shape).to(self.device, non_blocking=True)


def keep_embeddings_on_host(model: Any) -> None:
    """Exchange a causal model's input embeddings; GuardError where they are trained."""
    embedding = model.get_input_embeddings()
    if embedding.weight.requires_grad:
        raise GuardError("host_embeddings: embeddings that are trained must stay on the card; choose method: lora")
    model.set_input_embeddings(HostEmbedding(embedding))
