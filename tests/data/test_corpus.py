"""The twin's corpus teaches to read: what was said stays, what does not belong is added, no triage is taught."""

import random

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.data.corpus import CorpusRecipe, abstractions, distract, everyday_sentences, list_findings
from prescreen.data.synthesize import synthesize_cases
from prescreen.data.tables import load_tables

CASES = list(synthesize_cases(5, 40, "train", "seen"))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    kept = tmp_path_factory.mktemp("corpus") / "kept.txt"
    kept.write_text("0\n")
    return CorpusRecipe(stage="corpus", vocabulary=kept, num_cases=40, num_general=20)


def test_stray_sentences_hide_no_evidence(recipe):
    sentences, rng = everyday_sentences(recipe), random.Random(0)
    assert len(sentences) > 20
    changed = [distract(case, sentences, rng) for case in CASES]
    assert any(case.complaint != was.complaint for case, was in zip(changed, CASES, strict=True))
    for case, was in zip(changed, CASES, strict=True):
        assert all(finding.evidence in case.spoken for finding in was.label.draft.findings)
        ours = [[t.text for t in c.turns if t.speaker == "assistant"] for c in (case, was)]
        assert ours[0] == ours[1], "our own questions are never touched"


def test_a_list_names_present_and_denied_findings_and_no_others():
    for case in CASES:
        parts = dict(part.split(": ") for part in list_findings(case.label.draft).split("; "))
        for status in ("present", "denied"):
            told = [f.name for f in case.label.draft.findings if f.status == status]
            assert parts.get(status, "") == ", ".join(told)


def test_abstractions_teach_no_level_and_no_held_out_condition(recipe):
    held_out = [c.name for c in load_tables().conditions.values() if c.held_out]
    rows = list(abstractions(recipe))
    assert len({row["messages"][0]["content"] for row in rows}) == 2, "both exercises"
    for answer in (row["messages"][-1]["content"] for row in rows):
        assert not any(f'"{level.value}"' in answer or f"-> {level.value}" in answer for level in Acuity)
        assert not any(name in answer for name in held_out)
