"""Who a visit's patient is: met, read, corrected. Names and keys are sealed. Knows no record system."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from prescreen.clinic.signed import PatientLink
from prescreen.store.base import Act, new_id
from prescreen.store.tables import Patient, Visit


def meet_patient(act: Act, link: PatientLink) -> Patient:
    """The patient of a link: met again where the record names them, new otherwise."""
    look = _look(act, link)
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


def read_link(act: Act, visit: Visit) -> PatientLink:
    """Who the patient is."""
    patient = act.session.get_one(Patient, visit.patient_id)
    if patient.link is None:
        return PatientLink()
    return PatientLink.model_validate_json(act.unseal(patient.id, f"patients|link|{patient.id}", patient.link))


def write_link(act: Act, visit: Visit, link: PatientLink) -> None:
    """Correct who the patient is; what the record calls them becomes findable."""
    patient: Patient = act.lock(Patient, visit.patient_id)
    look = _look(act, link)
    if look is not None and _find_patient(act, look) is None:
        patient.look = look
    patient.link = act.seal(patient.id, f"patients|link|{patient.id}", link.model_dump_json())
    act.log("patient.link", visit.id)


def _find_patient(act: Act, look: bytes | None) -> Patient | None:
    """Locked, so that nobody destroys the key while a visit is opened under it."""
    if look is None:
        return None
    query = select(Patient).where(Patient.look == look, Patient.sealed_key.is_not(None))
    return act.session.scalar(query.with_for_update())


def _look(act: Act, link: PatientLink) -> bytes | None:
    """What a patient is found by: the record's reference or identifier, as a keyed hash."""
    known = link.reference or (link.identifier and f"{link.identifier_system}|{link.identifier}")
    return act.keys.look("patient", known) if known else None
