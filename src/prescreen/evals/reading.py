"""Reading level: the Flesch-Kincaid grade, the years of school a text asks for.

0.39 words a sentence + 11.8 syllables a word - 15.59 (Kincaid et al., 1975, Research Branch Report 8-75). Syllables
are counted by vowel groups, a common approximation. Knows English spelling only.
"""

import re

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?", re.IGNORECASE)
_END = re.compile(r"[.!?]+(?=\s|$)|\n+")
_VOWELS = re.compile(r"[aeiouy]+")
_SILENT = re.compile(r"(?:[^laeiouysxzcgh]es|[^aeiouytd]ed|(?:[aeiouy]l|[^laeiouy])e)$")


def count_syllables(word: str) -> int:
    """Vowel groups without a silent ending; at least one."""
    plain = word.lower().replace("'", "")
    groups = len(_VOWELS.findall(plain))
    return max(groups - bool(groups > 1 and _SILENT.search(plain)), 1)


def grade_text(text: str) -> float | None:
    """The grade, None without a word; a stretch without a full stop is one sentence."""
    sentences = [words for part in _END.split(text) if (words := _WORD.findall(part))]
    words = [word for sentence in sentences for word in sentence]
    if not words:
        return None
    syllables = sum(map(count_syllables, words))
    return 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59
