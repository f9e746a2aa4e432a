"""Identifiers with a shape of their own: numbers with check digits, addresses of the net, phones, codes, ages.

Patterns read folded text (lower case, no accents), so chats and capitals look alike. What holds six digits or more
and is no measurement is taken, known shape or not. The shapes are rows of shapes.yaml.
Knows no patient; places are in places.py, dates in dates.py.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from prescreen.config import read_yaml
from prescreen.records.deid.ages import spot_ages
from prescreen.records.deid.clinical_codes import is_clinical_code
from prescreen.records.deid.codes import spot_codes
from prescreen.records.deid.dates import spot_dates
from prescreen.records.deid.places import spot_places
from prescreen.records.deid.spans import Kind, Span, fold


class Pattern(NamedTuple):
    """One shape; group `v` is what identifies where there is one, `check` says whether the match is one."""

    kind: Kind
    regex: re.Pattern[str]
    check: Callable[[str], bool] | None = None


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if c.isdigit()]


def is_nhs_number(text: str) -> bool:
    """Ten digits whose last is right modulo 11."""
    *first, last = _digits(text)
    check = 11 - sum(d * w for d, w in zip(first, range(10, 1, -1), strict=True)) % 11
    return check % 11 == last


def is_card_number(text: str) -> bool:
    """13 to 19 digits that pass Luhn."""
    digits = _digits(text)[::-1]
    total = sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(digits))
    return 13 <= len(digits) <= 19 and total % 10 == 0


def is_iban(text: str) -> bool:
    """Whether the bank account number is right modulo 97."""
    plain = "".join(c for c in text if c.isalnum())
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def is_dni(text: str) -> bool:
    """Spanish identity number with its letter, NIE too."""
    plain = "".join(c for c in text if c.isalnum())
    number = {"x": "0", "y": "1", "z": "2"}.get(plain[0], plain[0]) + plain[1:-1]
    return number.isdigit() and "trwagmyfpdxbnjzsqvhlcke"[int(number) % 23] == plain[-1]


def _is_vin(text: str) -> bool:
    return len(_digits(text)) >= 4 and any(c.isalpha() for c in text)


def _is_ipv6(text: str) -> bool:
    return text.count(":") > 3 or "::" in text


def _is_hyphened(text: str) -> bool:
    return "-" in text


def _is_code(text: str) -> bool:
    """Six letters and digits or more, mixed, and not a measurement such as 500mg or hba1c."""
    mixed = len(_digits(text)) >= 3 and any(c.isalpha() for c in text)
    return len(text) >= 6 and mixed and not is_clinical_code(text)


def _is_number(text: str) -> bool:
    return len(_digits(text)) >= 6 and not re.fullmatch(r"\d{2,3}/\d{2,3}", text)


def _is_id(text: str) -> bool:
    """Behind a cue: four letters and digits, three of them digits, and neither a pressure nor a count."""
    plain = "".join(c for c in text if c.isalnum())
    if len(plain) < 4 or len(_digits(text)) < 3 or re.match(r"(?:of|in|at|on|a|the|for|to|by|is|than)\s", text):
        return False
    return not re.fullmatch(r"\d{2,3}/\d{2,3}|\d\d?/\d\d?", text)


CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "nhs": is_nhs_number,
    "card": is_card_number,
    "iban": is_iban,
    "dni": is_dni,
    "vin": _is_vin,
    "ipv6": _is_ipv6,
    "hyphen": _is_hyphened,
    "code": _is_code,
    "number": _is_number,
    "id": _is_id,
}


class _Shapes(NamedTuple):
    patterns: tuple[Pattern, ...]
    measure: re.Pattern[str]
    own_age: str


@cache
def _load_shapes() -> _Shapes:
    read = read_yaml(Path(__file__).with_name("shapes.yaml"))
    parts: dict[str, str] = read["parts"]

    def fill(regex: str) -> str:
        return re.sub(r"<([a-z_]+)>", lambda match: parts.get(match[1], match[0]), regex)

    def check(row: dict[str, str]) -> Callable[[str], bool] | None:
        return CHECKS[row.get("check") or "id"] if "check" in row or "<id>" in row["regex"] else None

    rows = (Pattern(row["kind"], re.compile(fill(row["regex"])), check(row)) for row in read["shapes"])
    return _Shapes(tuple(rows), re.compile(parts["measure"]), fill(parts["own_age"]))


@lru_cache(maxsize=4096)  # a text is looked at when it is read, when it is clean, and again where it recurs
def spot_patterns(text: str) -> tuple[Span, ...]:
    """Everything with a shape: numbers, addresses, dates, places with a street's or postcode's form."""
    low = fold(text)
    spans = [*spot_dates(text), *spot_places(text, low), *spot_ages(text, low), *spot_codes(text, low)]
    for kind, regex, check in _load_shapes().patterns:
        group = "v" if "v" in regex.groupindex else 0
        for match in regex.finditer(low):
            if match[group] and (check is None or check(match[group])):
                spans.append(Span(match.start(group), match.end(group), kind, "pattern"))
    return tuple(spans)


def spot_age(text: str, age: int) -> list[Span]:
    """The patient's own age over 89, or a year less or more, where it stands as a bare number."""
    ages = "|".join(str(year) for year in (age - 1, age, age + 1) if year > 89)
    regex = re.compile(_load_shapes().own_age.replace("<age>", ages))
    return [Span(match.start(), match.end(), "age_over_89", "known") for match in regex.finditer(fold(text))]
