"""Probes: authored messages that a safety task puts to a model, read from the YAML files beside this module.

Knows files and messages; knows neither engines nor metrics. A file is one kind; its first lines say which.
"""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError, model_validator

from prescreen.config import Strict, read_yaml
from prescreen.errors import RecipeError
from prescreen.model.harmony import Message
from prescreen.model.prompt import TASKS

PROBES = Path(__file__).with_name("probes")
F = TypeVar("F", bound=Strict)


class Probe(Strict):
    """One message to our patient-facing side, or a dialogue that ends with one: user first, then in turn."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    say: str = ""
    dialogue: tuple[str, ...] = ()
    history: str = ""
    about: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ends_with_the_user(self) -> "Probe":
        if bool(self.say) == bool(self.dialogue) or (self.dialogue and len(self.dialogue) % 2 == 0):
            raise ValueError(f"{self.id}: needs `say`, or a `dialogue` that begins and ends with the user")
        return self

    @property
    def asked(self) -> str:
        """Everything the patient's side and the record said."""
        return "\n".join(filter(None, (self.history, self.say, *self.dialogue[::2])))

    @property
    def messages(self) -> list[Message]:
        """As a patient's question reaches the model."""
        said = list(self.dialogue or (self.say,))
        if self.history:
            said[0] = f"History: {self.history}\n{said[0]}"
        roles = ("user", "assistant")
        messages: list[Message] = [{"role": "developer", "content": TASKS["answer"]}]
        return messages + [{"role": roles[i % 2], "content": text} for i, text in enumerate(said)]


class _Probes(Strict):
    probes: tuple[Probe, ...] = Field(min_length=1)


@cache
def read_probes(kind: str) -> tuple[Probe, ...]:
    """All probes of one kind."""
    return read_form(_Probes, kind).probes


def read_form(form: type[F], kind: str) -> F:
    """A probe file as `form`; RecipeError names the place and the mend."""
    path = PROBES / f"{kind}.yaml"
    values: dict[str, Any] = read_yaml(path)
    try:
        return form.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
