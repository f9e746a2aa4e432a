"""Likelihood of endings against the plain forward pass, and draws against the model's own probabilities."""

from collections import Counter

import pytest
import torch

from prescreen.model.attention import register_cached_attention
from prescreen.model.engine import Opening, Probed, ScriptedEngine, TransformersEngine
from prescreen.model.harmony import encode_plain
from prescreen.model.likelihood import Drawing, open_answer
from prescreen.train.documents import turn_documents

MESSAGES = [{"role": "developer", "content": "draft"}, {"role": "user", "content": "my left arm hurts"}]
BEGUN = "I have "
ENDINGS = ["chest pain", "pain", "2026", "breath of this", "x"]


@pytest.fixture
def engine(small_model, tokenizer):
    small_model.set_attn_implementation(register_cached_attention())
    return TransformersEngine(small_model, tokenizer, "small")


def test_scores_are_those_of_the_plain_forward_pass_over_training_documents(small_model, tokenizer, engine):
    found = engine.score_endings(Opening(MESSAGES, BEGUN), ENDINGS)
    small_model.set_attn_implementation("eager")
    prompt = [*open_answer(MESSAGES, tokenizer), *encode_plain(BEGUN, tokenizer)]
    rows = []
    for ending in ENDINGS:
        (document,) = turn_documents([*MESSAGES, {"role": "assistant", "content": BEGUN + ending}], tokenizer)
        rows.append(document.ids[:-1])  # the stop token is no part of the ending
    same = [next((i for i, pair in enumerate(zip(prompt, ids, strict=False)) if len(set(pair)) > 1), len(prompt))
            for ids in rows]  # fmt: skip
    assert min(same) < max(same) == len(prompt), "one ending swallows the space before it, a number does not"
    for ids, score in zip(rows, found, strict=True):
        with torch.no_grad():
            logs = small_model(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = sum(logs[i - 1, ids[i]].item() for i in range(min(same), len(ids)))
        assert score == pytest.approx(expected, abs=1e-4)


def test_scores_do_not_depend_on_how_many_are_asked_at_once(engine, monkeypatch):
    together = engine.score_endings(Opening(MESSAGES, BEGUN), ENDINGS)
    monkeypatch.setattr("prescreen.model.likelihood.MOST_SCORES", 1)
    assert engine.score_endings(Opening(MESSAGES, BEGUN), ENDINGS) == pytest.approx(together, abs=1e-4)
    assert engine.score_endings(Opening(MESSAGES, BEGUN), ENDINGS[::-1]) == pytest.approx(together[::-1], abs=1e-4)


def test_the_first_ending_is_the_likeliest_and_a_seed_decides_the_others(engine):
    opening = Opening(MESSAGES, BEGUN)
    first, *others = engine.draw_endings(opening, 3, 6, 0)
    assert [first, *others] == engine.draw_endings(opening, 3, 6, 0)
    assert engine.draw_endings(opening, 3, 2, 1)[0] == first and engine.draw_endings(opening, 3, 6, 1)[1:] != others


def test_draws_follow_the_probabilities():
    scores = torch.log(torch.tensor([0.6, 0.3, 0.1]))
    drawing = Drawing(4001, 0)
    drawn = drawing.choose(scores.expand(4001, -1))
    assert drawn[0] == 0, "the first turn is greedy"
    counts = Counter(drawn[1:])
    for token, share in enumerate((0.6, 0.3, 0.1)):
        assert abs(counts[token] / 4000 - share) < 0.03  # four standard deviations


def test_a_turn_draws_the_same_whatever_else_is_running():
    scores = torch.zeros(40, 50)
    whole, part = Drawing(40, 7), Drawing(40, 7)
    part.keep([*range(20, 40), 3])
    drawn = whole.choose(scores)
    assert [*drawn[20:], drawn[3]] == part.choose(scores[:21])


def test_a_script_without_weights_is_not_probed(engine):
    assert isinstance(engine, Probed) and not isinstance(ScriptedEngine(lambda messages: ""), Probed)
