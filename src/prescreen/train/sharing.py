"""Documents to train on, and what they share: text that stands in a packed row once and is continued by many.

A pair shares its prompt, a dialogue its history, and every row of a task its system block and instruction: of short
dialogues a quarter. Losses and gradients stay what they were. Knows token ids, no text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from prescreen.errors import GuardError
from prescreen.model.loss import IGNORE

LEAST_TOKENS = 16  # a shorter common beginning is not worth a part of its own in attention


@dataclass(frozen=True)
class Document:
    """One training text. `labels` equals `ids` where trained and IGNORE elsewhere.

    `continues` numbers an earlier document of the same unit whose tokens stand before this one's; -1: none.
    """

    ids: list[int]
    labels: list[int]
    continues: int = -1

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.labels) or not self.ids:
            raise GuardError(f"a document has {len(self.ids)} tokens and {len(self.labels)} labels")

    @property
    def num_trained(self) -> int:
        return sum(label != IGNORE for label in self.labels)


Unit = Sequence[Document]  # documents that must share a row: the turns of a dialogue, a preference pair


def num_tokens(documents: Unit) -> int:
    """Tokens of some documents together."""
    return sum(len(document.ids) for document in documents)


def share_trunks(documents: Unit) -> list[Document]:
    """The same documents with what their prompts share stated once: trunks, and branches that continue them.

    A branch keeps the last token of its prompt, so that every trained token is predicted inside its own branch.
    A document alone shares nothing and stays whole.
    """
    if len(documents) < 2:
        return list(documents)
    shared: list[Document] = []
    trunk: list[int] = []
    at = -1
    for document in documents:
        before = _prompt(document)
        if before[: len(trunk)] != trunk:
            shared.append(document)
            continue
        if more := before[len(trunk) :]:
            shared.append(Document(more, [IGNORE] * len(more), at))
            trunk, at = before, len(shared) - 1
        shared.append(Document(document.ids[len(before) :], document.labels[len(before) :], at))
    return shared


class Prefixes(NamedTuple):
    """`trunks` state shared beginnings, parents before children; unit i's first document lacks what trunk
    `under[i]` and its ancestors state, or nothing where that is -1."""

    trunks: list[Document]
    units: list[Unit]
    under: list[int]


@dataclass
class _Trie:
    prompts: list[list[int]]
    least_members: int
    trunks: list[Document]
    under: list[int]

    def grow(self, members: list[int], depth: int, parent: int) -> None:
        """Share what all members say beyond `depth`, then look for more in those that go on alike."""
        shared = _common([self.prompts[m] for m in members])
        if shared - depth >= LEAST_TOKENS:
            ids = self.prompts[members[0]][depth:shared]
            self.trunks.append(Document(ids, [IGNORE] * len(ids), parent))
            depth, parent = shared, len(self.trunks) - 1
            for member in members:
                self.under[member] = parent
        branches: dict[int, list[int]] = {}
        for member in members:
            if len(self.prompts[member]) > shared:
                branches.setdefault(self.prompts[member][shared], []).append(member)
        for branch in branches.values():
            if len(branch) >= self.least_members:
                self.grow(branch, depth, parent)


def share_prefixes(units: Sequence[Unit], budget: int) -> Prefixes:
    """Units without the beginnings they share, where an average row holds one unit or more of them.

    Where the trunks would leave the longest unit no room in a row of `budget` tokens, nothing is shared.
    """
    nothing = Prefixes([], list(units), [-1] * len(units))
    if not units:
        return nothing
    tokens = sum(map(num_tokens, units))
    trie = _Trie([_prompt(unit[0]) for unit in units], max(2, tokens // budget), [], [-1] * len(units))
    trie.grow(list(range(len(units))), 0, -1)
    lengths: list[int] = []
    for trunk in trie.trunks:
        lengths.append(len(trunk.ids) + (lengths[trunk.continues] if trunk.continues >= 0 else 0))
    short = [
        [_cut(unit[0], lengths[at]), *unit[1:]] if at >= 0 else unit
        for unit, at in zip(units, trie.under, strict=True)
    ]
    if max(map(num_tokens, short)) > budget - num_tokens(trie.trunks):
        return nothing
    return Prefixes(trie.trunks, short, trie.under)


def _common(lists: Sequence[list[int]]) -> int:
    """Length of what all begin with: what the first and the last in order begin with."""
    first, last = min(lists), max(lists)
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))


def _prompt(document: Document) -> list[int]:
    """What stands before the first trained token, less the token that predicts it."""
    trained = next((i for i, label in enumerate(document.labels) if label != IGNORE), len(document.ids))
    return document.ids[: max(trained - 1, 0)]


def _cut(document: Document, size: int) -> Document:
    return replace(document, ids=document.ids[size:], labels=document.labels[size:])
