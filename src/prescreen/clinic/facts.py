"""What a sentence of a report states, apart from how: numbers with their units, symptoms said or denied, qualities.

Two wordings of the same statement give the same facts, and a changed fact never gives the same ones. Knows English
and the terms of the rule table; a list of names (drugs, illnesses, findings) is the caller's. Knows no report.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from prescreen.clinic.case import Case
from prescreen.clinic.measurements import read_ages, read_measurements
from prescreen.clinic.negation import clean_text, is_negated
from prescreen.clinic.numerals import NUMBERS
from prescreen.clinic.redflags import load_rules
from prescreen.clinic.weighed import DENIALS
from prescreen.clinic.words import Words

_TOKEN: Final = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_]+(?:'[^\W\d_]+)?")
_UNITS: Final = {
    word: unit
    for unit, words in {
        "minute": "min mins minute minutes", "hour": "h hr hrs hour hours", "day": "d day days",
        "week": "wk wks week weeks", "month": "month months mth mths", "year": "y yr yrs year years",
        "mg": "mg milligram milligrams", "ml": "ml millilitre millilitres", "mcg": "mcg microgram micrograms",
        "degrees": "c celsius degrees degree",
    }.items()
    for word in words.split()
}  # fmt: skip
# Where, how strong, how begun and how it goes: words that move a level although they are no symptom.
_QUALITIES: Final = frozenset(
    re.findall(
        r"\w+",
        "left right both bilateral upper lower central chest heart head neck throat jaw arm arms hand leg"
        " legs foot calf belly abdomen abdominal stomach groin pelvic back spine eye eyes ear face tongue lip"
        " lips skin mild moderate severe worst worse worsening better improving unbearable crushing stabbing"
        " tearing sharp dull burning sudden suddenly gradual gradually constant intermittent new chronic acute"
        " recurrent spreading radiating bleeding unable unconscious urgent urgently emergency immediately"
        " today tonight now routine pregnant allergy allergic anaphylaxis overdose swallowed inhaled he she"
        " man woman boy girl male female baby infant child",
    )
)
_PLAIN: Final = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been being but by did do does doing for from had has have having her his i in"
        " into is it its my of on or our out so some than that the their them then there they this to too up"
        " very was we were what when which while who will with you your patient patients pt says said reports"
        " reported states told describes described presents presenting complains complaining of also any"
        " please about after before since until over during because if",
    )
)
_CARRY_ON: Final = frozenset({"and", "or", "any", "of", "a", "the", "as", "is", "was", "have", "had", "has"})
_ENDINGS: Final = ("ing", "ed", "es", "s")
_QUOTES: Final = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"'})
_LONGEST_ENDING: Final = 3


def list_tokens(text: str) -> list[str]:
    """Words and numbers in order: lower case, numbers as digits, units by one name."""
    found = []
    for token in _TOKEN.findall(text.translate(_QUOTES).lower()):
        if token[0].isdigit():
            found.append(f"{float(token.replace(',', '.')):g}")
        else:
            found.append(str(NUMBERS[token]) if token in NUMBERS else _UNITS.get(token, token))
    return found


def stem_word(word: str) -> str:
    """A word without its ending, so that `vomits` and `vomiting` are one."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) > _LONGEST_ENDING:
            return word.removesuffix(ending)
    return word


def content_of(text: str) -> frozenset[str]:
    """The words that carry a statement, without order, endings and grammar."""
    return frozenset(stem_word(token) for token in list_tokens(text) if token not in _PLAIN)


@lru_cache(maxsize=4096)
def state_facts(text: str, names: frozenset[str] = frozenset()) -> frozenset[str]:
    """The facts of a text. `names` are what else counts when it is named: drugs, illnesses, findings."""
    if not text.strip():
        return frozenset()
    clauses = [clause for clause in clean_text(text).split("\n") if clause.strip()]
    facts = {*_measured(text), *_terms(text)}
    for clause in clauses:
        facts |= {*_numbers(clause), *_named(clause, names), *_denied(clause)}
    facts |= {f"is {token}" for token in list_tokens(text) if token in _QUALITIES}
    return frozenset(facts)


def _numbers(clause: str) -> Iterator[str]:
    """Each number with its unit, and where a clause holds several, with the nearest word that carries meaning."""
    tokens = list_tokens(clause)
    at = [place for place, token in enumerate(tokens) if token[0].isdigit()]
    telling = [
        (place, stem_word(token))
        for place, token in enumerate(tokens)
        if place not in at and token not in _PLAIN and token not in _UNITS
    ]
    for place in at:
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        stated = f"{tokens[place]} {after}" if after in _UNITS else tokens[place]
        yield f"number {stated}"
        if len(at) > 1 and telling:
            yield f"number {stated} of {min((abs(other - place), word) for other, word in telling)[1]}"


def _measured(text: str) -> Iterator[str]:
    """Vital signs, glucose and ages wherever the text gives them."""
    case = Case(id="", patient_id="", source="", licence="", complaint=text)
    vitals, glucose = read_measurements(case, text)
    for name, value in vitals.measured.items():
        yield f"measured {name} {value}"
    if glucose is not None:
        yield f"measured glucose {glucose:g}"
    for age in read_ages(text):
        yield f"age {age:.2f}"


def _terms(text: str) -> Iterator[str]:
    """Terms of the rule table: said, or named without being said."""
    table = load_rules()
    words = Words(Case(id="", patient_id="", source="", licence="", complaint=text), table.lexicon)
    for name, group in table.terms.items():
        if words.find(group, past=True):
            yield f"term {name}"
        elif words.mentions(group):
            yield f"no term {name}"


def _named(clause: str, names: Iterable[str]) -> Iterator[str]:
    """Names that stand in a clause, said or denied."""
    for name in names:
        parts = re.findall(r"\w+", name.lower())
        for match in re.finditer(rf"(?<!\w){r'[^a-z0-9]+'.join(parts)}(?!\w)", clause) if parts else ():
            denied = is_negated(clause, match.start(), match.end())
            yield " ".join(("no" if denied else "named", *parts))


def _denied(clause: str) -> Iterator[str]:
    """What stands behind a denial, whatever it is: `no numbness` states something although no list knows it."""
    within = False
    for match in _TOKEN.finditer(clause):
        word = match.group()
        if word in DENIALS or word.endswith("n't"):
            within = True
        elif word in _PLAIN:
            within = within and word in _CARRY_ON
        elif within and is_negated(clause, match.start(), match.end()):
            yield f"denied {stem_word(word)}"
