"""Serial numbers, plates and record numbers of no fixed form: letters and digits mixed, beside a word that says so.

A token that mixes both, has five letters and digits or more and stands in one line with a device, a vehicle or a
record is taken; beside a firm cue (serial, plate, MRN) so is a number in several groups. What clinical codes look
like is left: vertebrae, stages, diagnosis codes, scores, doses. Knows no patient.
"""

import re
from itertools import pairwise
from typing import Final, NamedTuple

from prescreen.records.deid.clinical_codes import UNIT, is_clinical_code
from prescreen.records.deid.spans import Kind, Span
from prescreen.records.deid.wordlists import is_safe, load_lists

_DEVICE: Final = (
    r"serial\w*|s/n|sn|device|pump|pacemaker|implant\w*|model|lot|batch|udi|imei|defib\w*|recorder|monitor|"
    r"sensor|cgm"
    r"|stimulator|prosthe\w+|hearing aid|nebuli[sz]er|ventilator|cpap|stent|valve|transmitter|glucometer|"
    r"wheelchair|insulin pump"
    r"|marcapasos|bomba|dispositivo|aparato|schrittmacher|pumpe|gerat|serien\w*|numero de serie"
)
_VEHICLE: Final = (
    r"reg(?:istration)?|plates?|vrn|vin|car|van|vehicle|truck|lorry|taxi|cab|bike|motorbike|motorcycle|scooter|"
    r"moped|hatchback"
    r"|saloon|sedan|suv|pick-?up|minibus|coach|caravan|campervan|parked|matricula|placa|coche|carro|moto|furgoneta"
    r"|kennzeichen|wagen|immatriculation|voiture|trailer|tractor|uber|badge|motability|rtc|mva|crash\w*|"
    r"collision|driver|driving|drove|parking|traffic|motorway|towed|dvla|bmw|audi|vw|volkswagen"
    r"|toyota|ford|honda|nissan|mazda|kia|hyundai|skoda|renault|peugeot|citroen|fiat|vauxhall|opel|mercedes|volvo"
    r"|tesla|chevy|jeep|suzuki|dacia|white one|red one|blue one|black one|grey one|silver one"
)
_RECORD: Final = (
    r"mrn|mr\s?#|hosp(?:ital)?\.?\s?(?:no|num|number|id|nr)|nhs|chart|chi|nhc|(?:patient|pt|client|unit|case|"
    r"file|record|ref|reference|episode"
    r"|encounter|label|folder|study|trial|subject|specimen|sample|accession)\.?\s?(?:no|num|number|nr|id|code)|"
    r"medical record|mrnr"
    r"|ref(?:erence)?|historia(?:\sclinica)?|n\.?h\.?c|expediente|fallnummer|patientennummer|aktenzeichen|"
    r"dossier|wristband"
)
_NEAR: Final[dict[Kind, str]] = {"device": _DEVICE, "vehicle": _VEHICLE, "mrn": _RECORD}
_FIRMLY: Final[dict[Kind, str]] = {
    "device": r"serial(?!\s+[a-z]{4})|s/n|sn|imei|udi|serien(?:nummer|-?nr)|numero de serie|(?:pump|device|model"
    r"|lot|batch|pacemaker|implant)(?:\s(?:no|num|number|id|serial|s/n))?",
    "vehicle": r"reg(?:istration)?|plates?|number\s?plate|vrn|matricula|placas?|kennzeichen|immatriculation",
    "mrn": _RECORD,
}
_TO_IT: Final = (
    r"(?:[\s:#.=(\[-]|n[ºo°]\b|nr\b|num\w*|numero\b|is\b|no\b|id\b|code\b|on\b|reads?\b|ends?\b|ending\b"
    r"|unit\b|the\b|my\b|her\b|his\b|card\b|es\b|ist\b|said\b|here\b|lautet\b){0,7}(?<=[\s:#.=(\[-])(?=[^\W_])"
)
_WORDS: Final = tuple((kind, re.compile(rf"\b(?:{words})(?!\w)")) for kind, words in _NEAR.items())
_FIRM: Final = tuple((kind, re.compile(rf"\b(?:{words})(?!\w){_TO_IT}")) for kind, words in _FIRMLY.items())
_BEHIND: Final = re.compile(
    r"\)?,?\s+(?:is|was|=|es)?\s?(?:(?:the|my|her|his|our|their|your|mi|su)\s)?(?P<cue>(?:device|pump|"
    r"pacemaker)?\s?serial|pump|pacemaker|device"
    r"|mrn|hosp(?:ital)?\s(?:no|number|id)|record\s(?:no|number)|nhs(?:\s(?:no|number))?|chart\s(?:no|number)|"
    r"patient\s(?:no|number|id)"
    r"|reg(?:istration)?|plates?|number\s?plate|car|van|truck|taxi)\b"
)
_TOKEN: Final = re.compile(
    r"(?<![\w@./-])(?=[\w./-]*\d)(?=[\w./-]*[^\W\d_])[^\W_]+(?:[-./_][^\W_]+){0,4}(?![\w@]|[-./_][^\W_])"
)
_GROUP: Final = re.compile(r"[^\W_]+")
_BEFORE: Final = 80  # characters before a token in which a cue speaks for it, and behind it
_AFTER: Final = 30


