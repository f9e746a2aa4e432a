"""The red-flag rules after every answer. Alerts are only ever added; nothing here takes one back.

Beside the rules, a danger sign that was confirmed, or about which "not sure" must count, alarms by itself at HIGH:
some rules do not fire at every age or for every sex, and a "yes" must never pass unseen.
"""

from collections.abc import Iterator

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.redflags import check_rules
from prescreen.intake.plan import NOT_SURE
from prescreen.intake.record import make_case
from prescreen.intake.script import load_script
from prescreen.intake.state import Alert, Interview

READ_BY_A_PERSON = Acuity.HIGH


def watch(state: Interview, step: str) -> tuple[Alert, ...]:
    """The alerts of this state that it does not hold yet."""
    known = {alert.rule for alert in state.alerts}
    found = {alert.rule: alert for alert in (*_rule_alerts(state, step), *_asked_alerts(state, step))}
    return tuple(alert for rule, alert in found.items() if rule not in known)


def floor(state: Interview) -> Acuity:
    """The least level of this case in the queue. LOW says only that nothing raises it.

    HIGH where a person must read before anybody may rank: words the rules cannot read, or a patient who left.
    """
    unread = READ_BY_A_PERSON if state.unread_text or state.opted_out else Acuity.LOW
    return max([unread, *(alert.acuity for alert in state.alerts)])


def _rule_alerts(state: Interview, step: str) -> Iterator[Alert]:
    """Every rule that fires; with sex "other" also those that fire when the sex is not known."""
    case = make_case(state)
    cases = [case, case.model_copy(update={"sex": None})] if case.sex == "other" else [case]
    for hit in (hit for one in cases for hit in check_rules(one)):
        rule = hit.rule
        yield Alert(rule=rule.id, name=rule.name, acuity=rule.acuity, evidence=hit.evidence, step=step)


def _asked_alerts(state: Interview, step: str) -> Iterator[Alert]:
    script = load_script()
    signs = state.values("screen").get("signs", ())
    for box in script.screen:
        if box.id in signs:
            yield _asked(f"asked:{box.id}", box.ask, box.states, step)
    if NOT_SURE in signs:
        yield _asked("unsure:screen", "Danger signs: not sure", "Not sure.", step)
    for question in script.questions:
        told = state.first(question.id, "sign")
        if told == "yes":
            yield _asked(f"asked:{question.id}", question.ask, question.states, step)
        elif told == NOT_SURE and question.unsure:
            yield _asked(f"unsure:{question.id}", question.ask, "Not sure.", step)


def _asked(rule: str, name: str, evidence: str, step: str) -> Alert:
    return Alert(rule=rule, name=name, acuity=READ_BY_A_PERSON, evidence=evidence, step=step)
