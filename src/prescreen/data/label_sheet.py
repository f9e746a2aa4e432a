"""A sample of labelled cases for a second rater, blind, and what the returned sheet says of the labels.

Of each level the most doubtful cases and as many drawn by chance: the first find wrong labels, the second alone
say how many there are. What a rater must not see stands in a key beside the sheet.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.agreement import plain_kappa, weighted_kappa
from prescreen.clinic.case import Case
from prescreen.clinic.cells import mark_case, read_cells, read_choice, show_case, write_cells
from prescreen.clinic.rates import Array, Estimate, Rate, bootstrap
from prescreen.config import Strict
from prescreen.data.doubts import Doubt
from prescreen.data.split import hash_share
from prescreen.errors import InputError
from prescreen.model.prompt import history_lines
from prescreen.run import write_json

COLUMNS = ("id", "text", "age", "sex", "history", "vitals", "mark", "second_level", "comment")
WANTED = ("id", "mark", "second_level", "comment")
START = "start from the sheet as it was written"
LEVELS = tuple(Acuity)
Drawn = Literal["doubtful", "chance"]


class Chosen(Strict):
    """One line of the key: the label, the case's mark, how it was drawn, and what else it was thought to be."""

    given: Acuity
    mark: str
    drawn: Drawn
    likelier: Acuity | None = None


class Key(Strict):
    """What a rater must not see: each case's label, and how many labelled cases there are of each level."""

    chosen: dict[str, Chosen]
    levels: dict[Acuity, int]


class Differs(NamedTuple):
    """A case whose second level is not its label."""

    case_id: str
    given: Acuity
    second: Acuity
    drawn: Drawn
    comment: str

    @property
    def apart(self) -> int:
        """Positive where the label is lower than the second rater's level: under-triage in the record."""
        return self.second.rank - self.given.rank


class Audit(NamedTuple):
    """What a returned sheet says. Kappas and `same` speak for all labelled cases; `by_level` of one level each."""

    rater: str
    empty: int
    same: Estimate  # share of labels the second rater would give, levels weighted as they occur
    kappa: Estimate
    weighted: Estimate  # quadratic weighted kappa
    by_level: dict[Acuity, Rate]  # drawn by chance
    doubtful: Rate  # of the doubtful ones, those the second rater levels otherwise
    differs: list[Differs]  # furthest apart first, too low labels before too high ones

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a file; no words of a patient, no comment."""
        figures = {name: getattr(self, name)._asdict() for name in ("same", "kappa", "weighted")}
        levels = {level.value: str(rate) for level, rate in self.by_level.items()}
        differs = [[d.case_id, d.given.value, d.second.value, d.drawn] for d in self.differs]
        about = {"rater": self.rater, "empty": self.empty, "doubtful": str(self.doubtful)}
        return {**about, **figures, "by_level": levels, "differs": differs}


def choose_cases(cases: Sequence[Case], doubts: Sequence[Doubt], each: int, *, seed: int = 0) -> dict[str, Chosen]:
    """`each` doubtful and `each` chance cases of every level; a doubtful one that chance draws counts as chance."""
    chosen: dict[str, Chosen] = {}
    likelier = {doubt.case_id: doubt.likelier for doubt in doubts if doubt.confident}
    order = {name: number for number, name in enumerate(likelier)}
    for level in LEVELS:
        own = [case for case in cases if case.label is not None and case.label.acuity is level]
        drawn = sorted(own, key=lambda case: hash_share(f"label sheet {seed}", case.id))[:each]
        taken = {case.id for case in drawn}
        rest = sorted((c for c in own if c.id in order and c.id not in taken), key=lambda c: order[c.id])[:each]
        for how, some in (("chance", drawn), ("doubtful", rest)):
            for case in some:
                values = {"given": level, "mark": mark_case(case), "drawn": how, "likelier": likelier.get(case.id)}
                chosen[case.id] = Chosen(**values)
    return chosen


def write_label_sheet(
    path: Path, cases: Sequence[Case], doubts: Sequence[Doubt], each: int = 25, *, seed: int = 0
) -> int:
    """Write the sheet and, beside it, `<name>.key.json`; how many lines. Levels stand mixed, without labels."""
    chosen = choose_cases(cases, doubts, each, seed=seed)
    known = {case.id: case for case in cases if case.id in chosen}
    rows = []
    for name in sorted(chosen, key=lambda name: hash_share(f"mix {seed}", name)):
        history = "\n".join(line for line in history_lines(known[name]) if not line.startswith("Patient: "))
        rows.append({**show_case(known[name], history), "mark": chosen[name].mark})
    write_cells(path, COLUMNS, rows)
    levels = Counter(case.label.acuity for case in cases if case.label is not None)
    write_json(key_path(path), Key(chosen=chosen, levels=dict(levels)).model_dump(mode="json"))
    return len(rows)


def key_path(path: Path) -> Path:
    """Where a sheet's key lies."""
    return path.with_name(f"{path.stem}.key.json")


