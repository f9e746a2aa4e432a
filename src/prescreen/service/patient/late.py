"""An answer to a question nobody asks any more, for the interview was ended by others, as the store keeps it."""

from prescreen.errors import ConflictError
from prescreen.intake import interview as talk
from prescreen.intake.state import Answered, Interview
from prescreen.service.house import House
from prescreen.service.leaving import find_floor
from prescreen.store.base import Act
from prescreen.store.late import Late, tell_late


def keep_late(
    act: Act, house: House, visit_id: str, before: str, asked: Interview, answered: Answered, said: str
) -> None:
    """Keep what an answer to the interview `asked` (saved as `before`) came to; ConflictError where it was none."""
    state = answered.state
    if state == asked:
        raise ConflictError("nothing is asked any more")
    late = Late(
        said=said,
        was=talk.to_case(asked),
        case=talk.to_case(state),
        told=frozenset(talk.unasked(asked)) - frozenset(talk.unasked(state)),
        rules=[one.rule for one in answered.alerts],
        floor=find_floor(state),
    )
    tell_late(act, visit_id, late, before=before, interview=state.model_dump_json(), draft_by=house.draft_by)
