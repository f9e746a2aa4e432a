"""Ages over 89: a number from 90 to 119, or its words, where ages stand or where nothing marks a measurement.

Cued ones stand beside a sex, a birthday, `turned`, `lived to`, or between a name and a comma. Bare ones are known
by the lack of another reading: no measured thing before them in the sentence and no unit or counted thing after.
Knows no patient; shapes.yaml has the plainest cues.
"""

import re
from typing import Final

from prescreen.records.deid.spans import Span

_NUMBER: Final = r"(?:9\d|1[01]\d)(?!\d)"
_UNITS: Final = r"(?:one|two|three|th?ree|four|fuor|foru|five|fiev|six|sxi|seven|sevne|eight|eigth|nine|nien)"
_NINETY: Final = r"(?:ninety|ninty|nintey|ninetey|nienty|ninetty|neinty|nintety|niney|ninet)"
_WORDS: Final = (
    rf"(?:{_NINETY}(?:\s?-?\s?{_UNITS})?"
    rf"|(?:one|a)[\s-]+hundred(?:[\s-]+(?:and|an|n|&))?[\s-]+(?:{_UNITS}|ten|eleven|twelve)"
    r"|noventa(?:\s+y\s+(?:un[oa]?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve))?|ciento\s+(?:un[oa]?|dos|tres|"
    r"cuatro|cinco)"
    r"|quatre[\s-]vingts?[\s-](?:dix|onze|douze|treize|quatorze|quinze|seize)(?:[\s-](?:sept|huit|neuf))?"
    r"|\w{3,6}undneunzig|neunzig)\b"
)
_ONES: Final = re.compile(rf"[\s-]?{_UNITS}\b")
_ROUND: Final = r"(?:a\s+hundred|one\s+hundred|cien|cent|hundert)\b"
_OVER: Final = rf"(?:{_NUMBER}|{_WORDS}|{_ROUND})"
_NOT_UNIT: Final = (
    r"(?!\d|[.,:/]\d|[\s-]*(?:%|per\s?cent|percent|bpm|kgs?\b|kilos?\b|mgs?\b|mcg|mls?\b|cm|mm|degrees|deg\b|"
    r"pounds|lbs|stone\b"
    r"|f\b|c\b(?!/)|°|min|hours?|hrs?\b|days?|weeks?|months?|over\b|on (?:air|room|o2|ra\b)|sats?\b|times|x\b|"
    r"miles|metres|meters|steps"
    r"|point\b|units?|tablets|puffs|beats|systolic|diastolic|cents|pence|quid|dollars|euros?|thousand|million|"
    r"hundred))"
)
_SOON: Final = (
    r"(?:now\s+|just\s+|only\s+|about\s+|around\s+|over\s+|nearly\s+|almost\s+|already\s+|"
    r"actually\s+|soon\s+|the\s+(?:big|grand\s+age\s+of)\s+)"
)
_KIN: Final = (
    r"(?:i\s+am|i'm|im|ive turned|i'll be|ill be|he|she|he's|she's|hes|shes|he\s+is|she\s+is|"
    r"who\s+is|whos|who's|they\s+are)"
)
_CUED: Final = tuple(
    re.compile(p)
    for p in (
        rf"(?:^|[\s(,;:\[-])(?:f|m|female|male|fem|woman|man|lady|gentleman|widow\w*|hombre|mujer|varon|pt|age|"
        rf"aged|edad|alter)\s?[/:,-]\s?"
        rf"(?P<v>{_OVER}){_NOT_UNIT}",
        rf"(?:^|[\n(,;:\[|]\s*|- )(?:f|m|female|male|fem)\s(?P<v>{_NUMBER}){_NOT_UNIT}(?=\s*(?:[,;.)\n\]|]|$|"
        rf"\w{{3,}}))",
        rf"(?<![\w./°-])(?P<v>{_NUMBER})\s?[/,-]\s?(?:f|m|female|male)\b",
        rf"(?<![\w./-])(?P<v>{_OVER})[\s-]*(?:y\.?\s?/?o\b|y\.\s?o\.|y/?rs?\b|y\b|y/?o?[fm]\b|ys\b|yers?\b|"
        rf"yeras?\b|yaers?\b|yesr\b|yera\b|years?\b"
        r"|birthdays?\b|anos\b|ans\b|jahre?\b|jahrige\w*|anni\b|lat\b)(?!\s+(?:ago|history|since|supply|"
        r"earlier|later))",
        rf"(?<![\w./-])(?P<v>{_NUMBER})(?:year|yr|yrs|years|yo[fm]\b)",
        rf"(?:^|[\n,;(]\s*|- )[fm](?P<v>{_NUMBER})(?=[\s,;)])(?!\s?(?:%|bpm|kg))",
        rf"\b(?:age|aged|edad|alter)\s?(?:[=:~]|\(\w+\):?|approx\w*|about|around)\s?(?P<v>{_OVER}){_NOT_UNIT}",
        rf"\b(?:dob unknown|approx\w*|age\w* about),?\s?~?(?P<v>{_NUMBER})(?=\s*(?:[,;)\n]|\.(?!\d)|$|yrs?\b|"
        rf"years?\b))",
        rf"\b(?:mother|father|mum|dad|sister|brother|aunt|uncle|gran\w*|nan|wife|husband|madre|padre|mf|mgm|"
        rf"mgf|pgm|pgf)\s(?:died\s|d\.?\s|dec\w*\s)?(?:at\s)?"
        rf"(?P<v>{_OVER}){_NOT_UNIT}",
        rf"\b(?:er|sie|elle|il|ella)\s(?:ist|wird|a|tiene)\s(?P<v>{_OVER}){_NOT_UNIT}",
        rf"\b(?P<v>{_OVER})\s(?:not out|going on \d+)\b",
        rf"(?<![\w./-])(?P<v>{_NUMBER})-?ish\b",
        rf"\b(?P<v>{_NINETY}\s[1-9])(?!\d|\.\d|/)(?=\s*(?:[,.;)\n]|$)|\s(?:years?|yrs?|yo|now|and|who|with)\b)",
        rf"\b(?:senora?|abuel\w+|mujer|hombre|ancian[oa]|twins)\s(?:de|of)\s(?P<v>{_OVER}){_NOT_UNIT}",
        rf"\b(?:mr|mrs|ms|miss|sra?|herr|frau)\.?\s[a-z][a-z'-]+\s(?P<v>{_NUMBER}){_NOT_UNIT}(?=\s*[,;.)\n]|$|"
        rf"\s[a-z])",
        rf"\b(?:mum|mom|mam|mother|dad|father|nan|nana|nanny|gran|granny|grandma|grandmother|grandad|granddad|"
        rf"grandpa|grandfather|husband|wife"
        rf"|aunt\w*|uncle|neighbou?r|resident|pt|patient|lady|gentleman|widow(?:er)?|abuel[oa]|they are|theyre|"
        rf"they're)s?\s(?:is\s|are\s)?(?:also\s"
        rf"|both\s)?(?P<v>{_NUMBER}){_NOT_UNIT}(?!\s*(?:temp|fever|febrile|hr\b|bpm|sats|pulse|over|on\s(?:air|"
        rf"o2)))(?=\s*[,;.)\n]|$|\s[a-z])",
        rf"\b(?:bed|room|bay|flat|resident|"
        rf"rm)\s?\d{{1,3}}[a-d]?\s?[:,-]\s?(?:[a-z'-]+,?\s){{1,3}}(?P<v>{_NUMBER}){_NOT_UNIT}",
        rf"\b(?:turn(?:s|ed|ing)?|become?s?|became|reach(?:es|ed|ing)?|pushing|approaching|hit(?:s|ting)?|"
        rf"nearing|lived? to(?: be)?"
        rf"|lives to(?: be)?|made it to|got to|died at|dead at|passed at|passed away at|dies at|cumple|cumplio|"
        rf"cumplira|wird|wurde"
        rf"|going on|coming up to|just shy of|shy of|age of|at age|aged|edad de|"
        rf"con)\s+{_SOON}{{0,2}}(?P<v>{_OVER}){_NOT_UNIT}",
        rf"\b{_KIN}\s+{_SOON}{{0,2}}(?P<v>{_OVER}){_NOT_UNIT}(?=\s*(?:[,;!?)\n]|\.(?!\d)|$)|\s+(?!or\b|to\b)[a-z])",
        rf"(?<![\w./-])(?P<v>{_OVER})\s+(?:next|this|on\s+(?:her|his|my)|in)\s+(?:birthday|bday|year|month|"
        rf"week|summer|spring|autumn"
        r"|winter|january|february|march|april|may|june|july|august|september|october|november|december"
        r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|monday|tuesday|wednesday|thursday|friday|saturday|"
        r"sunday)\b",
        r"\b(?:her|his|my|our|their|mum's|mums|dad's|dads|gran's|grans|nan's|nans|mother's|father's|"
        r"s)\s+(?P<v>(?:9\d|1[01]\d)(?:st|nd|rd|th)"
        rf"|{_NINETY}[\s-]?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|ninetieth|hundredth"
        r"|(?:one )?hundred and (?:first|second|third|fourth|fifth))\b(?!\s+(?:cent|percent|day|week|dose|"
        r"visit|time|admission))",
        r"\b(?P<v>(?:9\d|1[01]\d)(?:st|nd|rd|th)|ninet\w+[\s-]?(?:first|second|third|fourth|fifth|sixth|"
        r"seventh|eighth|ninth)"
        r"|ninetieth|hundredth)\s+(?:birthday|bday|b-day|year)\b",
    )
)
_WARM: Final = re.compile(r"\b(?:temp\w*|fever\w*|tmax|febrile|t)\W{1,3}(?:\w+\W+){0,3}$")
_NAMED: Final = re.compile(
    r"(?:(?<=[^\W\d_]{2})|(?<=[^\W\d_]\.))(?:,\s?|\s?\(|\s-\s)"
    rf"(?P<v>{_WORDS}|{_NUMBER})(?=\s?(?:[,);]|\.(?!\d)|\n|$|(?:f|m)\b|now\b|who\b|from\b|lives\b|is\b|has\b|"
    rf"was\b|ha\b))"
)
_TWO_NAMES: Final = re.compile(
    r"\b[A-Z\u00c0-\u017f][\w'’.-]+,?\s(?:[a-z]{2,3}\s){0,2}[A-Z\u00c0-\u017f][\w'’.-]+\s(?P<v>(?:9\d|"
    r"10\d))(?=\s?(?:[,;)\n]|/(?!\d)|\.(?!\d)|$|[FM]\b))"
)
_BARE: Final = re.compile(
    rf"(?<![\w./:+<>=~×→$£€-])(?<![$£€] )(?<![<>=~≈] )(?<!\d )(?<!\d,)(?:{_NUMBER}|{_WORDS})"
    r"(?=\s*(?:[,;!?)\n]|\.(?!\d)|$)(?!\s*\d)"
    r"|\s+(?!on\s(?:air|room|ra\b|o2|oxygen|\d))(?:and|but|with|who|whose|on|in|liv\w+|has|had|is|was|now|"
    r"today|tomorrow|next|this|last|so|soon|found|fell"
    r"|from|at|when|because|since|she|he|her|his|i|we|they|can|cant|can't|wants|says|said|still|alone|walks|uses"
    r"|drives|both|if|also|though|although|yet|for|y|con|und|mit|female|male|lady|man|woman|gentleman)\b)"
)
_MEASURED: Final = re.compile(
    r"(?<![a-z])(?:sat(?:s|uration\w*)?\b|spo2|\bo2|oxygen|oximeter|clip\b|gadget|machine|monitor|watch|"
    r"meter\b|pulse|\bhr\b|heart|rate\b"
    r"|bpm|beat|\bbp\b|pressure|systol|diastol|over\b|standing|sitting|lying|\bhb\b|h(?:a)?emoglobin|\bna\b|sodium"
    r"|creat|\bcrp\b|\besr\b|glucose|sugar|\bbgl?\b|\bbms?\b|insulin|weigh\w*|kilo|\bkg\b|temp|fever|degree|\bpef\b|"
    r"peak|flow|best"
    r"|flex|abduct|extension|cholesterol|\bldl\b|\bhdl\b|potassium|chloride|platelet|\bplt\b|urea|\bgfr|"
    r"ferritin|\bcbg"
    r"|\bcmg|\bmap\b|reads?\b|reading|dose|tablet|units?\b|scor\w*|percent|mmhg|lift|incline|angle|room|ward\b|"
    r"bed\b"
    r"|\bbay\b|flat\b|bus\b|route|road|page|form|code|pin\b|\bno\b|number|rang|ring|call\w*|phon\w*|dial\w*|advised"
    r"|up to|down to|from|between|at least|at most|per\b|\bl\b|\br\b|times|laps?\b|speed|mph|miles|yards|metres"
    r"|tension|presion|saturacion|pulso|frecuencia|azucar|peso|puls\b|gewicht|blutdruck|zucker|sattigung|ecg|ekg"
    r"|\x00 $|a\.?f\b|tachy\w*|brady\w*|than\b|\d+ (?:or|and|then)\s)"
)
_PERSON: Final = re.compile(
    r"\b(?:he|she|who|hes|shes|he's|she's|aged?|turn\w*|pt|patient|lady|gentleman|man|woman|gran\w*|nan\w*|mum|"
    r"mom|mother"
    r"|dad|father|aunt\w*|uncle|neighbou?r|resident|widow\w*|retired|old|elderly|birthday|born|abuel\w*|oma|opa)\b"
)
_YEAR: Final = re.compile(r"(?:nineteen|eighteen|in|of|since|or|\d)[\s-]+$")  # what makes `ninety four` a year
_REACH: Final = 48  # characters before the number, within its sentence

