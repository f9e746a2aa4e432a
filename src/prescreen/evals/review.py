"""Clinicians against the bank and against each other: agreement with counts and intervals, and where they differ.

Knows sheets and labels. What agrees is a level among those the bank accepts; kappa compares with its single level.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.authored import Entry
from prescreen.clinic.case import Label
from prescreen.errors import InputError
from prescreen.evals.rate import Estimate, Measure, Rate, bootstrap
from prescreen.evals.sheet import Sheet, read_sheet
from prescreen.evals.triage import LEVELS, weighted_kappa


class Agreement(NamedTuple):
    """Two raters on the cases both levelled: the same level, at most one apart, weighted kappa."""

    first: str
    second: str
    same: Rate
    within_one: Rate
    kappa: Estimate


class Reviewed(NamedTuple):
    """One reviewer against the bank: levels it accepts, levels below and above those, and agreement."""

    reviewer: str
    empty: int
    in_range: Measure
    lower: Measure
    higher: Measure
    agreement: Agreement


class Difference(NamedTuple):
    """A case on which somebody differs, with everybody's level and comment."""

    case_id: str
    bank: tuple[Acuity, ...]
    levels: dict[str, Acuity]
    comments: dict[str, str]

    @property
    def gap(self) -> int:
        """Levels between the two who are furthest apart; with the bank, from the nearest accepted level."""
        given = [level.rank for level in self.levels.values()]
        low, high = min(self.bank).rank, max(self.bank).rank
        return max(max(given) - min(given), *(max(low - rank, rank - high, 0) for rank in given))


class Review(NamedTuple):
    """All that returned sheets say."""

    cases: int
    reviewers: list[Reviewed]
    between: list[Agreement]
    differences: list[Difference]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a file and for the dossier."""
        return {
            "cases": self.cases,
            "reviewers": {
                r.reviewer: {
                    "empty": r.empty,
                    "in_range": r.in_range.to_json(),
                    "lower": r.lower.to_json(),
                    "higher": r.higher.to_json(),
                    "kappa": Measure(r.agreement.kappa).to_json(),
                }
                for r in self.reviewers
            },
            "between": [
                {
                    "first": a.first,
                    "second": a.second,
                    "same": Measure(a.same).to_json(),
                    "within_one": Measure(a.within_one).to_json(),
                    "kappa": Measure(a.kappa).to_json(),
                }
                for a in self.between
            ],
            "differences": [
                {
                    "case": d.case_id,
                    "bank": [level.value for level in d.bank],
                    "levels": {name: level.value for name, level in d.levels.items()},
                    "comments": d.comments,
                    "gap": d.gap,
                }
                for d in self.differences
            ],
        }


def read_review(paths: Sequence[Path], entries: Sequence[Entry]) -> Review:
    """All returned sheets, compared; two sheets of one name are one reviewer's mistake."""
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        raise InputError("two sheets have the same file name, which names the reviewer; rename one")
    return compare_sheets([read_sheet(path, entries) for path in paths], entries)


def compare_sheets(sheets: Sequence[Sheet], entries: Sequence[Entry]) -> Review:
    """Every reviewer against the bank, every two reviewers against each other."""
    labels = {entry.case.id: entry.case.label for entry in entries if entry.case.label is not None}
    given = {sheet.reviewer: {name: o.level for name, o in sheet.opinions.items()} for sheet in sheets}
    gold = {name: label.acuity for name, label in labels.items()}
    reviewers = [_compare_with_bank(sheet, given[sheet.reviewer], labels, gold) for sheet in sheets]
    between = [compare_raters(a, given[a], b, given[b]) for a, b in combinations(given, 2)]
    return Review(len(labels), reviewers, between, find_differences(sheets, labels))


def _compare_with_bank(
    sheet: Sheet, levels: Mapping[str, Acuity], labels: Mapping[str, Label], gold: Mapping[str, Acuity]
) -> Reviewed:
    lower = tuple(name for name, level in levels.items() if level < min(labels[name].accepted))
    higher = tuple(name for name, level in levels.items() if level > max(labels[name].accepted))
    outside = (*lower, *higher)

    def share(failures: tuple[str, ...], right: int) -> Measure:
        return Measure(Rate(right, len(levels) - right), failures)

    return Reviewed(
        sheet.reviewer,
        sheet.empty,
        share(outside, len(levels) - len(outside)),
        share(lower, len(lower)),
        share(higher, len(higher)),
        compare_raters("bank", gold, sheet.reviewer, levels),
    )


def compare_raters(
    first: str, levels: Mapping[str, Acuity], second: str, others: Mapping[str, Acuity]
) -> Agreement:
    """Agreement on the cases both levelled; the interval resamples cases."""
    table = np.zeros((len(LEVELS), len(LEVELS)), dtype=np.int64)
    for name in levels.keys() & others.keys():
        table[levels[name].rank, others[name].rank] += 1
    n, same = int(table.sum()), int(np.trace(table))
    near = same + int(np.trace(table, 1)) + int(np.trace(table, -1))
    return Agreement(first, second, Rate(same, n - same), Rate(near, n - near), bootstrap(table, weighted_kappa))


def find_differences(sheets: Sequence[Sheet], labels: Mapping[str, Label]) -> list[Difference]:
    """Cases somebody levels outside the accepted range or two level differently; widest gap first."""
    differences = []
    for name, label in labels.items():
        opinions = {sheet.reviewer: sheet.opinions[name] for sheet in sheets if name in sheet.opinions}
        levels = {who: opinion.level for who, opinion in opinions.items()}
        if any(level not in label.accepted for level in levels.values()) or len(set(levels.values())) > 1:
            comments = {who: opinion.comment for who, opinion in opinions.items() if opinion.comment}
            differences.append(Difference(name, label.accepted, levels, comments))
    return sorted(differences, key=lambda d: (-d.gap, d.case_id))


def print_review(review: Review) -> None:
    """What a lead clinician reads: agreement first, then the cases to talk about."""
    for r in review.reviewers:
        print(f"{r.reviewer}: {r.in_range.figure} of levels are among those the bank accepts")
        print(f"  lower {r.lower.figure}; higher {r.higher.figure}; lines left empty: {r.empty}")
        print(f"  weighted kappa with the bank: {r.agreement.kappa}")
    for a in review.between:
        print(f"{a.first} and {a.second}: the same level {a.same}; at most one apart {a.within_one}")
        print(f"  weighted kappa between them: {a.kappa}")
    print(f"cases to talk about: {len(review.differences)} of {review.cases}")
    for d in review.differences:
        said = "; ".join(f"{who} {level.value}" for who, level in d.levels.items())
        notes = "".join(f" ({who}: {comment})" for who, comment in d.comments.items())
        print(f"  {d.case_id}: bank {' or '.join(level.value for level in d.bank)}; {said}{notes}")
