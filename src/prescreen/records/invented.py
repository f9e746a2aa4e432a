"""Identifiers made up from a random number generator: pronounceable names, and numbers with right check digits.

Drawn apart from the finder's own lists, so that it cannot know them; none is meant to be anybody's, and none is
written to a file. Knows no text.
"""

import datetime
from collections.abc import Callable
from random import Random
from typing import Final

DIGITS: Final = "0123456789"
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_ONSETS: Final = ("b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kl", "l", "m", "n", "p",
                  "r", "s", "sh", "st", "t", "th", "tr", "v", "w", "z")  # fmt: skip
_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "ea", "ie", "oo", "ou")
_CODAS: Final = ("", "", "", "l", "n", "r", "s", "m", "nd", "rk", "ll", "tt", "sk")
_ENDS: Final = ("ton", "by", "ford", "ham", "ville", "stedt", "ow", "hausen", "mouth", "wick", "bourg", "rup")
_STREETS: Final = (
    "Street",
    "Road",
    "Avenue",
    "Lane",
    "Close",
    "Drive",
    "Court",
    "Way",
    "St",
    "Rd",
    "Terrace",
    "Hill",
)
_DATES: Final = (
    "%d/%m/%Y",
    "%d/%m/%y",
    "%m/%d/%Y",
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%d %b",
    "%d-%b-%y",
)
_PHONES: Final = ("07### ######", "07#########", "+44 20 #### ####", "(4##) ###-####", "6##-###-####",
                  "0##/#######", "+34 6## ### ###", "01 ## ## ## ##")  # fmt: skip
_RECORDS: Final = ("########", "A######", "AA-#####", "##-#####")
_PLANS: Final = ("1A##-A##-AA##", "1A##A##AA##", "AAA#########")
_VEHICLES: Final = ("AA## AAA", "#AAA###")
_DEVICES: Final = ("AAA#######", "####-AA-###")
_VIN_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_VIN_VALUES: Final = dict(zip(_VIN_LETTERS + DIGITS, "123456781234579234567890123456789", strict=True))
_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def _fill(mask: str, rng: Random) -> str:
    """The mask with a digit for each # and a letter for each A."""
    return "".join(rng.choice(DIGITS if c == "#" else LETTERS) if c in "#A" else c for c in mask)


def _choose(*masks: str) -> Callable[[Random], str]:
    return lambda rng: _fill(rng.choice(masks), rng)


def _group(text: str, rng: Random, size: int, separators: str = " -") -> str:
    """The text cut into groups by one of the separators, or by none."""
    separator = rng.choice(["", *separators])
    return separator.join(text[at : at + size] for at in range(0, len(text), size))


def invent_word(rng: Random) -> str:
    """A pronounceable name of two or three syllables, capitalised."""
    syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.choice([2, 2, 3]))]
    return ("".join(syllables) + rng.choice(_CODAS)).capitalize()


def luhn_digit(digits: str) -> str:
    """The check digit that makes the number right by Luhn."""
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return str(-sum(value - 9 * (value > 9) for value in doubled) % 10)


def nhs_number(rng: Random) -> str:
    """Ten digits right modulo 11."""
    while True:
        digits = _fill("4########", rng)
        check = -sum(int(d) * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check < 10:
            return digits + str(check)


def iban(rng: Random) -> str:
    """A German or British account number right modulo 97."""
    country, body = rng.choice([("DE", _fill("#" * 18, rng)), ("GB", _fill("AAAA" + "#" * 14, rng))])
    number = int("".join(str(int(c, 36)) for c in f"{body}{country}00"))
    return f"{country}{98 - number % 97:02}{body}"


def card_number(rng: Random) -> str:
    """Sixteen digits right by Luhn."""
    digits = _fill("4" + "#" * 14, rng)
    return digits + luhn_digit(digits)


def vin(rng: Random) -> str:
    """Seventeen characters with the check digit at place nine."""
    body = "".join(rng.choice(_VIN_LETTERS) for _ in range(10))
    text = f"{body[:8]}0{body[8:]}{_fill('######', rng)}"
    total = sum(int(_VIN_VALUES[c]) * w for c, w in zip(text, _VIN_WEIGHTS, strict=True)) % 11
    return text[:8] + ("X" if total == 10 else str(total)) + text[9:]


def dni(rng: Random) -> str:
    """A Spanish identity number with its letter."""
    number = rng.randint(10_000_000, 99_999_999)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def _street(rng: Random) -> str:
    named = invent_word(rng)
    return rng.choice([
        f"{rng.randint(1, 400)} {named} {rng.choice(_STREETS)}",
        f"Flat {rng.randint(1, 30)}, {rng.randint(1, 200)} {named} {rng.choice(_STREETS)}",
        f"{named}straße {rng.randint(1, 120)}",
        f"{rng.randint(1, 90)} rue {named}",
        f"Calle {named} {rng.randint(1, 90)}",
    ])  # fmt: skip


def _town(rng: Random) -> str:
    town = invent_word(rng)
    return rng.choice([town, town + rng.choice(_ENDS), f"{town} {invent_word(rng)}"])


def _postcode(rng: Random) -> str:
    inward = f"{rng.choice(DIGITS)}{rng.choice('ABDEFGHJLNPQRSTUWXYZ')}{rng.choice('ABDEFGHJLNPQRSTUWXYZ')}"
    area = rng.choice(["LS", "M", "B", "EH", "SW", "CF", "NE", "BS"])
    return rng.choice([f"{area}{rng.randint(1, 20)} {inward}", _fill("6####-####", rng)])


def _date(rng: Random) -> str:
    day = datetime.date(rng.randint(1960, 2025), rng.randint(1, 12), rng.randint(1, 28))
    return day.strftime(rng.choice(_DATES))


def _email(rng: Random) -> str:
    first, last = invent_word(rng).lower(), invent_word(rng).lower()
    name = rng.choice([f"{first}.{last}", f"{first[0]}{last}{rng.randint(1, 99)}", f"{first}_{last}"])
    return f"{name}@{rng.choice(['example.org', 'mail.example.com', 'nhs.example.net', 'posteo.de'])}"


def _link(rng: Random) -> str:
    name = invent_word(rng).lower()
    address = ".".join(str(rng.randint(1, 254)) for _ in range(4))
    return rng.choice([f"https://{name}.example.org/p/{name}", f"www.{name}.com", f"{name}.co.uk/me", address])


def _licence(rng: Random) -> str:
    provider = _fill("1########", rng)
    return rng.choice(
        [provider + luhn_digit("80840" + provider), _fill("AAAAA######AA#AA", rng), _fill("A#######", rng)]
    )


INVENT: Final[dict[str, Callable[[Random], str]]] = {
    "street": _street,
    "town": _town,
    "postcode": _postcode,
    "date": _date,
    "phone": _choose(*_PHONES),
    "email": _email,
    "link": _link,
    "social security number": lambda rng: (
        f"{rng.randint(1, 665):03}-{rng.randint(1, 99):02}-{rng.randint(1, 9999):04}"
    ),
    "national number": lambda rng: rng.choice([_group(nhs_number(rng), rng, 3), dni(rng)]),
    "record number": _choose(*_RECORDS),
    "insurance number": _choose(*_PLANS),
    "account number": lambda rng: (
        _group(iban(rng), rng, 4, " ") if rng.random() < 0.5 else _group(card_number(rng), rng, 4)
    ),
    "licence number": _licence,
    "vehicle": lambda rng: rng.choice([_choose(*_VEHICLES), vin])(rng),
    "device": _choose(*_DEVICES),
    "age over 89": lambda rng: str(rng.randint(90, 108)),
}
