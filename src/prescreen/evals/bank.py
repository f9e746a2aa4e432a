"""The project's own case bank: authored test cases, each with its level, the range a grader accepts and its source.

One YAML file a topic below `bank/`. Written without looking at the red-flag rules or at the synthesizer's tables,
so that both may be measured on it; never trained on. A clinic's own bank, of cases made of its incidents, is read
in the same way. Knows no metric.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from prescreen.clinic.authored import Entry, read_authored
from prescreen.clinic.case import Case

BANK = Path(__file__).with_name("bank")
SOURCE = "case bank"
VERSION = "1"


@cache
def read_bank(folder: Path = BANK) -> tuple[Entry, ...]:
    """All cases, topic by topic; RecipeError names the file, the place and the mend."""
    return read_authored(folder, "bank", SOURCE, VERSION)


def bank_cases(folder: Path = BANK) -> Sequence[Case]:
    """The cases alone."""
    return [entry.case for entry in read_bank(folder)]


def clinic_cases(folder: Path) -> Sequence[Case]:
    """The cases of a clinic's own bank; read anew each time, for it grows. They stay inside the clinic."""
    entries = read_authored(folder, "clinic", "clinic bank", VERSION)
    return [entry.case.model_copy(update={"licence": "clinic"}) for entry in entries]
