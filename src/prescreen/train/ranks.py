"""The processes of one training run: how many there are, which this is, what the first says, what all add up to.

torchrun starts them and says so in the environment; Accelerate lets them meet. Without torchrun there is one
process, and nothing here loads torch. Knows nothing about models or rows.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
PATIENCE = timedelta(hours=2)  # the others wait while the first saves a model and reads it back


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def number() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this is the one that writes files and talks to people."""
    return number() == 0


def meet() -> None:
    """Wait until all processes are there; NCCL on GPUs, gloo on CPUs."""
    import torch
    from accelerate import PartialState

    if not torch.distributed.is_initialized():
        PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)


def agree(ask: Callable[[], T]) -> T:
    """What the first process finds; the others wait for its answer."""
    if count() == 1:
        return ask()
    import torch

    meet()
    said = [ask() if is_first() else None]
    torch.distributed.broadcast_object_list(said, src=0)
    return said[0]  # type: ignore[return-value]


def wait() -> None:
    """Go on when all processes have come here."""
    agree(lambda: None)


def add_up(values: "Tensor") -> "Tensor":
    """The sum of every process's values; they must be on the device it trains on."""
    if count() > 1:
        import torch

        torch.distributed.all_reduce(values)
    return values


def part() -> None:
    """Leave the other processes, once all work is done."""
    import sys

    if "torch" in sys.modules and sys.modules["torch"].distributed.is_initialized():
        sys.modules["torch"].distributed.destroy_process_group()
