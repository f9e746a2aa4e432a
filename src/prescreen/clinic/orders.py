"""Text that gives orders to the software instead of telling a complaint, by marks in several languages.

Reads `orders.yaml`. Its answer is counted and read by people: it lowers, raises and hides nothing, and who means
harm can write around it. Knows words; knows no model.
"""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

from prescreen.clinic.areas import fold
from prescreen.clinic.case import Case
from prescreen.config import read_yaml

ORDERS: Final = Path(__file__).with_name("orders.yaml")


@cache
def load_marks(path: Path = ORDERS) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Every mark with its kind."""
    return tuple((kind, re.compile(mark)) for kind, marks in read_yaml(path).items() for mark in marks)


def find_orders(text: str) -> tuple[str, ...]:
    """The kinds of orders a text gives; empty for nearly everything people write."""
    seen = "".join(c for c in fold(text) if unicodedata.category(c) != "Cf")  # no letters hidden between letters
    return tuple(dict.fromkeys(kind for kind, mark in load_marks() if mark.search(seen)))


def gives_orders(case: Case) -> bool:
    """Whether anything told in a case orders the software about: by the patient's side or in the record's texts."""
    return any(find_orders(line) for line in case.recorded.splitlines())
