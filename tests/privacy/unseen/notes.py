"""Seeded notes with marked identifiers, from four sets of templates and people, each written before it was scored.

A template is text with {slots} (identifiers, marked as gold) and «clinical terms» that must survive. Knows nothing
of the detectors. Every person, number and address is invented. Templates are never changed to what is found.
"""

import datetime
import random
import re
from typing import NamedTuple

from prescreen.records.record import Identifiers
from privacy.unseen import (
    eighth,
    eleventh,
    fifth,
    fourth,
    ninth,
    second,
    seventh,
    sixth,
    tenth,
    third,
    twelfth,
    wordnames,
)
from privacy.unseen.people import EMAILS, HOSPITALS, LOCALES, MONTHS, Locale
from privacy.unseen.templates import TEMPLATES

SETS = {
    "first": (LOCALES, TEMPLATES),
    "second": (second.PEOPLE, second.TEMPLATES),
    "third": (third.PEOPLE, third.TEMPLATES),
    "fourth": (fourth.PEOPLE, fourth.TEMPLATES),
    "fifth": (fifth.PEOPLE, fifth.TEMPLATES),
    "sixth": (sixth.PEOPLE, sixth.TEMPLATES),
    "seventh": (seventh.PEOPLE, seventh.TEMPLATES),
    "eighth": (eighth.PEOPLE, eighth.TEMPLATES),
    "ninth": (ninth.PEOPLE, ninth.TEMPLATES),
    "tenth": (tenth.PEOPLE, tenth.TEMPLATES),
    "eleventh": (eleventh.PEOPLE, eleventh.TEMPLATES),
    "twelfth": (twelfth.PEOPLE, twelfth.TEMPLATES),
    "wordnames": (wordnames.PEOPLE, wordnames.TEMPLATES),
}


class Gold(NamedTuple):
    """One marked identifier; `neutral` marks what may be taken out or left, such as a year."""

    start: int
    end: int
    kind: str
    neutral: bool = False


class Note(NamedTuple):
    """A text, what must go, what must stay, and what the clinic's record knows of the patient."""

    text: str
    gold: list[Gold]
    terms: list[tuple[int, int]]
    known: Identifiers
    template: int
    style: str


class Person(NamedTuple):
    """One invented patient with all numbers a clinic might hold."""

    locale: Locale
    first: str
    last: str
    born: datetime.date
    values: dict[str, str]


def _nhs(rng: random.Random) -> str:
    while True:
        digits = [rng.randrange(10) for _ in range(9)]
        check = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            number = "".join(map(str, [*digits, check % 11]))
            return rng.choice([number, f"{number[:3]} {number[3:6]} {number[6:]}"])


def _digits(rng: random.Random, pattern: str) -> str:
    """`#` becomes a digit, `@` a capital letter."""
    return "".join(
        str(rng.randrange(10)) if c == "#" else rng.choice("ABCDEFGHJKLMNPRSTUVWXY") if c == "@" else c
        for c in pattern
    )


def write_date(day: datetime.date, rng: random.Random, language: str) -> str:
    """One of the ways people write a full date, with a year."""
    month = MONTHS[language][day.month - 1]
    end = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day not in (11, 12, 13) else 0, "th")
    forms = [f"{day.day:02}/{day.month:02}/{day.year}", f"{day.day}.{day.month}.{day.year}", day.isoformat()]
    forms += [f"{day.day:02}.{day.month:02}.{day.year % 100:02}", f"{day.day} {month} {day.year}"]
    if language == "en":
        forms += [f"{month} {day.day}{end}, {day.year}", f"{day.day}{end} of {month} {day.year}"]
        forms += [f"{month[:3]} {day.day} {day.year}", f"{day.day}-{month[:3]}-{day.year}"]
    if language == "es":
        forms += [f"{day.day} de {month} de {day.year}"]
    return rng.choice(forms)


def _day_month(day: datetime.date, rng: random.Random) -> str:
    month = MONTHS["en"][day.month - 1]
    return rng.choice(
        [f"{day.day} {month}", f"{month} {day.day}", f"{day.day}/{day.month}", f"{day.day}th {month[:3]}"]
    )


def _typo(word: str, rng: random.Random) -> str:
    place = rng.randrange(1, max(2, len(word) - 1))
    kind = rng.choice(["drop", "swap", "double"])
    if kind == "drop":
        return word[:place] + word[place + 1 :]
    if kind == "swap":
        return word[:place] + word[place : place + 2][::-1] + word[place + 2 :]
    return word[:place] + word[place] + word[place:]


def make_person(rng: random.Random, locale: Locale) -> Person:
    """An invented patient of one locale."""
    first, last = rng.choice(locale.firsts), rng.choice(locale.lasts)
    born = datetime.date(rng.randrange(1935, 2015), rng.randrange(1, 13), rng.randrange(1, 29))
    plain = re.sub(r"[^a-z]", "", last.lower()) or "p"
    street = rng.choice(locale.streets).replace("#", str(rng.randrange(1, 180)))
    values = {
        "phone": _digits(rng, rng.choice(locale.phones)),
        "email": rng.choice(EMAILS).format(first=first[0].lower(), last=plain, n=rng.randrange(10, 99)),
        "street": street,
        "town": rng.choice(locale.towns),
        "post": _digits(rng, rng.choice(locale.posts)),
        "mrn": _digits(rng, rng.choice(["#######", "@######", "##-##-##", "########", "@@#####"])),
        "ssn": f"{rng.randrange(101, 665)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}",
        "nhs": _nhs(rng),
        "plan": _digits(rng, rng.choice(["@@@#########", "#########", "@########"])),
        "account": _digits(rng, rng.choice(["########", "##########"])),
        "licence": _digits(rng, rng.choice(["@#######", "@@######"])),
        "plate": _digits(rng, rng.choice(locale.plates)),
        "device": _digits(rng, rng.choice(["SN@######", "@@#-####-##"])),
        "url": f"https://www.facebook.com/{plain}.{rng.randrange(100)}",
        "ip": ".".join(str(rng.randrange(11, 250)) for _ in range(4)),
    }
    return Person(locale, first, last, born, values)


