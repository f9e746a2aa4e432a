"""Shares with their counts and bounds, as the risk figures of an import state them.

Knows counts. Knows nothing of what was counted.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeVar

from prescreen.clinic.rates import Rate
from prescreen.config import Strict

GOAL: Final = 0.99  # of a class of identifiers; below it a class is weak
T = TypeVar("T")


class Share(Strict):
    """`right` of `n`."""

    right: int = 0
    n: int = 0

    @property
    def value(self) -> float | None:
        """The proportion, None without a single case."""
        return self.right / self.n if self.n else None

    def wilson(self) -> tuple[float, float]:
        """The 95 % Wilson interval; [0, 1] when nothing was counted."""
        return Rate(self.right, self.n - self.right).wilson()

    @property
    def counts(self) -> str:
        """Counts and proportion, for what was counted whole and not sampled."""
        return (
            "0 of 0, not measured" if self.value is None else f"{self.right} of {self.n} = {100 * self.value:.1f} %"
        )

    def __str__(self) -> str:
        low, high = self.wilson()
        return f"{self.counts} [{100 * low:.1f}, {100 * high:.1f}]" if self.n else self.counts


class Recall(Strict):
    """How much of one class was found: whole identifiers, and their letters and digits."""

    kind: str
    whole: Share = Share()
    characters: Share = Share()

    @property
    def verdict(self) -> Literal["reached", "weak", "too few to say", "not measured"]:
        """Against GOAL: below it is weak; above it with an interval that reaches below says too little."""
        if self.whole.value is None:
            return "not measured"
        if self.whole.value < GOAL:
            return "weak"
        return "reached" if self.whole.wilson()[0] >= GOAL else "too few to say"


class Tally:
    """Counts found and missed identifiers by class."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}

    def add(self, kind: str, found: int, length: int) -> None:
        """One identifier of `length` letters and digits, `found` of which were covered."""
        counts = self._counts.setdefault(kind, [0, 0, 0, 0])
        for place, count in enumerate((found == length, 1, found, length)):
            counts[place] += count

    def list_recalls(self) -> tuple[Recall, ...]:
        """By class, sorted by name."""
        return tuple(
            Recall(kind=kind, whole=Share(right=a, n=b), characters=Share(right=c, n=d))
            for kind, (a, b, c, d) in sorted(self._counts.items())
        )


def draw(items: Iterable[T], most: int, name: Callable[[T], str], salt: str) -> list[T]:
    """The `most` items whose hash comes first: the same from the same items, in memory for `most` alone."""
    heap: list[tuple[int, int, T]] = []
    for number, item in enumerate(items):
        rank = int.from_bytes(hashlib.sha256(f"{salt}\0{name(item)}".encode()).digest())
        if len(heap) < most:
            heapq.heappush(heap, (-rank, -number, item))
        elif heap and (-rank, -number) > heap[0][:2]:
            heapq.heapreplace(heap, (-rank, -number, item))
    return [item for _, _, item in sorted(heap, key=lambda entry: entry[:2], reverse=True)]
