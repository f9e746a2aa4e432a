"""Bare ages over 89: a number from 90 to 119, or its words, that nothing marks as a measurement or count.

The shapes of shapes.yaml know an age by its cue; here it is known by the lack of another reading: no measured thing
before it in the sentence and no unit or counted thing after it. Knows no patient.
"""

import re
from typing import Final

from prescreen.records.deid.spans import Span

_NUMBER: Final = r"(?:9\d|1[01]\d)(?!\d)"
_WORDS: Final = (
    r"(?:ninety(?:[\s-]?(?:one|two|three|four|five|six|seven|eight|nine))?"
    r"|(?:one|a)\s+hundred(?:\s+and)?\s+(?:one|two|three|four|five|six|seven|eight|nine|ten)"
    r"|noventa(?:\s+y\s+\w+)?|\w{3,6}undneunzig|neunzig)\b"
)
_BARE: Final = re.compile(
    rf"(?<![\w./:+<>=~×→$£€-])(?<![$£€] )(?<![<>=~≈] )(?<!\d )(?<!\d,)(?:{_NUMBER}|{_WORDS})"
    r"(?=\s*(?:[,;!?)\n]|\.(?!\d)|$)(?!\s*\d)"
    r"|\s+(?:and|but|with|who|whose|on|in|liv\w+|has|had|is|was|now|today|tomorrow|next|this|last|so|soon|found|fell"
    r"|from|at|when|because|since|she|he|her|his|i|we|they|can|cant|can't|wants|says|said|still|alone|walks|uses"
    r"|drives|both|if|also|though|although|yet|for|y|con|und|mit|female|male|lady|man|woman|gentleman)\b)"
)
_MEASURED: Final = re.compile(
    r"(?<![a-z])(?:sat(?:s|uration\w*)?\b|spo2|\bo2|oxygen|oximeter|clip\b|gadget|machine|monitor|watch|meter\b|pulse|\bhr\b|heart|rate\b"
    r"|bpm|beat|\bbp\b|pressure|systol|diastol|over\b|standing|sitting|lying|\bhb\b|h(?:a)?emoglobin|\bna\b|sodium"
    r"|creat|\bcrp\b|\besr\b|glucose|sugar|\bbms?\b|insulin|weigh\w*|kilo|\bkg\b|temp|fever|degree|\bpef\b|peak|flow|best"
    r"|flex|abduct|extension|cholesterol|\bldl\b|\bhdl\b|potassium|chloride|platelet|\bplt\b|urea|\bgfr|ferritin|\bcbg"
    r"|\bcmg|\bmap\b|reads?\b|reading|dose|tablet|units?\b|scor\w*|percent|mmhg|lift|incline|angle|room|ward\b|bed\b"
    r"|\bbay\b|flat\b|bus\b|route|road|page|form|code|pin\b|\bno\b|number|rang|ring|call\w*|phon\w*|dial\w*|advised"
    r"|up to|down to|from|between|at least|at most|per\b|\bl\b|\br\b|times|laps?\b|speed|mph|miles|yards|metres"
    r"|tension|presion|saturacion|pulso|frecuencia|azucar|peso|puls\b|gewicht|blutdruck|zucker|sattigung|ecg|ekg"
    r"|a\.?f\b|tachy\w*|brady\w*|than\b|\d+ (?:or|and|then)\s)"
)
_PERSON: Final = re.compile(
    r"\b(?:he|she|who|hes|shes|he's|she's|aged?|turn\w*|pt|patient|lady|gentleman|man|woman|gran\w*|nan\w*|mum|mom|mother"
    r"|dad|father|aunt\w*|uncle|neighbou?r|resident|widow\w*|retired|old|elderly|birthday|born|abuel\w*|oma|opa)\b"
)
_YEAR: Final = re.compile(r"(?:nineteen|eighteen|in|of|since|or|\d)[\s-]+$")  # what makes `ninety four` a year
_REACH: Final = 48  # characters before the number, within its sentence


def spot_bare_ages(low: str) -> list[Span]:
    """Every number of the folded text that is most likely somebody's age over 89."""
    spans = []
    for match in _BARE.finditer(low):
        before = re.split(r"[.!?\n;]\s", low[max(0, match.start() - _REACH) : match.start()])[-1]
        if _MEASURED.search(before) or ((match[0].isalpha() or " " in match[0]) and _YEAR.search(before)):
            continue
        near = low[max(0, match.start() - 2 * _REACH) : match.end() + _REACH]
        if before.strip() == "" or _PERSON.search(near):
            spans.append(Span(match.start(), match.end(), "age_over_89", "pattern"))
    return spans
