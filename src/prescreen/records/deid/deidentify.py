"""The pipeline: a record becomes a case without identifiers, or is refused with a reason that quotes nothing.

Known identifiers, shapes, cues and vocabulary, further detectors, union, substitutes, then an independent scan of
every text that leaves. Fails closed: a detector that raises refuses the row. What is kept on purpose: durations,
measurements, doses, years, lone weekdays, countries and languages. Knows no file format.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, cast

from prescreen.clinic.acuity import load_scales
from prescreen.clinic.case import Case, Turn
from prescreen.records.deid.cues import spot_names
from prescreen.records.deid.known import KnownFinder, split_names
from prescreen.records.deid.name_shapes import spot_name_shapes
from prescreen.records.deid.particles import grow_names
from prescreen.records.deid.patterns import spot_age, spot_patterns
from prescreen.records.deid.places import grow_addresses
from prescreen.records.deid.replace import Mode, Replaced, Surrogates
from prescreen.records.deid.scan import scan
from prescreen.records.deid.spans import Detector, Kind, Span, merge_spans
from prescreen.records.deid.taggers import default_detectors
from prescreen.records.deid.vocabulary import is_eponym, list_words
from prescreen.records.record import Outcome, Record, Reject

OLDEST: Final = 90.0  # every age over 89 becomes this one
MODES: Final[tuple[Mode, ...]] = ("safe_harbor", "limited")
SAID: Final = ("acuity", "disposition", "diagnosis")  # of the outcome; its scale is a name from clinic/acuity.yaml
Sift = Callable[[str, str, list[Span]], list[Span]]
LISTS: Final = ("conditions", "medications", "allergies")


class Deidentified(NamedTuple):
    """A case that may leave this stage, how it was made, and how many identifiers of each kind were taken out."""

    case: Case
    outcome: Outcome
    mode: Mode
    taken: Mapping[Kind, int]
    detectors: tuple[str, ...] = ()  # names with versions, for the custody of the row


def list_texts(record: Record) -> dict[str, str]:
    """Every free text of a record by its place; all of them leave, so all are searched."""
    texts = {"history_text": record.history_text, "complaint": record.complaint}
    texts |= {f"turns.{number}": turn.text for number, turn in enumerate(record.turns)}
    for name in LISTS:
        texts |= {f"{name}.{number}": item for number, item in enumerate(getattr(record, name) or ())}
    for name in SAID:
        texts |= {f"outcome.{name}": value} if (value := getattr(record.outcome, name)) else {}
    return texts


def find_spans(record: Record, detectors: Sequence[Detector] | None = None) -> dict[str, list[Span]]:
    """What identifies in each text, merged. A name found by its cue in one text is looked for in all.

    `detectors` are those of `default_detectors` when none are given; an empty list leaves the core alone.
    """
    detectors = default_detectors() if detectors is None else detectors
    texts = list_texts(record)
    known = KnownFinder(record.identifiers)
    words = {place: list_words(text) for place, text in texts.items()}
    names = {place: spot_names(text) for place, text in texts.items()}
    cued = frozenset(word for found in names.values() for word in found.words)
    shy = frozenset(word for found in names.values() for word in found.shy)
    spans: dict[str, list[Span]] = {}
    for place, text in texts.items():
        found = [*known.find(text, words[place]), *spot_patterns(text), *names[place].spans]
        found += [
            Span(word.start, word.end, "name", "cue")
            for number, word in enumerate(words[place])
            if (word.low in cued or (word.low in shy and word.case == "capital" and not word.first))
            and not is_eponym(words[place], number, text)
        ]
        if record.age_years is not None and record.age_years >= OLDEST - 1:
            found += spot_age(text, int(record.age_years))
        for detector in detectors:
            found += detector.find(text)
        found += spot_name_shapes(text, words[place])
        found += grow_names(text, words[place], found, known.names)
        found += grow_addresses(text, found)
        if any(not 0 <= span.start <= span.end <= len(text) for span in found):
            raise ValueError("a detector's span lies outside the text")
        spans[place] = merge_spans(found)
    return spans


def deidentify(
    record: Record,
    secret: bytes,
    mode: Mode,
    *,
    detectors: Sequence[Detector] | None = None,
    licence: str = "private",
    sift: Sift = lambda place, text, spans: spans,
) -> Deidentified | Reject:
    """The record as a case without identifiers; `secret` is the patient's own, random and kept apart.

    `sift` has the last word on what identifies in a text, where the caller knows more of it than a finder can.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {' or '.join(MODES)}")
    source = record.source
    year = record.when.year if record.when else None
    surrogates = Surrogates(secret, mode, split_names(record.identifiers), year=year)
    try:
        detectors = default_detectors() if detectors is None else detectors
        spans = find_spans(record, detectors)
        spans = {place: sift(place, text, spans[place]) for place, text in list_texts(record).items()}
        new = {place: surrogates.replace(text, spans[place]) for place, text in list_texts(record).items()}
        left = Counter(kind for replaced in new.values() for kind in scan(replaced, record.identifiers))
    except Exception as error:  # whatever a detector raises: the row must not leave unsearched, nor be quoted
        return Reject(source.file, source.place, f"not de-identified: a detector failed ({type(error).__name__})")
    if left:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(left.items()))
        return Reject(source.file, source.place, f"refused: the scan still found {kinds}")
    taken = Counter(span.kind for found in spans.values() for span in found)
    names = tuple(detector.name for detector in detectors)
    case, outcome = _make_case(record, new, surrogates, licence), _make_outcome(record, new)
    return Deidentified(case, outcome, mode, dict(taken), names)


def coarsen_age(age: float | None) -> float | None:
    """Whole years, months below two; a finer age beside a date would tell the birthday."""
    if age is None or age >= OLDEST:
        return age and OLDEST
    return float(int(age)) if age >= 2 else round(int(age * 12 + 1e-6) / 12, 3)


def _make_case(record: Record, new: Mapping[str, Replaced], surrogates: Surrogates, licence: str) -> Case:
    def list_items(name: str) -> tuple[str, ...] | None:
        items = cast(tuple[str, ...] | None, getattr(record, name))
        return None if items is None else tuple(new[f"{name}.{n}"].text for n in range(len(items)))

    return Case(
        id=surrogates.code("record", record.source.sha256, str(record.source.place)),
        patient_id=surrogates.code("patient"),
        source=f"clinic/{surrogates.mode}",
        licence=licence,
        language=record.language,
        age_years=coarsen_age(record.age_years),
        sex=record.sex if record.sex in ("female", "male", "other") else None,
        pregnant=record.pregnant,
        conditions=list_items("conditions"),
        medications=list_items("medications"),
        allergies=list_items("allergies"),
        history_text=new["history_text"].text,
        complaint=new["complaint"].text,
        vitals=record.vitals,
        turns=tuple(Turn(speaker=turn.speaker, text=new[f"turns.{n}"].text) for n, turn in enumerate(record.turns)),
    )


def _make_outcome(record: Record, new: Mapping[str, Replaced]) -> Outcome:
    return Outcome(
        **{name: new[f"outcome.{name}"].text if f"outcome.{name}" in new else None for name in SAID},
        scale=scale if (scale := record.outcome.scale) in load_scales() else None,
    )
