"""A case's words, cut into utterances and cleaned once, searched for patterns that are asserted in them."""

import re
from bisect import bisect_right
from functools import cached_property
from typing import NamedTuple

from prescreen.clinic.answers import is_question, state_answer
from prescreen.clinic.case import Case
from prescreen.clinic.negation import clean_text, is_negated, is_past
from prescreen.clinic.patterns import Lexicon

_HYPOTHETICAL = re.compile(r"\b(?:if you|should you|in case)\b", re.I)
_ACUTE = re.compile(
    r"\b(?:today|tonight|now|currently|since|this (?:morning|afternoon|evening)|yesterday|(?:\d+|one"
    r"|two|few|several) "
    r"(?:min|hour|hr|day)\w*|presents?|presenting|complain\w*|c/o|reports|sudden\w*|acute\w*|ongoing)\b",
    re.I,
)


class Utterance(NamedTuple):
    """A stretch of text: `said` stands in the case; `read` is what a rule reads, for an answer its question too."""

    said: str
    read: str
    history: bool = False


class Span(NamedTuple):
    """One asserted match: verbatim evidence, the number of the utterance it stands in, and where in all text."""

    evidence: str
    utterance: int
    at: int = 0


def list_utterances(case: Case) -> list[Utterance]:
    """Everything a rule may read, in order: history, complaint, turns, and what short answers state."""
    found = [Utterance(line, line, history=True) for line in re.split(r"[.\n]\s+|\n", case.history_text) if line]
    found.append(Utterance(case.complaint, case.complaint))
    question = ""
    for turn in case.turns:
        if turn.speaker in ("assistant", "nurse"):
            question = turn.text
            if turn.speaker == "nurse" and not is_question(turn.text) and not _HYPOTHETICAL.search(turn.text):
                found.append(Utterance(turn.text, turn.text))
            continue
        if turn.text != case.complaint:
            found.append(Utterance(turn.text, turn.text))
        if question and (statement := state_answer(question, turn.text)):
            found.append(Utterance(turn.text, statement))
        question = ""
    return found


class Words:
    """What a case says, ready to be searched. One per case; results are kept for groups that share patterns."""

    def __init__(self, case: Case, lexicon: Lexicon) -> None:
        self.utterances = list_utterances(case)
        self._lexicon = lexicon
        self._starts: list[int] = []
        parts = [""]
        position = 1
        for utterance in self.utterances:
            self._starts.append(position)
            parts.append(clean_text(utterance.read))
            position += len(utterance.read) + 1
        self._clean = "\n".join(parts)
        self._summoned = lexicon.summon(self._clean)
        record = [(item, "\n" + clean_text(item)) for item in (*(case.conditions or ()), *(case.medications or ()))]
        self._listed = [(item, clean, lexicon.summon(clean)) for item, clean in record]
        self._found: dict[tuple[int, bool], list[tuple[int, Span]]] = {}

    @cached_property
    def read(self) -> str:
        """All text as it was written, for reading numbers."""
        return "\n".join(dict.fromkeys(utterance.read for utterance in self.utterances))

    def find(self, group: frozenset[int], *, past: bool = False) -> list[Span]:
        """Asserted matches of a group in order of appearance; `past` also takes what is told as history."""
        if group.isdisjoint(self._summoned):
            return []
        hits = [hit for number in group & self._summoned for hit in self._search(number, past)]
        return [span for _, span in sorted(hits, key=lambda hit: (hit[0], -len(hit[1].evidence)))]

    def mentions(self, group: frozenset[int]) -> bool:
        """Whether a group is named at all, asserted or not."""
        return any(self._lexicon.compiled[number].search(self._clean) for number in group & self._summoned)

    def find_record(self, group: frozenset[int]) -> list[Span]:
        """Matches among the record's conditions and medications, then in the text, history included."""
        compiled = self._lexicon.compiled
        listed = [
            Span(item, -1)
            for item, clean, summoned in self._listed
            if any(compiled[number].search(clean) for number in group & summoned)
        ]
        return listed or self.find(group, past=True)

    def _search(self, number: int, past: bool) -> list[tuple[int, Span]]:
        key = (number, past)
        if key not in self._found:
            pattern, hits = self._lexicon.compiled[number], []
            match = pattern.search(self._clean)
            if match is None:
                self._summoned.discard(number)  # its words are there, what it asks for is not, asserted or past
            while match:
                position = match.start() + 1
                if span := self._assert(match, past):
                    hits.append((match.start(), span))
                    position = max(position, match.end() - 1)
                match = pattern.search(self._clean, position)
            self._found[key] = hits
        return self._found[key]

    def _assert(self, match: re.Match[str], past: bool) -> Span | None:
        first, last = match.start() + 1, match.end()
        left = self._clean.rfind("\n", 0, first) + 1
        right = self._clean.find("\n", last)
        clause = self._clean[left : right if right >= 0 else len(self._clean)]
        start, end = first - left, last - left
        number = bisect_right(self._starts, first) - 1
        utterance, offset = self.utterances[number], self._starts[number]
        if is_negated(clause, start, end, tuple(gap for gap in match.groups() if gap)):
            return None
        if not past:
            if utterance.history and not _ACUTE.search(utterance.read):
                return None
            if is_past(clause, start, end, self._clean[offset : offset + len(utterance.read)]):
                return None
        if utterance.read is not utterance.said:
            return Span(utterance.said, number, first)
        return Span(utterance.said[first - offset : last - offset], number, first)