class _Token(NamedTuple):
    start: int
    end: int


def spot_codes(text: str, low: str) -> list[Span]:
    """Codes beside their cues; `low` is the folded text."""
    shouting = sum(c.isupper() for c in text) > sum(c.islower() for c in text)
    spans = [*_spot_tokens(low), *_spot_firm(text, low, shouting), *_spot_behind(low)]
    if any(regex.search(low) for kind, regex in _WORDS if kind == "vehicle"):
        spans += _spot_plates(text, low, shouting)
    return spans


def _cue_near(low: str, start: int, end: int) -> Kind | None:
    """The kind of the nearest cue in the line, before the token first."""
    before = low[max(0, start - _BEFORE) : start].rsplit("\n", 1)[-1]
    after = low[end : end + _AFTER].split("\n", 1)[0]
    best: tuple[int, Kind] | None = None
    for kind, regex in _WORDS:
        for match in regex.finditer(before):
            best = max(best or (0, kind), (match.end(), kind))  # type: ignore[assignment]
    if best is None:
        for kind, regex in _WORDS:
            if regex.search(after):
                return kind  # type: ignore[return-value]
    return best[1] if best else None


def _spot_tokens(low: str) -> list[Span]:
    spans = []
    for match in _TOKEN.finditer(low):
        plain = re.sub(r"[\W_]", "", match[0])
        digits = sum(c.isdigit() for c in plain)
        if len(plain) < 5 or digits < 2 or is_clinical_code(match[0]):
            continue
        kind = _cue_near(low, match.start(), match.end())
        if kind is None and not (len(plain) > 5 and digits > (3 if re.search(r"[./_]", match[0]) else 2)):
            continue
        spans.append(Span(match.start(), match.end(), kind or "other", "pattern"))
    return spans


def _read_groups(text: str, low: str, at: int, shouting: bool) -> _Token | None:
    """The number that begins at a place: groups of letters and digits, as far as they belong to it."""
    kept, end, digits, signs = load_lists().kept, at, 0, 0
    start = at
    while match := _GROUP.match(low, at):
        group = match[0]
        gap = low[end:at]
        lettered = not any(c.isdigit() for c in group)
        if lettered:
            loose = gap == " " or not gap
            upper = text[match.start() : match.end()].isupper() and not shouting
            single = len(group) == 1 and re.match(r"\s\d{3,5}(?!\w)", low[match.end() :])
            if len(group) > (4 if not digits else 3) or (loose and not upper and group in kept and not single):
                break
            if (
                loose
                and not upper
                and not single
                and (is_safe(group) or (digits and not re.match(r"\s\d{2,5}(?!\w)", low[match.end() :])))
            ):
                break
        elif digits and gap == " " and re.fullmatch(rf"\d{{1,4}}{UNIT}", group):
            break
        digits += sum(c.isdigit() for c in group)
        signs += len(group)
        end = match.end()
        if not re.match(r"[-/._ ][^\W_]", low[end : end + 2]) or signs > 24:
            break
        at = end + 1
    token = low[start:end]
    year = re.fullmatch(r"(?:19|20)\d\d", token)
    pressure = re.fullmatch(r"\d{2,3}/\d{2,3}|\d\d?[/.]\d\d?(?:[/.]\d{2,4})?", token)
    if signs < 4 or digits < 3 or year or pressure or _UNIT_BEHIND.match(low, end):
        return None
    return _Token(start, end)


