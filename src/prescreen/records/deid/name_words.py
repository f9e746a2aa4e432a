"""Small word tables of our own, read from name_words.yaml: particles, words that are names or towns, pet forms.

Knows no text.
"""

from functools import cache
from pathlib import Path

from prescreen.config import read_yaml


def read_words(key: str) -> frozenset[str]:
    """One list of name_words.yaml."""
    return frozenset(_table()[key].split())


@cache
def _table() -> dict[str, str]:
    table: dict[str, str] = read_yaml(Path(__file__).with_name("name_words.yaml"))
    return table
