"""How many people stand out in an import by what is left of them: k-anonymity, l-diversity, what would mend it.

Counts people, not contacts: a person with many contacts is one. Knows the table of leftover.py, and no text.
"""

import sqlite3
from pathlib import Path
from typing import Final

from prescreen.config import Strict
from prescreen.records.leftover import AS_IS, ATTRIBUTES, open_table
from prescreen.records.share import Share

KS: Final = (5, 11)
MOST_STEPS: Final = 3  # of coarsening that are proposed one after another
SMALLEST: Final = 10  # classes shown


class Small(Strict):
    """How many stand in classes of fewer than k people."""

    k: int
    people: Share  # in such a class by one contact or more
    contacts: Share
    linked_people: Share  # where somebody knows all of a person's contacts at once, as the patient code allows


class SmallClass(Strict):
    """One class by its values; rare conditions are left out: whoever has one is alone by them."""

    values: dict[str, str]
    people: int
    contacts: int


class Diversity(Strict):
    """Classes of k people or more whose known values are all the same: their size hides nothing."""

    kind: str  # level or diagnosis
    k: int
    classes: int  # of k people or more with a value
    alike: int  # of these, all of one value
    people_alike: int
    least: int  # fewest different values in one class


class Proposal(Strict):
    """Coarser values, and how many people would then still stand in classes of fewer than k."""

    k: int
    changes: dict[str, str]
    people: Share


class Anonymity(Strict):
    """All figures of one import."""

    people: int
    contacts: int
    most_contacts: int  # of one person
    rare_below: int  # a condition is rare when fewer people than this have it
    with_rare: int  # people
    small: tuple[Small, ...]
    smallest: tuple[SmallClass, ...]
    diversity: tuple[Diversity, ...]
    proposals: tuple[Proposal, ...]


def measure_anonymity(folder: Path, ks: tuple[int, ...] = KS) -> Anonymity:
    """Read cases.jsonl and outcomes.jsonl of an import's folder and count."""
    with open_table(folder, min(ks)) as base:
        return _measure(base, ks)


def _measure(base: sqlite3.Connection, ks: tuple[int, ...]) -> Anonymity:
    people, contacts = base.execute("SELECT count(DISTINCT person), count(*) FROM contact").fetchone()
    [most] = base.execute(
        "SELECT coalesce(max(n), 0) FROM (SELECT count(*) n FROM contact GROUP BY person)"
    ).fetchone()
    [rare] = base.execute("SELECT count(DISTINCT person) FROM contact WHERE rare != ''").fetchone()
    levels = dict.fromkeys(ATTRIBUTES, AS_IS)
    small = [_count_small(base, levels, k, people, contacts) for k in ks]
    return Anonymity(
        people=people, contacts=contacts, most_contacts=most, rare_below=min(ks), with_rare=rare,
        small=tuple(small), smallest=tuple(_list_smallest(base, max(ks))),
        diversity=tuple(_measure_diversity(base, kind, k) for kind in ("level", "diagnosis") for k in ks),
        proposals=tuple(proposal for k in ks for proposal in _propose(base, k, people)),
    )  # fmt: skip


def _key(levels: dict[str, str]) -> str:
    """SQL of the class of one contact: the values as one text, what is not known being a value of its own."""
    parts = [f"coalesce({ATTRIBUTES[name][level]}, '-')" for name, level in levels.items()]
    return " || char(30) || ".join(parts)


def _count_people(base: sqlite3.Connection, levels: dict[str, str], k: int) -> tuple[int, int]:
    """People and contacts in classes of fewer than k people."""
    [people, contacts] = base.execute(
        f"WITH keyed AS (SELECT person, {_key(levels)} key FROM contact), small AS"
        " (SELECT key FROM keyed GROUP BY key HAVING count(DISTINCT person) < ?)"
        " SELECT count(DISTINCT person), count(*) FROM keyed WHERE key IN small",
        (k,),
    ).fetchone()
    return people, contacts


def _count_small(base: sqlite3.Connection, levels: dict[str, str], k: int, people: int, contacts: int) -> Small:
    in_small, rows = _count_people(base, levels, k)
    [linked] = base.execute(
        "WITH profile AS (SELECT group_concat(key, char(29)) whole FROM (SELECT DISTINCT person,"
        f" {_key(levels)} key FROM contact ORDER BY 1, 2) GROUP BY person)"
        " SELECT coalesce(sum(n), 0) FROM (SELECT count(*) n FROM profile GROUP BY whole HAVING count(*) < ?)",
        (k,),
    ).fetchone()
    return Small(
        k=k,
        people=Share(right=in_small, n=people),
        contacts=Share(right=rows, n=contacts),
        linked_people=Share(right=linked, n=people),
    )


def _list_smallest(base: sqlite3.Connection, k: int) -> list[SmallClass]:
    columns = {name: levels[AS_IS] for name, levels in ATTRIBUTES.items() if name != "rare conditions"}
    keys = ", ".join(columns.values())
    rows = base.execute(
        f"SELECT {keys}, count(DISTINCT person) people, count(*) contacts FROM contact"
        f" GROUP BY {keys} HAVING people < ? ORDER BY people, contacts, {keys} LIMIT ?",
        (k, SMALLEST),
    )
    return [
        SmallClass(
            values={name: _say(name, value) for name, value in zip(columns, row[:-2], strict=True)},
            people=row[-2],
            contacts=row[-1],
        )
        for row in rows
    ]


def _say(name: str, value: int | str | None) -> str:
    if value is None:
        return "not known"
    if name == "age":
        return "90 and over" if int(value) >= 90 else f"{value} to {int(value) + 4}"
    if name == "pregnant":
        return "yes" if value else "no"
    return str(value) or "none"


def _measure_diversity(base: sqlite3.Connection, kind: str, k: int) -> Diversity:
    levels = dict.fromkeys(ATTRIBUTES, AS_IS)
    classes, alike, people, least = base.execute(
        f"WITH class AS (SELECT count(DISTINCT person) people, count(DISTINCT {kind}) kinds FROM contact"
        f" GROUP BY {_key(levels)} HAVING people >= ? AND kinds > 0)"
        " SELECT count(*), coalesce(sum(kinds = 1), 0), coalesce(sum(people * (kinds = 1)), 0),"
        " coalesce(min(kinds), 0) FROM class",
        (k,),
    ).fetchone()
    return Diversity(kind=kind, k=k, classes=classes, alike=alike, people_alike=people, least=least)


def _propose(base: sqlite3.Connection, k: int, people: int) -> list[Proposal]:
    """Every single coarsening, best first; then the best of them together with the next best, and so on."""
    levels, changes = dict.fromkeys(ATTRIBUTES, AS_IS), dict[str, str]()
    left, _ = _count_people(base, levels, k)
    proposals: list[Proposal] = []
    for step in range(MOST_STEPS):
        tried = sorted(
            (_count_people(base, {**levels, name: level}, k)[0], number, name, level)
            for name, finer in ATTRIBUTES.items()
            if name not in changes
            for number, level in enumerate(finer)
            if level != AS_IS
        )
        tried = [option for option in tried if option[0] < left][: 1 if step else None]
        proposals += [
            Proposal(k=k, changes={**changes, name: level}, people=Share(right=count, n=people))
            for count, _, name, level in tried
        ]
        if not tried or not tried[0][0]:
            break
        left, _, name, level = tried[0]
        changes[name] = levels[name] = level
    return proposals
