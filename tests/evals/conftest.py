"""Small cases and drafts for the evaluation tests, made up on the spot."""

from collections.abc import Callable

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label
from prescreen.clinic.report import Draft, Finding, HistoryReview

LEVELS = list(Acuity)


def build_draft(acuity: Acuity = Acuity.MEDIUM, **changes: object) -> Draft:
    """A whole, grounded draft about an itching elbow."""
    draft = Draft(
        summary="Itching elbow for two days.",
        history=HistoryReview(conditions=["eczema"], medications=["emollient cream"], allergies=["latex"]),
        findings=[Finding(name="itching elbow", status="present", evidence="my elbow itches")],
        red_flags=[],
        differential=[],
        acuity=acuity,
        rationale="Itching without spreading redness.",
        next_steps=["Look at the skin."],
        open_questions=[],
        uncertainty="low",
    )
    return draft.model_copy(update=changes)


def build_case(number: int = 0, acuity: Acuity | None = Acuity.MEDIUM, **changes: object) -> Case:
    """A harmless complaint that no rule knows, with any label."""
    label = None
    if acuity is not None:
        label = Label(acuity=acuity, accepted=(acuity,), origin="test", draft=build_draft(acuity))
    case = Case(
        id=f"case-{number}",
        patient_id=f"patient-{number}",
        source="test",
        licence="CC0-1.0",
        conditions=("eczema",),
        medications=("emollient cream",),
        allergies=("latex",),
        complaint=f"my elbow itches since {number} days",
        label=label,
    )
    return case.model_copy(update=changes)


@pytest.fixture
def make_case() -> Callable[..., Case]:
    return build_case


@pytest.fixture
def make_draft() -> Callable[..., Draft]:
    return build_draft


@pytest.fixture
def mixed_cases() -> list[Case]:
    """Forty cases, ten of each level, whose words give the level away to whoever learns."""
    words = ["mild", "nagging", "strong", "terrible"]
    return [build_case(n, LEVELS[n % 4], complaint=f"a {words[n % 4]} itch on elbow number {n}") for n in range(40)]
