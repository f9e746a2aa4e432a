"""One case file in, one report out: what `draft` and the end of a demo share.

Knows the clinic's file reader, the engine and the rule floor; judges nothing itself.
"""

from pathlib import Path

from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Report
from prescreen.data.clinic_file import read_clinic_file
from prescreen.errors import InputError


def read_case(path: Path) -> Case:
    """The single case of a JSON file, in the case schema or the request's own; a label is not needed."""
    cases = read_clinic_file(path, gold=False)
    if len(cases) != 1:
        raise InputError(f"holds {len(cases)} cases; draft takes one, eval takes many", file=path)
    return cases[0]


def draft_case(case: Case, model: str | Path | None) -> Report:
    """The report a nurse would see: by rules and model, or by the rules alone when `model` is None."""
    if model is None:
        return finalise(case, None, "drafted by rules only")
    from prescreen.model.draft import draft_reports
    from prescreen.model.engine import load_engine

    return draft_reports(load_engine(model), [case])[0].report
