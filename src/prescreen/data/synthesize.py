"""Synthesizer: labelled cases in the request's schema, from our own knowledge tables.

The patient is a `Scenario`, the words come from `dialogue`; this module joins them into a `Case` with its gold
`Draft`. Train and test share the vocabulary of symptoms, never a sentence frame; held-out conditions never train.
"""

import random
from collections.abc import Iterator
from typing import Literal, NamedTuple

from prescreen.clinic.case import Case, Label
from prescreen.clinic.report import Consideration, Draft, Finding, HistoryReview
from prescreen.data.dialogue import TELLERS, Frames, Talk, Voice, age_words, next_question, next_questions
from prescreen.data.prose import general_texts, medical_texts
from prescreen.data.scenario import Scenario, draw_plan, draw_scenario
from prescreen.data.speech import fill, join_words
from prescreen.data.tables import Condition, Split, Tables, load_tables

__all__ = ["Part", "general_texts", "medical_texts", "next_question", "next_questions", "synthesize_cases"]

Part = Literal["all", "seen", "held_out"]
SOURCE, LICENCE = "synthetic", "Apache-2.0 (project)"
STYLES = {"talk": 0.6, "note": 0.2, "fields": 0.2}
NO_ALLERGY, NONE = "no known allergies", "none known"


class History(NamedTuple):
    """What the record shows of the background: fields of a Case, and what a reader finds in them."""

    fields: dict[str, object]
    review: HistoryReview


def _write_history(rng: random.Random, scenario: Scenario, frames: Frames, style: str) -> History:
    """Free text, full lists, some lists, or nothing asked; what decides the level is never left out."""
    needed = bool(scenario.condition.needs or (scenario.modifier and scenario.modifier.needs))
    kind = "text" if style == "fields" else rng.choices(["lists", "part", "text", "none"], [4, 2, 3, 1])[0]
    if kind == "none" and needed:
        kind = "lists"
    conditions, medications = list(scenario.background), list(scenario.medications)
    allergies = list(scenario.allergies) or [NO_ALLERGY]
    if kind == "text":
        frame = rng.choice(frames["history" if conditions else "history_none"])
        said = f"allergy to {scenario.allergies[0]}" if scenario.allergies else NO_ALLERGY
        conds, meds = join_words(conditions or [NONE]), join_words(medications or ["no regular medicines"])
        text = fill(frame, conds=conds, meds=meds, algs=said, Algs=said)
        told = (medications or [NONE]) if "{meds}" in frame else []
        review = HistoryReview(conditions=conditions or [NONE], medications=told, allergies=allergies)
        return History({"history_text": text}, review)
    lists = {"conditions": conditions, "medications": medications, "allergies": list(scenario.allergies)}
    keep = {name: kind == "lists" or (kind == "part" and rng.random() < 0.5) for name in lists}
    if needed:
        keep["conditions"] = True
    shown = {name: tuple(values) for name, values in lists.items() if keep[name]}
    review = HistoryReview(
        conditions=(conditions or [NONE]) if keep["conditions"] else [],
        medications=(medications or [NONE]) if keep["medications"] else [],
        allergies=allergies if keep["allergies"] else [],
    )
    return History(dict(shown), review)


def _describe(scenario: Scenario) -> str:
    person = {"female": "girl", "male": "boy"} if scenario.age < 16 else {"female": "woman", "male": "man"}
    return f"{age_words(scenario.age)} {person[scenario.sex]}"


def _hides_person(rng: random.Random, scenario: Scenario, style: str) -> bool:
    """The request's two fields often name no age or sex; left out only where neither bears on the level."""
    ordinary = scenario.age >= 16 and not scenario.modifier and not scenario.pregnant
    return style == "fields" and ordinary and scenario.condition.sex is None and rng.random() < 0.6


def _summarise(tables: Tables, scenario: Scenario, talk: Talk, who: str) -> str:
    told = [tables.symptoms[s] for s in scenario.present[:3]]
    time = f" for {scenario.duration.long}" if talk.timed and scenario.duration else ""
    if all(s.kind == "symptom" for s in told):
        return f"{who} with {join_words([s.name for s in told])}{time}."
    return f"{who}: {', '.join(s.name for s in told)}{',' if time else ''}{time}."


