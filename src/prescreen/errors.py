"""Every error a user can cause, and the one sentence that mends it.

PrescreenError            anything we tell the user in one line; exit code 1
├── InputError            a file the user gave: says file, line and the mend
├── RecipeError           a recipe key or value is wrong
├── RunError              a run folder is missing, unfinished or changed since it was written
├── WeightsError          a checkpoint folder is not what it claims to be
├── DraftError            the model's text is no report: the case goes to a nurse without a draft
├── ConflictError         somebody else was first, or it changed since it was read: look again
├── RefusedError          the person may not do this, or not in this way
├── StoreError            the database cannot answer or keep anything now; nothing of the act was kept
└── GuardError            a setting that would train or serve the wrong thing in silence
"""


class PrescreenError(ValueError):
    """Base of all errors meant for a person; the message is one sentence with its mend."""

    @property
    def sentence(self) -> str:
        """The message as a page says it."""
        told = str(self)
        return f"{told[:1].upper()}{told[1:]}{'' if told.endswith('.') else '.'}"


class InputError(PrescreenError):
    """A user's file cannot be read as it stands."""

    def __init__(self, message: str, *, file: object = None, line: int | None = None) -> None:
        where = f"{file}" + (f", line {line}" if line is not None else "") if file is not None else ""
        super().__init__(f"{where}: {message}" if where else message)


class RecipeError(PrescreenError):
    """A recipe has an unknown key or a value out of range."""


class RunError(PrescreenError):
    """A run folder is missing, unfinished, or not what its manifest says."""


class WeightsError(PrescreenError):
    """A checkpoint folder is incomplete, corrupt or of the wrong kind."""


class DraftError(PrescreenError):
    """Model text that cannot be read as a report; a human decides."""


class GuardError(PrescreenError):
    """A combination that would silently train or serve the wrong thing."""


class ConflictError(PrescreenError):
    """Somebody else changed or holds it; the message says what to do."""


class RefusedError(PrescreenError):
    """An act that is not allowed as it stands; the message says what is missing."""


class StoreError(PrescreenError):
    """The database is full, locked or away; the message says what was kept and what to do."""
