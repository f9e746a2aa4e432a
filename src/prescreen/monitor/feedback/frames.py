"""Two answers that differ in what a nurse changed, one thing at a time: the level, or what the report says.

Where several things differ at once, training takes the easiest to see, which is the name of a condition and never
the level. So a level makes a pair of its own, in which everything else is the same to the letter.

In the form a nurse may change the level and nothing else; rationale and next steps then still argue for the one
she refused. Learned as they stand they would teach a report that contradicts itself; written anew on her side only,
their wording would tell chosen from rejected. So both sides get the same plain sentence, which names its own level
and the findings both share, and lose the steps that are bound to a level. Knows no case and no file.
"""

import re
from typing import Final, NamedTuple

from prescreen.clinic.edits import is_other
from prescreen.clinic.report import Draft

LEVEL_KINDS: Final = frozenset({"level_raised", "level_lowered"})
_BOUND: Final = re.compile(
    r"\b(?:emergenc\w+|urgent\w*|immediate\w*|now|at once|today|tonight|within|soon\w*|as soon as|hours?|days?"
    r"|weeks?|routine\w*|appointment|self-care|at home|ambulance|resus\w*|priority|level|low|medium|high"
    r"|escalate)\b",
    re.I,
)
_NAMED: Final = 3  # findings a sentence names
_SENTENCE: Final = 400


class Sides(NamedTuple):
    """The two answers of a pair, and whether the level's own sentences were put aside."""

    chosen: Draft
    rejected: Draft
    framed: bool


def level_pair(draft: Draft, final: Draft) -> Sides | None:
    """What the nurse signed, at her level and at the model's: nothing else differs; None where no level does.

    On what the model wrote it would be learned that its own mistakes about the patient are of another level.
    """
    if draft.acuity == final.acuity:
        return None
    return frame_pair(final.model_copy(update={"acuity": draft.acuity}), final)


def content_pair(draft: Draft, final: Draft) -> Sides | None:
    """What the nurse wrote and what the model did, both at her level; None where only the level differs."""
    framed = frame_pair(draft, final)
    rejected = framed.rejected.model_copy(update={"acuity": final.acuity})
    if framed.framed:  # the sentence that names the level is hers on both sides
        same = draft.rationale == final.rationale or not is_other(draft.rationale, final.rationale)
        rejected = rejected.model_copy(update={"rationale": framed.chosen.rationale}) if same else rejected
    return None if framed.chosen == rejected else Sides(framed.chosen, rejected, framed.framed)


def frame_pair(draft: Draft, final: Draft) -> Sides:
    """Chosen and rejected of one correction, neither of which argues for the other's level."""
    if draft.acuity == final.acuity:
        return Sides(final, draft, framed=False)
    told = not is_other(draft.rationale, final.rationale)
    steps = draft.next_steps == final.next_steps
    chosen, rejected = final, draft
    if told:
        named = _name_shared(draft, final)
        chosen, rejected = (
            side.model_copy(update={"rationale": _argue(side, named)}) for side in (chosen, rejected)
        )
    if steps:
        free = [step for step in final.next_steps if not _BOUND.search(step)]
        chosen, rejected = (side.model_copy(update={"next_steps": free}) for side in (chosen, rejected))
    return Sides(chosen, rejected, framed=told or steps)


def argues_for_itself(draft: Draft, final: Draft) -> bool:
    """Whether a signed report can be learned as it stands: its own sentences were written for its own level."""
    return not frame_pair(draft, final).framed


def _name_shared(draft: Draft, final: Draft) -> list[str]:
    """Findings both call present, else what both summaries are about: nothing: the level stands alone then."""
    known = {finding.name for finding in draft.findings if finding.status == "present"}
    return [f.name for f in final.findings if f.status == "present" and f.name in known][:_NAMED]


def _argue(side: Draft, named: list[str]) -> str:
    told = f": {', '.join(named)}" if named else ""
    return f"{side.acuity.value.capitalize()}{told}."[:_SENTENCE]
