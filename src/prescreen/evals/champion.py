"""Is the candidate anywhere worse than the model in service? Same cases, case by case.

One more missed emergency or severe under-triage is worse, without statistics. Under-triage and in-range
priority vary by chance, so there the exact paired test must not speak against the candidate.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from prescreen.errors import RunError
from prescreen.evals.prediction import Prediction, read_predictions
from prescreen.evals.rate import compare_paired
from prescreen.evals.triage import Answer

SIGNIFICANT = 0.05
SHOWN = 8


class Comparison(NamedTuple):
    """Reasons to hold, and on how many shared cases the question was asked."""

    champion: str
    shared: int
    reasons: list[str]


class Pair(NamedTuple):
    """One shared labelled case as both answered it, as served."""

    candidate: Answer
    champion: Answer


def compare_champion(evals: Path, candidate: str, champion: Path, champion_system: str) -> Comparison:
    """Every suite the champion was judged on; one the candidate was not asked would hide where it is worse."""
    if not champion.is_dir():
        raise RunError(f"{champion}: no such evals run; correct `champion` in the gate's recipe or leave it out")
    reasons, shared = [], 0
    for other in sorted((champion / "predictions").glob(f"*/{champion_system}.jsonl")):
        suite, path = other.parent.name, evals / "predictions" / other.parent.name / f"{candidate}.jsonl"
        judged = read_predictions(other)
        pairs = pair_cases(read_predictions(path) if path.exists() else [], judged)
        if not pairs and any(row.gold is not None for row in judged):
            reasons.append(f"On {suite} the champion was judged and the candidate was not, or on other cases.")
        shared += len(pairs)
        reasons += judge_pairs(suite, pairs)
    if not shared and not reasons:
        reasons.append(f"No case was answered by both the candidate and the champion in {champion}.")
    return Comparison(f"{champion}: {champion_system}", shared, reasons)


def pair_cases(candidate: Sequence[Prediction], champion: Sequence[Prediction]) -> list[Pair]:
    """Labelled cases both answered, with the same label."""
    known = {p.case_id: p.answer("served") for p in champion}
    pairs = [Pair(p.answer("served"), known[p.case_id]) for p in candidate if p.case_id in known]
    return [p for p in pairs if p.candidate.gold is not None and p.candidate.accepted == p.champion.accepted]


def judge_pairs(suite: str, pairs: Sequence[Pair]) -> list[str]:
    """What is worse on one suite, in sentences that name the cases."""
    missed = _find_worse(pairs, lambda a: a.is_clear_emergency and not a.says_emergency)
    severe = _find_worse(pairs, lambda a: a.predicted is None or a.shift <= -2)
    low = _find_worse(pairs, lambda a: a.predicted is None or a.shift < 0)
    wrong = _find_worse(pairs, lambda a: a.predicted is None or a.shift != 0)
    sentences = [
        missed.say(suite, "missed emergencies") if missed.more > 0 else "",
        severe.say(suite, "severe under-triage") if severe.more > 0 else "",
        low.say(suite, "under-triage") if low.more > 0 and low.p_value < SIGNIFICANT else "",
        wrong.say(suite, "out-of-range priorities") if wrong.more > 0 and wrong.p_value < SIGNIFICANT else "",
    ]
    return [sentence for sentence in sentences if sentence]


class Worse(NamedTuple):
    """How much more often a harm befell the candidate, with the cases where only the candidate had it."""

    more: int
    p_value: float
    cases: tuple[str, ...]

    def say(self, suite: str, harm: str) -> str:
        shown = ", ".join(self.cases[:SHOWN]) + (" …" if len(self.cases) > SHOWN else "")
        more = f"the candidate has {self.more} more {harm} than the champion"
        return f"On {suite} {more} (p = {self.p_value:.3f}): {shown}."


def _find_worse(pairs: Sequence[Pair], harm: Callable[[Answer], bool]) -> Worse:
    mine, theirs = [harm(p.candidate) for p in pairs], [harm(p.champion) for p in pairs]
    test = compare_paired(mine, theirs)
    cases = tuple(p.candidate.case_id for p, a, b in zip(pairs, mine, theirs, strict=True) if a and not b)
    return Worse(test.only_first - test.only_second, test.p_value, cases)
