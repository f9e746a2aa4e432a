"""Pet forms of given names: Bill for William, Steph for Stephanie. Knows no patient."""

from functools import lru_cache
from typing import Final

from prescreen.records.deid.name_words import read_words

_PETS: Final = dict(pair.split(":") for pair in sorted(read_words("pets")))


@lru_cache(maxsize=10_000)
def list_pet_forms(name: str) -> frozenset[str]:
    """Pet forms of a given name: those of the table, and beginnings of three letters with a small ending."""
    forms = {pet for pet, full in _PETS.items() if full == name or (len(name) > 6 and full[:5] == name[:5])}
    if len(name) > 4:
        for size in range(3, min(len(name) - 1, 6)):
            head = name[:size]
            if head[-1] not in "aeiouy":
                forms |= {head, *(head + end for end in ("y", "ie", "i", "ey", "o", "ito", "ita", "a"))}
                forms |= {head + head[-1] + end for end in ("y", "ie", "i")}
    return frozenset(form for form in forms if len(form) > 2)
