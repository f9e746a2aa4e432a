"""The clinic's keys and what they seal. Knows files and ciphers, no tables.

A key folder holds `clinic-N.key` (the newest seals, older ones still open), `audit.key` and `sign.key` (Ed25519).
Keep it on another medium than the database: either alone tells nothing. Each patient has a key of their own, sealed
by the clinic's; what a row says is sealed by the patient's, bound to its place: no row can stand in for another.
"""

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from prescreen.errors import GuardError

_NONCE: Final = 12
_NAME = re.compile(r"clinic-(\d+)\.key")


class Keys:
    """All keys of a clinic. `new` draws what is missing, for a store that is new as well."""

    def __init__(self, folder: Path, *, new: bool = False) -> None:
        self.folder = folder
        if new and not any(folder.glob("clinic-*.key")):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in ("audit", "sign", "clinic-1"):  # the clinic's last: where it is, all are
                write_key(folder / f"{name}.key")
        self._clinic: dict[int, bytes] = {}
        self._read_clinic()
        if not self._clinic:
            raise GuardError(f"{folder}: holds no clinic key; without it nothing in the store can be read")
        self._audit = read_key(folder / "audit.key")
        self.signer = Ed25519PrivateKey.from_private_bytes(read_key(folder / "sign.key"))

    @property
    def version(self) -> int:
        """The key that seals now, also where another process drew it a moment ago."""
        self._read_clinic()
        return max(self._clinic)

    @property
    def public(self) -> Ed25519PublicKey:
        """What checks a checkpoint: an auditor may have it."""
        return self.signer.public_key()

    def add_clinic(self) -> int:
        """Draw the next key of the clinic; from now on it seals. Rows under older keys stay readable."""
        self._read_clinic()
        write_key(self.folder / f"clinic-{self.version + 1}.key")
        self._read_clinic()
        return self.version

    def draw(self, patient: str) -> tuple[int, bytes]:
        """A new key for a patient, sealed: the version of the clinic's key, and the bytes to keep."""
        version = self.version
        return version, seal(self._clinic[version], f"patient|{patient}", secrets.token_bytes(32))

    def open_patient(self, patient: str, version: int, sealed: bytes) -> bytes:
        """A patient's own key."""
        return unseal(self._clinic_key(version), f"patient|{patient}", sealed)

    def reseal(self, patient: str, version: int, sealed: bytes) -> tuple[int, bytes]:
        """A patient's key under the newest clinic key."""
        plain = self.open_patient(patient, version, sealed)
        newest = self.version
        return newest, seal(self._clinic[newest], f"patient|{patient}", plain)

    def seal_own(self, place: str, text: str) -> bytes:
        """What belongs to no patient, sealed by the clinic's key; the version stands in the first two bytes."""
        version = self.version
        return version.to_bytes(2) + seal(self._clinic[version], f"own|{place}", text.encode())

    def open_own(self, place: str, sealed: bytes) -> str:
        return unseal(self._clinic_key(int.from_bytes(sealed[:2])), f"own|{place}", sealed[2:]).decode()

    def look(self, kind: str, text: str) -> bytes:
        """A keyed hash to find something by without keeping it; it outlives a change of the clinic's key."""
        return hmac.digest(self._audit, f"look|{kind}|{text}".encode("utf-8", "surrogatepass"), hashlib.sha256)

    def chain(self, before: str, line: bytes) -> str:
        """The mark that ties a line of the audit log to all before it."""
        return hmac.digest(self._audit, b"chain|" + before.encode() + b"|" + line, hashlib.sha256).hex()

    def seal_head(self, number: int, mac: str) -> str:
        """The mark of the log's end: who cuts lines off cannot write the one that fits."""
        return hmac.digest(self._audit, f"head|{number}|{mac}".encode(), hashlib.sha256).hex()

    def _read_clinic(self) -> None:
        for path in self.folder.glob("clinic-*.key"):
            found = _NAME.fullmatch(path.name)
            if found and int(found[1]) not in self._clinic:
                self._clinic[int(found[1])] = read_key(path)

    def _clinic_key(self, version: int) -> bytes:
        if version not in self._clinic:
            self._read_clinic()  # another process may have drawn it since
        if version not in self._clinic:
            raise GuardError(f"{self.folder}: clinic-{version}.key is missing; restore it from its backup")
        return self._clinic[version]


def seal(key: bytes, place: str, plain: bytes) -> bytes:
    """AES-256-GCM with a random nonce; `place` (table, column, row) is authenticated, not kept."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, place.encode())


def unseal(key: bytes, place: str, sealed: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
    except InvalidTag:
        raise GuardError(f"{place}: sealed with another key, or changed since; restore it from a backup") from None


def write_key(path: Path) -> None:
    """Draw 32 bytes into a file its owner alone may read: whole or not at all, never over one that is there."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as handle:
        handle.write(secrets.token_hex(32) + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass  # another process drew it
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file; GuardError where it is missing, open to others or no key."""
    if not path.is_file():
        raise GuardError(f"{path}: the key is not here; restore it from its backup")
    if path.stat().st_mode & 0o077:
        raise GuardError(f"{path}: others can read the key; run chmod 600 on it")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (ValueError, UnicodeDecodeError):
        key = b""
    if len(key) != 32:
        raise GuardError(f"{path}: not a key of this program (64 hexadecimal digits); restore it from its backup")
    return key