def _fill(slot: str, person: Person, cast: dict[str, str], rng: random.Random) -> tuple[str, str]:
    """A slot's text and kind; the same slot with the same number is the same person within a note."""
    base = slot.rstrip("0123456789")
    year = rng.randrange(2015, 2026)
    day = datetime.date(year, rng.randrange(1, 13), rng.randrange(1, 29))
    if base in person.values:
        return person.values[base], {"street": "place", "town": "place", "post": "place", "nhs": "mrn",
                                     "plate": "vehicle"}.get(base, base)  # fmt: skip
    if base in ("rel", "doc", "other"):
        pool = rng.choice(LOCALES) if rng.random() < 0.3 and person.locale in LOCALES else person.locale
        if slot not in cast:
            cast[slot] = rng.choice(pool.firsts if base == "rel" else pool.lasts)
        return cast[slot], "name"
    made = {
        "first": lambda: (person.first, "name"),
        "last": lambda: (person.last, "name"),
        "typo": lambda: (_typo(person.last, rng) if len(person.last) > 4 else person.last, "name"),
        "initials": lambda: (f"{person.first[0]}.{person.last[0]}.", "name"),
        "dob": lambda: (write_date(person.born, rng, person.locale.language), "date"),
        "date": lambda: (write_date(day, rng, "en"), "date"),
        "daymonth": lambda: (_day_month(day, rng), "date"),
        "month": lambda: (MONTHS["en"][day.month - 1], "date"),
        "mes": lambda: (MONTHS["es"][day.month - 1], "date"),
        "hospital": lambda: (rng.choice(HOSPITALS), "place"),
        "othertown": lambda: (rng.choice(person.locale.towns), "place"),
        "vin": lambda: (_digits(rng, "WVWZZZ1JZ@W######"), "vehicle"),
        "old": lambda: (str(rng.randrange(90, 103)), "age_over_89"),
        "oldword": lambda: (
            rng.choice(["ninety one", "ninety-four", "ninety six", "a hundred and one"]),
            "age_over_89",
        ),
    }
    return made[base]()


def _mark(text: str, start: int, kind: str) -> list[Gold]:
    """The gold of one identifier: a full date's year and joining words are neutral."""
    if kind != "date":
        return [Gold(start, start + len(text), kind)]
    neutral = r"(?:19|20)\d\d|\b(?:of|de)\b|(?<=\d)(?:st|nd|rd|th)\b"
    out, at = [], 0
    for match in re.finditer(neutral, text):
        out += [Gold(start + at, start + match.start(), kind)] if match.start() > at else []
        out.append(Gold(start + match.start(), start + match.end(), kind, neutral=True))
        at = match.end()
    out += [Gold(start + at, start + len(text), kind)] if at < len(text) else []
    return [gold for gold in out if text[gold.start - start : gold.end - start].strip()]


def _misspell(literal: str, rng: random.Random, rate: float) -> str:
    return re.sub(r"\b[a-z]{5,}\b", lambda m: _typo(m[0], rng) if rng.random() < rate else m[0], literal)


def _shout(text: str) -> str:
    """Capitals, each letter staying one letter: positions are the gold."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def write_note(rng: random.Random, template: str, number: int, person: Person) -> Note:
    """Fill one template; half of the chats in lower case, a few notes in capitals, a third with typing errors."""
    style = rng.choice(["plain", "plain", "lower", "lower", "typos", "upper" if rng.random() < 0.3 else "plain"])
    text, gold = "", []
    terms: list[tuple[int, int]] = []
    cast: dict[str, str] = {}
    for piece in re.split(r"(\{\w+\}|«[^»]+»)", template):
        if piece.startswith("{"):
            value, kind = _fill(piece[1:-1], person, cast, rng)
            gold += _mark(value, len(text), kind)
            text += value
        elif piece.startswith("«"):
            terms.append((len(text), len(text) + len(piece) - 2))
            text += piece[1:-1]
        else:
            text += _misspell(piece, rng, 0.06) if style in ("typos", "lower") else piece
    if style == "lower":
        text = text.lower()
    if style == "upper":
        text = _shout(text)
    values = person.values
    known = Identifiers(
        names=(person.first, person.last),
        birth_date=person.born,
        numbers=tuple(values[k] for k in ("mrn", "ssn", "nhs", "plan", "account")),
        phones=(values["phone"],),
        emails=(values["email"],),
        addresses=(values["street"], values["town"], values["post"]),
    )
    return Note(text, gold, terms, known, number, style)


def write_notes(seed: int, count: int, which: str = "first") -> list[Note]:
    """`count` notes of one of the sets, every template in turn."""
    rng = random.Random(seed)
    people, templates = SETS[which]
    return [
        write_note(rng, templates[n % len(templates)], n % len(templates), make_person(rng, rng.choice(people)))
        for n in range(count)
    ]
