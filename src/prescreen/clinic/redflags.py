"""Red flags: deterministic rules with published sources. A rule may raise acuity; nothing here lowers it.

The table is `redflags.yaml` beside this file: `terms` (shared wordings) and `rules`. A rule fires when every
group of `all` is asserted in the words, every group of `record` stands in the record or the words, and every
condition of `where` is known and true. Two things hold a weak rule back, and only within the utterance that would
have fired it, so that what is said later never takes a hit away: benign wordings (`unless`), and, for a rule marked
`loose`, words that weighed together speak clearly against an emergency (decision 0013). Data that is missing never
blocks a rule that does not ask for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.clinic.child_vitals import count_danger_signs
from prescreen.clinic.conditions import Facts, Where, name_measurement, shock_index
from prescreen.clinic.measurements import read_ages, read_measurements
from prescreen.clinic.news2 import score_news2
from prescreen.clinic.patterns import Lexicon
from prescreen.clinic.weighed import Weighing
from prescreen.clinic.words import Span, Words
from prescreen.config import Strict, read_yaml
from prescreen.errors import RecipeError


class Example(Strict):
    """A case in brief, to show what fires a rule and what must not."""

    complaint: str
    age_years: float | None = None
    sex: Literal["female", "male"] | None = None
    pregnant: bool | None = None
    conditions: tuple[str, ...] | None = None
    medications: tuple[str, ...] | None = None
    history_text: str = ""
    vitals: Vitals = Vitals()
    turns: tuple[Turn, ...] = ()

    def case(self) -> Case:
        """The example as a case."""
        return Case(id="example", patient_id="example", source="rule table", licence="Apache-2.0", **dict(self))


class Rule(Strict):
    """One row of the table."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    name: str = Field(max_length=120)
    topic: str
    acuity: Acuity = Field(ge=Acuity.HIGH)
    source: str = Field(min_length=8)
    all: tuple[tuple[str, ...], ...] = ()
    record: tuple[tuple[str, ...], ...] = ()
    unless: tuple[str, ...] = ()
    loose: bool = Field(False, description="its words are also said where nothing is wrong, as an illness's name")
    where: Where = Where()
    if_known: Where = Where()
    positive: tuple[Example | str, ...] = Field(min_length=3)
    negative: tuple[Example | str, ...] = Field(min_length=2)

    @staticmethod
    def cases(examples: Sequence[Example | str]) -> list[Case]:
        """Examples as cases."""
        return [(Example(complaint=e) if isinstance(e, str) else e).case() for e in examples]


class _Table(Strict):
    terms: dict[str, tuple[str, ...]]
    rules: tuple[Rule, ...]


class Hit(NamedTuple):
    """A rule that fired and why: a verbatim span of the case, or the measurement when words play no part."""

    rule: Rule
    evidence: str


@dataclass(frozen=True)
class Matcher:
    """A rule with its groups compiled."""

    rule: Rule
    groups: tuple[frozenset[int], ...]
    record: tuple[frozenset[int], ...]
    unless: frozenset[int]


@dataclass(frozen=True)
class RuleTable:
    """The compiled table, highest acuity first, otherwise in the file's order."""

    lexicon: Lexicon
    matchers: tuple[Matcher, ...]
    pregnant: frozenset[int]
    child: frozenset[int]
    terms: Mapping[str, frozenset[int]]

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(matcher.rule for matcher in self.matchers)


_REACH = 120  # characters
TABLE = Path(__file__).with_name("redflags.yaml")


