"""The pattern language of the rule table, compiled for speed.

A pattern is a regular expression over lower-case text with six conveniences: a space matches blanks and
hyphens, an apostrophe is optional, `stem*` takes any ending, `<term>` inserts a term of the table, and
` + ` / ` > ` join two parts of one clause, a few words apart, in either / in this order; `(\\w+ ){0,3}` is any few
words. Every capturing group of the result is such a gap. Knows no case, no rule and no negation.

Thousands of patterns meet every case, and nearly all share no word with it. So each pattern is filed under the
beginnings of words it cannot do without ("breath", "chok"), and only patterns so summoned are searched for.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prescreen.errors import RecipeError

_AHEAD = r"([^\n]{0,45}?)"
_BACK = r"([^\n,]{0,30}?)"
_TERM = re.compile(r"<([a-z_]+)>")
# `(\w+ ){0,3}`, any few words, once translated; a word before them may end in 's ("my calf's gone solid").
_FILLER = re.compile(r"(\[ -\]\+)?\(\?:\\w\+\[ -\]\+\)(\?|\{\d,\d{1,2}\})")
_WORD = re.compile(r"[a-z0-9]+")
_STEM = re.compile(r"[a-z0-9]*")
_LONGEST = 8  # letters of a word that are looked at
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a about all an and any at be been can could do does doesn don down feel felt for from get go gone "
        "got had has have he her him his i in is it just like me more my no not of off on one or out over she so "
        "some than that the their them then there they this to too up very was we went when with won you",
    )
)
Terms = Mapping[str, Sequence[str]]


class Lexicon:
    """All patterns of a rule table, compiled once and filed under the words they need."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.compiled: list[re.Pattern[str]] = []
        self._numbers: dict[str, int] = {}
        self._needs: list[list[frozenset[str]]] = []
        self._filed: defaultdict[str, list[int]] = defaultdict(list)
        self._always: set[int] = set()

    def add_group(self, patterns: Iterable[str]) -> frozenset[int]:
        """Register alternatives; the answer names them in `find` and `compiled`."""
        return frozenset(self._add(pattern) for pattern in self._flatten(patterns, ()))

    def summon(self, clean: str) -> set[int]:
        """The patterns whose words occur in a cleaned text."""
        words = set(_WORD.findall(clean))
        stems = {word[:length] for word in words for length in range(1, min(len(word), _LONGEST) + 1)}
        called = self._always.union(*(self._filed[stem] for stem in stems & self._filed.keys()))
        return {number for number in called if not any(map(stems.isdisjoint, self._needs[number]))}

    def _flatten(self, patterns: Iterable[str], within: tuple[str, ...]) -> Iterator[str]:
        for pattern in patterns:
            if whole := _TERM.fullmatch(pattern):
                yield from self._flatten(self._term(whole[1], within), (*within, whole[1]))
            else:
                yield pattern

    def _add(self, pattern: str) -> int:
        if pattern not in self._numbers:
            # Taking in the character before the first word lets the search skip from word to word in C.
            source = rf"\W(?:{self._translate(pattern, ())})(?!\w)"
            try:
                self.compiled.append(re.compile(source))
            except re.error as error:
                raise RecipeError(f"rule table: {pattern!r} is no regular expression ({error})") from None
            number = self._numbers[pattern] = len(self.compiled) - 1
            self._needs.append(self._need_all(pattern))
            if not self._needs[number]:
                self._always.add(number)
            for stem in self._needs[number][0] if self._needs[number] else ():
                self._filed[stem].append(number)
        return self._numbers[pattern]

    def _translate(self, pattern: str, within: tuple[str, ...]) -> str:
        if " + " in pattern:
            one, other = (rf"\b(?:{self._translate(part, within)})\b" for part in pattern.split(" + "))
            return f"{one}{_AHEAD}{other}|{other}{_BACK}{one}"
        if " > " in pattern:
            return _AHEAD.join(rf"\b(?:{self._translate(part, within)})\b" for part in pattern.split(" > "))
        plain = re.sub(r"\((?!\?)", "(?:", pattern)
        plain = re.sub(r" (\??)", lambda m: "[ -]?" if m[1] else "[ -]+", plain.replace("'", "'?"))
        plain = _FILLER.sub(lambda m: ("(?:'s)?[ -]+" if m[1] else "") + rf"((?:[\w']+[ -]+){m[2]})", plain)
        plain = re.sub(r"(?<!\\w)(?<=\w)\*", r"\\w*", plain)
        return _TERM.sub(lambda m: self._insert(m[1], within), plain)

    def _insert(self, name: str, within: tuple[str, ...]) -> str:
        alternatives = (self._translate(p, (*within, name)) for p in self._term(name, within))
        return f"(?:{'|'.join(alternatives)})"

    def _term(self, name: str, within: tuple[str, ...]) -> Sequence[str]:
        if name not in self.terms or name in within:
            raise RecipeError(f"the rule table uses <{name}>, which is not a term of its own `terms`")
        return self.terms[name]

    def _need_all(self, pattern: str) -> list[frozenset[str]]:
        """Sets of word beginnings: every match has one of each set. The most telling set is first."""
        if len(branches := _split(pattern, "|")) > 1:
            needs = [self._need_all(branch) for branch in branches]
            return [frozenset().union(*(need[0] for need in needs))] if all(needs) else []
        tokens = [token for token in _split(pattern, " ") if token not in ("+", ">")]
        return sorted(filter(None, map(self._need_token, tokens)), key=_commonness)

    def _need_one(self, pattern: str) -> frozenset[str]:
        return next(iter(self._need_all(pattern)), frozenset())

    def _need_token(self, token: str) -> frozenset[str]:
        if term := _TERM.match(token):
            rest = token[term.end() :]
            return frozenset() if rest[:1] in ("?", "*", "{") else self._need_one("|".join(self.terms[term[1]]))
        if token.startswith("("):
            close = _closing(token)
            optional = token[close + 1 : close + 2] in ("?", "*", "{")
            return frozenset() if optional or token.startswith("(?") else self._need_one(token[1:close])
        stem = _STEM.match(token)[0]  # type: ignore[index]
        after = token[len(stem) :]
        stem = stem[:-1] if after[:1] in ("?", "{") else stem
        return frozenset((stem[:_LONGEST],)) if stem else frozenset()


def _commonness(stems: frozenset[str]) -> tuple[int, int]:
    return sum(stem in _COMMON or len(stem) < 3 for stem in stems), len(stems)


def _closing(token: str) -> int:
    depth = 0
    for position, character in enumerate(token):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position
    return len(token)


def _split(pattern: str, separator: str) -> list[str]:
    """Split outside brackets; an optional space glues its two sides into one token."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(pattern):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and character == separator and pattern[position + 1 : position + 2] != "?":
            parts.append(pattern[start:position])
            start = position + 1
    return [*parts, pattern[start:]]
