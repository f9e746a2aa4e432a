"""A patient met at the door: known by what the record calls them, or new. Knows no visit."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from prescreen.clinic.signed import PatientLink
from prescreen.store.base import Act, new_id
from prescreen.store.tables import Patient


def meet_patient(act: Act, link: PatientLink) -> Patient:
    """The patient the record calls so, or a new one with a key of their own."""
    known = link.reference or (link.identifier and f"{link.identifier_system}|{link.identifier}")
    look = act.keys.look("patient", known) if known else None
    if found := _find_patient(act, look):
        return found
    patient_id = new_id()
    version, sealed = act.keys.draw(patient_id)
    patient = Patient(id=patient_id, look=look, key_version=version, sealed_key=sealed, created=act.now)
    try:
        with act.session.begin_nested():
            act.session.add(patient)
    except IntegrityError:  # another visit of the same person was opened in this moment
        found = _find_patient(act, look)
        if found is None:
            raise
        return found
    patient.link = act.seal(patient.id, f"patients|link|{patient.id}", link.model_dump_json())
    return patient


def _find_patient(act: Act, look: bytes | None) -> Patient | None:
    """Locked, so that nobody destroys the key while a visit is opened under it."""
    if look is None:
        return None
    query = select(Patient).where(Patient.look == look, Patient.sealed_key.is_not(None))
    return act.session.scalar(query.with_for_update())
