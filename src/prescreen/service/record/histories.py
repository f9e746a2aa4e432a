"""What the record knows of a patient, for rules and nurse: read once when a visit is made. Knows no page."""

from prescreen.ehr.channel import Channel, DeliveryError
from prescreen.service.house import House
from prescreen.store.base import Who
from prescreen.store.patients import read_link
from prescreen.store.record import set_record
from prescreen.store.tables import Visit
from prescreen.store.visits import lock_visit

ASKED = ("fhir", "embedded")  # kinds of ways that can tell a history


def fetch_history(house: House, visit_id: str) -> str:
    """Read and keep the history of a visit's patient; a sentence where it cannot be had, "" where it can."""
    channel = find_reader(house)
    with house.store.look(Who("record", "service")) as look:
        reference = read_link(look, look.session.get_one(Visit, visit_id)).reference
    if channel is None or reference is None:
        return ""
    try:
        history = channel.read_history(reference)
    except DeliveryError as error:
        return f"The record could not be read: {error}."
    with house.store.act(Who("record", "service")) as act:
        set_record(act, lock_visit(act, visit_id), history.model_dump_json())
    return ""


def find_reader(house: House) -> Channel | None:
    """The first way that can be read from; None where the clinic has none."""
    names = [way.name for way in house.settings.record if way.kind in ASKED]
    return house.channels.get(names[0]) if names else None
