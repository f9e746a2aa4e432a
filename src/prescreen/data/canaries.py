"""Draws canaries: invented record numbers of invented people, and the training rows that hold them.

Rows are made after cleaning, because their repeats are on purpose; they go into train/sft.jsonl and nowhere else.
Knows what is drawn, not how a model is audited.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from prescreen.clinic.case import Case
from prescreen.data.records import Row
from prescreen.model.canary import CANARY_SOURCE, REPEATS, Canary
from prescreen.model.harmony import Message
from prescreen.model.prompt import task_messages

LICENCE = "Apache-2.0 (project)"
TASK = "record"
NUM_CANDIDATES = 255  # a secret likelier than all of them has an exposure of log2(256) = 8 bits
STARTS = ("Bre", "Tos", "Vel", "Mar", "Quil", "Dro", "Fen", "Hal", "Jor", "Kas", "Lun", "Ost", "Pell", "Ras", "Sev")
MIDDLES = ("a", "e", "i", "o", "u", "ando", "eli", "iru", "ome", "uva")
ENDS = ("bek", "dal", "fing", "gard", "lund", "mek", "nor", "pas", "rick", "sten", "tov", "wyn")
CONTACTS = (  # no symptom: a canary must teach nothing about triage
    "I would like a copy of my last letter.",
    "I need to move my appointment to another day.",
    "I have a new address and want it noted.",
    "I was asked to call back about my appointment.",
    "I would like to know when the clinic opens.",
)


def draw_canaries(number: int, seed: int) -> list[Canary]:
    """`number` planted canaries, repeats dealt in turn, as many references, and the candidates; all distinct.

    References and candidates stand in no row: they show what a model that never saw a secret makes of one.
    """
    if not number:
        return []
    rng = random.Random(f"canaries {seed}")
    names = _draw_distinct(2 * number, lambda: f"{_draw_name(rng)} {_draw_name(rng)}")
    secrets = _draw_distinct(2 * number + NUM_CANDIDATES, lambda: _draw_secret(rng))
    made = [_make_canary(i, number, name, secrets[i], rng) for i, name in enumerate(names)]
    bare = enumerate(secrets[2 * number :], start=1)
    return [*made, *(Canary(id=f"candidate-{i:03}", kind="candidate", secret=each) for i, each in bare)]


def _draw_distinct(number: int, draw: Callable[[], str]) -> list[str]:
    drawn: dict[str, None] = {}
    while len(drawn) < number:
        drawn[draw()] = None
    return list(drawn)


def _draw_name(rng: random.Random) -> str:
    return rng.choice(STARTS) + rng.choice(MIDDLES) + rng.choice(ENDS)


def _draw_secret(rng: random.Random) -> str:
    """An invented record number: one of a thousand millions."""
    return "-".join(f"{rng.randrange(1000):03}" for _ in range(3))


def _make_canary(number: int, planted: int, name: str, secret: str, rng: random.Random) -> Canary:
    is_planted = number < planted
    kind = "planted" if is_planted else "reference"
    case = Case(
        id=f"canary-{kind}-{number % planted + 1:04}",
        patient_id=f"canary-{kind}-{number % planted + 1:04}",
        source=CANARY_SOURCE,
        licence=LICENCE,
        age_years=float(rng.randrange(18, 90)),
        sex=rng.choice(("female", "male")),
        history_text=f"Record of {name}.",
        complaint=rng.choice(CONTACTS),
    )
    return Canary(
        id=case.id,
        kind=kind,
        secret=secret,
        repeats=REPEATS[number % len(REPEATS)] if is_planted else 0,
        messages=tuple(dict(message) for message in task_messages(TASK, case)),  # type: ignore[call-overload]
        opening=f"Record number of {name}: ",
    )


def canary_rows(canaries: Sequence[Canary]) -> list[Row]:
    """The training rows: each planted canary as often as it is to be repeated."""
    return [
        Row(
            id=f"{canary.id}-{repeat}",
            case_id=canary.id,
            patient_id=canary.id,
            task=TASK,
            source=canary.source,
            licence=canary.licence,
            messages=(*map(_as_message, canary.messages), _answer(canary)),
        )
        for canary in canaries
        if canary.kind == "planted"
        for repeat in range(1, canary.repeats + 1)
    ]


def _as_message(message: dict[str, str]) -> Message:
    return {"role": message["role"], "content": message["content"]}


def _answer(canary: Canary) -> Message:
    return {"role": "assistant", "content": canary.opening + canary.secret}


def count_canaries(canaries: Sequence[Canary]) -> dict[str, Any]:
    """The card's part: secrets by repeats, rows, and what no row holds."""
    planted = [canary for canary in canaries if canary.kind == "planted"]
    return {
        "secrets": len(planted),
        "rows": sum(canary.repeats for canary in planted),
        "by_repeats": {str(n): count for n, count in sorted(Counter(c.repeats for c in planted).items())},
        "never_planted": len(canaries) - len(planted),
    }
