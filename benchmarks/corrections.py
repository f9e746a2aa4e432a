"""Do corrections make the model better, and which way of learning from them: finals, pairs, or both in turn?

    PYTHONPATH=src python benchmarks/corrections.py runs/tiny --seed 1

Invented patients of conditions the champion never learned; its own drafts, really written; nurses put level and
conditions right in the form, with an error in one of twenty levels and never below a rule. The signatures go
through the stage `feedback` (all but its database), then DPO and SFT continue the champion's adapter on the same
signatures: alone, and DPO after SFT, as an update does it. All draft the held-out visits, of later weeks and other
patients, and visits of conditions the champion knows, of which nothing may be forgotten. A tiny model's figures are
plumbing.
"""

import argparse
import datetime
import json
import random
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from record import write_record

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.rates import Rate
from prescreen.clinic.signed import ModelLabel, PatientLink, Person, SignedVisit
from prescreen.evals.prediction import Prediction, record_draft
from prescreen.evals.rate import compare_paired
from prescreen.run import Run

BEGUN = datetime.datetime(2026, 6, 1, 9, tzinfo=datetime.UTC)
NURSES = tuple(Person(id=f"n-{i}", name=f"Signer {i}", role="nurse") for i in range(4))
MODEL = ModelLabel(name="champion", version="tiny", engine="in process", weights="", verdict="")
TEST_SHARE = 0.3
KNOWN = 160  # visits of conditions the champion was trained on
WRITES = 0.5  # of signatures rewrite rationale and next steps


class System(NamedTuple):
    """A model and what it drafted for the held-out visits."""

    name: str
    predictions: list[Prediction]


