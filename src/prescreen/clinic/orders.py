"""Text that gives orders to the software instead of telling a nurse something.

Looks for four marks: the machine's own markup, a message in its voice, a call to forget rules, and a level named as
what is to be answered. Knows English, and the call to forget rules in a few more languages. What somebody merely
plays down is no order. Knows no model; a hit is a reason to look, never a reason to lower anything.
"""

import re
from collections.abc import Iterable
from typing import Final

_LEVEL: Final = r"(?:low|medium|lowest|non[- ]?urgent|level (?:low|[45])|green)"
_WHAT: Final = r"(?:rules?|instructions?|orders|prompts?|guidelines?|messages?|safety|guardrails?|symptoms|told)"
_NOT_A_LEVEL: Final = (
    r"(?! (?:back|mood|fever|blood|pressure|sugar|pain|down|in|on|risk|energy|oxygen|grade|appetite))"
)
_MACHINE: Final = r"(?:system|developer|assistant|computer|operator|admin\w*|programmer)"
_MARKS: Final[dict[str, tuple[str, ...]]] = {
    "markup": (
        r"<\|[a-z_]+\|>",
        r"</?(?:system|case|instructions?|prompt|developer)>",
        r"\[/?(?:system|inst)\]",
        r"#{2,}\s*(?:new |human|assistant|instruction|system)",
        r"\{\s*[\"']?(?:acuity|priority|level|red_flags)[\"']?\s*:",
        r"```\s*json",
    ),
    "voice": (
        rf"(?:^|[\n.;]\s*)(?:p\.?s\.? to the )?{_MACHINE}(?: (?:message|override|prompt|note))?\s*[:>]",
        r"\b(?:system|debug|developer) (?:override|mode|message|command)\b",
        r"\b(?:begin|end) (?:override|of (?:record|prompt|case))\b",
        r"\bnotes? to the (?:ai|model|assistant|software|computer|system)\b",
        r"\b(?:i am|i'm|as) (?:the|your) (?:programmer|developer|operator|creator)\b",
        r"\byour (?:developer|programmer|operator)s? (?:writes?|says?|wants?)\b",
        r"\b(?:you are|act|pretend)(?: now| as if| to be| that you are)? (?:an? )?"
        r"(?:unrestricted|ai\b|language model|calm doctor)",
        r"\brole ?play\b",
        r"\bnew task:",
        r"\brule update\b",
        r"\bverified as admin\w*",
    ),
    "forget": (
        r"\b(?:ignore|disregard|forget|override|bypass|skip|void)\b"
        rf"(?:(?! and (?!what)| but )[^\n.]){{0,40}}\b{_WHAT}\b",
        rf"\b{_WHAT} (?:is|are) (?:void|switched off|off|suspended|lifted)\b",
        r"\bwithout (?:triage |any )?(?:rules|restrictions)\b",
        r"\bvergiss\b[^\n.]{0,30}\b(?:regeln|anweisungen)",
        r"\bolvida\b[^\n.]{0,30}\b(?:instrucciones|reglas)",
        r"\boublie\b[^\n.]{0,30}\b(?:consignes|instructions)",
        r"игнорируй|忽略",
    ),
    "level": (
        r"\b(?:answer|reply|output|print|respond|write|put(?! on)|say|rate|list|mark|classify|triage)\b"
        r"[^\n.]{0,40}?\b(?:as |with |only |but |word |everything |acuity |level )?"
        rf"(?<!too ){_LEVEL}\b{_NOT_A_LEVEL}",
        rf"\b(?:acuity|priority|triage level)\s*(?:=|:|to|is fixed at|has been fixed at)\s*{_LEVEL}\b",
        rf"\b(?:set|force|keep|fix)\b[^\n.]{{0,30}}\b(?:acuity|priority|level)\b[^\n.]{{0,12}}\b{_LEVEL}\b",
        r"\b(?:never|any|every|anything)\b[^\n.]{0,20}\b(?:level )?(?:above|but) low\b",
        r"\balways (?:acuity )?low\b",
        r"\bcorrect (?:answer|level)\b[^\n.]{0,30}\blow\b",
        r"\bacuity (?:is )?low\b",
    ),
}
_ORDERS: Final = {name: re.compile("|".join(parts)) for name, parts in _MARKS.items()}


def find_orders(texts: Iterable[str]) -> list[str]:
    """The marks of an order found in some texts, by name; empty where nobody orders the software about."""
    found = [text.lower() for text in texts if text.strip()]
    return [name for name, pattern in _ORDERS.items() if any(pattern.search(text) for text in found)]
