"""What the rules add to a report can be taken off again, and nothing else goes with it."""

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise, lift_floor
from prescreen.clinic.redflags import check_rules
from prescreen.data.synthesize import synthesize_cases
from small_case import CALM, make_case
from small_draft import DRAFT

CASES = list(synthesize_cases(3, 40, "train", "all"))


@pytest.mark.parametrize("level", list(Acuity))
def test_the_models_own_report_comes_back(level: Acuity) -> None:
    for case in CASES:
        assert case.label is not None and case.label.draft is not None
        draft = case.label.draft.model_copy(update={"acuity": level})
        names = {hit.rule.name.lower() for hit in check_rules(case)}
        back = lift_floor(finalise(case, draft))
        assert back.acuity == level
        assert back.summary == draft.summary
        assert back.rationale == draft.rationale
        assert back.next_steps == draft.next_steps[: len(back.next_steps)]
        assert len(back.next_steps) >= min(4, len(draft.next_steps))
        flags = [flag for flag in draft.red_flags if flag.lower() not in names]
        assert back.red_flags == flags[: len(back.red_flags)]


def test_some_rule_fired_in_these_cases() -> None:
    raised = [case for case in CASES if check_rules(case)]
    assert len(raised) > 5
    assert any("Rule:" in finalise(case, _low(case)).rationale for case in raised)


def test_a_calm_case_stays_as_it_is() -> None:
    report = finalise(make_case(CALM), DRAFT)
    assert lift_floor(report).rationale == DRAFT.rationale
    assert lift_floor(report).acuity is Acuity.HIGH


def _low(case):
    return case.label.draft.model_copy(update={"acuity": Acuity.LOW})
