"""Words that name nobody, and frequent names: lists, word stems, medical endings and slips of the finger.

No list is copied into the package. Words of its own clinical text are counted when they are first needed; common
English words and names are read from installed packages (`lexicon`); words.yaml is a table of our own. Knows single
folded words.
"""

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from prescreen.config import read_yaml
from prescreen.records.deid.lexicon import gather_words, read_authored
from prescreen.records.deid.spans import fold
from prescreen.records.deid.terms import is_english

_FOLDER: Final = Path(__file__).parent
_MEDICAL: Final = re.compile(
    r"(?:itis|osis|oses|ectomy|algia|a?emia|uria|pathy|pathic|scop(?:y|ies|ic)|ology|ologist|plasty"
    r"|graphy|gram|ostomy"
    r"|penia|plegia|plegic|cardia|pnoea|pnea|rrhoea|rrhea|rrhagia|trophy|oma|omas|otomy|sclerosis|genic|lytic|itic"
    r"|pril|sartan|olol|dipine|statin|cillin|azole|mycin|cycline|floxacin|zepam|zolam|triptan|gliptin|gliflozin"
    r"|glutide|mab|tinib|prazole|tidine|setron|caine|vir|coxib|profen|thiazide|semide|parin|xaban|gatran|oxetine"
    r"|triptyline|pezil|asone|solone|sonide|terol|tropium|lukast|barbital|lol|formin|glitazone|idone|apine"
    r"|a?emic|paresis|phagia|phasia|a?esthesia|rrhaphy|pexy|centesis|odesis|otomies|ectomies|ostomies|pathies|itides"
    r"|oses|genesis|toxic|toxicity|phil|philia|edema|oedema|stenosis|megaly|malacia|lithiasis|tripsy|lysis|cyte|cytes|cytosis"
    r"|parib|ciclib|rafenib|platin|taxel|rubicin|dronate|dronic|fungin|penem|bactam|oxacin|micin|racetam|gabalin"
    r"|pressin|tocin|cept|kinra|grastim|poetin|racil|trexate|quine|quin|dopa|giline|capone|zosin|afil)s?$"
)
_ENGLISH: Final = re.compile(
    r"(?:ated|ating|ation|ations|ture|tured|ment|ments|ness|ising|izing|ised|ized|able|ible|ably|tion"
    r"|tions|sion|ally"
    r"|ically|ous|ously|ive|ively|ence|ance|ical|ism|less|lessly|ful|fully|wards|iendo|ando|cion|ciones"
    r"|mente|miento)$"
)
_ENDINGS: Final = (
    "'s",
    "s",
    "es",
    "ed",
    "d",
    "ing",
    "ly",
    "er",
    "ers",
    "est",
    "ness",
    "ish",
    "able",
    "less",
    "ful",
    "y",
)
_STARTS: Final = (
    "un", "re", "non", "pre", "post", "over", "under", "mis", "anti", "hyper", "hypo", "tele", "inter", "intra",
    "sub", "super", "multi", "micro", "cardio", "neuro", "gastro", "electro", "immuno", "thermo", "pseudo", "poly",
    "peri", "endo", "supra", "infra", "extra", "retro", "trans", "fibro", "osteo", "musculo", "cerebro",
)  # fmt: skip


class Lists(NamedTuple):
    """The lists, folded."""

    clinical: frozenset[str]
    common: frozenset[str]
    kept: frozenset[str]
    stops: frozenset[str]  # of the kept ones those no text does without
    names: frozenset[str]
    eponyms: frozenset[str]
    in_context: frozenset[str]
    sense: frozenset[str]
    titles: frozenset[str]
    given: frozenset[str]
    function_names: frozenset[str]
    plain: frozenset[str]
    generic: frozenset[str]
    spanish: frozenset[str]  # words that tell a Spanish text
    nouns: frozenset[str]  # clinical nouns that make a name before them clinical
    things: frozenset[str]  # what a person may have as well: fever, test, brace
    devices: frozenset[str]  # of those the things one can hold
    scales: frozenset[str]  # after a clinical word: Abbey pain score


