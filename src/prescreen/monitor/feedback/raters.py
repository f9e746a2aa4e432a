"""Who looks, and how far raters agree: choices before the draft, second signatures, time.

A person is known to look only by what they did: signatures slow enough to read, and own choices kept where the
draft said otherwise. Nothing here blames: a person below the count is neither one who looks nor one who does not.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.agreement import weighted_kappa
from prescreen.clinic.edits import is_clinical
from prescreen.clinic.rates import Rate
from prescreen.monitor.feedback.reviewed import Reviewed
from prescreen.monitor.feedback.settings import Limits

RESAMPLES = 1_000
LEVELS = tuple(Acuity)


class Looks(NamedTuple):
    """How one person signs. `kept` counts own choices that the draft then contradicted: how many stood."""

    signer: str
    signatures: int
    unchanged: int
    quick: int  # of the unchanged
    kept: Rate

    def looks(self, limits: Limits) -> bool:
        """Known to look: enough seen, mostly slow enough to read, and own choices mostly kept against the draft."""
        if self.signatures < limits.fewest_seen or self.quick > self.unchanged / 2:
            return False
        return self.kept.n == 0 or self.kept.right >= limits.least_kept * self.kept.n

    def stamps(self, limits: Limits) -> bool:
        """Known not to look: nearly all unchanged, and mostly too quick to be read or against own choices."""
        if self.signatures < limits.fewest_seen or self.unchanged < 0.9 * self.signatures:
            return False
        gave_in = self.kept.n >= limits.fewest_seen // 2 and self.kept.right < limits.least_kept * self.kept.n
        return self.quick > self.unchanged / 2 or gave_in


class Agreement(NamedTuple):
    """Two opinions on the same visits: the same level, and quadratic weighted kappa with a bootstrap interval."""

    same: Rate
    kappa: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        return {"same": str(self.same), "kappa": self.kappa, "low": self.low, "high": self.high, "n": self.same.n}


def watch_signers(batch: Sequence[Reviewed], limits: Limits) -> list[Looks]:
    """Everybody who signed, by code."""
    found = []
    for signer in sorted({one.signer for one in batch}):
        own = [one for one in batch if one.signer == signer]
        unchanged = [one for one in own if one.shown is not None and not is_clinical(one.kinds)]
        torn = [one for one in own if one.blind is not None and one.shown is not None and one.blind != one.shown]
        stood = sum(one.level != one.shown for one in torn if one.shown is not None)
        quick = sum(one.seconds < limits.seconds for one in unchanged)
        found.append(Looks(signer, len(own), len(unchanged), quick, Rate(stood, len(torn) - stood)))
    return found


def find_looked(batch: Sequence[Reviewed], limits: Limits) -> set[str]:
    """Codes of unchanged signatures that may stand for what is right.

    Either the same level was chosen before the draft was seen, or the signer is known to look and took the time.
    """
    signers = watch_signers(batch, limits)
    who = {one.signer for one in signers if one.looks(limits)}
    stamps = {one.signer for one in signers if one.stamps(limits)}
    return {
        one.code
        for one in batch
        if one.signer not in stamps
        and (one.blind == one.level or (one.signer in who and one.seconds >= limits.seconds))
    }


def compare_blind(batch: Sequence[Reviewed], seed: int = 0) -> Agreement:
    """The level chosen before the draft was seen against the one signed after."""
    return agree([(one.blind, one.level) for one in batch if one.blind is not None], seed)


def compare_twice(batch: Sequence[Reviewed], seed: int = 0) -> Agreement:
    """Visits that two people signed: the first one's level against the last one's."""
    return agree(
        [(level, one.level) for one in batch for signer, level in one.earlier[:1] if signer != one.signer],
        seed,
    )


def agree(opinions: Sequence[tuple[Acuity, Acuity]], seed: int = 0) -> Agreement:
    """Agreement of pairs of levels."""
    same = sum(a == b for a, b in opinions)
    rate = Rate(same, len(opinions) - same)
    if len(opinions) < 2:
        return Agreement(rate, None, None, None)
    ranks = np.array([(a.rank, b.rank) for a, b in opinions])
    drawn = np.random.default_rng(seed).integers(len(ranks), size=(RESAMPLES, len(ranks)))
    tables = np.zeros((RESAMPLES + 1, len(LEVELS), len(LEVELS)), dtype=int)
    np.add.at(tables[0], (ranks[:, 0], ranks[:, 1]), 1)
    for number, rows in enumerate(drawn, 1):
        np.add.at(tables[number], (ranks[rows, 0], ranks[rows, 1]), 1)
    kappas = weighted_kappa(tables)
    if np.isnan(kappas[0]):
        return Agreement(rate, None, None, None)
    low, high = np.nanquantile(kappas[1:], (0.025, 0.975))
    return Agreement(rate, *(round(float(value), 3) for value in (kappas[0], low, high)))
