"""Signatures out of a clinic's store, de-identified: who withdrew, who is invented and what is no row fall away.

The store's key opens what was said, the sealed table's key gives codes and substitutes; both are needed, and what
leaves this module needs neither. Knows no limits and no files.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from prescreen.custody import read_withdrawn
from prescreen.monitor.feedback.reviewed import Dropped, Keyed, Reviewed, review
from prescreen.progress import show_progress
from prescreen.records.deid.replace import Mode, Surrogates
from prescreen.records.deid.spans import Detector
from prescreen.records.vault import Vault
from prescreen.store.base import Store, Who
from prescreen.store.signatures import Moments, Signature, read_first, read_signatures

WHO: Final = Who("feedback", "service")
INVENTED: Final = "demo"  # how the verdict of a model begins that nothing released


class Terms(NamedTuple):
    """How every signature of a batch is de-identified, and whether invented patients may be learned from."""

    mode: Mode
    detectors: Sequence[Detector]
    licence: str
    invented: bool


class Gathered(NamedTuple):
    """Signatures as codes, what was left out, and when each patient was first signed for."""

    batch: list[Reviewed]
    dropped: list[Dropped]
    met: dict[str, datetime.datetime]


def read_store(store: Store, between: Moments) -> tuple[list[Signature], dict[str, datetime.datetime]]:
    """Everything that stands between two moments, and each patient's first signature; one line in the audit log."""
    with store.act(WHO) as act:
        return list(read_signatures(act, between)), read_first(act)


def gather(
    signatures: Sequence[Signature], first: Mapping[str, datetime.datetime], vault: Vault, terms: Terms
) -> Gathered:
    """De-identify each signature; whoever withdrew is never opened further."""
    gathered = Gathered([], [], {})
    withdrawn = read_withdrawn(vault.folder)
    with show_progress("signatures", len(signatures)) as advance:
        for signature in signatures:
            advance(1)
            keyed = make_keyed(signature, vault)
            code = Surrogates(keyed.secret, terms.mode).code("patient")
            gathered.met[code] = first.get(signature.patient, signature.signed.signed)
            if code in withdrawn:
                gathered.dropped.append(Dropped(keyed.review, "the patient has withdrawn"))
            elif is_invented(signature) and not terms.invented:
                gathered.dropped.append(Dropped(keyed.review, "drafted by a model nothing released"))
            else:
                made = review(signature, keyed, terms.mode, terms.detectors, terms.licence)
                (gathered.dropped if isinstance(made, Dropped) else gathered.batch).append(made)  # type: ignore[arg-type]
    vault.save()
    return gathered


def make_keyed(signature: Signature, vault: Vault) -> Keyed:
    """The patient's secret and the codes of signature and signers."""
    return Keyed(
        secret=vault.secret(signature.patient),
        review=vault.mark(signature.patient, signature.signed.id),
        signer=name_signer(vault, signature.signed.signer.id),
        others=tuple(name_signer(vault, one.signer) for one in signature.earlier),
    )


def name_signer(vault: Vault, user: str) -> str:
    """A member of staff by a keyed code: the same in every batch of this clinic."""
    return f"signer-{vault.mark('signer', user)[:8]}"


def is_invented(signature: Signature) -> bool:
    """Whether the draft came from a model that serves invented patients only."""
    return signature.signed.model is not None and signature.signed.model.verdict.startswith(INVENTED)


def count_dropped(dropped: Iterable[Dropped]) -> list[dict[str, str]]:
    """Lines of rejects.jsonl: keyed codes and reasons."""
    return [{"source": "feedback", "where": one.code, "reason": one.reason, "text": ""} for one in dropped]
