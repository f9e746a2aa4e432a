"""How far a summary is borne out by a conversation, and how much of the conversation it leaves out, by words alone.

A summary's claim is a content word with its polarity: supported when the conversation states the word where the
summary does, or denies it where the summary denies. What the patient said and the summary lacks is left out.
Knows English words, numbers and negation; knows no synonyms, so a paraphrase looks unsupported. It agrees too
little with people to be a metric (`benchmarks/faithfulness.py`, docs/log.md): no table or gate reads it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from prescreen.clinic.numerals import NUMBERS
from prescreen.evals.concept import NEGATION

PATIENT = re.compile(r"\s*(?:guest_\w+|patient|relative|mother|father|family)\s*:", re.IGNORECASE)
SPEAKER = re.compile(r"^\s*[\w ]{2,20}:\s*")
TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+(?:'[a-z]+)?|[.!?;,]")
ENDS = frozenset(".!?;")
TURNS = frozenset({"but", "however", "although", "though", "except"})
NOT = frozenset({*NEGATION, "nope", "nor", "neither", "nothing", "deny", "denying", "denial"})
REFUSAL = re.compile(
    r"\s*(?:uh |um |oh |well )?(?:no|nope|not really|never|none|neither|nothing)\s*(?:[,.;!]|$)", re.IGNORECASE
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
VALUES = NUMBERS | {w: 13 + i for i, w in enumerate(TEENS)} | {w: 20 + 10 * i for i, w in enumerate(TENS)}
ENDINGS = tuple(re.findall(r"\w+", "ations ation ingly ings ing edly ness ies ied ers ed es ly s y e"))
STOP = frozenset(
    re.findall(
        r"\w+",
        """
a about after again all also am an and any anything are as at be because been before being both but by can
complain could currently did do doctor does doing don dr during each few for from further get good got great had
has have having he hello her here hers herself hi him himself his history how i if in into is it its itself just
know let like ll m may me mean might more most mr mrs ms much must my myself note of off ok okay on once one
only or other our out over own patient presently re really report reported right s said same say she should so
some something sorry state stated such sure t tell than thank thanks that the their them themselves then there
these they thing think this those through to too uh um under until up us ve very was we well were what when
where which while who whom why will with would yeah yes you your yours yourself
""",
    )
)


class Faithfulness(NamedTuple):
    """Shares of a summary's claims nobody said, said with the other polarity, and of what was said and left out."""

    unsupported: float
    contradicted: float
    omitted: float
    claims: int
    said: int

    @property
    def unfaithful(self) -> float:
        """Share of claims nobody made."""
        return self.unsupported + self.contradicted

    @property
    def hallucination(self) -> float:
        """Number of claims nobody made: of the variants tried, it agreed best with people."""
        return self.unfaithful * self.claims

    @property
    def omission(self) -> float:
        """Number of the patient's words left out: likewise."""
        return self.omitted * self.said


class Utterance(NamedTuple):
    """Who spoke, whether it only asked, and what it claims."""

    by_patient: bool
    asks: bool
    claims: "list[Claim]"


class Claim(NamedTuple):
    """One content word, or number, and whether it is denied."""

    word: str
    denied: bool


def score_summary(summary: str, dialogue: str) -> Faithfulness:
    """A summary against a conversation of `Speaker: text` lines."""
    claims = set(read_claims(summary))
    spoken = list(read_dialogue(dialogue))
    words = {claim.word for each in spoken for claim in each.claims}
    held = {claim for each in spoken if not each.asks for claim in each.claims}
    unsupported = sum(claim.word not in words for claim in claims)
    contradicted = sum(claim.word in words and claim not in held for claim in claims)
    told = {claim.word for each in spoken if each.by_patient for claim in each.claims}
    summarised = {claim.word for claim in claims}
    return Faithfulness(
        unsupported / len(claims) if claims else 0.0,
        contradicted / len(claims) if claims else 0.0,
        len(told - summarised) / len(told) if told else 0.0,
        len(claims),
        len(told),
    )


def read_claims(text: str) -> Iterator[Claim]:
    """Content words with polarity: a negation reaches to the end of its clause."""
    denied, tens = False, 0
    for token in TOKEN.findall(text.lower().replace("’", "'")):
        if token in ENDS or token in TURNS:
            denied = False
        elif token in NOT or token.endswith("n't"):
            denied = True
        elif token in VALUES and token != "one":
            if VALUES[token] >= 20:
                tens = VALUES[token]
                continue
            yield Claim(str(tens + VALUES[token]), denied)
            tens = 0
            continue
        if tens:
            yield Claim(str(tens + (1 if token == "one" else 0)), denied)
            tens = 0
            if token == "one":
                continue
        word = token.split("'")[0]
        if token[0].isdigit():
            yield Claim(f"{float(token):g}", denied)
        elif len(word) > 1 and word not in STOP and word not in NOT and word not in TURNS:
            yield Claim(stem_word(word), denied)
    if tens:
        yield Claim(str(tens), denied)


def read_dialogue(dialogue: str) -> Iterator[Utterance]:
    """Each utterance with its claims. An answer takes up what was asked, denied where it begins with a denial."""
    question: list[Claim] = []
    for line in filter(str.strip, dialogue.splitlines()):
        text = SPEAKER.sub("", line)
        if PATIENT.match(line) is None:
            question = list(read_claims(text))
            yield Utterance(False, "?" in text, question)
            continue
        refusal = REFUSAL.match(text)
        found = list(read_claims(text[refusal.end() :] if refusal else text))
        denied = refusal is not None or any(token in NOT or "n't" in token for token in first_clause(text))
        yield Utterance(True, False, [*found, *(Claim(claim.word, denied) for claim in question)])


def first_clause(text: str) -> list[str]:
    """The words up to the first stop or turn."""
    tokens = TOKEN.findall(text.lower())
    end = next((i for i, token in enumerate(tokens) if token in ENDS or token in TURNS), len(tokens))
    return tokens[:end]


def stem_word(word: str) -> str:
    """A word without its commonest endings: rough, the same on both sides."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
