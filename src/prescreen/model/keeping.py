"""Dear results that a layer keeps when the backward computes the rest of it again.

torch's own selective checkpointing asks Python about every operation of a layer, twice: on a card two fifths of all
the host's time. Here whoever makes a dear product says so (`keep`), and nothing else is asked. Forward, a result is
noted in the order in which it is made; when the layer runs again, it is handed back in that order and autograd
notes what it would have noted. Outside a layer that is recomputed `keep` just computes. Knows no policy.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_ATEN = torch.ops.aten
PRODUCTS = (_ATEN.mm.default, _ATEN.addmm.default, _ATEN._grouped_mm.default)
Found = tuple[Tensor, ...]


class _Notes(NamedTuple):
    """What one layer's run noted, oldest first, and whether it runs again."""

    found: deque[Found]
    again: bool


_NOTES: ContextVar[_Notes | None] = ContextVar("notes", default=None)


class _HandBack(TorchDispatchMode):
    """Answers a product with its kept result; autograd, which stands above, notes it as if it were computed."""

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.kept = kept

    def __torch_dispatch__(self, operation: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        if operation in PRODUCTS:
            return self.kept.flatten(0, -2)
        return operation(*arguments, **(named or {}))


def keep(compute: Callable[..., Any], *arguments: Any) -> Any:
    """`compute(*arguments)`, kept for when the layer runs again.

    Where autograd looks on, one product of `PRODUCTS` whose result, or a view of it, is returned; in the forward
    of an autograd function anything, a tensor or a tuple of tensors.
    """
    notes = _NOTES.get()
    if notes is None:
        return compute(*arguments)
    if not notes.again:
        result = compute(*arguments)
        notes.found.append(tuple(t.detach() for t in (result if isinstance(result, tuple) else (result,))))
        return result
    kept = notes.found.popleft()
    if torch.is_grad_enabled():
        with _HandBack(kept[0]):
            return compute(*arguments)
    return kept if len(kept) > 1 else kept[0]


def note_and_recall() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """The contexts of a layer's forward and of its second run, as torch's checkpoint asks for them."""
    found: deque[Found] = deque()
    return _use(_Notes(found, False)), _use(_Notes(found, True))


@contextmanager
def _use(notes: _Notes) -> Iterator[None]:
    before = _NOTES.set(notes)
    try:
        yield
    finally:
        _NOTES.reset(before)


class KeptLinear(nn.Linear):
    """The same projection, kept."""

    def forward(self, rows: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        return keep(super().forward, rows)


def keep_linears(model: nn.Module) -> None:
    """Let every projection of a model's layers keep its result."""
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = KeptLinear
