"""Does the record hold what we sent? Every signature is asked for by its id; what differs is said, not guessed.

A way that cannot be asked (HL7 v2) is counted apart. Knows no page.
"""

import datetime
from collections import Counter
from typing import NamedTuple

from prescreen.ehr.channel import Channel, DeliveryError
from prescreen.service.house import House
from prescreen.store.base import Who
from prescreen.store.outbox import Sent, list_since, report_lost, settle

WHO = Who("reconcile", "service")


class Difference(NamedTuple):
    """A signature the record and we do not agree on."""

    signature: str
    channel: str
    state: str  # ours
    sentence: str


class Reconciled(NamedTuple):
    """What was compared: counts by outcome, and every difference."""

    counts: dict[str, int]
    differences: list[Difference]


def reconcile(house: House, since: datetime.datetime) -> Reconciled:
    """Compare all rows since then. What arrived unseen is settled as sent, what is gone stands as given up."""
    counts: Counter[str] = Counter()
    differences = []
    with house.store.look(WHO) as look:
        rows = list_since(look, since)
    for row in rows:
        outcome, sentence = _compare(house, row)
        counts[outcome] += 1
        if sentence:
            differences.append(Difference(row.signature, row.channel, row.state, sentence))
    with house.store.act(WHO) as act:
        act.log("record.reconcile", "", compared=len(rows), differ=len(differences))
    return Reconciled(dict(counts), differences)


def _compare(house: House, row: Sent) -> tuple[str, str]:
    channel = house.channels.get(row.channel)
    if channel is None:
        return "way gone", "the settings have no way of this name any more"
    try:
        held = _ask(channel, row.signature)
    except DeliveryError as error:
        return "not asked", f"the record could not be asked: {error}"
    if held is None and row.state == "sent":
        with house.store.act(WHO) as act:
            report_lost(act, row.row_id)
        return "missing", "sent, but the record does not hold it; look why, then send it again (page Record)"
    if held is not None and row.state != "sent":
        with house.store.act(WHO) as act:
            settle(act, row.row_id, held)
        return "settled", "the record held it already; noted as sent"
    return ("held" if held is not None else "on its way"), ""


def _ask(channel: Channel, signature: str) -> str | None:
    found = channel.find(signature)
    return None if found is None else found.reference
