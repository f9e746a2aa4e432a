"""What comes next is the likeliest token that the schema allows, whichever way that is found out."""

from collections import Counter

import torch

from prescreen.clinic.report import Draft
from prescreen.model.constrain import Grammar, TurnConstraint
from prescreen.model.tokenizer import RETURN

SCHEMA = Draft.model_json_schema()


def opened(tokenizer, size, turns=1, schema=SCHEMA):
    """Turns whose final channel has just opened."""
    constraint = TurnConstraint(turns, tokenizer, Grammar(tokenizer, size, schema), 50)
    for state in constraint.states:
        for token in state.marks["open"]:
            state.consume(token)
    return constraint


def test_the_likeliest_allowed_token_is_chosen(small_model, tokenizer):
    """At each place of random documents: scores at random, with what is allowed favoured by turns.

    A token is allowed by itself as it is among all, but for other spellings of fixed text, which are not taken.
    """
    size = small_model.config.vocab_size
    random = torch.Generator().manual_seed(3)
    met = Counter()
    for _ in range(6):
        constraint = opened(tokenizer, size)
        (state,) = constraint.states
        while not state.forced:
            allowed, fixed = state.allowed(size), state.matcher.compute_ff_bytes()
            assert not allowed[tokenizer.get_vocab_size() :].any()
            asked = [*torch.randint(size, (200,), generator=random).tolist(), *allowed.nonzero()[:50, 0].tolist()]
            differ = [token for token in asked if state.allows(token) != allowed[token]]
            assert not differ or fixed
            scores = torch.rand(1, size, generator=random) + allowed * (len(state.tokens) % 2)
            scores[0, differ] += 2  # another spelling is what the model would like best
            first = int(allowed[scores.argmax()])
            (token,) = constraint.choose(scores)
            best = int(scores[0].masked_fill(~allowed, float("-inf")).argmax())
            spelt = state.grammar.spell(fixed) if fixed else None
            assert token == (best if spelt is None else spelt)
            met["fixed" if fixed else "first allowed" if first else "first forbidden"] += 1
            met["fixed, not spelt"] += bool(fixed) and spelt is None
        assert constraint.choose(torch.rand(1, size)) == [tokenizer.token_to_id(RETURN)], "the document is whole"
    assert min(met.values()) > 5 and len(met) == 4


def test_before_the_final_channel_a_turn_may_say_anything_but_stop(small_model, tokenizer):
    size = small_model.config.vocab_size
    constraint = TurnConstraint(1, tokenizer, None, 50)
    stop, other = constraint.states[0].marks["stops"][0], 77
    scores = torch.zeros(1, size)
    scores[0, [stop, other]] = torch.tensor([2.0, 1.0])
    assert constraint.choose(scores) == [other]
    constraint.states[0].opened = True
    assert constraint.choose(scores) == [stop]
