"""Quality checks applied to what was gathered: what is wrong leaves with a reason, and nothing leaks.

What is tested stays and what is learned goes: suites come before validation, validation before training.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prescreen.clinic.case import Case
from prescreen.data import synthesize
from prescreen.data.closeness import Told, measure_closeness
from prescreen.data.doubts import count_contradictions, find_contradictions
from prescreen.data.gather import Gathered
from prescreen.data.near import find_near
from prescreen.data.quality import GRAM, Twin, find_conflicts, find_leaks, find_twins, split_words
from prescreen.data.records import Part, Reject
from prescreen.errors import GuardError, InputError
from prescreen.model.prompt import case_text

MAX_LEAKING = 0.05  # chance meetings of common symptoms; more means shared frames
EXACT = 20_000  # more texts than these are searched by MinHash: exactly they would take 14 kB of memory each
LEARNED: tuple[Part, ...] = ("train", "valid")


def clean(found: Gathered) -> dict[str, Any]:
    """Remove conflicts, repeats and leaks in place and say how many; a leak that stays fails the build."""
    _check_ids(found)
    contradictions = count_contradictions(list(find_contradictions(list(_all_cases(found)))))
    conflicts = _drop_conflicts(found)
    inexact = _count_inexact(found)
    counts = {
        "conflicting cases removed": conflicts,
        "repeated cases removed": _drop_case_twins(found),
        "repeated rows removed": _drop_row_twins(found),
        "training records removed because a test case repeats them": _drop_leaks(found),
    }
    return {
        **counts,
        **contradictions,
        **inexact,
        "patients found in one part only": check_patients(found),
        **check_leaks(found),
        **count_close(found),
    }


def _check_ids(found: Gathered) -> None:
    seen: dict[str, str] = {}
    for case in _all_cases(found):
        if seen.setdefault(case.id, case.source) != case.source:
            raise InputError(
                f"case id {case.id!r} comes from both {seen[case.id]} and {case.source}; rename one file"
            )


def _all_cases(found: Gathered) -> Iterator[Case]:
    """Suites first, then validation, then training."""
    for cases in found.suites.values():
        yield from cases
    for part in ("valid", "train"):
        yield from found.cases.get(part, ())


def _drop_cases(found: Gathered, reasons: Mapping[str, str]) -> int:
    for part, cases in found.cases.items():
        for case in cases:
            if case.id in reasons:
                found.rejects.append(Reject(case.source, case.id, reasons[case.id], case.complaint[:200]))
        found.cases[part] = [case for case in cases if case.id not in reasons]
    return len(reasons)


def _drop_conflicts(found: Gathered) -> int:
    labelled = [(c.id, case_text(c), c.label.acuity.value) for c in _all_cases(found) if c.label is not None]
    conflicts = find_conflicts(labelled)
    return _drop_cases(found, {name: f"same text, other level: {others[0]}" for name, others in conflicts.items()})


def find_repeats(texts: Mapping[str, str]) -> Iterator[Twin]:
    """Texts that repeat an earlier one: exactly where they are few, else all but about one in five hundred."""
    return find_twins(texts) if len(texts) <= EXACT else find_near(texts.items())


def _drop_case_twins(found: Gathered) -> int:
    twins = find_repeats({case.id: case_text(case) for case in _all_cases(found)})
    return _drop_cases(found, {t.name: f"repeats {t.original} ({t.similarity:.2f})" for t in twins})


def _count_inexact(found: Gathered) -> dict[str, int]:
    """What will be searched for repeats in a way that may miss one; nothing to say where all is exact."""
    cases = sum(1 for _ in _all_cases(found))
    rows = sum(len(found.rows.get(part, ())) for part in LEARNED)
    many = sum(count for count in (cases, rows) if count > EXACT)
    return {"texts searched by MinHash, which misses about one repeat in five hundred": many} if many else {}


def _drop_row_twins(found: Gathered) -> int:
    texts = {row.id: f"{row.task}\n{row.read}" for part in ("valid", "train") for row in found.rows.get(part, ())}
    return _drop_rows(found, {t.name: f"repeats {t.original} ({t.similarity:.2f})" for t in find_repeats(texts)})


def _drop_rows(found: Gathered, reasons: Mapping[str, str]) -> int:
    for part, rows in found.rows.items():
        found.rejects.extend(Reject(r.source, r.id, reasons[r.id], r.read[:200]) for r in rows if r.id in reasons)
        found.rows[part] = [row for row in rows if row.id not in reasons]
    return len(reasons)


def _learned_texts(found: Gathered) -> Iterator[tuple[str, str]]:
    for part in LEARNED:
        yield from ((case.id, case.text) for case in found.cases.get(part, ()))
        yield from ((row.id, row.read) for row in found.rows.get(part, ()))
        yield from ((text.id, text.text) for text in found.texts.get(part, ()))


def _spoken(found: Gathered) -> dict[str, str]:
    """Patients' words of every test case: questions of ours are boilerplate and give nothing away."""
    return {case.id: case.spoken for cases in found.suites.values() for case in cases}


