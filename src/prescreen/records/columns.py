"""Which column of a clinic's table is which of our fields: the mapping, and a first guess at it.

The guess goes by names in four languages and by what the cells hold; a name the cells contradict is not taken.
Knows nothing about files. The names are in `table_names.yaml`; a person looks at the guess before it is used.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from prescreen.config import Strict, parse_recipe, read_yaml
from prescreen.errors import RecipeError
from prescreen.records.measures import (
    SEXES,
    day_order,
    read_age,
    read_consciousness,
    read_moment,
    read_number,
    read_pressure,
    read_vital,
    read_yes,
)

NAMES = Path(__file__).with_name("table_names.yaml")
SEVERAL = ("names", "numbers", "phones", "emails", "addresses", "others", "history", "when")
VITALS = ("heart_rate", "respiratory_rate", "systolic", "diastolic", "temperature", "spo2", "pain")
COLOURS = {
    "red": ("red", "rojo", "rot", "rouge"),
    "orange": ("orange", "naranja"),
    "yellow": ("yellow", "amarillo", "gelb", "jaune"),
    "green": ("green", "verde", "grun", "vert"),
    "blue": ("blue", "azul", "blau", "bleu"),
}
TAGS = {
    "emergency": ("emergency", "emergent", "emergencia", "notfall"),
    "high": ("high", "alta", "alto", "hoch", "haute", "eleve", "elevee"),
    "medium": ("medium", "moderate", "media", "medio", "mittel", "moyenne", "moyen"),
    "low": ("low", "baja", "bajo", "niedrig", "basse", "faible"),
}
LEVELS = {word: level for table in (COLOURS, TAGS) for level, words in table.items() for word in words}
SCALES = {"esi": "esi", "ktas": "ktas", "ctas": "ctas", "mts": "mts_category", "manchester": "mts_category"}


class TableMapping(Strict):
    """The mapping file: our field -> the clinic's column name, and what its cells mean."""

    columns: dict[str, str | tuple[str, ...]]  # several columns where a field takes them, such as names
    codes: dict[str, dict[str, str]] = {}  # field -> {cell in lower case: our word}, e.g. sex: {"1": female}
    scale: str | None = None  # of the acuity column, as in clinic/acuity.yaml
    day_first: bool | None = None  # how 3/4/2026 is read; none: such a date is left out
    sheet: str | None = None  # of a workbook; none: its first
    language: str = "en"
    consent: str | None = None

    def of(self, field: str) -> tuple[str, ...]:
        """The columns of a field."""
        said = self.columns.get(field, ())
        return (said,) if isinstance(said, str) else tuple(said)


class Guess(NamedTuple):
    """A mapping to look at, why each column was taken, and the columns that were not."""

    mapping: TableMapping
    why: dict[str, str]
    unused: tuple[str, ...]


def read_mapping(path: Path) -> TableMapping:
    """The mapping of a YAML file; an unknown field or scale is an error that names the known ones."""
    mapping = parse_recipe(TableMapping, read_yaml(path), path)  # type: ignore[type-var]
    unknown = [field for field in (*mapping.columns, *mapping.codes) if field not in load_names()]
    if unknown:
        raise RecipeError(f"{path}: unknown field {unknown[0]!r}; known: {', '.join(load_names())}")
    return mapping


@cache
def load_names() -> dict[str, tuple[str, ...]]:
    """Field -> the names of its column."""
    return {field: tuple(names) for field, names in read_yaml(NAMES).items()}


