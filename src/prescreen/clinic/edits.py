"""What kinds of edit lie between a draft and what a nurse signed, and which of them are clinical.

An edit is wording only where nothing a colleague would act on differs: the same level, lists, numbers, durations,
drugs, allergies, denials and steps, told otherwise. In doubt an edit is clinical. Knows two reports; not who wrote
them, nor why.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from prescreen.clinic.facts import content_of, list_tokens, state_facts
from prescreen.clinic.history import NO_ALLERGIES, NOT_ASKED
from prescreen.clinic.report import Consideration, Draft

KINDS: Final = (
    "level_raised",
    "level_lowered",
    "red_flag_added",
    "red_flag_removed",
    "finding_added",
    "finding_removed",
    "finding_status",
    "finding_facts",  # the words a finding rests on
    "history_corrected",  # conditions, and whether allergies were asked for
    "allergy_added",
    "allergy_removed",
    "medication_changed",
    "differential_changed",
    "next_steps_changed",
    "question_changed",
    "summary_facts",
    "rationale_facts",
    "uncertainty_changed",
    "wording_only",
)
WORDING: Final = frozenset({"wording_only"})
NOT_CLINICAL: Final = WORDING | {"uncertainty_changed"}  # how sure the model said it is; no nurse's field
REWRITTEN: Final = 0.5  # of the words that carry meaning shared; with fewer nobody can call it the same text
Facts = frozenset[str]


def classify_edits(draft: Draft, final: Draft) -> frozenset[str]:
    """The kinds of edit that lead from one report to the other; empty where nothing a nurse reads differs."""
    if _read(draft) == _read(final):
        return frozenset()
    kinds = {
        *_level(draft, final),
        *_sets("red_flag", _keys(draft.red_flags), _keys(final.red_flags)),
        *_findings(draft, final),
        *_history(draft, final),
    }
    names = _names(draft) | _names(final)
    if _reads_other(_considered, draft.differential, final.differential, names):
        kinds.add("differential_changed")
    if _reads_other(_lines, draft.next_steps, final.next_steps, names):
        kinds.add("next_steps_changed")
    if _reads_other(_lines, draft.open_questions, final.open_questions, names):
        kinds.add("question_changed")
    kinds |= {
        kind
        for kind, before, after in (
            ("summary_facts", draft.summary, final.summary),
            ("rationale_facts", draft.rationale, final.rationale),
        )
        if is_other(before, after, names)
    }
    if draft.uncertainty != final.uncertainty:
        kinds.add("uncertainty_changed")
    return frozenset(kinds) or WORDING


def is_clinical(kinds: Iterable[str]) -> bool:
    """Whether any of these edits changed what a colleague would act on."""
    return bool(frozenset(kinds) - NOT_CLINICAL)


def is_other(before: str, after: str, names: Facts = frozenset()) -> bool:
    """Whether two texts state different things, or share too few words for anybody to say they do not."""
    if list_tokens(before) == list_tokens(after):
        return False
    if state_facts(before, names) != state_facts(after, names):
        return True
    old, new = content_of(before), content_of(after)
    return len(old & new) < REWRITTEN * len(old | new)


def _level(draft: Draft, final: Draft) -> set[str]:
    if draft.acuity == final.acuity:
        return set()
    return {"level_raised" if final.acuity > draft.acuity else "level_lowered"}


def _sets(what: str, before: Facts, after: Facts) -> set[str]:
    return {f"{what}_{how}" for how, found in (("added", after - before), ("removed", before - after)) if found}


def _findings(draft: Draft, final: Draft) -> set[str]:
    """A finding is known by its name; two of one name are told apart by their order."""
    old, new = ({_key(finding.name): finding for finding in report.findings} for report in (draft, final))
    kinds = _sets("finding", frozenset(old), frozenset(new))
    for name in old.keys() & new.keys():
        if old[name].status != new[name].status:
            kinds.add("finding_status")
        elif is_other(old[name].evidence, new[name].evidence):
            kinds.add("finding_facts")
    counts = [Counter((_key(f.name), f.status) for f in report.findings) for report in (draft, final)]
    if not kinds and set(counts[0]) != set(counts[1]):
        kinds.add("finding_status")
    return kinds


def _history(draft: Draft, final: Draft) -> set[str]:
    old, new = draft.history, final.history
    none = {_key(NO_ALLERGIES), _key(NOT_ASKED)}
    before, after = _keys(old.allergies), _keys(new.allergies)
    kinds = _sets("allergy", before - none, after - none)
    if _keys(old.conditions) != _keys(new.conditions) or (not kinds and before != after):
        kinds.add("history_corrected")
    if _keys(old.medications) != _keys(new.medications):
        kinds.add("medication_changed")
    return kinds


def _reads_other(read: Callable[[Any, Facts], object], before: object, after: object, names: Facts) -> bool:
    """Whether two lists state different things. The same to the letter is not read, which takes milliseconds."""
    return before != after and read(before, names) != read(after, names)


def _considered(items: Sequence[Consideration], names: Facts) -> list[object]:
    """Conditions in their order, the likeliest first, with what is said for and against each."""
    return [(_key(item.condition), _lines(item.supports, names), _lines(item.against, names)) for item in items]


def _lines(lines: Sequence[str], names: Facts) -> frozenset[object]:
    """What lines state, whatever their order and grammar."""
    return frozenset((content_of(line), state_facts(line, names)) for line in lines if line.strip())


def _names(report: Draft) -> Facts:
    """What a report names: where one of these stands in its free text, it is a fact."""
    history = report.history
    named = [
        *(finding.name for finding in report.findings),
        *(item.condition for item in report.differential),
        *history.conditions,
        *history.medications,
        *history.allergies,
        *report.red_flags,
    ]
    return frozenset(key for name in named if len(key := _key(name)) > 2)


def _keys(items: Iterable[str]) -> Facts:
    return frozenset(key for item in items if (key := _key(item)))


def _key(item: str) -> str:
    return " ".join(list_tokens(item))


def _read(report: Draft) -> object:
    """Everything a nurse reads, to the letter."""
    return report.model_dump(include=set(Draft.model_fields))
