"""Everything a FHIR person is known by: names, numbers, addresses, birth date.

For de-identification, which searches every text of the patient for these. Knows no other resource.
"""

import re
from collections.abc import Iterator
from typing import Any

from prescreen.records.fhir_values import as_object, as_objects, as_text, as_texts, read_datetime

_TITLES = {"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "md", "phd", "jr", "sr", "rn"}


def read_person(resource: dict[str, Any]) -> dict[str, Any]:
    """Everything a Patient, a RelatedPerson or a contact within one is known by."""
    people = [resource, *as_objects(resource.get("contact"))]
    known: dict[str, list[str]] = {
        name: [] for name in ("names", "numbers", "phones", "emails", "addresses", "others")
    }
    for person in people:
        for name in as_objects(person.get("name")):
            known["names"] += name_parts(name)
        for address in as_objects(person.get("address")):
            known["addresses"] += address_lines(address)
        for telecom in as_objects(person.get("telecom")):
            value, system = as_text(telecom.get("value")), as_text(telecom.get("system"))
            if value:
                unnamed = "phone" if any(c.isdigit() for c in value) else "other"
                system = system or ("email" if "@" in value else unnamed)
                phone = system in ("phone", "fax", "sms", "pager")
                known["phones" if phone else "emails" if system == "email" else "others"].append(value)
    known["numbers"] += read_numbers(resource)
    return {name: list(dict.fromkeys(found)) for name, found in known.items()}


def read_numbers(resource: dict[str, Any]) -> list[str]:
    values = [as_text(identifier.get("value")) for identifier in as_objects(resource.get("identifier"))]
    return [value for value in values if value]


def read_patient(resource: dict[str, Any]) -> dict[str, Any]:
    """Identifiers, birth date and sex. An unreadable birth date gives no age, but is still looked for in texts."""
    known = read_person(resource)
    birth = as_text(resource.get("birthDate"))
    if birth and read_datetime(birth) is None:
        known["others"].append(birth)
        birth = ""
    if len(key := as_text(resource.get("id"))) > 3:
        known["numbers"].append(key)
    sex = as_text(resource.get("gender")).lower()
    return {"known": known, "birth": birth[:10], "sex": sex if sex in ("female", "male", "other") else None}


def name_parts(name: Any) -> Iterator[str]:
    """Every part of a HumanName that could stand in a text: whole family names and each word of the rest."""
    found = as_object(name)
    texts = [*as_texts(found.get("given")), *as_texts(found.get("family")), *as_texts(found.get("text"))]
    yield from (family for family in as_texts(found.get("family")) if " " in family)
    for word in (word.strip(".,;()") for text in texts for word in re.split(r"[\s,]+", text)):
        particle = word.islower() and len(word) < 4
        if word.lower() not in _TITLES and not particle and (len(word) > 1 or word > "\x7f"):
            yield word
            yield from (part for part in word.split("-") if "-" in word and len(part) > 2)


def address_lines(address: dict[str, Any]) -> Iterator[str]:
    """Street, district, town and postcode; states and countries hold too many people to name one."""
    for field in ("line", "city", "district", "postalCode"):
        yield from as_texts(address.get(field))
    for line in re.split(r"[\n,]", as_text(address.get("text"))):
        if line.strip():
            yield line.strip()
