"""From an incident to a gate that holds: reported, levelled, evaluated, held by the name of the case."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from evals.test_evals_suite import Bench
from prescreen.cli import app
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Draft
from prescreen.errors import InputError, RefusedError, RunError
from prescreen.evals.suite import EvalsRecipe
from prescreen.evals.threshold import Check
from prescreen.model.harmony import Message
from prescreen.model.prompt import draft_text
from prescreen.store.audit import verify
from prescreen.store.migrate import open_store
from prescreen.store.people import User
from store.desk import NURSE, SERVICE, make_waiting

WORDS = "Oh it is Anna Bell, my jaw feels odd, it is mild, and I am damp since breakfast"
NONE_MISSED = Check(
    say="No emergency of the clinic's own incidents is missed again.",
    suite="clinic_bank",
    metric="missed_emergencies",
    at_most=0,
    proof="figure",
)
LEVELLED = ("--level", "emergency", "--condition", "heart attack", "--by", "Dr Osei")
WHY = "Jaw pain with sweat may be the heart and needs an ECG at once."


def call(clinic: Path, *words: object) -> str:
    done = CliRunner().invoke(app, ["incident", *map(str, words), "--data", str(clinic)])
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """A clinic's folder with one visit, whose number is in a file beside it."""
    folder = tmp_path / "clinic"
    store = open_store(f"sqlite:///{folder / 'prescreen.db'}", folder / "keys")
    with store.act(SERVICE) as act:
        act.session.add(User(id=NURSE.id, login="n", name="Nurse", role="nurse", teams=["clinic"], created=act.now))
    (tmp_path / "visit").write_text(make_waiting(store, WORDS).id)
    store.close()
    return folder


def report_and_level(clinic: Path, bank: Path) -> str:
    """An incident from its report to its test case; the case's id."""
    visit = (clinic.parent / "visit").read_text()
    told = call(
        clinic, "report", visit, "--kind", "missed emergency", "--by", "ines", "--text", "It was drafted low."
    )
    number = told.split()[1]
    with pytest.raises(InputError, match="not in the hazard log"):
        call(
            clinic, "assess", number, "--severity", "critical", "--hazard", "H99", "--note", "no such", "--by", "x"
        )
    call(
        clinic,
        "assess",
        number,
        "--severity",
        "critical",
        "--hazard",
        "H01",
        "--note",
        "No rule knows it.",
        "--by",
        "ed",
    )
    with pytest.raises(RefusedError, match="regression case first"):
        call(clinic, "close", number, "--outcome", "mended", "--note", "A rule was added.", "--by", "ed")
    told = call(clinic, "case", number, "--out", bank, *LEVELLED, "--why", WHY)
    assert "Bell" not in told and "jaw" not in told
    call(clinic, "close", number, "--outcome", "regression case", "--note", "It is in the bank.", "--by", "ed")
    return f"clinic-incident-{number[:12]}"


def test_a_missed_emergency_becomes_a_case_that_holds_the_gate_by_name(
    clinic: Path,
    tmp_path: Path,
    mixed_cases: list[Case],
    make_draft: Callable[..., Draft],
    capsys: pytest.CaptureFixture[str],
) -> None:
    case_id = report_and_level(clinic, tmp_path / "bank")
    assert "Bell" not in "".join(path.read_text() for path in (tmp_path / "bank").iterdir())
    bench = Bench(tmp_path / "runs", mixed_cases, make_draft)
    evals = bench.evaluate(clinic_bank=str(tmp_path / "bank"), max_cases=1)
    verdict = json.loads((bench.judge(evals, NONE_MISSED).folder / "gate.json").read_text())
    assert verdict["verdict"] == "hold"
    assert [check["failures"] for check in verdict["checks"]] == [[case_id]]
    assert case_id in capsys.readouterr().out
    assert case_id in (tmp_path / "runs/08-gate/report.html").read_text()

    def answer(messages: list[Message]) -> str:
        level = Acuity.EMERGENCY if "jaw" in messages[-1]["content"] else Acuity.MEDIUM
        return draft_text(make_draft(level))

    again = Bench(tmp_path / "better", mixed_cases, make_draft)
    again.answer = answer  # type: ignore[method-assign]  # a model that has learned
    evals = again.evaluate(clinic_bank=str(tmp_path / "bank"))
    verdict = json.loads((again.judge(evals, NONE_MISSED).folder / "gate.json").read_text())
    assert verdict["verdict"] == "promote"
    store = open_store(f"sqlite:///{clinic / 'prescreen.db'}", clinic / "keys", make=False)
    assert verify(store).whole
    store.close()


def test_the_gate_does_not_pass_what_was_not_asked(
    tmp_path: Path, mixed_cases: list[Case], make_draft: Callable[..., Draft]
) -> None:
    bench = Bench(tmp_path / "runs", mixed_cases, make_draft)
    verdict = json.loads((bench.judge(bench.evaluate(), NONE_MISSED).folder / "gate.json").read_text())
    assert verdict["verdict"] == "hold" and "was not measured" in verdict["reasons"][0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="holds no cases"):
        bench.evaluate(clinic_bank=str(tmp_path / "empty"))
    with pytest.raises(RunError, match="it is not there"):
        bench.evaluate(clinic_bank=str(tmp_path / "nowhere"))


def test_a_new_case_makes_the_evaluation_stale(tmp_path: Path) -> None:
    recipe = EvalsRecipe(stage="evals", label="plumbing", suites=("bank",), clinic_bank=tmp_path)
    assert recipe.external() == [tmp_path]
    with pytest.raises(ValidationError):
        EvalsRecipe.model_validate({"stage": "evals", "label": "plumbing", "suites": ["bank"], "clinic_banks": "x"})


def test_the_console_lists_shows_and_exports(clinic: Path, tmp_path: Path) -> None:
    visit = (tmp_path / "visit").read_text()
    call(clinic, "report", visit, "--kind", "privacy", "--by", "ines", "--text", "Anna Bell was on the screen.")
    listed = call(clinic, "list")
    assert "open" in listed and visit in listed and "Bell" not in listed and "1 incidents not closed" in listed
    number = listed.split()[0]
    assert "Anna Bell was on the screen." in call(clinic, "show", number, "--by", "ed")
    out = tmp_path / "incidents.json"
    assert "1 incidents" in call(clinic, "export", out, "--by", "ed")
    assert json.loads(out.read_text())["incidents"][0]["kind"] == "privacy"
    with pytest.raises(RefusedError, match="missed emergency, wrong level"):
        call(clinic, "report", visit, "--kind", "oops", "--by", "ines", "--text", "It was a wrong word.")
