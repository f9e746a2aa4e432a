"""Why a model's draft is missing, as a code: the sentence a nurse read may name a release, a code names nothing.

Knows the beginnings of our own sentences; what begins otherwise is `other`.
"""

from typing import Final

CODES: Final = (
    ("the model's answer is no report", "no report"),
    ("the model's answer was cut off", "cut off"),
    ("the model did not answer", "late"),
    ("the model was busy", "busy"),
    ("too many", "busy"),
    ("the model is paused", "paused"),
    ("the model is starting", "starting"),
    ("the model failed", "failed"),
    ("the release no longer stands", "lapsed"),
    ("the verdict on", "lapsed"),
    ("no draft", "none yet"),
    ("no model", "off"),
    ("drafted by rules only", "off"),
)


def code_absence(why: str) -> str:
    """The code of a reason; empty where a model drafted."""
    if not why:
        return ""
    return next((code for begin, code in CODES if why.startswith(begin)), "other")