def _write_draft(tables: Tables, scenario: Scenario, talk: Talk, history: History, who: str) -> Draft:
    """The gold report: everything in it is visible in the case."""
    condition, symptoms = scenario.condition, tables.symptoms
    findings = [Finding(name=symptoms[s].name, status="present", evidence=talk.quotes[s]) for s in scenario.present]
    findings += [Finding(name=symptoms[s].name, status="denied", evidence=talk.quotes[s]) for s in scenario.denied]
    findings += [Finding(name=symptoms[s].name, status="not asked") for s in scenario.unasked]
    raised = [scenario.modifier.flag] if scenario.modifier else []
    rationale = condition.why + (f"; raised to {scenario.acuity.value} by {raised[0]}." if raised else ".")
    open_questions = [f"Any {symptoms[s].ask}?" for s in scenario.unasked]
    if not history.review.allergies:
        open_questions.append("Any allergies?")
    gaps = len(scenario.unasked) + (not scenario.vitals.measured)
    alike = condition.alike
    return Draft(
        summary=_summarise(tables, scenario, talk, who),
        history=history.review,
        findings=findings,
        red_flags=[*condition.flags, *raised],
        differential=[
            Consideration(
                condition=condition.name, supports=[symptoms[k].name for k in condition.keys[:2]], against=[]
            ),
            Consideration(condition=alike.name, supports=[alike.points], against=[alike.against]),
        ],
        acuity=scenario.acuity,
        rationale=rationale,
        next_steps=condition.steps,
        open_questions=open_questions[:2],
        uncertainty=("low", "moderate", "high")[min(gaps, 2)],
    )


def write_case(rng: random.Random, tables: Tables, scenario: Scenario, split: Split, name: str) -> Case:
    """Put a scenario into words; the draft's evidence is checked against what was said."""
    frames = tables.frames[split]
    style = rng.choices(list(STYLES), list(STYLES.values()))[0]
    talk = TELLERS[style](Voice(rng, tables, frames, scenario))
    history = _write_history(rng, scenario, frames, style)
    hidden = _hides_person(rng, scenario, style)
    draft = _write_draft(tables, scenario, talk, history, "Patient" if hidden else _describe(scenario))
    label = Label(
        acuity=scenario.acuity,
        accepted=(scenario.acuity,),
        origin=f"knowledge table; {scenario.condition.source}",
        condition=scenario.condition.name,
        red_flags=tuple(draft.red_flags),
        draft=draft,
    )
    case = Case(
        id=f"syn-{name}",
        patient_id=f"syn-pt-{name}",
        source=SOURCE,
        licence=LICENCE,
        age_years=None if hidden else scenario.age,
        sex=None if hidden else scenario.sex,
        pregnant=None if hidden else scenario.pregnant,
        complaint=talk.complaint,
        vitals=scenario.vitals,
        turns=tuple(talk.turns),
        label=label,
        **history.fields,
    )
    spoken = case.spoken
    assert all(f.evidence in spoken for f in draft.findings), f"{case.id}: evidence is not verbatim"
    return case


def select_conditions(tables: Tables, split: Split, part: Part) -> list[Condition]:
    """The conditions a split may show; train never shows a held-out one."""
    shown = [c for c in tables.conditions.values() if part == "all" or c.held_out == (part == "held_out")]
    return [c for c in shown if not (split == "train" and c.held_out)]


def synthesize_cases(seed: int, count: int, split: Split, part: Part = "all") -> Iterator[Case]:
    """`count` labelled cases, balanced over levels and over conditions inside each; same seed, same cases."""
    tables = load_tables()
    rng = random.Random(f"cases/{seed}/{split}/{part}")
    conditions = select_conditions(tables, split, part)
    if not conditions:
        return
    plan = draw_plan(rng, tables, conditions)
    for index in range(count):
        condition, modifier = next(plan)
        scenario = draw_scenario(rng, tables, condition, modifier)
        yield write_case(rng, tables, scenario, split, f"{split}-{part}-{seed}-{index:05d}")
