"""The independent look at what comes out: shapes again, and the known identifiers by plain comparison.

Anything found refuses the row. Shares the shapes with the finder but not its search for known identifiers: here
text and identifier are stripped to letters and digits and compared. Knows no surrogate but where they stand.
"""

import re

from prescreen.records.deid.known import is_common, split_names
from prescreen.records.deid.patterns import spot_patterns
from prescreen.records.deid.replace import Replaced
from prescreen.records.deid.spans import Kind, fold, merge_spans
from prescreen.records.record import Identifiers

_BLANK = "\x00"  # stands for a substitute: no shape holds it
_SHORTEST = 6  # characters of a number: shorter ones also stand in doses and times


def _strip(text: str) -> str:
    return re.sub(r"[\W_]", "", fold(text))


def scan(replaced: Replaced, identifiers: Identifiers) -> list[Kind]:
    """Kinds of whatever still identifies, in order; empty when the text is clean."""
    rest = replaced.text
    for start, end in replaced.inserted:
        rest = rest[:start] + _BLANK * (end - start) + rest[end:]
    left: list[Kind] = [span.kind for span in merge_spans(spot_patterns(rest))]
    bare = _strip(replaced.text)
    searched: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("mrn", identifiers.numbers), ("email", identifiers.emails), ("other", identifiers.others),
    )  # fmt: skip
    for kind, values in searched:
        left += [kind for value in values if len(_strip(value)) >= _SHORTEST and _strip(value) in bare]
    digits = re.sub(r"\D", "", replaced.text)
    phones = (re.sub(r"\D", "", phone)[-9:] for phone in identifiers.phones)
    left += ["phone" for phone in phones if len(phone) >= _SHORTEST and phone in digits]
    words = set(re.findall(r"[^\W\d_]+", fold(replaced.text)))
    left += ["name" for name in split_names(identifiers) if not is_common(name) and name in words]
    folded = " ".join(re.findall(r"\w+", fold(replaced.text)))
    for line in identifiers.addresses:
        whole = " ".join(re.findall(r"\w+", fold(line)))
        left += ["place"] if len(whole) > 3 and not is_common(whole) and f" {whole} " in f" {folded} " else []
    return left
