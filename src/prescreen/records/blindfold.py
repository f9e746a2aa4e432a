"""What happens to names nobody told us of: the finder searches the clinic's own texts blind to the patient.

Every place where a known identifier stands is looked up; then the record is searched again as if it knew nothing of
its patient. What the other layers still find estimates, in this clinic's own style, how relatives and colleagues
fare. Keeps counts alone: nothing of a text is in the result. Knows only identifiers the export names.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prescreen.config import Strict
from prescreen.records.deid.deidentify import find_spans, list_texts
from prescreen.records.deid.known import KnownFinder, split_names
from prescreen.records.deid.spans import Detector, Span
from prescreen.records.deid.vocabulary import Word, list_words
from prescreen.records.deid.wordlists import is_safe
from prescreen.records.record import Identifiers, Record
from prescreen.records.share import Recall, Tally, draw

MOST: Final = 1_000  # records sampled, and kept in memory while the sample is drawn


class Blindfold(Strict):
    """Recall of the layers that know no patient, by class of identifier."""

    records: int  # searched
    with_identifiers: int  # of these: a known identifier stands in a text
    errored: int  # a detector failed: neither found nor missed is claimed
    recalls: tuple[Recall, ...]


def measure_blindfold(
    records: Iterable[Record], detectors: Sequence[Detector] = (), *, most: int = MOST, seed: int = 0
) -> Blindfold:
    """Search a sample of the records, drawn by hash, with their identifiers and without."""
    tally = Tally()
    searched = holding = errored = 0
    for record in draw_records(records, most, seed):
        searched += 1
        truths = find_known(record)
        if not any(truths.values()):
            continue
        holding += 1
        try:
            found = find_spans(record.model_copy(update={"identifiers": Identifiers()}), detectors)
        except Exception:  # whatever a detector raises; its message may quote the record
            errored += 1
            continue
        texts = list_texts(record)
        for place, spans in truths.items():
            for span, kind in spans:
                tally.add(kind, *count_covered(texts[place], span.start, span.end, found[place]))
    return Blindfold(records=searched, with_identifiers=holding, errored=errored, recalls=tally.list_recalls())


def draw_records(records: Iterable[Record], most: int, seed: int) -> list[Record]:
    """A sample that any order of the same files repeats."""
    return draw(records, most, lambda record: f"{record.source.sha256} {record.source.place}", f"records {seed}")


def find_known(record: Record) -> dict[str, list[tuple[Span, str]]]:
    """Where each known identifier stands in each text, and its class."""
    finder, names = KnownFinder(record.identifiers), split_names(record.identifiers)
    found: dict[str, list[tuple[Span, str]]] = {}
    for place, text in list_texts(record).items():
        words = list_words(text)
        at = {word.start: word for word in words}
        spans = sorted(finder.find(text, words), key=lambda span: (span.start, -span.end))
        found[place] = [(span, _name_class(span, at.get(span.start), names)) for span in _outermost(spans)]
    return found


def _outermost(spans: Iterable[Span]) -> Iterator[Span]:
    """Each identifier once: what lies inside another is the same one."""
    end = -1
    for span in spans:
        if span.end > end:
            yield span
            end = span.end


def _name_class(span: Span, word: Word | None, names: frozenset[str]) -> str:
    """Names apart: an everyday word may stand there without meaning anybody, a near miss may be another word."""
    if span.kind != "name" or word is None:
        return span.kind
    if word.low not in names:
        return "name, other form"
    return "name that is a word" if is_safe(word.low) else "name"


def count_covered(text: str, start: int, end: int, spans: Iterable[Span]) -> tuple[int, int]:
    """Letters and digits of `text[start:end]` that the spans cover, and how many there are."""
    letters = {place for place in range(start, end) if text[place].isalnum()}
    covered = {place for span in spans for place in range(max(span.start, start), min(span.end, end))}
    return len(letters & covered), len(letters)
