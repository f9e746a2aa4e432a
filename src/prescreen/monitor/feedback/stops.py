"""A batch is stopped by name before a step is trained: what is wrong, how often, and the codes of the rows.

Each check names its rows; where they are few they are left out and counted, where they are more than the limit the
whole batch waits for a person. Never quotes a word that was said. Knows signatures, limits and pairs.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from prescreen.clinic.case import Case
from prescreen.clinic.edits import is_clinical
from prescreen.clinic.orders import find_orders
from prescreen.clinic.rates import Rate
from prescreen.clinic.redflags import recall_rules, rule_acuity
from prescreen.clinic.report import Draft
from prescreen.data.near import find_near
from prescreen.errors import GuardError
from prescreen.monitor.feedback.doubted import find_contradicted, find_odd_signers, is_beyond, is_disputed
from prescreen.monitor.feedback.raters import Looks, watch_signers
from prescreen.monitor.feedback.reviewed import Reviewed
from prescreen.monitor.feedback.settings import Limits
from prescreen.run import write_json

Name = Literal[
    "phi", "injected", "mislabelled", "below_rules", "one_signer", "rubber_stamp", "too_few", "too_alike", "uneven"
]
FILE: Final = "stopped.json"
MENDS: Final[dict[Name, str]] = {
    "phi": "find out how identifiers come into reports, then run again",
    "injected": "read these visits in the clinic's own pages and see who wrote that",
    "mislabelled": "let a second person level these visits before anything learns from them",
    "below_rules": "have a physician look at the visits signed below a red-flag rule",
    "one_signer": "wait for more people's signatures, or raise one_signer knowing why",
    "rubber_stamp": "talk with who signs without reading; their agreement teaches nothing",
    "too_few": "wait for more corrections",
    "uneven": "see which side is always longer: length would be learned instead of judgement",
    "too_alike": "look for a form or a test that repeats the same story",
}


@dataclass(frozen=True)
class Stop:
    """One reason to stop: how many of how many, the limit, and codes of rows (or of people for `one_signer`)."""

    name: Name
    count: int
    of: int
    limit: float
    rows: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Judged:
    """`bad` names rows to leave out, with their reasons; `stops` is what stops the whole batch.

    `doubted` levels are kept where no person disputes them: a classifier alone takes nothing out. They are some of
    the `open` ones, which no rule gives.
    """

    bad: Mapping[str, tuple[str, ...]]
    stops: tuple[Stop, ...]
    doubted: frozenset[str]
    open: int
    signers: tuple[Looks, ...]

    @property
    def counts(self) -> Counter[str]:
        return Counter(reason for reasons in self.bad.values() for reason in reasons)


def judge(
    batch: Sequence[Reviewed],
    limits: Limits,
    known: Sequence[Case] = (),
    reference: tuple[int, int] = (0, 0),
    seed: int = 0,
) -> Judged:
    """Look at every row and at the batch as a whole. `reference`: doubted of open levels of an earlier batch."""
    signers = watch_signers(batch, limits)
    stamps = {looks.signer for looks in signers if looks.stamps(limits)}
    found: dict[str, set[str]] = {
        "phi": {one.code for one in batch if one.left},
        "injected": {one.code for one in batch if any(map(find_orders, list_said(one)))},
        "below_rules": {one.code for one in batch if is_below_rules(one)},
        "rubber_stamp": {one.code for one in batch if one.signer in stamps and not is_clinical(one.kinds)},
        "too_alike": {twin.name for twin in find_near((one.code, one.case.recorded) for one in batch)},
    }
    clean = [one for one in batch if not any(one.code in rows for rows in found.values())]
    doubted = find_contradicted(clean, known, seed)
    found["mislabelled"] = {one.code for one in clean if one.code in doubted and is_disputed(one)}
    bad: dict[str, tuple[str, ...]] = {}
    for reason, rows in found.items():
        for code in sorted(rows):
            bad[code] = (*bad.get(code, ()), reason)
    free = [one for one in clean if one.level != one.rules]
    stops = _find_stops(batch, found, _find_mislabelled(free, doubted, reference, limits), bad, limits)
    return Judged(bad, tuple(stops), frozenset(doubted), len(free), tuple(signers))


def _find_mislabelled(
    batch: Sequence[Reviewed], rows: set[str], reference: tuple[int, int], limits: Limits
) -> list[Stop]:
    """Doubted levels of a batch of open ones: beyond the limit and chance, or one person's, or more than before."""
    if Rate(len(rows), len(batch) - len(rows)).lower() > limits.mislabelled:
        why = "signed levels that no rule gives speak against every other rater and the words"
        return [Stop("mislabelled", len(rows), len(batch), limits.mislabelled, tuple(sorted(rows)), why)]
    if odd := find_odd_signers(batch, rows, limits.fewest_seen):
        theirs = tuple(one.code for one in batch if one.signer in odd and one.code in rows)
        why = f"signed levels speak against everybody else, and stand out as those of {', '.join(odd)}"
        return [Stop("mislabelled", len(theirs), len(batch), limits.mislabelled, theirs, why)]
    if is_beyond((len(rows), len(batch)), reference):
        why = f"signed levels speak against every other rater, {reference[0]} of {reference[1]} did before"
        return [Stop("mislabelled", len(rows), len(batch), reference[0] / reference[1], tuple(sorted(rows)), why)]
    return []


