"""Which part a patient belongs to: for ever, and one part only.

A keyed hash of the patient decides, so a patient's second record, met years later, lands where the first did.
Knows nothing about records.
"""

import hashlib
from collections.abc import Mapping

from prescreen.data.records import Part

SHARES: Mapping[Part, float] = {"train": 0.8, "valid": 0.1, "test": 0.1}


def hash_share(key: str, name: str) -> float:
    """A number in [0, 1) that depends on `name` and the key alone."""
    drawn = hashlib.blake2b(name.encode(), key=key.encode()[:64], digest_size=8).digest()
    return int.from_bytes(drawn, "big") / 2**64


def assign_part(patient_id: str, shares: Mapping[Part, float] = SHARES, key: str = "prescreen") -> Part:
    """Draw a patient's part. The shares must sum to one; their order is part of the promise."""
    assert abs(sum(shares.values()) - 1) < 1e-9, "shares must sum to one"
    drawn, bound = hash_share(key, patient_id), 0.0
    for part, share in shares.items():
        bound += share
        if drawn < bound:
            return part
    return list(shares)[-1]
