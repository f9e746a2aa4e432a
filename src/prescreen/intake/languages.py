"""Every word a patient reads, in four languages, from gettext files `locale/<language>/intake.po`.

Keys are stable names (`consent.title`); English is a translation like the others. Knows no page and no state.
A clinician who speaks the language must check a translation before patients see it: docs/intake.md.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from prescreen.errors import InputError

LOCALE = Path(__file__).with_name("locale")
LANGUAGES = ("en", "es", "ar", "de")
_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})


def names() -> dict[str, str]:
    """Every language by its own name, in the order in which they are offered."""
    return {language: catalogue(language)["language.name"] for language in LANGUAGES}


def direction(language: str) -> Literal["ltr", "rtl"]:
    """Which way the language is written."""
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"


def say(language: str, key: str, **values: object) -> str:
    """The words of a key; a key or language that is not there is an error, never an English leftover."""
    words = catalogue(language)
    if key not in words:
        raise InputError(f"the language {language} has no words for {key}; add them to its intake.po")
    return words[key].format(**values) if values else words[key]


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All words of one language, read once."""
    from babel.messages.pofile import read_po

    if language not in LANGUAGES:
        raise InputError(f"no interview in the language {language[:20]!r}; there are {', '.join(LANGUAGES)}")
    path = LOCALE / language / "intake.po"
    with path.open("rb") as file:
        catalog = read_po(file, locale=language, abort_invalid=True)
    words = {str(m.id): str(m.string) for m in catalog if m.id and m.string and not m.fuzzy}
    return MappingProxyType(words)
