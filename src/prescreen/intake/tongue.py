"""Which language a text can be in, as far as its script and its small words tell. Knows no meaning.

A guess that errs towards "may be": only a clear sign of another language says no.
"""

import re
import unicodedata

_WORD = re.compile(r"[^\W\d_]+")
_SMALL = {
    "en": "the and is are was have has had i my me you your it he she his her in on of for with not when "
    "what how do does did any since been this that a an at to from who which can could there or but",
    "es": "el la los las un una y o de del en con por para que se me mi su es son no tengo tiene duele "
    "desde hace al lo muy como cuando usted ha he esta este le mucho",
    "de": "der die das ein eine und oder ich mir mich mein meine ist sind war habe hat nicht mit von zu "
    "seit es er sie wie wann was im am auf bei haben sehr auch kann keine einen",
    "fr": "le la les un une et ou je mon ma mes est sont ai avec de du des depuis pas que qui il elle au "
    "aux tres une vous votre dans mal",
    "it": "il lo la gli un una e o io mio mia ho ha con di da del che non sono male molto mi nel alla per",
    "pt": "o a os as um uma e ou eu meu minha tenho tem com de do da que nao estou muito dor me no na desde",
    "tr": "bir ve bu ben benim var yok cok icin ile mi de da agri gibi ama ne",
    "pl": "i w na z nie mam boli od jest sie do to mnie bardzo jak",
}
_WORDS = {language: frozenset(words.split()) for language, words in _SMALL.items()}
_SCRIPT = {"ar": "ARABIC"}
_FEW, _ENOUGH = 3, 6  # words from which on small words of another language, or none of one's own, tell


def could_be(text: str, language: str) -> bool:
    """Whether a text may be in this language; one without letters may not."""
    letters = [c for c in text if c.isalpha()]
    own = sum(unicodedata.name(c, "").startswith(_SCRIPT.get(language, "LATIN")) for c in letters)
    if not letters or own < 0.5 * len(letters):
        return False
    if language not in _WORDS:
        return True
    words = [_plain(word) for word in _WORD.findall(text)]
    if len(words) < _FEW:
        return True
    counts = {other: sum(word in small for word in words) for other, small in _WORDS.items()}
    best = max(counts.values())
    if counts[language] == 0:
        return best < 2 and len(words) < _ENOUGH
    return counts[language] >= best or counts[language] >= 0.25 * len(words)


def _plain(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in apart if not unicodedata.combining(c))
