"""Numbers a report states and the case does not hold: an age, a duration or a reading that nobody gave.

Compares numbers only; whether a number stands beside the right thing is for the nurse to see.
"""

import re

from prescreen.clinic.case import Case

_NAMES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS = {word: number for number, word in enumerate(_NAMES, start=1)}
_WORDS = NUMBERS | {"a": 1, "an": 1, "couple": 2}
_STATED = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)?)(?:[-/]\w+)*(?: [a-zA-Z]+)?")


def unknown_numbers(text: str, case: Case) -> list[str]:
    """The numbers of `text` that are not in the case, each with the word after it: `4-year-old woman`, `6 days`."""
    known = _known_numbers(case)
    return [stated.group() for stated in _STATED.finditer(text) if _plain(stated.group(1)) not in known]


def _known_numbers(case: Case) -> set[str]:
    """Numbers in digits or words, and the recorded age in the units a report may use."""
    said = case.recorded.lower()
    known = {_plain(number) for number in re.findall(r"\d+(?:[.,]\d+)?", said)}
    known |= {str(_WORDS[word]) for word in re.findall(r"[a-z]+", said) if word in _WORDS}
    known |= {f"{value:g}" for value in case.vitals.model_dump().values() if isinstance(value, float)}
    if case.age_years is not None:
        known |= {f"{case.age_years * unit:.0f}" for unit in (1, 12, 52, 365)} | {f"{int(case.age_years)}"}
    return known


def _plain(number: str) -> str:
    return f"{float(number.replace(',', '.')):g}"
