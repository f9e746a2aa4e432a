"""What the record already knows of the patient, found again in its texts: the surest and cheapest layer.

Any letter case, accents or none, possessives, one typing error in names of five letters and more, initials, numbers
with any separators, the birth date in any form. A name that is also one of the commonest words (An, May, Will) is
taken where it is capitalised or beside another name of the patient. Knows no cue and no list of names.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from prescreen.records.deid.dates import find_dates
from prescreen.records.deid.pet_forms import list_pet_forms
from prescreen.records.deid.spans import Kind, Span, fold
from prescreen.records.deid.vocabulary import Word
from prescreen.records.deid.wordlists import is_safe, load_lists
from prescreen.records.record import Identifiers

_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"})


_CLAIMED: Final = re.compile(r"\s+(?:you|i|he|she|it|this|that|they|we|my|the|be|not|have)\b")
_COMMONEST: Final = frozenset(
    [
        "will",
        "may",
        "long",
        "little",
        "good",
        "early",
        "see",
        "can",
        "be",
        "has",
        "an",
        "so",
        "do",
        "my",
        "le",
        "la",
        "de",
        "del",
    ]
)


def is_common(low: str) -> bool:
    """Whether a name is one of the words no text does without."""
    return len(low) < 2 or low in load_lists().stops or low in _COMMONEST


def split_names(identifiers: Identifiers) -> frozenset[str]:
    """The patient's name parts, folded, each also as it is spelt without umlauts."""
    parts: set[str] = set()
    for name in identifiers.names:
        for spelling in {fold(name), fold(name.lower().translate(_UMLAUTS))}:
            parts |= {part for part in re.split(r"[^\w']+", spelling) if len(part) > 1 and not part.isdigit()}
            parts |= {part.replace("'", "") for part in re.split(r"[^\w']+", spelling) if "'" in part}
            parts |= {part for part in re.split(r"[^\w]+", spelling) if len(part) > 2}
    return frozenset(parts)


