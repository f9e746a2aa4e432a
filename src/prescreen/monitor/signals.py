"""What is watched: every signal with its question, its count in words, its bad direction, and what to do.

Reads `signals.yaml`. Knows no contact and no statistics.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from prescreen.config import Strict, read_yaml
from prescreen.errors import RecipeError

SIGNALS = Path(__file__).with_name("signals.yaml")
Kind = Literal["share", "mix", "times", "parts", "gap", "others"]
Bad = Literal["up", "down", "both"]


class Signal(Strict):
    """One signal. `effect` is the least change worth acting on: of a share and a gap in shares (0.05 is five
    points), of times as a ratio, of a mix as PSI beyond chance. `follows_model`: a new release begins a new
    reference. `weight` divides the budget of false alarms. `part_of` names the signal of whose visits this one
    counts some: where both alarm it is one alarm.

    Kinds: a `share` of contacts; a `mix` over groups; `times` (median); `parts`, shares of groups against their own
    reference; a `gap`, two shares of the same weeks; `others`, each group against all others of the same weeks.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    kind: Kind
    question: str = Field(pattern=r"\?$")  # as a nurse would ask it
    counted: str  # the numerator in words
    among: str  # the denominator in words
    bad: Bad
    effect: float = Field(gt=0)
    follows_model: bool = False
    weight: float = Field(1.0, gt=0)
    part_of: str = ""
    action: str
    source: str


class _Table(Strict):
    signals: tuple[Signal, ...]


@cache
def load_signals(path: Path = SIGNALS) -> tuple[Signal, ...]:
    """All signals in the order of the sheet; RecipeError names the file and the place."""
    try:
        table = _Table.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    names = [signal.name for signal in table.signals]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise RecipeError(f"{path}: names must be unique; doubled: {', '.join(doubled)}")
    if faults := list(_find_part_faults(table.signals)):
        raise RecipeError(f"{path}: {'; '.join(faults)}")
    return table.signals


def _find_part_faults(signals: Sequence[Signal]) -> Iterator[str]:
    """Wholes that are no signal of this table, are parts of themselves, or no share."""
    found = {signal.name: signal for signal in signals}
    for signal in signals:
        seen, whole = [signal.name], signal.part_of
        while whole in found and whole not in seen:
            seen.append(whole)
            whole = found[whole].part_of
        if whole:
            told = "in a circle" if whole in found else "no signal of this file"
            yield f"{signal.name}: part_of {whole} is {told}"
        elif signal.part_of and {signal.kind, found[signal.part_of].kind} != {"share"}:
            yield f"{signal.name}: only a share is part of a share"


def find_signal(name: str) -> Signal:
    """A signal by its name; RecipeError names those there are."""
    found = {signal.name: signal for signal in load_signals()}
    if name not in found:
        raise RecipeError(f"there is no signal {name}; known: {', '.join(found)}")
    return found[name]