@cache
def load_lists() -> Lists:
    """Gather the lists, once."""
    table, gathered = read_yaml(_FOLDER / "words.yaml"), gather_words()

    def split(text: str) -> frozenset[str]:
        return frozenset(fold(text).split())

    kept = split(" ".join(table["kept"].values()))
    stops = split(table["kept"]["function"])
    titles = split(table["titles"])
    epo = table["eponyms"]
    return Lists(
        gathered.clinical, gathered.common, kept, stops, gathered.names - kept - titles,
        split(epo["always"]) | read_authored("eponyms"), split(epo["context"]) | read_authored("eponyms_common"),
        split(epo["sense"]),
        titles, split(table["given"]), split(table["function_names"]),
        split(table["plain"]), split(table["generic"]), split(table["telling"]), split(table["heads"]["nouns"]),
        split(table["heads"]["things"]) | split(table["heads"]["devices"]), split(table["heads"]["devices"]),
        split(table["heads"]["scales"]),
    )  # fmt: skip


@lru_cache(maxsize=100_000)
def is_safe(low: str) -> bool:
    """Whether a folded word, or its stem, is on a list of words that name nobody."""
    lists = load_lists()
    if is_listed(low, lists) or low.replace("'", "") in lists.kept:
        return True
    if (head := re.sub(r"'(?:ll|re|ve|d|m|t)$", "", low)) != low:  # we'll, who'd
        return head in lists.kept or is_listed(head, lists)
    if low in lists.names:
        return False
    terms = gather_words().terms
    if low in terms.modern or low in terms.words:
        return True
    if len(low) > 6 and (_MEDICAL.search(low) or (len(low) > 7 and _ENGLISH.search(low))):
        return True
    if len(low) < 5:
        return False
    for end in _ENDINGS:
        stem = low.removesuffix(end)
        if stem != low and len(stem) > 2 and (
            is_listed(stem, lists) or (len(stem) > 3 and (is_listed(stem + "e", lists) or
            (stem[-1] == "i" and is_listed(stem[:-1] + "y", lists)) or
            (stem[-1] == stem[-2] and is_listed(stem[:-1], lists))))
        ):  # fmt: skip
            return True
    return any(low.startswith(start) and len(low) > len(start) + 3 and is_listed(low[len(start) :], lists)
               for start in _STARTS)  # fmt: skip


@lru_cache(maxsize=100_000)
def is_dictionary(low: str) -> bool:
    """Whether a rare word is in the dictionary and no census knows it: enough where it is written in lower case."""
    gathered = gather_words()
    if low in gathered.terms.spoken:
        return True
    return len(low) > 5 and low not in gathered.census and is_english(low, gathered.english)


def is_medical(low: str) -> bool:
    """Whether a folded word ends as diagnoses, operations and drugs do."""
    return len(low) > 6 and bool(_MEDICAL.search(low))


def is_listed(low: str, lists: Lists) -> bool:
    """Whether the very word is clinical, common or always kept."""
    return low in lists.clinical or low in lists.common or low in lists.kept


@lru_cache(maxsize=100_000)
def is_typing_error(low: str) -> bool:
    """Whether one slip of the finger makes the word a safe one; short words need a clinical one."""
    lists = load_lists()
    if not 6 <= len(low) <= 24 or low in lists.names:
        return False
    letters = "abcdefghijklmnopqrstuvwxyz"
    cuts = [(low[:i], low[i:]) for i in range(len(low) + 1)]
    near = (
        [a + b[1:] for a, b in cuts if b]
        + [a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1]
        + [a + c + b[1:] for a, b in cuts if b for c in letters]
        + [a + c + b for a, b in cuts for c in letters]
    )
    return any(word in lists.clinical or (len(low) > 6 and word in lists.common) for word in near if len(word) > 3)
