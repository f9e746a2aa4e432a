"""Fits the weights of `records/deid/context.json` to our own sentences and judges them author by author.

PYTHONPATH=src:tests python -m privacy.fit_context [--write]
Names are drawn from a census, from common words and from syllables, so that only the context can be learnt.
"""

import argparse
import json
import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from prescreen.config import read_yaml
from prescreen.records.deid.context import (
    TABLE,
    ContextDetector,
    Table,
    list_candidates,
    list_features,
    list_tokens,
)
from prescreen.records.deid.lexicon import gather_words, read_census
from prescreen.records.deid.wordlists import is_medical, load_lists
from prescreen.records.deid.words import is_shouting, list_words
from prescreen.run import PACKAGE
from privacy.frames import FRAMES
from privacy.unseen import wordnames
from privacy.unseen.notes import SETS, Note, make_person, write_note
from privacy.unseen.people import LOCALES, Locale
from privacy.unseen.score import Score, score_notes

ROUNDS = 24  # fillings of each template
LEAST = 3  # templates or contacts a feature must stand in


class Example(NamedTuple):
    """One candidate word: its features, whether it names somebody, and the template it stands in."""

    features: frozenset[str]
    name: bool
    source: str


def _pools() -> tuple[list[str], ...]:
    """Words that are frequent names, the same frequent in clinical text, any words, and census names."""
    lists, gathered = load_lists(), gather_words()
    safe = sorted(w for w in lists.common | lists.clinical if len(w) > 2 and w not in lists.kept | lists.titles)
    safe = [w for w in safe if not re.search(r"(?:ed|ing|ly|tion|ness|s|est)$", w) and not is_medical(w)]
    seldom = [w for w in safe if w not in gathered.often]
    census = [name.title() for name in read_census("dist.all.last", 8000)]
    return (
        [w for w in seldom if w in gathered.census],
        [w for w in safe if w in gathered.often and w in gathered.census],
        seldom,
        census,
    )


def make_locale(rng: random.Random, pools: tuple[list[str], ...]) -> Locale:
    """A country of one family whose names are words, census names or syllables."""
    base = rng.choice(LOCALES)

    def draw() -> str:
        kind = rng.random()
        if kind < 0.65:
            return rng.choice(pools[0] if kind < 0.4 else pools[1] if kind < 0.5 else pools[2]).capitalize()
        if kind < 0.85:
            return rng.choice(pools[3])
        pairs = ("ba", "ri", "no", "ke", "lu", "sha", "vi", "te", "mo", "dra", "zi", "wen")
        return "".join(rng.sample(pairs, 3)).capitalize()

    return base._replace(
        firsts=[draw() for _ in range(3)], lasts=[draw() for _ in range(3)], towns=[draw(), rng.choice(base.towns)]
    )


def write_frames() -> list[str]:
    """The frames in the templates' own slots, every person another one."""
    made = []
    for frame in FRAMES:
        first, *rest = frame.split("{n}")
        slots = (f"{{{'rel' if n % 2 else 'other'}{n}}}" for n in range(1, 99))
        one = first + "".join(slot + part for slot, part in zip(slots, rest, strict=False))
        made.append(one.replace("{t}", "{othertown}").replace("{o}", "{hospital}"))
    return made


def read_contacts() -> list[str]:
    """What patients, relatives and nurses of the written contacts say; none of them is named."""
    return [
        case["complaint"]
        for file in sorted((*(PACKAGE / "data/voices").glob("*.yaml"), *(PACKAGE / "evals/bank").glob("*.yaml")))
        for condition in read_yaml(file)["conditions"]
        for case in condition["cases"]
    ]


def list_examples(text: str, named: set[int], source: str) -> Iterator[Example]:
    """Every candidate of a text; a word is a name when its first letter is gold."""
    words = list_words(text)
    tokens = list_tokens(text, words)
    shouting = is_shouting(text)
    for number in list_candidates(text, words):
        features = frozenset(list_features(number, words, tokens, shouting))
        yield Example(features, words[number].start in named, source)


