"""Whether a matched symptom is said to be there now: negated, over, or somebody else's?

Knows English cues and how far they reach. Knows nothing about symptoms or rules. When in doubt a symptom
counts as present: a missed emergency costs more than a second look. Every decision is local to one clause
of one utterance, so that adding words elsewhere can never take a symptom away.
"""

import re
from functools import lru_cache

_BREAKS = re.compile(
    r"[;!?\n]|\.(?!\d)|[ ,](?=(?:but|however|except|although|though|yet|apart from"
    r"|aside from|other than|otherwise"
    r"|whereas|nevertheless|despite|in spite of)\b)"
)
_DOTTED = re.compile(r"(?<=\b[lr]t)\.")  # "Lt. arm": a short form, not the end of a sentence
_QUOTES = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'", "\u201c": '"', "\u201d": '"', "\t": " "}
)

# Words that look like a denial but say that something is there, or is about something else altogether.
_AUX = r"(?:isn'?t|aren'?t|wasn'?t|hasn'?t|haven'?t|hadn'?t|doesn'?t|don'?t|didn'?t|not|never|won'?t)"
_NO_DENIAL = re.compile(
    r"\bno (?:better|relief|improvement|change|idea|doubt|wonder|matter|good|use|let ?up|help|energy|appetite"
    r"|strength|longer able|sleep|time|one (?:is|else|to|helps?|at|will|knows)|obvious|apparent|clear"
    r"|explanation|reason|control|way|food|fluids?|spleen|immune system|neutrophils|platelets|pulse)\b"
    r"|\b(?:no|nil|denies|denied|without)(?: any)?(?: (?:known|drug|food|significant|relevant"
    r"|previous|past|prior|other|"
    r"medical|notable|regular|particular|recent))*"
    r" (?:allerg\w+|pmhx?|pmh|nkda|history|problems|meds|medications?|conditions|illness\w*"
    r"|comorbid\w+|injur\w+"
    r"|trauma|triggers?|warning|cause|relief|stopping|painkillers|surger(?:y|ies))\b(?! of)"
    r"|\bnot (?:any )?(?:better|getting better|getting any better|improving|going away|going|gone"
    r"|easing|eased"
    r"|settling|settled|stopping|stopped|helping|helped|sure|certain|right|well|good|great|normal"
    r"|only|just|able"
    r"|being able|been able|coping|long|himself|herself|myself|themselves|itself|his|her usual"
    r"|relieved|eating"
    r"|drinking|feeding|sleeping|slept|eaten|drunk|fed|making sense|doing (?:well|good|great)"
    r"|to mention|feeling"
    r"|quite right|acting|looking|as|taken|taking|had my|had any (?:food|sleep)|too sure|letting up|let up)\b"
    rf"|\b{_AUX} (?:\w+ )?(?:go(?:ne|ing)? away|gone|stop\w*|help\w*|eas\w+"
    rf"|get(?:ting)? (?:any )?better|improv\w+"
    r"|know|feel(?:ing)? (?:very |too |so |at all )?(?:well|good|great|right|safe|myself|himself"
    r"|herself|ok|okay)"
    r"|understand|like|want(?! to (?:die|be dead|kill|hurt|harm|end))|wanna|care|settl\w+|let\w* up"
    r"|look\w* (?:well|right|good)|seem\w* right|sleep|slept|eat"
    r"|eaten|drink|drunk|wait\w*|explain|sure|remember|recogni[sz]e|notice it|been (?:well|right|able"
    r"|himself|herself"
    r"|feeling|eating|drinking|sleeping|taking)|tak(?:e|en|ing)|shift\w*|budg\w+|touch\w*|come down|came down"
    r"|come back|care if|worried|bother)\b"
    r"|\bnever (?:had|felt|experienced|known|been|seen) [^\n,]{0,40}?(?:like this|this bad"
    r"|this severe|so bad|as bad"
    r"|like it|like that|before|so much|in my life)\b"
    r"|\bnever (?:been|felt) (?:so|this|as)\b|\bwhether or not\b|\bwhy not\b|\bif not\b"
    r"|\bnot (?:the )?(?:usual|same|like)\b|\b(?:worse|more) than not\b"
)
_STRONG = r"denies|denied|denying|deny|neg(?:ative)? for|rules? out|ruled out|free (?:of|from)|absence of"
# A bare answer ("Nothing like fever"), not a comparison ("it is nothing like my old headaches").
_UNLIKE = r"(?<!\w )nothing like(?! (?:the|this|that|these|those|its?|before|i|i'\w+|my|any\w*|what|an?)\b)"
_CUE = re.compile(
    rf"\b(?:(?P<strong>{_STRONG})|(?P<no>no|nil|without|w/o|neither|nor|none of|zero|never|no signs? of|{_UNLIKE})"
    r"|(?P<not>not|isn'?t|aren'?t|wasn'?t|weren'?t|hasn'?t|haven'?t|hadn'?t|doesn'?t|don'?t|didn'?t"
    r"|ain'?t))\b"
)
_SUBJECT = (
    r"(?:i|i'm|i've|i'd|im|ive|my|he|he's|hes|she|she's|shes|her|his|him|it|it's|its|the|they|their"
    r"|there|there's|theres|"
    r"we|this|that|now|today|has|have|had|having|is|am|are|was|feels?|feeling|getting|got|gets"
    r"|start\w*|complain\w*|c/o|"
    r"present\w*|reports?|lots|some|also|still|keeps?|can'?t|cannot|couldn'?t|positive|bp|hr|rr"
    r"|temp\w*|sats?|with|a|an|"
    r"then|unable|looks?|looking|seems?|went|became|becoming|struggl\w*|says?|since|both)"
)
_STRESS = r"(?:very|really|severe\w*|sudden\w*|bad|worst|worse|crushing|massive\w*|terrible|awful|one)"
_SCOPE_END = re.compile(
    rf"(?:,|\band\b|&|\+|\s-)\s*(?:and\s+)?{_SUBJECT}\b|\b(?:because|only|instead|then|now|so|until"
    rf"|till|when|while|which|who"
    r"|touch(?:es|ed|ing)?|help(?:s|ed)?|shift(?:s|ed)?|reliev\w+|eas(?:e|es|ed)|works?|worked)\b"
)
_STRESSED = re.compile(rf"(?:,|\band\b|&|\+|\s-)\s*(?:and\s+)?{_STRESS}\b")
_REPLY = re.compile(r"\s+(?:i|i'm|he|she|he's|she's|it's|it|my|we|they)\b")
_LIST = re.compile(r"\b(?:or|nor|and|&)\b|,[^,]*,|/")
_OR = re.compile(r"\b(?:or|nor)\b")
_CURRENT_AFTER = re.compile(
    r"^[^\n,]{0,30}\b(?:since|for (?:the |about |over |a |an |\d|two|three|few)|started|worse\w*"
    r"|x ?\d|\d+ ?/ ?10|today"
    r"|tonight|this (?:morning|afternoon|evening)|radiat\w+|suddenly|\d+ ?(?:min|hour|hr|day)s?)\b"
)
# A denial behind its symptom. Behind a comma "denied", "negative" and "absent" are about what follows them.
_AFTER = re.compile(
    r"^(?: \w+){0,4} ?[:=-]+ ?(?:no|none|nil|n|denied|absent|negative)\s*(?=$|[\n,)])"
    r"|^\W{0,4}(?:is |are |was |were |has been |have been )?(?:no|none|nil|n)\s*(?=$|[\n,)])"
    r"|^[^\w\n,]{0,4}(?:is |are |was |were |has been |have been )?"
    r"(?:denied(?=\s*(?:$|[\n,)(]|(?:by|and|or|with)\b))|absent|negative(?! for)|ruled out|not present|not there)"
)
_GAP_DENIAL = re.compile(
    r"\b(?:no|not|never|without|isn'?t|aren'?t|wasn'?t|hasn'?t|haven'?t|doesn'?t|don'?t|didn'?t|nor"
    r"|denies|denied|fine|ok|okay"
    r"|normal|clear|all right|alright)\b"
)

