"""The voices: triage contacts written by hand in many people's words, to learn from. Never in a test set.

One YAML file an author below `voices/`, in the form of the case bank, whose authors were others. About half of the
harmless ones speak the words of emergencies. Their levels and sources were written from memory: a clinician must
check them before any clinical use.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from prescreen.clinic.authored import read_authored
from prescreen.clinic.case import Case

VOICES = Path(__file__).with_name("voices")
SOURCE, VERSION = "voices", "1"


@cache
def read_voices(folder: Path = VOICES) -> Sequence[Case]:
    """All cases, topic by topic."""
    return [entry.case for entry in read_authored(folder, "voice", SOURCE, VERSION)]
