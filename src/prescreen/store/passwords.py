"""Passwords and the codes of a second factor: what is accepted, how they are kept, how they are checked.

Passwords follow NIST SP 800-63B: length and a list of the commonest, no rules of composition. Knows no table.
"""

import datetime
import functools
import secrets
import threading
import unicodedata
from typing import Final

from prescreen.errors import RefusedError

SHORTEST: Final = 12
LONGEST: Final = 256
ONCE_FOR: Final = datetime.timedelta(hours=72)  # how long a password somebody else has drawn may be used
STEP_S: Final = 30
_COMMON: Final = (
    "password",
    "passwort",
    "contrasena",
    "qwertyuiop",
    "letmein",
    "welcome",
    "iloveyou",
    "changeme",
    "administrator",
    "prescreen",
    "hospital",
    "clinic",
    "123456789",
    "987654321",
    "abcdefgh",
)
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
_WAIT_S: Final = 10
_AT_ONCE = threading.BoundedSemaphore(4)  # each check takes 64 MB on purpose: a flood must not take them all
_ONCE: Final = "once"


def check_new(password: str, login: str, name: str) -> None:
    """RefusedError with the mend where a password is too short, too common or told by who its owner is."""
    folded = _fold(password)
    if len(folded) < SHORTEST:
        raise RefusedError(
            f"choose a longer password: at least {SHORTEST} characters; a few words in a row do well"
        )
    if len(folded) > LONGEST:
        raise RefusedError(f"choose a password of at most {LONGEST} characters")
    lower = folded.casefold()
    own = [part for part in (login, *_fold(name).replace("-", " ").split()) if len(part) >= 4]
    if any(part.casefold() in lower for part in own):
        raise RefusedError("choose a password that holds neither your login nor your name")
    rest = lower
    for word in _COMMON:
        rest = rest.replace(word, "")
    if len(rest.strip("0123456789 .,!?-_")) < 6 and rest != lower:
        raise RefusedError("choose another password: this one is among the first that are guessed")
    if len(set(lower)) < 5:
        raise RefusedError("choose a password of more different characters")


def draw_password() -> str:
    """Four groups of four letters, to be read out once."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def hash_password(password: str, once_until: datetime.datetime | None = None) -> str:
    """What is kept of a password; `once_until` stands before it where somebody else has drawn it."""
    from argon2 import PasswordHasher

    with _Turn():
        kept = PasswordHasher().hash(_fold(password))
    return kept if once_until is None else f"{_ONCE}|{int(once_until.timestamp())}|{kept}"


def verify(kept: str | None, password: str, now: datetime.datetime) -> bool:
    """Whether this is the password. Nothing kept costs the same time as a wrong one."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    hashed, until = _split(kept or _nobodys())
    with _Turn():
        try:
            right = bool(PasswordHasher().verify(hashed, _fold(password[: 2 * LONGEST])))
        except (Argon2Error, InvalidHashError):
            right = False
    return right and kept is not None and (until is None or now.timestamp() < until)


def is_dated(kept: str) -> bool:
    """Whether the hash was made with weaker settings than today's."""
    from argon2 import PasswordHasher

    return PasswordHasher().check_needs_rehash(_split(kept)[0])


def draw_secret() -> str:
    """A new secret for an authenticator app: 160 bits."""
    import pyotp

    return pyotp.random_base32()


def secret_address(secret: str, login: str, clinic: str) -> str:
    """What the QR code of the set-up holds."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=clinic)


def find_step(secret: str, code: str, now: datetime.datetime, last: int) -> int | None:
    """The time step this code is of, one step early or late allowed; None where wrong or used already (`last`)."""
    import pyotp

    told = code.replace(" ", "")
    if not (told.isascii() and told.isdecimal() and len(told) == 6):
        return None
    totp, here = pyotp.TOTP(secret), int(now.timestamp()) // STEP_S
    found = None
    for step in (here - 1, here, here + 1):
        if secrets.compare_digest(totp.generate_otp(step), told) and step > last:
            found = step
    return found


@functools.cache
def _nobodys() -> str:
    """What an unknown login is checked against: as much work as a real one, right for nobody."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(secrets.token_urlsafe(32))


def _fold(text: str) -> str:
    """The same password from every keyboard. Half a character (a lone surrogate) becomes a question mark."""
    return unicodedata.normalize("NFKC", text).encode("utf-8", "replace").decode("utf-8")


def _split(kept: str) -> tuple[str, int | None]:
    if kept.startswith(f"{_ONCE}|"):
        _, until, hashed = kept.split("|", 2)
        return hashed, int(until)
    return kept, None


class _Turn:
    """A place among the few checks that may run at once."""

    def __enter__(self) -> None:
        if not _AT_ONCE.acquire(timeout=_WAIT_S):
            raise RefusedError("too many people sign in at this moment; try again in a minute")

    def __exit__(self, *_error: object) -> None:
        _AT_ONCE.release()