_SEGMENT = re.compile(r",|\band\b|\bnow\b|\bwith\b|\bpresent\w*|\bc/o\b|\bcomplain\w*")
_PAST = re.compile(
    r"\b(?:years? (?:ago|back)|yrs? ago|decades? ago|last year|(?:in|from) (?:19|20)\d\d|(?:in|since) '\d\d"
    r"|as a (?:child|kid|baby|teenager)"
    r"|when (?:i|he|she) was (?:a |\d|young|little|pregnant|\w+teen|twenty|thirty|forty|fifty)"
    r"|used to (?:have|get|suffer|feel|be)"
    r"|at the age of \d+)"
)
_PAST_BEFORE = re.compile(
    r"\b(?:history of|h/o|hx of|(?<!nil )(?<!no )pmhx?|past medical history|previous(?:ly)?|prior|family history\w*"
    r"|fhx?|died (?:of|from)|risk of|prevent\w*|in case of|screening for"
    r"|read about|googl\w+|looked up)\b[^\n,]{0,50}$"
)
# Worry about an illness is no illness; "worried about my dad's chest pain" and "about mum, she fits" are.
_WORRY_BEFORE = re.compile(
    r"\b(?:worried (?:about|of)|scared of|afraid of|fear of)\b"
    r"(?:(?! (?:my|his|her|their|the|this|that|these|those|he|she|it|they|i|who|is|was|has)\b|'s\b)[^\n,]){0,50}$"
)
_COURSE = re.compile(
    r"(?:\d ?/ ?\d+|\d ?[dhwm]|\b(?:days?|weeks?|months?|hours?|hrs?|wks?|short|acute|recent|new))"
    r" (?:history|hx|h/o) of\b"
)
_NOW = re.compile(
    r"\b(?:now|again|today|tonight|currently|this (?:morning|afternoon|evening|week|time)|same|since"
    r"|started|yesterday|just"
    r"|hours?|minutes?|mins?|suddenly|ongoing|still)\b"
)
_FAMILY = re.compile(
    r"\b(?:mum|mom|mother|mam|father|dad|brother|sister|gran|grandma|grandad|grandfather|grandmother"
    r"|nan|uncle|aunt\w*|cousin"
    r"|friend|neighbou?r|colleague|family)\b[^\n,]{0,20}\b(?:had|died|suffered|has had|passed)\b[^\n]{0,50}$"
)
# The teller is the patient: "my father had a heart attack, I feel fine", not "dad had a fit and I am frightened".
_SELF = re.compile(
    r"\b(?:i (?:feel|want|need|have|get|am (?:fine|well|ok|here)|was wondering)|i'd like"
    r"|i'?m (?:fine|well|ok|okay|here|due)"
    r"|i'?m worried (?:about having|i)|i'?ve (?:got (?!him|her|them|mum|dad|my)|had)|should i (?:be|get|have)|am i"
    r"|my (?:own|check|cholesterol|risk|blood pressure))\b"
)


