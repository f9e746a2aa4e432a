"""Which signature is learned from, which gives losses during training, and which is held out: by patient and time.

Held out are visits of the last weeks by patients whom no earlier signature was of; a later visit of somebody who
is learned from belongs to no part. Knows moments and patients, no words.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prescreen.data.split import hash_share
from prescreen.monitor.feedback.reviewed import Reviewed
from prescreen.monitor.feedback.settings import Parts


class Divided(NamedTuple):
    """The parts of a batch. `between` are later visits of patients learned from: in no part."""

    train: list[Reviewed]
    valid: list[Reviewed]
    test: list[Reviewed]
    between: list[Reviewed]
    cut: datetime.datetime


def divide(batch: Sequence[Reviewed], parts: Parts, met: Mapping[str, datetime.datetime] | None = None) -> Divided:
    """Divide a batch. `met` tells when a patient's first signature was, where that was before the batch."""
    cut = find_cut([one.at for one in batch], parts.held_weeks)
    first = dict(met or {})
    for one in batch:
        first[one.patient] = min(one.at, first.get(one.patient, one.at))
    divided = Divided([], [], [], [], cut)
    for one in batch:
        if one.at >= cut:
            (divided.test if first[one.patient] >= cut else divided.between).append(one)
        elif hash_share("feedback valid", one.patient) < parts.valid_share:
            divided.valid.append(one)
        else:
            divided.train.append(one)
    return divided


def find_cut(moments: Sequence[datetime.datetime], held: float) -> datetime.datetime:
    """The start of the day from which on about the last `held` of all signatures were given."""
    if not moments:
        return datetime.datetime.max.replace(tzinfo=datetime.UTC)
    ordered = sorted(moments)
    at = ordered[min(len(ordered) - 1, int(len(ordered) * (1 - held)))]
    if held == 0:
        return ordered[-1] + datetime.timedelta(days=1)
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