def gather(templates: list[str], rng: random.Random, tag: str) -> list[Example]:
    """The examples of filled templates; words of streets, numbers and the like are left out."""
    pools, out = _pools(), []
    for number, template in enumerate(templates):
        for _ in range(ROUNDS):
            note = write_note(rng, template, number, make_person(rng, make_locale(rng, pools)))
            gold = {i for g in note.gold if g.kind == "name" or " " not in note.text[g.start : g.end]
                    for i in range(g.start, g.end)}  # fmt: skip
            other = {i for g in note.gold for i in range(g.start, g.end)} - gold
            words = list_words(note.text)
            starts = {word.start for word in words if word.start in other}
            for example, word in zip(
                list_examples(note.text, gold, f"{tag}{number}"),
                (words[n] for n in list_candidates(note.text, words)),
                strict=True,
            ):
                if word.start not in starts:
                    out.append(example)
    return out


def gather_contacts() -> list[Example]:
    """The contacts as they are and, half of them, in lower case."""
    out: list[Example] = []
    for number, text in enumerate(read_contacts()):
        out += list_examples(text.lower() if number % 2 else text, set(), f"contact{number}")
    return out


def fit(examples: list[Example], least: float, strength: float = 0.1) -> Table:
    """Logistic regression; a feature counts when it stands in several sources."""
    sources: dict[str, set[str]] = {}
    for example in examples:
        for name in example.features:
            seen = sources.setdefault(name, set())
            if len(seen) < LEAST:
                seen.add(example.source)
    usable = {name for name, seen in sources.items() if len(seen) >= LEAST}
    vectorizer = DictVectorizer()
    table = vectorizer.fit_transform({name: 1.0 for name in e.features & usable} for e in examples)
    model = LogisticRegression(C=strength, max_iter=400).fit(table, [e.name for e in examples])
    weights = zip(vectorizer.get_feature_names_out(), model.coef_[0], strict=True)
    kept = {name: round(float(w), 3) for name, w in weights if abs(w) >= 0.02}
    return Table(round(float(model.intercept_[0]), 3), least, kept, "1")


def refill(which: str, seed: int, count: int) -> list[Note]:
    """The templates of a set with people whose names are words, as the development set has them."""
    rng, templates = random.Random(seed), SETS[which][1]
    people = wordnames.PEOPLE[:2]
    return [write_note(rng, templates[n % len(templates)], n % len(templates), make_person(rng, rng.choice(people)))
            for n in range(count)]  # fmt: skip


def say(title: str, score: Score) -> None:
    print(f"{title}: recall {score.recall:.4f} leaks {score.leaking}/{score.notes} precision {score.precision:.4f} "
          f"terms {score.terms_kept}/{score.terms} names {score.classes['name']}", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--least", type=float, nargs="+", default=[-0.7])
    parser.add_argument("--strength", type=float, default=0.15)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    options = parser.parse_args()
    contacts, frames = gather_contacts(), gather(write_frames(), random.Random(1), "frame")
    sets = {name: gather(SETS[name][1], random.Random(2), name) for name in SETS}
    for held in options.sets:
        table = fit(
            [*contacts, *frames, *(e for name in SETS if name != held for e in sets[name])], 0.0, options.strength
        )
        notes = refill(held, 91, 400)
        say(f"{held}, core", score_notes(notes, detectors=()))
        for least in options.least:
            detector = ContextDetector(table._replace(least=least))
            say(f"{held}, from {least}", score_notes(notes, detectors=(detector,)))
    table = fit([*contacts, *frames, *(e for name in SETS for e in sets[name])], options.least[0], options.strength)
    print(len(table.features), "features")
    if options.write:
        body = {
            "version": "1",
            "least": table.least,
            "constant": table.constant,
            "features": dict(sorted(table.features.items())),
        }
        TABLE.write_text(json.dumps(body, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