def _find_stops(
    batch: Sequence[Reviewed],
    found: Mapping[str, set[str]],
    mislabelled: Sequence[Stop],
    bad: Mapping[str, object],
    limits: Limits,
) -> list[Stop]:
    """All stops, the gravest first: what mends it is told of the first."""
    whole = len(batch)
    written = {one.code for one in batch if one.written}
    stops = [
        _stop("phi", found["phi"], whole, limits.phi_rows, "signatures may still hold something that identifies"),
        _share("phi", written, whole, limits.phi_share, "signed reports held something that identifies"),
        _stop("injected", found["injected"], whole, limits.injected_rows, "signatures hold orders to the software"),
        *mislabelled,
        _share("below_rules", found["below_rules"], whole, limits.below_rules, "levels are below a red-flag rule"),
        _share("rubber_stamp", found["rubber_stamp"], whole, limits.rubber_stamp,
               "signatures are agreement of people known not to look"),
        _share("too_alike", found["too_alike"], whole, limits.too_alike, "signatures nearly repeat another one"),
    ]  # fmt: skip
    paired = [one for one in batch if one.code not in bad and one.draft is not None and is_clinical(one.kinds)]
    if len(paired) < limits.fewest_pairs:
        why = "corrections are left to learn from"
        stops.append(Stop("too_few", len(paired), whole, limits.fewest_pairs, (), why))
    by = Counter(one.signer for one in paired).most_common(1)
    if by and by[0][1] > limits.one_signer * len(paired) and len(paired) >= limits.fewest_pairs:
        why = "corrections are one person's"
        stops.append(Stop("one_signer", by[0][1], len(paired), limits.one_signer, (by[0][0],), why))
    unique: dict[str, Stop] = {}
    for stop in stops:
        if stop is not None:
            unique.setdefault(stop.name, stop)
    return list(unique.values())


def refuse(stops: Sequence[Stop], folder: Path) -> None:
    """GuardError naming every stop with its counts; stopped.json beside it has the codes."""
    if not stops:
        return
    write_json(folder / FILE, [asdict(stop) for stop in stops])
    told = "; ".join(f"{stop.name}: {stop.count} of {stop.of} {stop.why}" for stop in stops)
    mend = MENDS[stops[0].name]
    raise GuardError(f"the batch is stopped and nothing is trained: {told}; codes are in {folder / FILE}; {mend}")


def read_stops(folder: Path) -> list[dict[str, Any]]:
    """What `refuse` left of a batch, as plain fields; nothing where it was not stopped."""
    path = folder / FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def list_said(one: Reviewed) -> list[str]:
    """Everything free that was said or written of a visit, the record's lists included."""
    return [one.case.recorded, one.note, *(list_texts(one.final)), *(list_texts(one.draft) if one.draft else ())]


def list_texts(draft: Draft) -> list[str]:
    """The free texts of a report."""
    texts = [draft.summary, draft.rationale, *draft.red_flags, *draft.next_steps, *draft.open_questions]
    texts += [text for finding in draft.findings for text in (finding.name, finding.evidence)]
    for item in draft.differential:
        texts += [item.condition, *item.supports, *item.against]
    return [*texts, *draft.history.conditions, *draft.history.medications, *draft.history.allergies]


def is_below_rules(one: Reviewed) -> bool:
    """Whether the signed level is below what a red-flag rule asks, then or now."""
    return any(
        level is not None and one.level < level for level in (one.rules, rule_acuity(recall_rules(one.case)))
    )


def _stop(name: Name, rows: set[str], of: int, limit: int, why: str) -> Stop | None:
    return Stop(name, len(rows), of, limit, tuple(sorted(rows)), why) if len(rows) > limit else None


def _share(name: Name, rows: set[str], of: int, limit: float, why: str) -> Stop | None:
    return Stop(name, len(rows), of, limit, tuple(sorted(rows)), why) if len(rows) > limit * of else None