def read_key(path: Path) -> Key:
    """The key of a sheet."""
    try:
        return Key.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError("no such file; it was written beside the sheet and must be kept", file=path) from None
    except ValueError:
        raise InputError("is no key of a label sheet; take the one written beside the sheet", file=path) from None


def read_label_sheet(path: Path, key: Path, *, seed: int = 0) -> Audit:
    """A returned sheet against the labels; InputError names the line and the mend."""
    known = read_key(key)
    levels: dict[str, Acuity] = {}
    comments: dict[str, str] = {}
    seen: set[str] = set()
    for line, row in read_cells(path, WANTED, START):
        name = row["id"].strip()
        if name not in known.chosen or row["mark"].strip() != known.chosen[name].mark:
            raise InputError("id and mark are not this key's; do not change them", file=path, line=line)
        if name in seen:
            raise InputError("this case stands in an earlier line already; keep one", file=path, line=line)
        seen.add(name)
        level = read_choice(row["second_level"], path, line)
        if level is not None:
            levels[name], comments[name] = level, row["comment"].strip()
    if not levels:
        raise InputError("not one second_level is filled in; write a level in each line rated", file=path)
    return _compare(path.stem, len(seen) - len(levels), known, levels, comments, seed)


def _compare(
    rater: str, empty: int, key: Key, levels: Mapping[str, Acuity], comments: Mapping[str, str], seed: int
) -> Audit:
    table = np.zeros((len(LEVELS), len(LEVELS)), dtype=np.int64)
    doubtful: Counter[bool] = Counter()
    differs = []
    for name, second in levels.items():
        chosen = key.chosen[name]
        if chosen.drawn == "chance":
            table[chosen.given.rank, second.rank] += 1
        else:
            doubtful[second is not chosen.given] += 1
        if second is not chosen.given:
            differs.append(Differs(name, chosen.given, second, chosen.drawn, comments[name]))
    shares = np.array([key.levels.get(level, 0) for level in LEVELS], dtype=float)
    right = {level: int(table[level.rank, level.rank]) for level in LEVELS}
    sizes = table.sum(axis=1)

    def estimate(statistic: Any) -> Estimate:
        return bootstrap(table, lambda drawn: statistic(_weigh(drawn, shares)), seed=seed)

    return Audit(
        rater,
        empty,
        estimate(lambda drawn: np.einsum("tii->t", drawn) / drawn.sum(axis=(1, 2))),
        estimate(plain_kappa),
        estimate(weighted_kappa),
        {level: Rate(right[level], int(sizes[level.rank]) - right[level]) for level in LEVELS},
        Rate(doubtful[True], doubtful[False]),
        sorted(differs, key=lambda d: (-abs(d.apart), -d.apart, d.case_id)),
    )


def _weigh(tables: Array, shares: Array) -> Array:
    """Tables as they would be had the levels been drawn as they occur; a level drawn not at all counts nothing."""
    sizes = tables.sum(axis=2, keepdims=True)
    weighted: Array = np.divide(tables * shares[:, None], sizes, out=np.zeros(tables.shape), where=sizes > 0)
    return weighted