def clean_text(text: str) -> str:
    """Lower case, plain quotes, every clause break a newline; the same length, so that offsets stay true."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return _BREAKS.sub("\n", _DOTTED.sub(" ", lowered.translate(_QUOTES)))


@lru_cache(maxsize=64)  # a clause is asked about for each of its words, then no more
def _clause_parts(clause: str) -> str:
    """The clause with cues that deny nothing blanked out; same length."""
    return _NO_DENIAL.sub(lambda m: "_" * len(m.group()), clause)


def is_negated(clause: str, start: int, end: int, gaps: tuple[str, ...] = ()) -> bool:
    """True when `clause[start:end]` is denied by a cue before it, in its gaps or straight after it."""
    if any(_GAP_DENIAL.search(gap) for gap in gaps):
        return True
    masked = _clause_parts(clause)
    if _AFTER.search(masked[end:]):
        return True
    return any(_reaches(cue, masked, start, end) for cue in _CUE.finditer(masked, 0, start))


def _reaches(cue: re.Match[str], clause: str, start: int, end: int) -> bool:
    """Whether this denial still holds at the match: lists carry it on, a new subject or verb ends it."""
    between = clause[cue.end() : start]
    reach = between + clause[start:end].split(" ")[0]
    if _SCOPE_END.search(reach) or (cue["no"] == "no" and _REPLY.match(reach)):
        return False
    if _STRESSED.search(reach) and not cue["strong"] and not _OR.search(clause, end):
        return False
    listed = _OR.search(between) is not None
    if "," in between and not listed:
        if _CURRENT_AFTER.search(clause[end:]):
            return False
        if cue["not"] and not _OR.search(clause, start):
            return False
        another = _CUE.search(clause, end)  # what it denies is no part of this list
        denied = clause[cue.end() : another.start() if another else None].rstrip(", ")
        if cue["no"] and not _LIST.search(denied):
            return False
    limit = {"strong": 40, "no": 14, "not": 7}[cue.lastgroup or "no"]
    return listed or len(between.split()) <= limit


def is_past(clause: str, start: int, end: int, utterance: str) -> bool:
    """True when `clause[start:end]` is told as history, or as a relative's illness told by a patient."""
    cuts = [0, *(m.start() for m in _SEGMENT.finditer(clause) if not start <= m.start() < end), len(clause)]
    left = max(cut for cut in cuts if cut <= start)
    right = min((cut for cut in cuts if cut >= end), default=len(clause))
    segment, before = clause[left:right], clause[left:start]
    if _NOW.search(segment):
        return False
    if _PAST.search(segment) or _WORRY_BEFORE.search(before):
        return True
    if _PAST_BEFORE.search(before) and not _COURSE.search(before):
        return True
    return bool(_FAMILY.search(clause[:start])) and bool(_SELF.search(utterance)) and not _NOW.search(clause)
