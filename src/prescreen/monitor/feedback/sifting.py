"""What identifies in a report: the finders are made for speech, and a report's terse words look like names to them.

Quotes of the conversation are treated as the conversation is, so that evidence stays evidence. Elsewhere in a
report a known identifier, a shape or a cue counts wherever it stands; what only a guesser takes for a name counts
where it is written as one, capitalised inside a sentence. Knows spans and texts, no report.
"""

import re
from collections.abc import Collection
from typing import Final

from prescreen.records.deid.spans import Layer, Span, merge_spans

SURE: Final[frozenset[Layer]] = frozenset({"known", "pattern", "cue"})
_BEGINS: Final = re.compile(r"(?:^|[.!?:;(\n]\s*)$")
_WRITTEN: Final = re.compile(r"[^\W\d_a-zà-öø-ÿ][^\W\d_]+")


class Sifter:
    """Decides text by text; texts of the conversation must come before those of the reports."""

    def __init__(self, reports: Collection[str]) -> None:
        self._reports = reports  # places
        self._said: list[tuple[str, list[Span]]] = []
        self.taken: dict[str, list[Span]] = {}  # by place, in reports

    def __call__(self, place: str, text: str, spans: list[Span]) -> list[Span]:
        if place not in self._reports:
            self._said.append((text.lower(), spans))
            return spans
        kept = [span for span in spans if is_written_name(text, span)]
        quoted = self._quoted(text)
        self.taken[place] = kept if quoted is None else []
        return kept if quoted is None else merge_spans([*quoted, *(s for s in spans if s.layer == "known")])

    def _quoted(self, text: str) -> list[Span] | None:
        """The spans of the conversation inside a quote of it; None where the text is no quote."""
        wanted = text.lower()
        for said, spans in self._said:
            start = said.find(wanted) if wanted else -1
            if start >= 0:
                end = start + len(text)
                inside = [span for span in spans if span.start < end and start < span.end]
                return [s._replace(start=max(s.start, start) - start, end=min(s.end, end) - start) for s in inside]
        return None


def is_written_name(text: str, span: Span) -> bool:
    """Whether a span of a report's text identifies: surely found, or written as a name inside a sentence."""
    if span.layer in SURE or span.kind not in ("name", "place"):
        return True
    return bool(_WRITTEN.match(text, span.start)) and not _BEGINS.search(text[: span.start])
