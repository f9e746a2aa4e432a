"""Who a written case is about reaches the case whole."""

from prescreen.clinic.authored import LICENCE, Contact, describe_person


def test_every_fact_of_the_person_reaches_the_case() -> None:
    facts = {"age": 31.0, "sex": "female", "pregnant": True}
    lists = {"conditions": ("asthma",), "medications": ("salbutamol",), "allergies": ("cashew",)}
    told = Contact(id="a", style="patient", complaint="I itch all over", **facts, **lists)
    assert describe_person(told) == {
        "licence": LICENCE, "age_years": 31.0, "sex": "female", "pregnant": True, **lists,
    }  # fmt: skip
