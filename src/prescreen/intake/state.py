"""The state of one interview and the pages made of it: frozen values that survive JSON. Decides nothing."""

from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field as Limited

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Turn
from prescreen.config import Strict

STATE_VERSION: Final = "1"
NUMBER: Final = r"^[0-9 +]{2,20}$"  # a telephone can dial it from a link
LIMIT: Final = 12  # pages a patient sees after the consent, the read-back included
Kind = Literal["choice", "checks", "text", "number", "review", "done"]
Values = dict[str, tuple[str, ...]]


class Settings(Strict):
    """What a clinic decides about its interviews. `year` is this year, to turn a year of birth into an age."""

    year: Annotated[int, Limited(ge=2000, le=2200)]
    clinic: str = ""
    emergency_number: Annotated[str, Limited(pattern=NUMBER)] = "112"
    on_site: bool = False  # patients answer in the waiting room, so "tell the staff" comes first
    follow_ups: Annotated[int, Limited(ge=0, le=4)] = 4  # questions the model may add
    recall: Annotated[int, Limited(ge=1, le=12)] = 2  # exchanges the model reads besides the complaint
    follow_up_languages: tuple[str, ...] = ("en",)  # languages the model may ask in


class Given(Strict):
    """The answer to one page: values by field, cleaned, otherwise the patient's own."""

    step: str
    values: Values


class Alert(Strict):
    """A reason to look at this case before its turn. Never taken back; `step` is the page that brought it."""

    rule: str
    name: str
    acuity: Acuity
    evidence: str
    step: str


class Interview(Strict):
    """One interview. What a patient took back stays in `withdrawn`, and what it alarmed stays in `alerts`.

    `at` is an earlier page gone back to; `retried` are measurements that were asked once more; `offered` are the
    model's questions; `unread_text` says that there are words which the English rules cannot read.
    """

    version: Literal["1"] = STATE_VERSION
    visit_id: str
    language: str
    settings: Settings
    given: tuple[Given, ...] = ()
    offered: tuple[str, ...] = ()
    refused: int = 0
    retried: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] = ()
    withdrawn: tuple[Turn, ...] = ()
    at: str | None = None
    unread_text: bool = False
    opted_out: bool = False
    reviewed: bool = False

    @property
    def urgent(self) -> bool:
        """Whether something was said, at any time, that must not wait for the end of the interview."""
        return any(alert.acuity is Acuity.EMERGENCY for alert in self.alerts)

    @property
    def ended(self) -> bool:
        """Nothing more is asked."""
        return self.opted_out or self.reviewed

    def values(self, step: str) -> Values:
        """What was answered on a page; empty when it was not answered."""
        return next((given.values for given in self.given if given.step == step), {})

    def has(self, step: str) -> bool:
        """Whether a page was answered."""
        return any(given.step == step for given in self.given)

    def first(self, step: str, field: str) -> str:
        """The single value of a field; empty when there is none."""
        return next(iter(self.values(step).get(field, ())), "")

    def change(self, **changes: Any) -> "Interview":
        """This state with some fields replaced, validated again."""
        return Interview.model_validate({**dict(self), **changes})


class Option(Strict):
    """One thing to choose, its label in the patient's language."""

    value: str
    label: str


class Field(Strict):
    """One control of a page. `value` is what stands in it already; `text` fields of many lines are `long`."""

    name: str
    kind: Literal["choice", "checks", "text", "number"]
    label: str
    hint: str = ""
    options: tuple[Option, ...] = ()
    unit: str = ""
    limit: int = 0
    long: bool = False
    required: bool = False
    value: tuple[str, ...] = ()


class Row(Strict):
    """One line of the read-back: which page, what it asked, what was answered."""

    step: str
    question: str
    answer: str


class Step(Strict):
    """One page, ready to be shown: all texts in the patient's language, `english` as the record keeps it.

    `urgent_text` says what to do now; it is empty while nothing is urgent. `number` of `total` counts pages.
    """

    id: str
    kind: Kind
    title: str
    hint: str = ""
    english: str = ""
    fields: tuple[Field, ...] = ()
    rows: tuple[Row, ...] = ()
    number: int
    total: int
    language: str
    direction: Literal["ltr", "rtl"]
    can_go_back: bool = False
    urgent: bool = False
    urgent_text: tuple[str, ...] = ()


class Problem(NamedTuple):
    """Why an answer was not taken: the field, the key of the message, and the message itself."""

    field: str
    key: str
    text: str


class Answered(NamedTuple):
    """After an answer: the next state, the alerts that are new, and what was not taken."""

    state: Interview
    alerts: tuple[Alert, ...]
    errors: tuple[Problem, ...]
