"""Rules and weighed words on cases they were not made from: the aim of 90 % and 15 %, counted.

`unread/`: an ordinary year's mix by three authors who had seen neither rules, voices nor bank. The half of the case
bank that nobody read while rules were widened is chosen by a hash of the case's id. Neither is for reading: a rule
or a weight made from one of these cases spoils both.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from scipy.stats import binomtest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.authored import read_authored
from prescreen.clinic.case import Case
from prescreen.clinic.redflags import check_rules, rule_acuity
from prescreen.data.voices import read_voices
from prescreen.evals.bank import bank_cases

UNREAD = Path(__file__).with_name("unread")


def read_unread(*topics: str) -> list[Case]:
    entries = read_authored(UNREAD, "unread", "unread", "1")
    return [entry.case for entry in entries if not topics or entry.topic in topics]


def halve_bank() -> Iterator[Case]:
    for case in bank_cases():
        if int(hashlib.sha256(case.id.encode()).hexdigest(), 16) % 2:
            yield case


def count(cases: list[Case]) -> tuple[int, int, int, int]:
    """Emergencies called one, of how many; low-acuity cases called high or emergency, of how many."""
    levels = [(case.label, rule_acuity(check_rules(case))) for case in cases]
    clear = [found for label, found in levels if label and label.accepted == (Acuity.EMERGENCY,)]
    low = [found for label, found in levels if label and label.acuity is Acuity.LOW]
    return (
        sum(found is Acuity.EMERGENCY for found in clear),
        len(clear),
        sum(found is not None for found in low),
        len(low),
    )


def test_nine_of_ten_emergencies_are_called_and_fewer_than_three_of_twenty_low_cases() -> None:
    called, emergencies, alarms, low = count([*read_unread(), *halve_bank()])
    assert emergencies > 600 and low > 500
    assert called / emergencies >= 0.90 and alarms / low <= 0.15
    for right, of, bound in ((called, emergencies, 0.90), (low - alarms, low, 0.85)):
        assert binomtest(right, of).proportion_ci().low > bound, "beyond chance"


@pytest.mark.parametrize("topic", ["town", "urgent_care", "abroad"])
def test_no_author_is_left_behind(topic: str) -> None:
    called, emergencies, alarms, low = count(read_unread(topic))
    assert called / emergencies >= 0.90 and alarms / low <= 0.15


def test_nothing_is_learned_from_them() -> None:
    learned = {case.complaint for case in read_voices()}
    assert not learned & {case.complaint for case in (*read_unread(), *bank_cases())}