_UNIT_BEHIND: Final = re.compile(rf"\s?(?:{UNIT}|people|times|steps|calories)(?![\w])")


def _spot_firm(text: str, low: str, shouting: bool) -> list[Span]:
    spans = []
    for kind, regex in _FIRM:
        for match in regex.finditer(low):
            token = _read_groups(text, low, match.end(), shouting)
            if (token is not None and not is_clinical_code(low[token.start : token.end])) or (
                token is not None and low[token.start : token.end].isdigit()
            ):
                spans.append(Span(token.start, token.end, kind, "pattern"))
    return spans


def _spot_behind(low: str) -> list[Span]:
    """A number whose cue follows: `10452 is her hospital number`."""
    spans: list[Span] = []
    for match in re.finditer(r"(?<![\w./-])(?=[a-z-]*\d)[a-z\d]+(?:[-/][a-z\d]+){0,3}", low):
        cue = _BEHIND.match(low, match.end())
        digits = sum(c.isdigit() for c in match[0])
        if (
            cue is None
            or digits < 4
            or re.fullmatch(r"\d{4}|\d{2,3}/\d{2,3}", match[0])
            or (is_clinical_code(match[0]) and not match[0].isdigit())
        ):
            continue
        kind = next((kind for kind, regex in _WORDS if regex.search(cue["cue"])), "mrn")
        spans.append(Span(match.start(), match.end(), kind, "pattern"))  # type: ignore[arg-type]
    return spans


def _spot_plates(text: str, low: str, shouting: bool) -> list[Span]:
    """Plates in several groups, in a line with a vehicle: no words, units or vital signs."""
    groups = list(_GROUP.finditer(low))
    spans: list[Span] = []
    taken = 0
    for number, first in enumerate(groups):
        if first.start() < taken or low[first.start() - 1 : first.start()] in tuple("./-£$€@"):
            continue
        for size in (4, 3, 2):
            run = groups[number : number + size]
            gaps = [low[a.end() : b.start()] for a, b in pairwise(run)]
            if (
                len(run) == size
                and all(gap in (" ", "-", ".", "·") for gap in gaps)
                and ("." not in gaps or "-" in gaps)  # no decimals
                and _is_plate(run, text, shouting)
            ):
                start, end = first.start(), run[-1].end()
                if _cue_near(low, start, end) == "vehicle" and not re.match(r"[./-]\w", low[end : end + 2]):
                    spans.append(Span(start, end, "vehicle", "pattern"))
                    taken = end
                    break
    return spans


def _is_plate(run: list[re.Match[str]], text: str, shouting: bool) -> bool:
    words = [match[0] for match in run]
    plain = "".join(words)
    digits = sum(c.isdigit() for c in plain)
    if not 5 <= len(plain) <= 9 or digits < 2 or digits == len(plain) or len(words[-1]) > 6:
        return False
    lists = load_lists()
    for match in run:
        word = match[0]
        upper = text[match.start() : match.end()].isupper() and not shouting
        if any(c.isdigit() for c in word):
            if not word.isdigit() and (
                re.fullmatch(rf"\d{{1,3}}{UNIT}", word) or re.fullmatch(r"[ctlsv]\d{1,2}", word)
            ):
                return False
        elif len(word) > 3 or (re.fullmatch(UNIT, word) and len(word) > 1):
            return False
        elif len(word) == 1:
            if not upper and digits < 5 and not (len(run) > 2 and word not in "aix"):
                return False
        elif (word in lists.kept and not (upper and len(run) > 2)) or (not upper and is_safe(word)):
            return False
    return digits > 2 or (len(run) > 1 and len(plain) - digits > 2)
