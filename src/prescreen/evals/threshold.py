"""A threshold of the gate, and the judgement of one figure against it.

"Not enough cases to know" is an outcome of its own, with the number of cases that would be enough; it never
passes. Knows figures; knows neither files nor the other thresholds.
"""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from prescreen.config import Strict
from prescreen.evals.glossary import GLOSSARY
from prescreen.evals.prediction import View
from prescreen.evals.rate import CONFIDENCE, Estimate, Measure, Rate, cases_needed
from prescreen.model.canary import REPEATS

Outcome = Literal["pass", "fail", "not enough cases", "not measured"]
ESTIMATES = (
    "qwk",
    "macro_f1",
    "mean_cost",
    "bias_shift",
    "stability_spread",
    "brier",
    "ece",
    "aurc",
    "accuracy_at_80",
    "reading_grade",
    "questions_asked",
    "memorisation_gap",
    "memorisation_exposure",
    *(f"memorisation_exposure_x{repeats}" for repeats in REPEATS),
)


class Check(Strict):
    """One threshold. proof `bound`: the one-sided 95 % bound keeps the limit; `figure`: the figure does."""

    say: str = Field(description="the requirement in one sentence a clinician would sign")
    suite: str = Field(description="which test suite or task")
    metric: str = Field(description="which figure, by its name in docs/metrics.md")
    view: View = Field("served", description="alone: the model's own priority; served: behind the rules")
    at_most: float | None = Field(None, description="limit of a harm, 0.02 for 2 %")
    at_least: float | None = Field(None, description="limit of a success")
    proof: Literal["bound", "figure"] = Field("bound", description="what must keep the limit")
    min_cases: PositiveInt = Field(1, description="hold with fewer cases, whatever the figure")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Check":
        if self.metric not in GLOSSARY:
            raise ValueError(f"unknown metric {self.metric!r}; known: {', '.join(GLOSSARY)}")
        right_key, wrong_key = ("at_least", "at_most") if self.is_success else ("at_most", "at_least")
        if getattr(self, right_key) is None or getattr(self, wrong_key) is not None:
            raise ValueError(f"{self.metric} takes {right_key}, and only that")
        if self.proof == "bound" and self.metric not in ESTIMATES and not 0 < self.limit < 1:
            raise ValueError(f"no number of cases proves {self.limit:g}; choose a limit between, or proof: figure")
        return self

    @property
    def is_success(self) -> bool:
        return GLOSSARY[self.metric].more_is_better

    @property
    def limit(self) -> float:
        limit = self.at_least if self.is_success else self.at_most
        assert limit is not None, "validated"
        return limit

    def allows(self, value: float) -> bool:
        return value >= self.limit if self.is_success else value <= self.limit


class Result(Strict):
    """What became of one check."""

    check: Check
    outcome: Outcome
    figure: str
    bound: float | None
    sentence: str
    cases_needed: int | None = None
    failures: tuple[str, ...] = ()


def judge(check: Check, measure: Measure | None) -> Result:
    """One check: pass, fail, not enough cases, or not measured."""
    if measure is None or measure.value is None:
        seen = f": {measure.figure}" if measure else ""
        sentence = f"{GLOSSARY[check.metric].title} was not measured on suite {check.suite}{seen}"
        return Result(check=check, outcome="not measured", figure="", bound=None, sentence=sentence)
    figure, n = measure.figure, measure.figure.n
    bound = find_bound(check, figure)
    outcome: Outcome = "pass"
    needed = None
    sentence = f"{figure} keeps the limit of {_limit(check)}"
    if not check.allows(measure.value):
        outcome, sentence = "fail", f"{figure} breaks the limit of {_limit(check)}"
    elif n < check.min_cases:
        outcome, needed = "not enough cases", check.min_cases
        sentence = f"{n} cases are not enough to know; this check asks for {needed}"
    elif check.proof == "bound" and (bound is None or not check.allows(bound)):
        outcome = "not enough cases"
        needed = find_needed(check, figure)
        sentence = _explain_lack(check, figure, bound, needed)
    return Result(
        check=check,
        outcome=outcome,
        figure=str(figure),
        bound=bound,
        sentence=sentence,
        cases_needed=needed,
        failures=measure.failures if outcome == "fail" or check.metric == "missed_emergencies" else (),
    )


def find_bound(check: Check, figure: Rate | Estimate) -> float | None:
    """The one-sided 95 % bound on the bad side, exact for rates; of bootstrapped figures the 97.5 % one."""
    if isinstance(figure, Rate):
        return figure.lower(CONFIDENCE) if check.is_success else figure.upper(CONFIDENCE)
    return figure.low if check.is_success else figure.high


def find_needed(check: Check, figure: Rate | Estimate) -> int | None:
    """How many cases would be enough, had the candidate no more failures than now; unknown for estimates."""
    if not isinstance(figure, Rate):
        return None
    failures = figure.n - figure.right if check.is_success else figure.right
    allowed = 1 - check.limit if check.is_success else check.limit
    return max(cases_needed(allowed, failures), check.min_cases)


def _explain_lack(check: Check, figure: Rate | Estimate, bound: float | None, needed: int | None) -> str:
    if not isinstance(figure, Rate) or bound is None or needed is None:
        return f"{figure} does not prove {_limit(check)}: the interval crosses the limit; more cases are needed"
    failures = figure.n - figure.right if check.is_success else figure.right
    word = "as low as" if check.is_success else "as high as"
    return (
        f"{figure}: not enough cases to know, the true rate may be {word} {100 * bound:.1f} %; "
        f"to prove {_limit(check)} takes {needed} cases with at most {failures} failing"
    )


def _limit(check: Check) -> str:
    number = f"{check.limit:g}" if check.metric in ESTIMATES else f"{100 * check.limit:g} %"
    return f"at {'least' if check.is_success else 'most'} {number}"
