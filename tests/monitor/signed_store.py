"""A small store of signed visits: invented patients of several weeks, a model's drafts, corrections."""

import datetime
import random
from pathlib import Path

from monitor.corrections import MONDAY, move
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Draft, Report
from prescreen.clinic.signed import ModelLabel, PatientLink
from prescreen.data.synthesize import synthesize_cases
from prescreen.monitor.feedback.build import FeedbackRecipe, main
from prescreen.run import Run
from prescreen.store.base import Store, Who
from prescreen.store.drafts import attach_draft
from prescreen.store.holding import claim
from prescreen.store.reviews import Signature, sign
from prescreen.store.visits import finish, lock_visit, open_visit, tell
from store.desk import NURSE, OTHER, PATIENT, PHYSICIAN, SERVICE, StoppedClock, make_store

MODEL = ModelLabel(name="twin", version="2026-09", engine="test", weights="ab" * 32, verdict="cd" * 32)
HOUR = datetime.timedelta(hours=1)
SIGNERS = (NURSE, OTHER, PHYSICIAN)
FAMILIES = ("Quimby", "Ostrander", "Velazco", "Thistlewood", "Abernathy", "Drummond")
GIVEN = ("Rosalind", "Ignatius", "Marguerite", "Leopold", "Winifred", "Barnaby")


def name_patient(number: int) -> PatientLink:
    """Nobody, with a number of the record and a birthday."""
    return PatientLink(
        reference=f"Patient/{700100 + number}",
        family=FAMILIES[number % 6],
        given=GIVEN[number // 6 % 6],
        birth_date=datetime.date(1950 + number % 50, 3, 1 + number % 28),
    )


def sign_one(
    store: Store,
    case: Case,
    draft: Draft,
    final: Report | None = None,
    *,
    level: Acuity | None = None,
    who: Who = NURSE,
    link: PatientLink | None = None,
    training: bool = True,
    seconds: float = 60,
    note: str = "",
    label: ModelLabel | None = MODEL,
    blind: Acuity | None = None,
) -> str:
    """A visit from the door to the signature; the visit's id. The final is the draft at another level, if any."""
    with store.act(PATIENT) as act:
        visit = open_visit(act, team="clinic", language="en", channel="phone", link=link, training=training)
        tell(act, visit.id, before=None, interview="{}", said=case.complaint, case=case)
        finish(act, visit.id, floor=None, unasked=[], draft_by=HOUR)
    report = finalise(case, draft)
    with store.act(SERVICE) as act:
        attach_draft(act, lock_visit(act, visit.id), report, label)
    signed = final or report.model_copy(update={"acuity": level or report.acuity})
    if not note and report.rule_acuity is not None and signed.acuity < report.rule_acuity:
        signed = signed.model_copy(update={"acuity": report.rule_acuity})
    with store.act(who) as act:
        held = claim(act, visit.id)
        told = Signature(held.version, "0" * 64, signed, "clinic protocol", note, seconds, blind)
        sign(act, visit.id, told, (), datetime.timedelta(minutes=5))
    return visit.id


def fill(store: Store, count: int, seed: int = 0, hours: float = 12) -> None:
    """`count` signatures, one every `hours`: every second draft is a level off and put right."""
    assert isinstance(store.clock, StoppedClock)
    store.clock.now = MONDAY
    rng = random.Random(seed)
    for number, case in enumerate(synthesize_cases(seed, count, "train", "all")):
        assert case.label is not None and case.label.draft is not None
        gold = case.label.draft
        right = gold.acuity
        draft = gold.model_copy(update={"acuity": move(right, rng) if number % 2 else right})
        link = name_patient(number)
        named = case.model_copy(
            update={
                "label": None,
                "complaint": f"This is {link.given} {link.family}. {case.complaint}",
            }
        )
        who = SIGNERS[number % 3]
        sign_one(store, named, draft, level=right, who=who, link=link, blind=right if number % 4 == 0 else None)
        store.clock.pass_by(hours=hours)


def make_recipe(folder: Path, **changes: object) -> FeedbackRecipe:
    """A recipe over the store in `folder`."""
    values: dict[str, object] = {
        "clinic": folder / "clinic",
        "keys": folder / "keys",
        "vault": folder / "vault",
        "basis": "consent of the first page",
        "limits": {"fewest_pairs": 3},
    }
    return FeedbackRecipe.model_validate({**values, **changes})


def run_feedback(folder: Path, name: str = "01-feedback", **changes: object) -> Run:
    """The stage, run as the pipeline runs it."""
    run = Run(folder / "runs" / name, make_recipe(folder, **changes))
    run.start()
    main(run.recipe, run)  # type: ignore[arg-type]
    return run


__all__ = ["fill", "make_recipe", "make_store", "name_patient", "run_feedback", "sign_one"]
