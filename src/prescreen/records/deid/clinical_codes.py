"""Tokens of letters and digits that identify nobody: doses, vertebrae, stages, scores, genes, diagnosis codes.

Knows the token alone, folded, and no text around it.
"""

import re
from typing import Final

from prescreen.records.deid.wordlists import is_safe

UNIT: Final = (
    r"(?:mgs?|mcg|ug|g|gm|kg|mls?|dl|l|cm|mm|mmhg|bpm|iu|u|units?|kcal|k?cals?|m?mol\w*|m?eq|mph|kmh?|kph|ft|"
    r"in|lb|lbs|oz|st|nd|rd|th"
    r"|yrs?|yo|y|months?|mths?|m|weeks?|wks?|wk|w|days?|d|hours?|hrs?|hrly|hourly|h|mins?|minutes?|min|secs?|s|"
    r"ms|am|pm|x|hz|k?pa|f|c|fr|j|kj"
    r"|mv|ma|w|v|%|ppm|rpm|puffs?|tabs?|caps?|drops?|er|sr|xl|cr|mr|bd|od|tds|qds|prn|po|iv|im|sc|day|dose|"
    r"lead|mhz|ghz|k|p|a|b)"
)
_CLINICAL: Final = re.compile(
    "|".join((
        rf"(?:[a-z]{{1,5}}-?)?\d{{1,3}}(?:[.,x/-]\d{{1,3}}){{0,2}}{UNIT}?(?:/\d{{0,3}}(?:\.\d)?{UNIT}){{0,2}}(?:/\d{{1,3}})?",
        r"(?:bnp|nt-?probnp|ck|wbc|wcc|crp|alt|ast|ggt|plt|ferritin|trop\w*|alp|amylase|lipase|trop|ddimer|psa|"
        r"esr|ca)-?\d{1,5}(?:\.\d+)?",
        r"\d{1,5}(?:[.,]\d+)?" + UNIT + r"[23]?(?:[-/x]\d{1,3}(?:\.\d)?" + UNIT + r"?){0,3}",
        r"(?:[a-z]?\d[\da-z]|[a-z]\d\d)(?:\.[\da-z]{1,4})(?:-[a-z]?\d[\da-z](?:\.\d{1,4})?)?",  # E11.9, S72.001A
        r"[cpyrm]{0,2}t(?:[0-4xs]|is)[a-d]?n[0-3x][a-c]?(?:m[01x][a-c]?)?(?:[grv]\d)*",  # T2N0M0
        r"g\d{1,2}p\d{1,4}(?:[+]\d)?(?:a\d|l\d|m\d)*", r"[ctls]\d{1,2}(?:[-/](?:[ctls]|co)?\d{1,2}){0,3}",
        r"(?:s?\d{1,2}|v\d{1,2})(?:[-/]v?\d{1,2}){1,3}", r"(?:sars-?cov-?2|covid-?(?:19|\d{4})|c-?19|h\dn\d|"
            r"hpv\d*|hla-?\w+|b-?12|vit\w*-?\w\d*)",
        r"cyp\d\w+", r"(?:brca|her|cd|il|ca|tp|pd|pdl|ki|p|ck|erc|apo|mlh|msh|nf|abcb|fgfr|vegf|tnf|ifn|gata|"
            r"sox|gp|glp|sglt|mcv|pm|spo|sao|pao|paco|fio|etco|hco"
        r"|po|pco|fev|fvc|hba|hb|a|q|s|ph)-?\d{1,3}[a-z]{0,2}(?:[-/]\d{1,3}[a-z]?|[-/][a-z]{1,4}\d?){0,2}",
        r"cha\d?ds?\d?(?:-?vasc)?\w{0,2}", r"(?:curb|news|phq|gad|abcd|audit|sf|eq|gds|das|haq|epds|k|must|"
            r"mews|qol)-?\d{1,3}\w{0,3}(?:-\d\w)?",
        r"(?:tc|i|f|fdg|tl|ga|sr|cr|co|ra|lu|y)-?\d{2,3}m?", r"q\d{1,2}(?:-\d{1,2})?h(?:r|rs|ourly)?",
        r"\d{1,2}(?:-\d{1,2})?(?:hrly|hourly|weekly|daily|monthly)",
        r"(?:d|ns|lr)\d{1,2}w|d\d{1,2}ns|mp\d|o2sats?\d{0,3}|h2o2?|co2|n2o|[kmn]n?95|folfox\d*|u-?\d{3}|"
        r"\d{1,2}-0[a-z]{0,8}", r"r-?chop-?\d*", r"\d{1,3}cmh2o",
    ))
)  # fmt: skip


def is_clinical_code(token: str) -> bool:
    """Whether a folded token of letters and digits is a dose, stage, level, score or diagnosis code."""
    if _CLINICAL.fullmatch(token):
        return True
    letters = re.findall(r"[^\W\d_]+", token)
    digits = sum(c.isdigit() for c in token)
    longest = max(letters, key=len, default="")
    return len(longest) > 3 and is_safe(longest) and digits < 5  # 65-year-old, 10mgtablets
