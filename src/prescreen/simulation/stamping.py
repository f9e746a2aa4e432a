"""Who signs without reading, by the contacts of the last weeks. Knows contacts; knows nobody's true habits."""

from collections import defaultdict
from collections.abc import Sequence

from prescreen.clinic.contact import Contact

FEWEST, QUICK_S, UNCHANGED, QUICK = 12, 12.0, 0.9, 0.5


def find_stampers(contacts: Sequence[Contact]) -> list[str]:
    """Signers nearly all of whose drafts are signed unchanged, most of them quicker than anybody reads."""
    own: defaultdict[str, list[Contact]] = defaultdict(list)
    for contact in contacts:
        if contact.signed is not None and contact.model is not None:
            own[contact.signer].append(contact)
    return sorted(signer for signer, told in own.items() if _stamps(told))


def _stamps(told: Sequence[Contact]) -> bool:
    quick = sum((contact.seconds or 0.0) < QUICK_S for contact in told)
    same = sum(contact.level is contact.shown for contact in told)
    return len(told) >= FEWEST and same >= UNCHANGED * len(told) and quick >= QUICK * len(told)
