"""Free-text history read into lists, conservatively: what cannot be split is kept whole, so nothing is lost.

Knows "has A, B and C", "takes D", "allergic to E" and "no known allergies". Knows nothing about diseases.
"""

import re
from typing import NamedTuple

from prescreen.clinic.case import Case

NO_ALLERGIES = "no known allergies"
NOT_ASKED = "not asked"

_NONE = re.compile(
    r"(?:\b(?:with|and|has|have|he has|she has|i have|there are)\s+)*"
    r"\b(?:no (?:known )?(?:drug |food |medication |medicine )*allerg(?:y|ies)(?: known| recorded"
    r"| reported)?|nk?da|nka"
    r"|denies (?:any )?(?:known )?(?:drug )?allerg(?:y|ies)|not allergic to anything(?: that i know of)?"
    r"|allerg(?:y|ies)\s*[:\-]\s*(?:none|nil|no)(?: known)?)\b",
    re.I,
)
_ALLERGIC = re.compile(
    r"(?:\b(?:and|is|are|i'?m|i am|also|has|have|he'?s|she'?s|with|(?:the )?patient|known|an?)\s+)*"
    r"\b(?<!not )(?:allergic to|allerg(?:y|ies) (?:to|are|include)|allerg(?:y"
    r"|ies)\s*[:\-])\s*(?P<items>[^.;\n]+)",
    re.I,
)
_TAKES = re.compile(
    r"(?:,|\band\b)?\s*\b(?:currently )?(?:takes|taking|i take|is on|i'?m on|treated with"
    r"|(?:current )?(?:medications?|meds)"
    r"(?: include| are)?\s*:?)\s+(?P<items>.+)$",
    re.I,
)
_HAS = re.compile(
    r"^(?:(?:the )?(?:patient|pt|he|she|i|they)\s+)?(?:also )?(?:has|have|had|with|known|suffers from"
    r"|diagnosed with"
    r"|(?:past )?(?:medical )?history(?: of|\s*:)?|pmhx?\s*:?|h/o|hx of|conditions?\s*:)\s+(?:a "
    r"|an )?(?:known )?"
    r"(?:past )?(?:medical )?(?:history of )?(?P<items>.+)$",
    re.I,
)
_SENTENCE = re.compile(r"\.(?=\s|$)|[;\n]")
_ITEM = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+|\s+&\s+", re.I)
_SENSE = re.compile(
    r"\b(?:is|was|were|takes?|has|had|but|because|which|who|when|since|denies|not|no|on|after|with)\b", re.I
)


class History(NamedTuple):
    """Lists as read; `allergies` is None when nobody asked and empty when there are none."""

    conditions: list[str]
    medications: list[str]
    allergies: list[str] | None


def read_history(case: Case) -> History:
    """The record's lists first, then what its free text adds; allergies also in the patient's own words."""
    told = parse_history(case.history_text)
    spoken = parse_allergies(case.spoken)
    known = [items for items in (case.allergies, told.allergies, spoken) if items is not None]
    return History(
        [*(case.conditions or ()), *told.conditions],
        [*(case.medications or ()), *told.medications],
        [item for items in known for item in items] if known else None,
    )


def parse_allergies(text: str) -> list[str] | None:
    """Allergies a text names; an empty list when it says there are none, None when it says nothing."""
    named = [item for match in _ALLERGIC.finditer(_NONE.sub("", text)) for item in _split(match["items"])]
    return named or ([] if _NONE.search(text) else None)


def parse_history(text: str) -> History:
    """Split a free-text history into conditions, medications and allergies."""
    conditions: list[str] = []
    medications: list[str] = []
    for sentence in _SENTENCE.split(text):
        rest = _tidy(_ALLERGIC.sub("", _NONE.sub("", sentence)))
        if takes := _TAKES.search(rest):
            medications += _split(takes["items"])
            rest = _tidy(rest[: takes.start()])
        if rest.lower() in ("", "the patient", "patient", "pt", "he", "she", "i"):
            continue
        has = _HAS.match(rest)
        conditions += _split(has["items"], rest) if has else [rest]
    return History(conditions, medications, parse_allergies(text))


def _split(items: str, whole: str = "") -> list[str]:
    """The items of a plain list; the whole text when any of them reads like more than a name."""
    found = [part for part in map(_tidy, _ITEM.split(items)) if part]
    if all(len(part.split()) <= 6 and not _SENSE.search(part) for part in found):
        return found
    return [whole or _tidy(items)]


def _tidy(text: str) -> str:
    return re.sub(r"^(?:\s|,|\band\b)+|(?:\s|,|\.|\band\b)+$", "", text, flags=re.I)