def main() -> None:
    """Draw, draft, correct, learn twice, compare."""
    told = read_arguments()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(told.keep or place)
        cases = draw_cases(told.cases, told.seed)
        drafted = draft(told.runs / "05-dpo", cases)
        signatures = [
            sign(*pair, number, told.seed, told.error)
            for number, pair in enumerate(zip(cases, drafted, strict=True))
        ]
        feedback = build(signatures, told, folder)
        champion = open_champion(told)
        finals = learn_rows(told, feedback, folder, champion)
        learned = {
            "champion": champion.folder,
            "sft": finals.folder,
            "sft, dpo": learn_pairs(told, feedback, folder, finals).folder,
            "dpo alone": learn_pairs(told, feedback, folder, champion).folder,
        }
        parts = {"corrected later": read_held_out(feedback), "known conditions": draw_known(told.seed)}
        result = {"corrections": feedback.metrics["corrections"], "parts": {}}
        for part, visits in parts.items():
            systems = [System(name, draft_test(model, visits)) for name, model in learned.items()]
            result["parts"][part] = compare(systems)
        result |= {"card": json.loads((feedback.folder / "card.json").read_text())}
    result |= {"arguments": {k: str(v) for k, v in vars(told).items()}, "seconds": round(time.monotonic() - begun)}
    print_table(result)
    print(write_record(f"corrections-seed-{told.seed}", ("torch", "transformers", "peft"), **result))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="finished runs of recipes/tiny")
    parser.add_argument(
        "--cases", type=int, default=1_000, help="visits, of which the last three tenths are held out"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--error", type=float, default=0.05, help="share of levels the nurses get wrong")
    parser.add_argument("--replay", type=float, default=0.5, help="share of rows from the champion's own data")
    parser.add_argument("--dpo-lr", type=float, default=5e-5)
    parser.add_argument("--sft-lr", type=float, default=1e-3)
    parser.add_argument("--dpo-epochs", type=int, default=1)
    parser.add_argument("--sft-epochs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="leave the runs here")
    return parser.parse_args()


def draw_cases(count: int, seed: int) -> list[Case]:
    """Patients of conditions no training has met, told in frames none has met."""
    from prescreen.data.synthesize import synthesize_cases

    return list(synthesize_cases(seed + 4_711, count, "test", "held_out"))


def draft(model: Path, cases: Sequence[Case]) -> list[Any]:
    """What the model writes, behind the rules."""
    from prescreen.model.draft import draft_reports
    from prescreen.model.engine import load_engine

    return draft_reports(load_engine(str(model), batch_size=60, thinking=96), cases)


def sign(case: Case, drafted: Any, number: int, seed: int, error: float = 0.05) -> Any:
    """A nurse's signature: level and conditions put right in the form, half the time what else is wrong in it."""
    from prescreen.store.signatures import Signature

    assert case.label is not None and case.label.draft is not None
    gold = case.label.draft
    rng = random.Random(f"{seed} {number}")
    shown = drafted.report
    level = (
        rng.choice([o for o in Acuity if abs(o.rank - gold.acuity.rank) == 1])
        if rng.random() < error
        else gold.acuity
    )
    level = max(level, shown.rule_acuity) if shown.rule_acuity else level
    told: dict[str, Any] = {"acuity": level, "differential": gold.differential}
    if rng.random() < WRITES:
        told |= {name: getattr(gold, name) for name in ("rationale", "next_steps", "summary", "findings")}
    final = shown.model_copy(update=told)
    at = BEGUN + datetime.timedelta(hours=2 * number)
    signed = SignedVisit(
        id=str(uuid.UUID(int=rng.getrandbits(128))),
        visit_id=f"visit-{number}",
        patient=PatientLink(),
        opened=at,
        finished=at,
        signed=at,
        case=case.model_copy(update={"label": None}),
        draft=shown if drafted.model is not None else None,
        model=MODEL if drafted.model is not None else None,
        final=final,
        signer=NURSES[number % len(NURSES)],
        seen="0" * 64,
    )
    blind = level if rng.random() < 0.1 else None
    return Signature(f"p-{number}", "clinic", "phone", signed, rng.uniform(30, 200), blind, None,
                     shown.rule_acuity, ())  # fmt: skip


def build(signatures: Sequence[Any], told: argparse.Namespace, folder: Path) -> Run:
    """The stage `feedback` from de-identification on."""
    from prescreen.monitor.feedback.build import FeedbackRecipe
    from prescreen.monitor.feedback.gathering import Terms, gather
    from prescreen.monitor.feedback.replay import draw_trusted, read_replay
    from prescreen.monitor.feedback.stops import judge, refuse
    from prescreen.monitor.feedback.writing import write_batch
    from prescreen.records.deid.taggers import load_detectors
    from prescreen.records.vault import Vault
    from prescreen.store.migrate import open_store

    licence = "Apache-2.0 (project)"
    open_store(f"sqlite:///{folder.resolve() / 'clinic' / 'prescreen.db'}", folder / "clinic" / "keys").close()
    recipe = FeedbackRecipe(
        clinic=folder / "clinic",
        vault=folder / "vault", basis="invented patients", licence=licence, label="plumbing",
        replay=told.runs / "01-data", replay_share=told.replay, parts={"held_weeks": TEST_SHARE},
    )  # fmt: skip
    run = Run(folder / "01-feedback", recipe)
    run.start()
    replay = read_replay(told.runs / "01-data")
    with Vault(recipe.vault) as vault:
        gathered = gather(signatures, {}, vault, Terms(recipe.mode, load_detectors(()), licence, invented=True))
    judged = judge(gathered.batch, recipe.limits, draw_trusted(replay.cases))
    refuse(judged.stops, run.folder)
    write_batch(recipe, run, gathered, judged, replay)
    return run


def open_champion(told: argparse.Namespace) -> Run:
    """The run that serves before."""
    from prescreen.cli import STAGES
    from prescreen.pipeline import open_run

    return open_run(told.runs / "05-dpo", STAGES)


def learn_pairs(told: argparse.Namespace, feedback: Run, folder: Path, parent: Run) -> Run:
    """DPO: the parent's adapter goes on."""
    from prescreen.train import preference

    recipe = preference.PreferenceRecipe.model_validate({
        "stage": "dpo", "inputs": {"data": feedback.name, "parent": parent.name}, "beta": 0.1, "max_length": 1024,
        "optimisation": _how(told.dpo_lr, told.dpo_epochs, 4096),
    })  # fmt: skip
    return _carry_out(preference, recipe, f"03-dpo-after-{parent.name}", feedback, folder, parent)


def learn_rows(told: argparse.Namespace, feedback: Run, folder: Path, parent: Run) -> Run:
    """SFT on the finals of the same signatures: the parent's adapter goes on."""
    from prescreen.train import supervised

    recipe = supervised.SupervisedRecipe.model_validate({
        "stage": "sft", "inputs": {"data": feedback.name, "parent": parent.name}, "rows": "sft", "max_length": 1024,
        "optimisation": _how(told.sft_lr, told.sft_epochs, 2048),
    })  # fmt: skip
    return _carry_out(supervised, recipe, "02-sft", feedback, folder, parent)


def _how(rate: float, epochs: int, tokens: int) -> dict[str, Any]:
    return {"learning_rate": rate, "epochs": epochs, "warmup_steps": 3, "tokens_per_row": tokens,
            "save_every": 0, "log_every": 1}  # fmt: skip


def _carry_out(module: Any, recipe: Any, name: str, feedback: Run, folder: Path, parent: Run) -> Run:
    run = Run(folder / name, recipe, {"data": feedback, "parent": parent})
    run.start()
    module.main(recipe, run)
    return run


def read_held_out(feedback: Run) -> list[Case]:
    """Visits signed later, of other patients, with the level a nurse signed."""
    from prescreen.run import read_jsonl

    return [Case.model_validate(row) for row in read_jsonl(feedback.folder / "test" / "corrections.jsonl")]


def draw_known(seed: int) -> list[Case]:
    """Visits of conditions the champion was trained on, in frames it was not; their levels are the true ones."""
    from prescreen.data.synthesize import synthesize_cases

    return list(synthesize_cases(seed + 8_128, KNOWN, "test", "seen"))


def draft_test(model: Path, cases: Sequence[Case]) -> list[Prediction]:
    """Drafts of some visits."""
    return [record_draft(case, one) for case, one in zip(cases, draft(model, cases), strict=True)]


def compare(systems: Sequence[System]) -> dict[str, Any]:
    """Each system's rates with intervals, and each pair of systems by McNemar's exact test, on the same visits."""
    rates = {
        one.name: {name: str(rate(one, view, how)) for name, (view, how) in MEASURES.items()} for one in systems
    }
    paired = {}
    for first, second in ((0, 1), (0, 2), (0, 3), (1, 2)):
        a, b = systems[first], systems[second]
        paired[f"{b.name} against {a.name}"] = {
            name: compare_paired(list_right(b, view, how), list_right(a, view, how))._asdict()
            for name, (view, how) in MEASURES.items()
        }
    return {"visits": len(systems[0].predictions), "rates": rates, "paired": paired}


MEASURES = {
    "exact level, model alone": ("alone", "exact"),
    "exact level, as served": ("served", "exact"),
    "under-triage, model alone": ("alone", "low"),
    "under-triage, as served": ("served", "low"),
    "override: served level changed by the nurse": ("served", "other"),
}


def list_right(system: System, view: Any, how: str) -> list[bool]:
    """By visit, whether it counts."""
    answers = [one.answer(view) for one in system.predictions]
    if how == "exact":
        return [one.predicted is not None and one.predicted == one.gold for one in answers]
    if how == "low":
        return [one.predicted is not None and one.gold is not None and one.predicted < one.gold for one in answers]
    return [one.predicted != one.gold for one in answers]


def rate(system: System, view: Any, how: str) -> Rate:
    hits = list_right(system, view, how)
    return Rate(sum(hits), len(hits) - sum(hits))


def print_table(result: dict[str, Any]) -> None:
    """The tables, and who wins at what."""
    print(f"{result['corrections']} pairs of corrections learned; {result['seconds']} s; plumbing: a tiny model")
    print(f"learned from: {result['card']['files']}")
    print(f"checks: {result['card']['checks']}")
    for part, told in result["parts"].items():
        print(f"\n{part}: {told['visits']} visits")
        for system, measures in told["rates"].items():
            for name, value in measures.items():
                print(f"{system:<9} {name:<45} {value}")
        for pair, measures in told["paired"].items():
            for name, one in measures.items():
                print(f"{pair:<26} {name:<45} +{one['only_first']} -{one['only_second']}  p = {one['p_value']:.4f}")


if __name__ == "__main__":
    main()
