"""One signature without the person: names found wherever they stand, quotes still quotes, a report's words kept."""

import datetime

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Draft, Finding
from prescreen.clinic.signed import ModelLabel, PatientLink, Person, SignedVisit
from prescreen.monitor.feedback.gathering import make_keyed
from prescreen.monitor.feedback.reviewed import Dropped, Reviewed, review
from prescreen.monitor.feedback.second_look import look_again
from prescreen.records.deid.taggers import default_detectors
from prescreen.records.vault import Vault
from prescreen.store.signatures import Opinion, Signature
from service.ward import make_case, make_draft

AT = datetime.datetime(2026, 9, 7, 9, tzinfo=datetime.UTC)
LINK = PatientLink(
    reference="Patient/884213", family="Thistlewood", given="Ignatius", birth_date=datetime.date(1961, 3, 9)
)
NURSE = Person(id="nurse-7", name="Wilhelmina Oakes, RN", role="nurse")
MODEL = ModelLabel(name="twin", version="1", engine="test", weights="ab" * 32)


def sign(told: str = "", draft: Draft | None = None, note: str = "", **changes: object) -> Signature:
    case = make_case(**changes)
    report = finalise(case, draft or make_draft())
    final = report.model_copy(update={"acuity": Acuity.HIGH, "summary": told or report.summary})
    signed = SignedVisit(
        id="s-1", visit_id="v-1", patient=LINK, opened=AT, finished=AT, signed=AT, case=case, draft=report,
        model=MODEL, final=final, note=note, signer=NURSE, seen="0" * 64,
    )  # fmt: skip
    return Signature("p-1", "clinic", "phone", signed, 40, None, None, None, (Opinion("nurse-8", Acuity.LOW),))


def make(signature: Signature, tmp_path) -> Reviewed | Dropped:
    with Vault(tmp_path / "vault") as vault:
        return review(signature, make_keyed(signature, vault), "limited", default_detectors())


def test_known_names_go_without_any_cue_and_from_every_text(tmp_path) -> None:
    told = "Back ache; thistlewood limps, ignatiuss wife drove, oakes saw it."
    one = make(sign(told, note="thistlewood 884213"), tmp_path)
    assert isinstance(one, Reviewed)
    text = f"{one.final.model_dump_json()} {one.note} {one.case.model_dump_json()}".lower()
    assert not [name for name in ("thistlewood", "ignatius", "oakes", "884213", "nurse-7") if name in text]
    assert "limps" in text and one.left == ()
    assert set(one.written) == {"name"}


def test_terse_words_of_a_report_are_no_names(tmp_path) -> None:
    told = "44-year-old woman: shallow graze, corn, no end of life plan."
    draft = make_draft(next_steps=["Cover and keep clean", "call ambulance if it spreads"])
    one = make(sign(told, draft), tmp_path)
    assert isinstance(one, Reviewed)
    assert one.final.summary == told
    assert one.final.next_steps == ["Cover and keep clean", "call ambulance if it spreads"]
    assert one.written == ()


def test_evidence_is_still_a_quote_where_a_name_stood_in_it(tmp_path) -> None:
    story = "This is Ignatius Thistlewood, I have a dull ache in my lower back."
    quote = "Ignatius Thistlewood, I have a dull ache"
    draft = make_draft(findings=[Finding(name="back pain", status="present", evidence=quote)])
    one = make(sign("", draft, complaint=story, turns=()), tmp_path)
    assert isinstance(one, Reviewed)
    (finding,) = one.final.findings
    assert finding.evidence in one.case.complaint and "Thistlewood" not in finding.evidence
    assert one.kinds == {"level_raised"}


def test_a_report_is_whole_again_where_a_nurse_put_right_what_the_floor_took(tmp_path) -> None:
    invented = Finding(name="rash", status="present", evidence="my skin is on fire")
    lost = make(sign("", make_draft(findings=[invented])), tmp_path)
    assert isinstance(lost, Reviewed) and lost.final.findings == [] and not lost.whole
    mended = make(sign("Fell from a ladder yesterday, 3 m.", make_draft(findings=[invented])), tmp_path)
    assert isinstance(mended, Reviewed) and "summary_facts" in mended.kinds and mended.whole
    sound = make(sign("", make_draft(findings=[])), tmp_path)
    assert isinstance(sound, Reviewed) and sound.whole


def test_codes_are_keyed_and_the_same_patient_has_one(tmp_path) -> None:
    first, other = (make(sign(note=note), tmp_path) for note in ("", "x"))
    assert isinstance(first, Reviewed) and isinstance(other, Reviewed)
    assert first.patient == other.patient and first.signer == other.signer
    assert [level for _, level in first.earlier] == [Acuity.LOW]
    elsewhere = make(sign(), tmp_path / "another")
    assert isinstance(elsewhere, Reviewed)
    assert elsewhere.patient != first.patient and elsewhere.signer != first.signer and elsewhere.code != first.code


def test_the_second_look_sees_what_the_first_left() -> None:
    case = make_case(complaint="Please ring Mrs Barbara Quimby on 020 7946 0958.")
    found = look_again(case, [], "limited", default_detectors())
    assert {"name", "phone"} <= set(found)
    assert look_again(make_case(), ["Please ask Dr. Keating in Swanage."], "limited", default_detectors()) != ()
    assert look_again(make_case(), ["Cover and keep clean"], "limited", default_detectors()) == ()
