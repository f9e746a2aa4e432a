"""The last layer for the rows that somebody asks for.

What the last layer makes of a token goes into no further layer: of a prompt only the last token's is read, of a
training row only those that predict a trained token. The others are attended to, and their experts are left out.
Knows a layer, no reason to ask.
"""

from types import MethodType
from typing import Any

from torch import Tensor, nn


def spare_last_layer(model: nn.Module) -> None:
    """Let a causal model's last layer take `rows` [n], positions in the sequence; it then returns these alone.

    The model is called as before, with `rows` beside its other arguments, and answers with n positions.
    """
    layer: Any = model.model.layers[-1]  # type: ignore[union-attr, index]
    layer.forward = MethodType(_forward, layer)


def _forward(self: Any, hidden_states: Tensor, *, rows: Tensor | None = None, **arguments: Any) -> Tensor:
    """transformers' decoder layer of gpt-oss: [B, S, h] -> [B, S or n, h]."""
    if rows is None:
        return type(self).forward(self, hidden_states, **arguments)
    attended, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **arguments)
    asked = hidden_states.index_select(1, rows) + attended.index_select(1, rows)
    return asked + self.mlp(self.post_attention_layernorm(asked))[0]
