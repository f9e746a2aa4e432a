"""Signed levels that speak against everybody else: other raters, and a classifier that never saw the patient.

A level is contradicted where words and numbers of the case are confidently those of another level, and neither the
draft, nor a choice before it, nor another signature says what was signed. Such a doubt is a question for a person,
and no reason to leave a row out: what a model does badly is what the classifier may not know either. Knows levels.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.data.doubts import rank_doubts
from prescreen.monitor.feedback.reviewed import Reviewed
from prescreen.monitor.feedback.rows import make_case

UNLIKELY: Final = 0.001  # chance below which more contradictions than elsewhere are no chance
FEWEST: Final = 200  # labelled cases, trusted ones among them, before a classifier has a say
ODD: Final = 0.3  # share of a person's levels, at least, before they stand out


def find_contradicted(batch: Sequence[Reviewed], known: Sequence[Case], seed: int = 0) -> set[str]:
    """Codes of signatures whose level nobody and nothing supports. `known` are cases whose levels are trusted."""
    names = {one.case.id: one for one in batch}
    labelled = [make_case(one) for one in batch] + [case for case in known if case.id not in names]
    if len(labelled) < FEWEST:
        return set()
    doubts = {doubt.case_id: doubt for doubt in rank_doubts(labelled, seed=seed) if doubt.confident}
    return {
        one.code
        for one in batch
        if one.case.id in doubts and not is_supported(one) and doubts[one.case.id].likelier != one.level
    }


def is_disputed(one: Reviewed) -> bool:
    """Whether a person says another level: somebody else who signed, or the signer before seeing the draft."""
    people = [level for signer, level in one.earlier if signer != one.signer]
    people += [one.blind] if one.blind is not None else []
    return any(level != one.level for level in people)


def is_supported(one: Reviewed) -> bool:
    """Whether anybody else, or the signer before the draft was seen, says the signed level."""
    return one.level in list_opinions(one)


def list_opinions(one: Reviewed) -> list[Acuity]:
    """What others say of the level: the draft, the own choice before it, other people's signatures, the rules."""
    found = [level for signer, level in one.earlier if signer != one.signer]
    found += [level for level in (one.blind, one.shown) if level is not None]
    return [*found, one.rules] if one.rules is not None else found


def find_odd_signers(batch: Sequence[Reviewed], contradicted: Collection[str], fewest: int) -> list[str]:
    """People whose levels are contradicted far more often than everybody else's."""
    signed = Counter(one.signer for one in batch)
    wrong = Counter(one.signer for one in batch if one.code in contradicted)
    found = []
    for signer, count in sorted(signed.items()):
        others = (len(contradicted) - wrong[signer], len(batch) - count)
        if count >= fewest and wrong[signer] > ODD * count and is_beyond((wrong[signer], count), others):
            found.append(signer)
    return found


def is_beyond(found: tuple[int, int], reference: tuple[int, int]) -> bool:
    """Whether (count, of) is more than a reference (count, of) lets expect: Fisher's exact test, one-sided."""
    from scipy.stats import fisher_exact

    table = [[found[0], found[1] - found[0]], [reference[0], reference[1] - reference[0]]]
    return bool(reference[1]) and float(fisher_exact(table, alternative="greater").pvalue) < UNLIKELY
