"""Chains of small sums as one kernel on a CUDA card: torch's compiler there, the plain function elsewhere."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import torch
from torch import Tensor

Function = Callable[..., Any]


@cache
def _compile(function: Function) -> Function:
    return torch.compile(function)  # finds out which sizes change; the others become constants of the kernel


def fuse(function: Function) -> Any:
    """Decorator. Compiled at the first call with a tensor on a card; importing compiles nothing."""

    @wraps(function)
    def run(*arguments: Any) -> Any:
        on_card = any(isinstance(a, Tensor) and a.is_cuda for a in arguments)
        return (_compile(function) if on_card else function)(*arguments)

    run.plain = function  # type: ignore[attr-defined]  # as a part of another fused chain
    return run
