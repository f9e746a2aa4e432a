"""Speech: the same clause told by the patient or about the patient, and frames filled with it.

Knows English pronouns and the verbs of the symptom table. Knows nothing about medicine.
"""

import re

PRONOUNS = {
    "female": {"he": "she", "his": "her", "him": "her", "himself": "herself"},
    "male": {"he": "he", "his": "his", "him": "him", "himself": "himself"},
}
IRREGULAR = {"am": "is", "have": "has", "do": "does", "don't": "doesn't", "haven't": "hasn't"}
UNCHANGED = frozenset(
    re.findall(
        r"\S+",
        """can can't could couldn't will won't would might was were had did didn't came went felt took saw heard hit
        lost woke spilt cut got overdid shook began brought threw drew fell fainted passed blacked keeled collapsed
        coughed swallowed emptied noticed banged bumped scalded rolled twisted turned landed sliced scraped skinned
        sneezed used walked wiped peed pressed""",
    )
)
ADVERBS = "(?:(?:just|also|really|still|only|always|hardly|even|normally|suddenly|nearly|no sooner|then) )?"
SUBJECT = re.compile(rf"\bI ({ADVERBS})([a-z']+)")
SLOT = re.compile(r"\{(\w+)\}")


def conjugate(verb: str) -> str:
    """The third person of a verb as it stands after "I"."""
    if verb in UNCHANGED or verb in IRREGULAR:
        return IRREGULAR.get(verb, verb)
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


def retell(clause: str, sex: str) -> str:
    """A first-person clause as a relative says it: "I feel sick" becomes "she feels sick"."""
    words = PRONOUNS[sex]
    he = words["he"]
    clause = SUBJECT.sub(lambda m: f"{he} {m[1]}{conjugate(m[2])}", clause)
    for mine, theirs in (
        (r"\bI'(?:m|ve)\b", f"{he}'s"),
        (r"\bI'd\b", f"{he}'d"),
        (r"\bI'll\b", f"{he}'ll"),
        (r"\bmyself\b", words["himself"]),
        (r"\b[Mm]y\b", words["his"]),
        (r"\bme\b", words["him"]),
        (r"\bI\b", he),
    ):
        clause = re.sub(mine, theirs, clause)
    return clause


def capitalise(text: str) -> str:
    """Upper case for the first letter and after a full stop or question mark."""
    return re.sub(r"(^|[.?!]\s+)(\[?)([a-z])", lambda m: m[1] + m[2] + m[3].upper(), text)


def fill(frame: str, **slots: str) -> str:
    """A frame with its slots filled, capitalised as sentences; an unknown slot is our mistake."""
    return capitalise(SLOT.sub(lambda match: slots[match[1]], frame))


def take_quotes(text: str) -> tuple[str, list[str]]:
    """Remove the square brackets of a frame; return the text and the spans they held."""
    return text.replace("[", "").replace("]", ""), re.findall(r"\[([^\]]*)\]", text)


def find_span(text: str, clause: str) -> str:
    """The clause exactly as it stands in the text, whatever its case."""
    start = text.lower().find(clause.lower())
    assert start >= 0, f"{clause!r} is not in {text!r}"
    return text[start : start + len(clause)]


def join_words(items: list[str]) -> str:
    """Such as "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