# As doubtful: an age only where nothing measured stands before in the sentence.
_DOUBTFUL: Final = tuple(
    re.compile(p)
    for p in (
        rf"(?<![\w-])(?<!nineteen )(?<!eighteen )(?<!nineteen-)(?P<v>{_WORDS}){_NOT_UNIT}(?=\s*[,;.:!)])",
        rf"(?<=[a-z]{{3}}),\s(?P<v>{_NUMBER})(?=\s?[:;]\s)",
        rf"\bwas\s(?P<v>{_OVER})\s(?:yesterday|today|last|this|in|when)\b",
        rf"\b(?:gone|getting on for|rising|past|touching|knocking on|all of|side of|sprightly|frail|spry|"
        rf"independent|active|still|also|both|cumplir"
        rf"|tiene)\s(?P<v>{_OVER}){_NOT_UNIT}(?=\s*(?:[,;!?)\n]|\.(?!\d)|$)|\s(?:and|but|now|she|he|y|who|with)\b)",
        rf"\b(?:not bad for|good for|well for|being|only|merely|gent of|man of|woman of|lady of|person of|"
        rf"birthday:?)\s(?P<v>{_WORDS}|{_NUMBER}(?=\s*(?:[,;)\n]|\.(?!\d)|$|y)))"
        rf"{_NOT_UNIT}",
    )
)
# Between bars and dashes, before a verb behind a name, after `at`: only where nothing measured stands before.
_APART: Final = re.compile(
    rf"(?:[|;]\s?|\s-\s|(?<=[a-z])/)(?P<v>{_NUMBER})(?=\s?(?:[|;]|-\s|/\s?[a-z]))|(?:^|"
    rf"\n)(?P<w>{_NUMBER})\s?[-/]\s?(?=[a-z]{{4,}})"
    rf"|\b(?:at|until)\s(?P<x>{_WORDS}|9\d)(?=\s*(?:[,;!)\n]|\.(?!\d)|$)|\s(?:she|he|i|who|drives|and|"
    rf"still)\b)|\byears:?\s(?P<y>{_NUMBER})\b"
)
_VERBED: Final = re.compile(
    r"\b[A-Z][a-z\u00df-\u017f]{2,}\s(?P<v>9\d|10\d)(?=\s(?:fell|lives|can|cant|can't|is|has|was|found|c/o|"
    r"refus\w+|complain\w+|tripped|slipped|rang)\b)"
)
_LISTED: Final = re.compile(
    r"(?<=[a-z]{2}),?\s(?P<v>9\d|10\d)(?=\s?(?:[,;)\n]|/(?!\d)|\.(?!\d)|$|[fm]\b))"
)  # in lists of residents


