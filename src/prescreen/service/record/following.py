"""What became of a patient: each signature's is asked of the record once, three days later. Knows no page.

A record that is away is asked again, a few times; a way that cannot be read from leaves it unknown.
"""

import logging

from prescreen.clinic.contact import Later
from prescreen.ehr.channel import DeliveryError
from prescreen.service.house import House
from prescreen.service.record.histories import find_reader
from prescreen.store.base import Who
from prescreen.store.outcomes import Asked, Unknown, is_outcome_due, note_outcome, note_unknown, take_outcome

LOG = logging.getLogger("prescreen.worker")
WHO = Who("outcomes", "service")


def follow_once(house: House) -> bool:
    """Ask for one visit's outcome; False where none is due. No transaction is open while the record answers."""
    with house.store.look(WHO) as look:
        if not is_outcome_due(look):
            return False
    with house.store.act(WHO) as act:
        asked = take_outcome(act)
    if asked is None:
        return False
    later, why, lasting = _ask(house, asked)
    with house.store.act(WHO) as act:
        if why is None:
            note_outcome(act, asked.visit_id, later)
        else:
            note_unknown(act, asked.visit_id, why, lasting=lasting)
    return True


def _ask(house: House, asked: Asked) -> tuple[Later | None, Unknown | None, bool]:
    """What came, or why that is not known and whether it will stay so."""
    channel = find_reader(house)
    if asked.destroyed:
        return None, "destroyed", True
    if channel is None:
        return None, "no way", True
    try:
        return channel.read_aftermath(asked.signature, asked.reference, asked.since), None, False
    except DeliveryError as error:
        return None, "refused" if error.lasting else "away", error.lasting
    except Exception as error:  # a fault of ours must not be asked for without end, nor count as nothing
        LOG.info("reading an outcome failed: %s", type(error).__name__)
        return None, "away", False