def plain(text: str) -> str:
    """Lower case, no accents, camelCase and signs as blanks."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("ß", "ss"))
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9]+", letters))


def guess_mapping(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Guess:
    """A first mapping of these columns, from their names and a sample of rows."""
    cells = [[row[n].strip() for row in rows if n < len(row) and row[n].strip()] for n in range(len(header))]
    ranked = sorted(
        ((score, -n, field) for n, name in enumerate(header) for field, score in _name_scores(name, cells[n])),
        reverse=True,
    )
    taken: dict[int, str] = {}
    why: dict[str, str] = {}
    for score, place, field in ranked:
        if -place not in taken and (field not in taken.values() or field in SEVERAL):
            if field == "when" and field in taken.values() and score < 100:
                continue
            taken[-place] = field
            why.setdefault(field, "name and contents" if field in CONTENTS and cells[-place] else "name")
    for field, seems in DISTINCT.items():
        if field not in taken.values() and not (field == "blood_pressure" and "systolic" in taken.values()):
            found = [n for n in range(len(header)) if n not in taken and len(cells[n]) >= 3 and seems(cells[n])]
            if len(found) == 1:  # two that look alike are a person's to tell apart
                taken[found[0]], why[field] = field, "contents"
    columns: dict[str, str | tuple[str, ...]] = {}
    for n in sorted(taken):
        kept = columns.get(taken[n])
        columns[taken[n]] = (
            header[n] if kept is None else (*((kept,) if isinstance(kept, str) else kept), header[n])
        )
    by_field = {field: n for n, field in reversed(taken.items())}
    dates = [cell for n, field in taken.items() if field in ("when", "birth_date") for cell in cells[n]]
    scale, levels = _find_scale(header, cells, by_field.get("acuity"))
    codes = {"acuity": levels} if levels else {}
    letters = {cell.lower() for cell in cells[by_field["sex"]]} if "sex" in by_field else set()
    if letters and letters <= {"h", "m"} and "h" in letters:
        codes["sex"] = {"h": "male", "m": "female"}  # hombre and mujer
    for field, known in (("sex", SEXES.get), ("consciousness", read_consciousness)):
        if field in by_field and field not in codes and not any(known(c.lower()) for c in cells[by_field[field]]):
            why[field] += "; its cells are codes: say in `codes` what each means"
    mapping = TableMapping(columns=columns, codes=codes, scale=scale, day_first=_find_order(dates))
    return Guess(mapping, why, tuple(name for n, name in enumerate(header) if n not in taken))


def _name_scores(header: str, cells: list[str]) -> list[tuple[str, int]]:
    """Fields whose names stand in a header and whose contents do not speak against it."""
    said, found = plain(header), []
    for field, names in load_names().items():
        score = max((_match(said, name) for name in names), default=0)
        if score and (field not in CONTENTS or not cells or _share(CONTENTS[field], cells) >= 0.5):
            found.append((field, score + 5 * (field == "acuity" and bool(re.search(r"\b(rn|nurse)\b", said)))))
    return found


def _match(said: str, name: str) -> int:
    if said == name:
        return 100 + len(name)
    return len(name) if len(name) > 2 and f" {name} " in f" {said} " else 0


def _share(test: Callable[[str], object], cells: Sequence[str]) -> float:
    return sum(bool(test(cell)) for cell in cells) / len(cells)


def _is_moment(cell: str) -> bool:
    return read_moment(cell, True) is not None or read_moment(cell, False) is not None


def _is_level(cell: str) -> bool:
    return plain(cell) in LEVELS or bool(re.fullmatch(r"(?:[a-z]+[ -]?)?[1-5](?:\.0)?", cell.lower()))


def _measures(field: str) -> Callable[[str], object]:
    return lambda cell: read_vital(field, cell) is not None


CONTENTS: dict[str, Callable[[str], object]] = {
    "when": lambda c: _is_moment(c) or re.fullmatch(r"\d{1,2}[:.]\d\d(?:[:.]\d\d)?", c),
    "birth_date": _is_moment,
    "age": lambda c: read_age(c) is not None,
    "sex": lambda c: c.lower() in SEXES or re.fullmatch(r"[0-9uUnN]|unknown", c),
    "pregnant": lambda c: read_yes(c) is not None or len(c) < 20,
    "blood_pressure": read_pressure,
    "consciousness": lambda c: read_consciousness(c) or re.fullmatch(r"\d", c),
    "acuity": _is_level,
    "emails": lambda c: "@" in c,
    "complaint": lambda c: sum(map(str.isalpha, c)) >= 2,
    "history": lambda c: sum(map(str.isalpha, c)) >= 2,
    "diagnosis": lambda c: any(map(str.isalpha, c)),
    "names": lambda c: any(map(str.isalpha, c)),
    "phones": lambda c: sum(map(str.isdigit, c)) >= 5,
    "coma": lambda c: re.fullmatch(r"\d{1,2}(?:\.0)?", c),
    **{field: _measures(field) for field in VITALS},
}  # what at least half of the cells must be


def _seems_age(cells: list[str]) -> bool:
    ages = [age for cell in cells if re.fullmatch(r"\d{1,3}", cell) and (age := read_age(cell)) is not None]
    return len(ages) == len(cells) >= 8 and min(ages) < 30 and max(ages) > 55 and len(set(ages)) >= 5


def _seems_birth(cells: list[str]) -> bool:
    moments = [moment for cell in cells if (moment := read_moment(cell, True) or read_moment(cell, False))]
    years = [moment.year for moment in moments]
    return len(moments) == len(cells) and max(years) - min(years) >= 15


def _seems_sex(cells: list[str]) -> bool:
    said = {cell.lower() for cell in cells}
    return len(said) >= 2 and said <= SEXES.keys() and {SEXES[s] for s in said} >= {"female", "male"}


def _seems_fever(cells: list[str]) -> bool:
    values = [read_number(cell)[0] for cell in cells]
    likely = [v for v in values if v is not None and (34 <= v <= 42.5 or 93 <= v <= 108)]
    return len(likely) == len(cells) and any(v % 1 for v in likely)


DISTINCT: dict[str, Callable[[list[str]], bool]] = {
    "emails": lambda cs: _share(lambda c: re.fullmatch(r"\S+@\S+\.\w+", c), cs) >= 0.9,
    "blood_pressure": lambda cs: _share(read_pressure, cs) >= 0.9,
    "birth_date": _seems_birth,
    "when": lambda cs: _share(_is_moment, cs) >= 0.9,
    "sex": _seems_sex,
    "temperature": _seems_fever,
    "age": _seems_age,
    "acuity": lambda cs: 2 <= len(set(cs)) <= 10 and _share(lambda c: plain(c) in LEVELS, cs) >= 0.9,
}  # what no other column looks like, so that a name is not needed


def _find_order(dates: list[str]) -> bool | None:
    """Whether the day comes first, where some date can only be read so and none only otherwise."""
    orders = {day_order(cell) for cell in dates} - {None}
    return orders.pop() if len(orders) == 1 else None


def _find_scale(
    header: Sequence[str], cells: list[list[str]], place: int | None
) -> tuple[str | None, dict[str, str]]:
    """The scale of the acuity column, and the codes its words need where they are not the scale's own."""
    if place is None:
        return None, {}
    said = {plain(cell) for cell in cells[place]}
    codes = {c.lower(): LEVELS[plain(c)] for c in cells[place] if LEVELS.get(plain(c), c.lower()) != c.lower()}
    if said and all(re.search(r"[1-5]( 0)?$", word) for word in said):
        codes = {
            cell.lower(): found for cell in cells[place] if (found := plain(cell).removesuffix(" 0")[-1]) != cell
        }
        words = f"{plain(header[place])} {' '.join(sorted(said))}"
        return next((scale for word, scale in SCALES.items() if word in words), "esi"), codes
    levels = {LEVELS.get(word) for word in said}
    if levels <= COLOURS.keys():
        return "mts" if said else None, codes
    if levels <= TAGS.keys():
        return "acuity" if "emergency" in levels else "seed", codes
    return None, {}