@lru_cache(maxsize=50_000)
def is_near(word: str, name: str) -> bool:
    """Whether one inserted, lost, changed or swapped letter makes the word the name."""
    if abs(len(word) - len(name)) > 1 or word == name:
        return word == name
    head = next((i for i, (a, b) in enumerate(zip(word, name, strict=False)) if a != b), min(len(word), len(name)))
    a, b = word[head:], name[head:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


_FIRM: Final = re.compile(
    r"\b(?:mr|mrs|ms|miss|mx|dr|prof|surname|last name|first name|family name|forename|my name is|name is|"
    r"names|named|called|llamo|llama"
    r"|senora?|sra?|herr|frau|sn|nurse|sister)[.:,]?\s+(?:[a-z]\.?\s)?$"
)
_LOOSE: Final = re.compile(
    r"\b(?:i am|i'm|im|this is|its|it's|dear|hi|hello|re|pt|patient|regards|thanks|from|for|with|son|daughter|"
    r"wife|husband|mum|mother"
    r"|dad|father|brother|sister|baby|soy|ich bin)[.:,]?\s+$"
)
_OWNED: Final = re.compile(
    r"\s+(?:mum|mom|mother|dad|father|wife|husband|son|daughter|partner|sister|brother|"
    r"carer|house|birthday)\b"
)
_ENDS: Final = re.compile(r"\s*(?:[,.;:)\n]|$)|\s+(?:here|speaking|calling|again)\b")


class KnownFinder:
    """Searches texts for one record's identifiers; made once per record."""

    def __init__(self, identifiers: Identifiers) -> None:
        self.names = split_names(identifiers)
        self._long = [name for name in self.names if len(name) > 4]
        self._pets = frozenset(pet for name in self.names for pet in list_pet_forms(name)) - self.names
        self._birth = identifiers.birth_date
        self._place_words = frozenset(
            word
            for line in identifiers.addresses
            for word in re.findall(r"[^\W\d_]{4,}", fold(line))
            if word not in load_lists().generic and not is_common(word)
        )
        self._regexes = [*self._phrases(identifiers), *self._numbers(identifiers)]
        self._regexes += self._initials(identifiers)

    @staticmethod
    def _phrases(identifiers: Identifiers) -> list[tuple[Kind, re.Pattern[str]]]:
        kinds: tuple[tuple[Kind, tuple[str, ...]], ...] = (
            ("email", identifiers.emails), ("place", identifiers.addresses), ("other", identifiers.others),
        )  # fmt: skip
        found: list[tuple[Kind, re.Pattern[str]]] = []
        for kind, phrases in kinds:
            for phrase in phrases:
                if len(pieces := re.findall(r"\w+|[^\w\s]", fold(phrase))) and len("".join(pieces)) > 2:
                    body = r"[\s,]*".join(re.escape(piece) for piece in pieces if piece != ",")
                    found.append((kind, re.compile(rf"(?<!\w){body}(?!\w)")))
        return found

    @staticmethod
    def _numbers(identifiers: Identifiers) -> list[tuple[Kind, re.Pattern[str]]]:
        found: list[tuple[Kind, re.Pattern[str]]] = []
        for number in identifiers.numbers:
            if len(plain := re.sub(r"\W|_", "", fold(number))) > 3:
                found.append(("mrn", re.compile(r"(?<!\w)" + r"[\W_]{0,2}".join(plain) + r"(?!\w)")))
        for phone in identifiers.phones:
            digits = re.sub(r"\D", "", phone)
            if len(digits) > 5:
                tail = r"[\s()./-]{0,2}".join(digits[-9:] if len(digits) > 9 else digits)
                found.append(("phone", re.compile(r"(?:\+?[\d()][\d()\s./-]{0,7})?(?<!\d)" + tail + r"(?!\d)")))
                found.append(("phone", re.compile(r"[+\d()][\d()\s./-]{0,7}" + tail + r"(?!\d)")))
        return found

    @staticmethod
    def _initials(identifiers: Identifiers) -> list[tuple[Kind, re.Pattern[str]]]:
        letters = [fold(name)[0] for name in identifiers.names if name[:1].isalpha()]
        if len(letters) < 2:
            return []
        one = f"[{''.join(sorted(set(letters)))}]"
        return [("name", re.compile(rf"(?<![\w.]){one}\.\s?{one}(?:\.|\b)(?!\w)"))]

    def find(self, text: str, words: Sequence[Word]) -> list[Span]:
        """Every place where one of the identifiers stands."""
        low = fold(text)
        spans = [
            Span(match.start(), match.end(), kind, "known")
            for kind, regex in self._regexes
            for match in regex.finditer(low)
        ]
        hits = {n for n, word in enumerate(words) if self._is_name(word, low)}
        for number, word in enumerate(words):
            beside = number - 1 in hits or number + 1 in hits
            if (
                word.low in self.names and number not in hits and beside and word.low not in ("and", "i", "is", "a")
            ) or (number not in hits and (self._is_cued(word, low) or (beside and self._slips(word.low)))):
                hits.add(number)
            if word.low in self._place_words:
                spans.append(Span(word.start, word.end, "place", "known"))
        spans += [Span(words[n].start, words[n].end, "name", "known") for n in hits]
        spans += [Span(m.start(), m.end(), "name", "known") for m in self._initial_and_name(low)]
        return spans + self._birth_dates(text)

    def _is_name(self, word: Word, text: str) -> bool:
        low = word.low
        bare = low.replace("'", "")
        if (
            low.endswith("s")
            and low[:-1] in self.names
            and not is_common(low[:-1])
            and _OWNED.match(text, word.end)
        ):
            return True  # `Jeans mum`
        if low in self.names or bare in self.names or (low.endswith("s") and low[:-1] in self._long):
            claimed = word.first and _CLAIMED.match(text, word.end)
            return not is_common(low) or (word.case != "lower" and not claimed)
        if len(low) < 4 or is_safe(low):
            return False
        return any(is_near(low, name) for name in self._long)

    def _is_cued(self, word: Word, low: str) -> bool:
        """A common word that is the patient's name, in lower case, behind a title, or a pet form of it."""
        if word.low in self._pets and not is_common(word.low) and (not is_safe(word.low) or word.case == "capital"):
            return True
        if word.low not in self.names or word.low in ("and", "i", "is", "a"):
            return False
        before = low[max(0, word.start - 24) : word.start]
        return bool(_FIRM.search(before) or (_LOOSE.search(before) and _ENDS.match(low, word.end)))

    def _slips(self, low: str) -> bool:
        """Whether a word beside a name of the patient is one slip away from another: short names too."""
        safe = low in load_lists().kept or low in load_lists().clinical
        return len(low) > 2 and not safe and any(is_near(low, name) for name in self.names if len(name) > 2)

    def _initial_and_name(self, low: str) -> list[re.Match[str]]:
        names = "|".join(re.escape(name) for name in self.names if not is_common(name))
        if not names:
            return []
        return list(re.finditer(rf"(?<![\w.'])[a-z]\.\s?(?={names})|(?<=\w)\s[a-z]\.(?=\s(?:{names})\b)", low))

    def _birth_dates(self, text: str) -> list[Span]:
        if (born := self._birth) is None:
            return []
        spans = [
            Span(date.start, date.end, "date", "known")
            for date in find_dates(text)
            if {date.day, date.month} == {born.day, born.month} and date.year in (None, born.year)
        ]
        for form in ("%d%m%Y", "%Y%m%d", "%d%m%y", "%m%d%Y"):
            for match in re.finditer(rf"(?<!\d){born.strftime(form)}(?!\d)", text):
                spans.append(Span(match.start(), match.end(), "date", "known"))
        return spans
