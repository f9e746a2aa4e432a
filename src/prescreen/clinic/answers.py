"""Questions and short answers, read as statements.

"Any chest pain?" - "Yeah, a bit" says chest pain; "Is he breathing?" - "No" says not breathing. Knows the
grammar of yes/no questions; knows nothing about symptoms. The patient's words are never changed: a statement
made here stands beside them.
"""

import re

_YES = re.compile(
    r"^\W*(?:oh )?(?:yes|yeah|yea|yep|yup|ya|aye|correct|definitely|absolutely|a bit|a little|bit"
    r"|some|sometimes|"
    r"sort of|kind of|i think so|think so|affirmative|right|sure|unfortunately|i do|i am|i have|i did"
    r"|he does|he is|he has|"
    r"she does|she is|she has|it does|it is|it has|they are|they do|there is|very(?: much)?|lots|quite a bit|"
    r"that's right|mhm|uh-huh|maybe|possibly|probably|might be|could be|i suppose|i guess|well,? yes|y)\b",
    re.I,
)
_NO = re.compile(
    r"^\W*(?:no|nope|nah|not really|not at all|none|never|neither|not that i know|negative|nothing"
    r"|i don'?t|i do not|"
    r"he can'?t|she can'?t|i can'?t|can'?t|he isn'?t|he'?s not|she isn'?t|she'?s not|it doesn'?t"
    r"|it isn'?t|i'?m not|n)\b",
    re.I,
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_INVERTED = re.compile(
    r"^(?:and |so |ok(?:ay)?,? |also,? )*(?P<aux>is|are|was|were|can|could|do|does|did|has|have|had"
    r"|will|would)(?P<neg>n'?t)? "
    r"(?P<subject>(?:the |your |his |her |their |any of )?[\w']+) (?P<rest>.+)$",
    re.I,
)
_ANY = re.compile(
    r"^(?:and |so |or |also |have you |had )*(?:any|is there(?: any)?|are there(?: any)?)\b(?P<rest>.+)$",
    re.I,
)
_WHERE = re.compile(
    r"\bwhere\b.*?\b(?P<what>pain|hurt|ache|sore|swelling|swollen|rash|bleed(?:ing)?|numb(?:ness)?)", re.I
)
_FINE = re.compile(r"\b(?:no|not|n[o']t|fine|ok|okay|normal|nowhere)\b|n't\b", re.I)
_OPEN = re.compile(r"\b(?:when|what|where|which|how|who|why)\b", re.I)
_ASKS = re.compile(r"\?|^\s*(?:any|do|does|did|is|are|can|could|have|has|tell me|please)\b", re.I)


def is_question(text: str) -> bool:
    """True for a turn that asks rather than tells."""
    return bool(_ASKS.search(text))


def state_answer(question: str, answer: str) -> str:
    """The statement a yes/no answer makes of its question; empty when it makes none."""
    if where := _WHERE.search(question):
        told = [s.strip() for s in _SENTENCE.findall(answer)]
        return ". ".join(f"{where['what']} {s}" for s in told[:3] if s and not _FINE.search(s))
    yes, no = bool(_YES.match(answer)), bool(_NO.match(answer))
    if yes == no:
        return ""
    asked = [s.strip(" ?.!,") for s in _SENTENCE.findall(question) if s.strip().endswith("?")]
    asked = asked or ([question.strip(" ?.!,")] if is_question(question) else [])
    if no:
        asked = asked[-1:]
    elif len(answer.split()) > 4 and re.search(r",| or ", asked[-1] if asked else ""):
        return ""  # "Yes, I have a little fever" to a list of symptoms: the words say which one
    return ". ".join(filter(None, (_state(sentence, no) for sentence in asked)))


def _state(sentence: str, no: bool) -> str:
    any_of, inverted = _ANY.match(sentence), _INVERTED.match(sentence)
    if any_of:
        return ("no" if no else "") + any_of["rest"]
    if inverted and not inverted["neg"]:
        return f"{inverted['aux']} {'not ' if no else ''}{inverted['rest']}"
    if _OPEN.match(sentence):
        return ""
    return f"no {sentence}" if no else sentence