@cache
def load_rules(path: Path = TABLE) -> RuleTable:
    """Read, validate and compile a rule table; an unknown key or a doubled id is an error."""
    try:
        table = _Table.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    ids = [rule.id for rule in table.rules]
    doubled = sorted({i for i in ids if ids.count(i) > 1})
    if doubled:
        raise RecipeError(f"{path}: rule ids must be unique; doubled: {', '.join(doubled)}")

    lexicon = Lexicon(table.terms)
    matchers = [
        Matcher(
            rule,
            tuple(map(lexicon.add_group, rule.all)),
            tuple(map(lexicon.add_group, rule.record)),
            lexicon.add_group(rule.unless),
        )
        for rule in sorted(table.rules, key=lambda rule: -rule.acuity.rank)
    ]
    pregnant, child = (lexicon.add_group((f"<{name}>",)) for name in ("pregnant", "child"))
    terms = {name: lexicon.add_group((f"<{name}>",)) for name in table.terms}
    return RuleTable(lexicon, tuple(matchers), pregnant, child, terms)


def check_rules(case: Case, table: RuleTable | None = None) -> list[Hit]:
    """All rules that fire, highest acuity first."""
    table = table or load_rules()
    text = Words(case, table.lexicon)
    weighing = Weighing(case, text, table.terms)
    weight, told = weighing.heaviest()
    raising, holding = _gather_facts(case, text, table, weight)
    hits = ((matcher.rule, _match(matcher, text, weighing, raising, holding)) for matcher in table.matchers)
    return [
        Hit(rule, f"{evidence} ({told})" if rule.where.words_min is not None else evidence)
        for rule, evidence in hits
        if evidence is not None
    ]


def recall_rules(case: Case) -> Sequence[Hit]:
    """`check_rules` for whoever asks the same cases again and again. Keeps cases in memory: not for a service."""
    return _recall_rules(case.model_copy(update={"label": None}))


@lru_cache(4096)
def _recall_rules(case: Case) -> tuple[Hit, ...]:
    return tuple(check_rules(case))


def rule_acuity(hits: Sequence[Hit]) -> Acuity | None:
    """The floor these hits set; None when no rule fired."""
    return max((hit.rule.acuity for hit in hits), default=None)


def _gather_facts(case: Case, text: Words, table: RuleTable, weight: float) -> tuple[Facts, Facts]:
    """What may let a rule fire, and what may hold one back: ages told in later turns only ever do the first."""
    vitals, glucose = read_measurements(case, text.read)
    ages = (case.age_years,) if case.age_years is not None else read_ages(text.read)
    first = ages if case.age_years is not None else read_ages(f"{case.history_text}\n{case.complaint}")
    news2 = score_news2(vitals) if not first or max(first) >= 16 else None
    child = min(ages, default=16) < 16 or (case.age_years is None and text.mentions(table.child))
    known = {
        **dict(vitals),
        "sex": case.sex,
        "glucose": glucose,
        "pregnant": case.pregnant or bool(text.find(table.pregnant)) or None,
        "child": child or None,
        "news2": news2.score if news2 else None,
        "shock_index": shock_index(vitals),
        "words": round(weight, 1),
        "child_danger_signs": count_danger_signs(vitals, min(ages)) if ages else None,
    }
    values = {name: () if value is None else (value,) for name, value in known.items()}
    return Facts({**values, "age": ages}), Facts({**values, "age": first})


def _holds_back(benign: Span, span: Span) -> bool:
    """A benign wording speaks for what is said near it in the same utterance, not for the whole story."""
    return benign.utterance == span.utterance and abs(benign.at - span.at) <= _REACH


def _match(matcher: Matcher, text: Words, weighing: Weighing, raising: Facts, holding: Facts) -> str | None:
    rule = matcher.rule
    if not raising.meet(rule.where, unknown=False) or not holding.meet(rule.if_known, unknown=True):
        return None
    found: list[Span] = []
    for number, group in enumerate(matcher.groups):
        spans = text.find(group)
        if spans and number == 0 and matcher.unless:
            benign = text.find(matcher.unless, past=True)
            spans = [span for span in spans if not any(_holds_back(other, span) for other in benign)]
        if number == 0 and rule.loose:
            spans = [span for span in spans if not weighing.is_harmless(span.utterance)]
        if not spans:
            return None
        found.append(spans[0])
    for group in matcher.record:
        spans = text.find_record(group)
        if not spans:
            return None
        found.append(spans[0])
    return found[0].evidence if found else name_measurement(rule.where, raising)
