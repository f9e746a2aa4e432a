"""Codes and fields of HL7 v2 that a contact's record is made of: LOINC, table 0270, and where identifiers stand.

Knows names and numbers only; decides nothing.
"""

import re
from typing import NamedTuple

VITALS = {
    **dict.fromkeys(("8867-4", "8889-8"), "heart_rate"),
    "9279-1": "respiratory_rate",
    "8480-6": "systolic",
    "8462-4": "diastolic",
    **dict.fromkeys(("8310-5", "8331-1", "8333-0", "11289-6"), "temperature"),
    **dict.fromkeys(("2708-6", "59408-5"), "spo2"),
    **dict.fromkeys(("72514-3", "38208-5"), "pain"),
    **dict.fromkeys(("67775-7", "80288-4"), "consciousness"),
    "9269-2": "coma",  # Glasgow Coma Scale
    **dict.fromkeys(("85354-9", "55284-4", "18684-1"), "pressure"),
}
COMPLAINTS = ("8661-1", "10154-3")
HISTORIES = ("10164-2", "11348-0", "54094-8", "34117-2", "51855-5")
MEDICATIONS, PROBLEMS, AGE, PREGNANCY = "10160-0", "11450-4", "21612-7", ("82810-3", "11449-6")
ACUITIES = {"75636-1": "esi", "11283-9": None}
LATER = {
    "AR": "autopsy report",
    "DS": "discharge summary",
    "ED": "emergency department report",
    "OP": "operative report",
    "PN": "procedure note",
    "SP": "surgical pathology",
}  # HL7 table 0270
LANGUAGES = {"eng": "en", "ger": "de", "deu": "de", "spa": "es", "fre": "fr", "fra": "fr", "ita": "it", "por": "pt"}
NONE_KNOWN = re.compile(
    r"^(?:no (?:known|active)\b.*|nk[d]?a|none(?: known)?|nil|no allerg\w+|716186003|409137002)$", re.I
)
ALL = {*VITALS, *COMPLAINTS, *HISTORIES, MEDICATIONS, PROBLEMS, AGE, *PREGNANCY, *ACUITIES}


class Place(NamedTuple):
    """A field that identifies: segment, field, kind, and the components to take (none: all)."""

    segment: str
    field: int
    kind: str
    components: tuple[int, ...] = ()


KNOWN = (
    *(Place("PID", field, "numbers", (1,)) for field in (2, 3, 4, 18, 19, 20)),
    *(Place("PID", field, "names", (1, 2, 3)) for field in (5, 6, 9)),
    *(Place("PID", field, "phones") for field in (13, 14)),
    *(Place("PID", field, "addresses", (1, 2, 3, 5, 8)) for field in (11, 23)),
    *(Place("PV1", field, "numbers", (1,)) for field in (19, 50)),
    *(Place("NK1", field, "names", (1, 2, 3)) for field in (2, 26, 30)),
    *(Place("NK1", field, "phones") for field in (5, 6, 31)),
    *(Place("NK1", field, "addresses", (1, 2, 3, 5, 8)) for field in (4, 32)),
    *(Place("NK1", field, "numbers", (1,)) for field in (12, 33, 37)),
    Place("NK1", 13, "others", (1,)),
    *(Place("IN1", field, "numbers", (1,)) for field in (36, 49)),
    Place("IN1", 16, "names", (1, 2, 3)),
    Place("IN1", 19, "addresses", (1, 2, 3, 5, 8)),
    *(Place("GT1", field, "names", (1, 2, 3)) for field in (3, 4)),
    Place("GT1", 5, "addresses", (1, 2, 3, 5, 8)),
    *(Place("GT1", field, "phones") for field in (6, 7)),
    *(Place("GT1", field, "numbers", (1,)) for field in (2, 12)),
)