def _drop_leaks(found: Gathered) -> int:
    """Training records that repeat a test case go; when many do, the split itself is broken and the build stops."""
    leaks = list(find_leaks(_spoken(found), _learned_texts(found)))
    for suite, cases in found.suites.items():
        torn = {leak.test for leak in leaks} & {case.id for case in cases if case.source == synthesize.SOURCE}
        if len(torn) > MAX_LEAKING * len(cases):
            raise GuardError(
                f"{len(torn)} of {len(cases)} cases of suite {suite} leak into training, {sorted(torn)[0]} first; "
                "training and test must not share sentence frames"
            )
    reasons = {leak.training: f"holds {leak.share:.0%} of test case {leak.test}" for leak in leaks}
    for part, texts in found.texts.items():
        gone = [text for text in texts if text.id in reasons]
        found.rejects.extend(Reject(t.source, t.id, reasons[t.id], t.text[:200]) for t in gone)
        found.texts[part] = [text for text in texts if text.id not in reasons]
    _drop_cases(found, reasons)
    _drop_rows(found, reasons)
    return len(reasons)


def check_leaks(found: Gathered) -> dict[str, int]:
    """No test case may be found in what is learned; how many were looked for, and how many could not be."""
    spoken = _spoken(found)
    if leaks := list(find_leaks(spoken, _learned_texts(found))):
        worst = max(leaks, key=lambda leak: leak.share)
        raise GuardError(
            f"{len(leaks)} test cases leak into training: {worst.share:.0%} of {worst.test} stands in "
            f"{worst.training}; remove one of the two"
        )
    checked = sum(len(split_words(text)) >= GRAM for text in spoken.values())
    return {
        "test cases looked for in training, none found": checked,
        "test cases of fewer than eight words, which this check cannot see": len(spoken) - checked,
    }


def count_close(found: Gathered) -> dict[str, str]:
    """Of each suite, the test cases suspiciously close to a training case: to be looked at, not removed."""

    def tell(cases: Sequence[Case]) -> list[Told]:
        return [Told(case.id, case.patient_id, case.spoken) for case in cases]

    training = tell(found.cases.get("train", ()))
    closeness = measure_closeness({suite: tell(cases) for suite, cases in found.suites.items()}, training)
    return {f"closest to a training case, suite {suite}": str(close) for suite, close in closeness.items()}


def check_patients(found: Gathered) -> int:
    """No patient may stand on both sides, whatever the source; how many were looked at."""
    parts: dict[str, set[str]] = defaultdict(set)
    for part, cases in found.cases.items():
        for case in cases:
            parts[case.patient_id].add(part if part in LEARNED else "test")
    if torn := sorted(patient for patient, known in parts.items() if len(known) > 1):
        raise GuardError(f"patient {torn[0]!r} stands in {' and '.join(sorted(parts[torn[0]]))}; split by patient")
    return len(parts)
