"""What people come with: groups of complaints, and the words that name them in every language of the interview.

Reads `areas.yaml`. Knows words; knows no question and no rule. A group is for counting and for choosing what to ask
next: it is no diagnosis and raises nothing.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from prescreen.clinic.case import Case
from prescreen.config import read_yaml

AREAS: Final = Path(__file__).with_name("areas.yaml")
OTHER: Final = "other"
CHOSEN: Final = re.compile(r"Chosen: (?P<area>[a-z-]+)\.")  # how an interview keeps the patient's own choice
_ARABIC = str.maketrans("أإآىة", "اااي\u0647")
_ARABIC_PREFIX = re.compile(
    "^(?:[\u0648\u0641\u0628\u0644\u0643]?\u0627\u0644|\u0644\u0644|[\u0648\u0641\u0628\u0644\u0643])"
)
_WORD = re.compile(r"\w+")


class Areas(NamedTuple):
    """Beginnings of words, a whole word ending in a blank, and phrases, each with the groups they name."""

    names: tuple[str, ...]
    starts: Mapping[str, tuple[str, ...]]
    phrases: tuple[tuple[str, str], ...]

    def find(self, text: str) -> set[str]:
        """All groups a text names."""
        return {name for _, name in self._name(text)}

    def first(self, text: str) -> str | None:
        """The group a text names first: what people say first is what they come with."""
        named = [(place, self.names.index(name)) for place, name in self._name(text)]
        return self.names[min(named)[1]] if named else None

    def _name(self, text: str) -> Iterator[tuple[int, str]]:
        words = _WORD.findall(fold(text))
        for place, word in enumerate(words):
            for known in {f"{word} ", f"{_ARABIC_PREFIX.sub('', word)} "} - {" "}:
                for end in range(1, len(known) + 1):
                    yield from ((place, name) for name in self.starts.get(known[:end], ()))
        joined = f" {' '.join(words)} "
        for phrase, name in self.phrases:
            at = joined.find(f" {phrase}")
            if at >= 0:
                yield joined.count(" ", 0, at + 1) - 1, name


@cache
def load_areas(path: Path = AREAS) -> Areas:
    """Read the table: {group: {language: words}}."""
    table, starts = read_yaml(path), dict[str, tuple[str, ...]]()
    phrases: list[tuple[str, str]] = []
    for name, cue in ((name, cue) for name, said in table.items() for cues in said.values() for cue in cues):
        plain = " ".join(_WORD.findall(fold(cue))) + (" " if cue.endswith("!") else "")
        if " " in plain.strip():
            phrases.append((plain, name))
        else:
            starts[plain] = tuple(dict.fromkeys((*starts.get(plain, ()), name)))
    return Areas(tuple(table), starts, tuple(phrases))


def find_area(case: Case) -> str:
    """The group of a case: by the words of the complaint, else the patient's own choice, else `other`."""
    areas = load_areas()
    if named := areas.first(case.complaint):
        return named
    chosen = (match["area"] for turn in case.turns if (match := CHOSEN.fullmatch(turn.text)))
    return next((area for area in chosen if area in areas.names), OTHER)


def fold(text: str) -> str:
    """Lower case without accents and without the spellings of a letter, so that cues need one form only."""
    apart = unicodedata.normalize("NFKD", text.translate(_ARABIC).casefold())
    return "".join(c for c in apart if not unicodedata.combining(c))
