"""The batched loop chooses what transformers' own greedy loop chooses for each prompt alone."""

import random

import pytest
import torch

from prescreen.model.attention import register_cached_attention
from prescreen.model.decode import close_ranks, decode, shared_length


class Free:
    """Anything may follow; counts what it is told, so that a lost or swapped turn shows."""

    def __init__(self, turns):
        self.said = [[] for _ in range(turns)]

    def choose(self, scores):
        tokens = scores.argmax(-1).tolist()
        for said, token in zip(self.said, tokens, strict=True):
            said.append(token)
        return tokens

    def keep(self, turns):
        self.said = [self.said[i] for i in turns]


def prompts_of(rng, shared, lengths, size):
    beginning = [rng.randrange(size) for _ in range(shared)]
    return [beginning + [rng.randrange(size) for _ in range(length)] for length in lengths]


@pytest.mark.parametrize("together", [2, 16])
@pytest.mark.parametrize(("shared", "lengths"), [(0, [3, 40, 11]), (30, [1, 25, 60, 2, 8]), (17, [9])])
def test_same_tokens_as_generate_one_prompt_at_a_time(small_model, monkeypatch, shared, lengths, together):
    """Sixty new tokens on a window of sixteen: pads, the shared beginning and the window all come into play."""
    monkeypatch.setattr("prescreen.model.decode.TOGETHER", together)
    rng = random.Random(shared)
    size = small_model.config.vocab_size
    prompts = prompts_of(rng, shared, lengths, size)
    stops = set(rng.sample(range(size), size // 40))
    small_model.eval().set_attn_implementation(register_cached_attention())
    found = decode(small_model, prompts, Free(len(prompts)), 60, stops)
    assert len({len(answer) for answer in found}) > 1 or len(found) == 1, "turns must end at different steps"
    for prompt, answer in zip(prompts, found, strict=True):
        expected = small_model.generate(
            torch.tensor([prompt]),
            max_new_tokens=60,
            do_sample=False,
            eos_token_id=sorted(stops),
            pad_token_id=0,
        )[0, len(prompt) :]
        assert answer == expected.tolist()


def test_a_finished_turn_leaves_and_the_others_keep_their_own_state(small_model):
    rng = random.Random(1)
    size = small_model.config.vocab_size
    prompts = prompts_of(rng, 5, [4, 8, 15, 16, 23], size)
    chooser = Free(5)
    small_model.eval().set_attn_implementation(register_cached_attention())
    stops = set(range(0, size, 7))
    found = decode(small_model, prompts, chooser, 50, stops)
    left = sorted(answer for answer in found if answer[-1] not in stops)
    assert sorted(chooser.said) == left
    assert all(not stops & set(answer[:-1]) for answer in found)


def test_ranks_close_with_few_moves():
    assert close_ranks([True, False, True, False, True]) == [0, 4, 2]
    assert close_ranks([False, False]) == [] and close_ranks([True, True]) == [0, 1]


def test_every_prompt_keeps_a_token_of_its_own():
    assert shared_length([[1, 2, 3], [1, 2, 3, 4]]) == 2
    assert shared_length([[1, 2], [3]]) == 0 and shared_length([[1, 2, 3]]) == 0
