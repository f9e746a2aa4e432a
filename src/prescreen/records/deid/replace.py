"""What stands in an identifier's place: the same invented name for the same name, a year, a shifted date, a mark.

Every choice is a keyed one: HMAC-SHA256 under a random secret drawn for the patient, never made from the record
(45 CFR 164.514(c)). Knows no detector. Two modes that are never mixed: `safe_harbor` keeps of a date its year;
`limited` shifts all dates of a patient by the same secret number of days, which is NOT Safe Harbor.
"""

import hashlib
import hmac
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from prescreen.config import read_yaml
from prescreen.records.deid.dates import find_dates, list_years, shift_date
from prescreen.records.deid.spans import Kind, Span, fold

Mode = Literal["safe_harbor", "limited"]
_POOLS: Final = Path(__file__).with_name("surrogates.yaml")


class Pools(NamedTuple):
    """What substitutes are drawn from, and the ZIP areas with too few people."""

    first: tuple[str, ...]
    family: tuple[str, ...]
    town: tuple[str, ...]
    restricted_zip3: tuple[str, ...]


@cache
def load_pools() -> Pools:
    """Read surrogates.yaml, once."""
    return Pools(**{key: tuple(words.split()) for key, words in read_yaml(_POOLS).items()})


MARKS: Final[dict[Kind, str]] = {
    "place": "[place]", "date": "[date]", "phone": "[phone]", "fax": "[fax]", "email": "[email]", "ssn": "[number]",
    "mrn": "[record]", "plan": "[plan]", "account": "[account]", "licence": "[licence]", "vehicle": "[vehicle]",
    "device": "[device]", "url": "[link]", "ip": "[address]", "biometric": "[biometric]", "photo": "[photo]",
    "other": "[number]", "age_over_89": "over 89",
}  # fmt: skip


class Replaced(NamedTuple):
    """The new text, and where in it the substitutes stand."""

    text: str
    inserted: tuple[tuple[int, int], ...]


def draw_secret() -> bytes:
    """A new patient's secret; it belongs in a sealed table, apart from what it protects."""
    return secrets.token_bytes(32)


class Surrogates:
    """One patient's substitutes in one mode. `taken`: the patient's own names, never handed out."""

    def __init__(self, secret: bytes, mode: Mode, taken: frozenset[str] = frozenset(), *, year: int | None = None):
        if len(secret) < 16:
            raise ValueError("a patient's secret has at least 16 random bytes; draw it with draw_secret()")
        self.mode, self._secret, self._taken, self._year = mode, secret, taken, year
        self.shift_days = -(30 + self.draw("shift") % 690)

    def draw(self, *labels: str) -> int:
        """A number fixed by the secret, the mode and the labels, and by nothing else."""
        message = "\0".join((self.mode, *labels)).encode()
        return int.from_bytes(hmac.digest(self._secret, message, hashlib.sha256)[:8])

    def code(self, *labels: str) -> str:
        """A code for the patient or a record: random to whoever lacks the secret."""
        return f"{self.draw('code', *labels):016x}"

    def name(self, word: str) -> str:
        """The substitute of one name word, in its letter case."""
        low = fold(word)
        low = low[:-2] if low.endswith("'s") else low
        pool = load_pools().family if self.draw("kind", low) % 2 else load_pools().first
        free = [name for name in pool if fold(name) not in self._taken]
        new = free[self.draw("name", low) % len(free)]
        new += "'s" if fold(word).endswith("'s") else ""
        return new.lower() if word.islower() else new.upper() if word.isupper() and len(word) > 1 else new

    def town(self, text: str) -> str:
        """The substitute of a place's name."""
        free = [name for name in load_pools().town if fold(name) not in self._taken]
        new = free[self.draw("town", fold(text)) % len(free)]
        return new.lower() if text.islower() else new

    def place(self, text: str) -> str:
        """A ZIP keeps three digits where enough people live there; words become a town, the rest a mark."""
        if match := re.fullmatch(r"(\d{5})(?:-\d{4})?", text.strip()):
            return "000" if match[1][:3] in load_pools().restricted_zip3 else match[1][:3]
        return self.town(text) if not re.search(r"\d", text) and len(text.split()) < 4 else MARKS["place"]

    def date(self, text: str) -> str:
        """The year alone, or the date shifted; [date] where neither can be told."""
        dates = find_dates(text)
        if self.mode == "safe_harbor":
            years = [date.year for date in dates if date.year and not self.hides(date.year)]
            return ", ".join(map(str, years)) or MARKS["date"]
        base = self._year or 2021
        shifted = [shift_date(date, text, self.shift_days, base_year=base) for date in dates]
        return ", ".join(shifted_text for shifted_text in shifted if shifted_text) or MARKS["date"]

    def hides(self, year: int) -> bool:
        """Whether a year gives away an age over 89."""
        return year <= (self._year or 2040) - 90

    def substitute(self, span: Span, text: str) -> str:
        """What stands for one span."""
        old = text[span.start : span.end]
        if span.kind == "name":
            if span.layer == "vocabulary":
                return "[name]"
            return re.sub(r"[^\W\d_]+(?:['’][^\W\d_]+)*", lambda match: self.name(match[0]), old)
        if span.kind == "place":
            return self.place(old)
        return self.date(old) if span.kind == "date" else MARKS[span.kind]

    def replace(self, text: str, spans: list[Span]) -> Replaced:
        """The text with every span exchanged; `spans` are sorted and apart."""
        hidden = [
            Span(start, end, "date", "pattern")
            for start, end, year in list_years(text)
            if self.mode == "safe_harbor"
            and self.hides(year)
            and not any(s.start < end and start < s.end for s in spans)
        ]
        parts: list[str] = []
        inserted: list[tuple[int, int]] = []
        at = length = 0
        for span in sorted([*spans, *hidden]):
            new = MARKS["date"] if span in hidden else self.substitute(span, text)
            parts += [text[at : span.start], new]
            length += span.start - at
            inserted.append((length, length + len(new)))
            length += len(new)
            at = span.end
        return Replaced("".join((*parts, text[at:])), tuple(inserted))