def spot_ages(text: str, low: str) -> list[Span]:
    """Every age over 89; `low` is the folded text."""
    spans = spot_bare_ages(low)
    for regex in _CUED:
        for match in regex.finditer(low):
            warm = _WARM.search(low[max(0, match.start("v") - 24) : match.start("v")])
            if not (warm and not match[0].lstrip().startswith(("he ", "she ", "i "))):
                spans.append(Span(match.start("v"), match.end("v"), "age_over_89", "pattern"))
    doubtful = ((regex, low) for regex in _DOUBTFUL)
    for regex, said in (
        *doubtful,
        (_NAMED, low),
        (_TWO_NAMES, text),
        (_VERBED, text),
        (_APART, low),
        (_LISTED, low if "resident" in low else ""),
    ):
        for match in regex.finditer(said):
            group = match.lastgroup or "v"
            if not _MEASURED.search(_sentence(low, match.start(group))):
                spans.append(Span(match.start(group), match.end(group), "age_over_89", "pattern"))
    return [_extend(span, low) for span in spans]


def _extend(span: Span, low: str) -> Span:
    """A spoken age with the ones behind its tens: ninety-four."""
    more = _ONES.match(low, span.end)
    return span._replace(end=more.end()) if more and low[span.end - 1].isalpha() else span


def _sentence(low: str, start: int) -> str:
    """What stands before a number in its sentence."""
    return re.split(r"[.!?\n;]\s", low[max(0, start - _REACH) : start])[-1]


def spot_bare_ages(low: str) -> list[Span]:
    """Every number of the folded text that is most likely somebody's age over 89."""
    spans = []
    for match in _BARE.finditer(low):
        before = _sentence(low, match.start())
        if _MEASURED.search(before) or ((match[0].isalpha() or " " in match[0]) and _YEAR.search(before)):
            continue
        near = low[max(0, match.start() - 2 * _REACH) : match.end() + _REACH]
        if before.strip() == "" or _PERSON.search(near):
            spans.append(Span(match.start(), match.end(), "age_over_89", "pattern"))
    return spans
