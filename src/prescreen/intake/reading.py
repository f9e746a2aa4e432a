"""What a page sent, read into clean values. Never raises for content; what it cannot take it names as a problem.

Keys and choices it does not know are ignored. Control characters, overrides of the writing direction and invisible
characters are dropped, since they hide words from people and from the rules; nothing else of a text is changed.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prescreen.intake.measures import LONGEST, MEASURES, is_possible, read_number
from prescreen.intake.plan import NOT_SURE, OTHER_AREA
from prescreen.intake.script import load_script
from prescreen.intake.state import Interview, Values

Raw = Mapping[str, object]
COMPLAINT, WORDS, LIST, ITEM, ITEMS = 2000, 1000, 1000, 240, 30  # characters; items of a list
NAME_WORDS = 6  # more words than this in one item of a list are no name but a story, which the rules must see
OLDEST, NEWBORN = 120, 3  # years; up to NEWBORN an age is asked in months
_DROPPED = frozenset("\u00ad\u200b\u2028\u2029\u2060\ufeff\ufff9\ufffa\ufffb") | frozenset(
    chr(c) for c in (*range(0x202A, 0x202F), *range(0x2061, 0x2070), *range(0xE0000, 0xE0080))
)
_ITEM = re.compile(r"[\n,;\u060c\u061b]+")
CHOICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "about": {
        "who": ("self", "relative", "interpreter"),
        "age_unit": ("years", "months", "birth_year"),
        "sex": ("female", "male", "other"),
    },
    "pregnant": {"pregnant": ("yes", "no", "birth", NOT_SURE)},
    "onset": {
        "start": ("hour", "today", "days", "week", "longer"),
        "course": ("better", "same", "worse", "waves"),
        "pain": tuple(map(str, range(11))),
    },
    "history": {f"{name}_none": ("none",) for name in ("conditions", "medications", "allergies")},
    "measures": {f"{m.field}_unit": tuple(m.units) for m in MEASURES if len(m.units) > 1},
    "review": {"confirm": ("yes",)},
}
SIGN = ("yes", "no", NOT_SURE)
TEXTS: Mapping[str, Mapping[str, int]] = {
    "complaint": {"complaint": COMPLAINT},
    "onset": {"words": WORDS},
    "more": {"more": WORDS},
    "history": dict.fromkeys(("conditions", "medications", "allergies"), LIST),
    "measures": {m.field: LONGEST for m in MEASURES},
    "about": {"age": LONGEST},
}
REQUIRED = {
    "about": "who", "pregnant": "pregnant", "complaint": "complaint", "screen": "signs", "area": "area",
    "more": "more", "review": "confirm",
}  # fmt: skip


class Read(NamedTuple):
    """Clean values, and (field, message key, limit) of what was not taken."""

    values: Values
    problems: tuple[tuple[str, str, int], ...]


def clean_text(text: str) -> str:
    """The same text without characters that cannot be seen or that turn the writing around."""
    tidy = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    kept = (c for c in tidy if c == "\n" or (c not in _DROPPED and unicodedata.category(c) not in ("Cc", "Cs")))
    return "".join(kept).strip()


def choices_of(step: str) -> Mapping[str, tuple[str, ...]]:
    """Fields of a page that are chosen, with what may be chosen."""
    script = load_script()
    if step == "screen":
        return {"signs": (*(box.id for box in script.screen), NOT_SURE, "none")}
    if step == "area":
        return {"area": (*(topic.id for topic in script.areas), OTHER_AREA)}
    return {"sign": SIGN} if step in script.by_id else CHOICES.get(step, {})


def texts_of(step: str) -> Mapping[str, int]:
    """Fields of a page that are written, with how long they may be."""
    return TEXTS.get("more" if step.startswith("more-") else step, {})


def read_answer(state: Interview, step: str, raw: Raw) -> Read:
    """What a page sent. `values` are as complete as they can be even where there are problems."""
    values: Values = {}
    problems: list[tuple[str, str, int]] = []
    for field, known in choices_of(step).items():
        sent = _strings(raw.get(field))
        chosen = tuple(dict.fromkeys(choice for choice in known if choice in sent))
        if chosen:
            values[field] = chosen if field == "signs" else chosen[:1]
    for field, limit in texts_of(step).items():
        text = clean_text("\n".join(_strings(raw.get(field)))[: 4 * limit])  # a flood is not worth reading
        if len(text) > limit:
            problems.append((field, "error.too_long", limit))
            text = text[:limit]
        if text:
            values[field] = _split(text) if step == "history" else (text,)
    if len(values.get("signs", ())) > 1:
        values["signs"] = tuple(sign for sign in values["signs"] if sign != "none")
    must = "sign" if step in load_script().by_id else REQUIRED.get("more" if step.startswith("more-") else step)
    if must and not values.get(must):
        problems.append((must, "error.write" if must in texts_of(step) else "error.choose", 0))
    return Read(values, (*problems, *_check_numbers(state, step, values)))


def free_text(step: str, values: Values) -> str:
    """What was written in the patient's own words, numbers and names of illnesses or medicines left out."""
    if step in ("about", "measures"):
        return ""
    written = (text for field in texts_of(step) for text in values.get(field, ()))
    return "\n".join(text for text in written if step != "history" or len(text.split()) > NAME_WORDS)


def _check_numbers(state: Interview, step: str, values: Values) -> list[tuple[str, str, int]]:
    if step == "about" and values.get("age"):
        return _check_age(state, values)
    if step == "measures":
        impossible = [m.field for m in MEASURES if not is_possible(m, values) and m.field not in state.retried]
        return [(field, "error.implausible", 0) for field in impossible]
    return []


def _check_age(state: Interview, values: Values) -> list[tuple[str, str, int]]:
    """An age becomes plain digits; one that cannot be is left out of the values."""
    number = read_number(values["age"][0])
    unit = values.setdefault("age_unit", ("years",))[0]
    born = unit == "birth_year"
    years = (
        None
        if number is None
        else state.settings.year - number
        if born
        else number / (12 if unit == "months" else 1)
    )
    if number is None or years is None or not 0 <= years <= OLDEST or (born and number != int(number)):
        del values["age"]
        return [("age", "error.age", 0)]
    if born and years <= NEWBORN:
        del values["age"]
        return [("age", "error.months", 0)]
    values["age"] = (f"{number:g}",)
    return []


def _split(text: str) -> tuple[str, ...]:
    """A written list, item by item; the last one takes what is too much, so that nothing is lost."""
    items = [item.strip() for item in _ITEM.split(text) if item.strip()]
    kept, rest = items[: ITEMS - 1], items[ITEMS - 1 :]
    return (*kept, "; ".join(rest)) if rest else tuple(kept)


def _strings(sent: object) -> list[str]:
    """What was sent, as strings: a string is one, of a list each, anything else none."""
    if isinstance(sent, str):
        return [sent]
    return (
        [one for one in sent if isinstance(one, str)]
        if isinstance(sent, Sequence) and not isinstance(sent, bytes)
        else []
    )
