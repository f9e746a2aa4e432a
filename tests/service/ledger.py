"""What people at a breaking clinic were told: the truth the record is held against. Knows no page and no store."""

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Told:
    """One patient by a word that stands in everything they say. `answers` were accepted, `sent` the whole visit."""

    word: str
    is_urgent: bool
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    named: bool = False
    sent: bool = False


@dataclass
class Signed:
    """One try to sign, by the words of its note: acknowledged, taken back for sure, or perhaps taken back."""

    visit: str
    told: bool = False
    undone: bool = False
    unsure: bool = False


class Ledger:
    """Written by many threads."""

    def __init__(self) -> None:
        self.patients: dict[str, Told] = {}
        self.signed: dict[str, Signed] = {}
        self.wrong: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, status: int) -> None:
        with self._lock:
            self.statuses[status] += 1

    def note(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def complain(self, what: str) -> None:
        """Something no person should ever see."""
        with self._lock:
            self.wrong.append(what)

    @property
    def acknowledged(self) -> int:
        """Signatures shown as signed and not taken back."""
        return sum(one.told and not one.undone for one in self.signed.values())
