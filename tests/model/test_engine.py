"""Engines answer every prompt; decoding cannot leave Harmony or the schema, whatever the model wants to say."""

import json

import pytest
import torch

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Draft
from prescreen.model.constrain import Grammar, TurnState, turn_marks
from prescreen.model.draft import draft_reports
from prescreen.model.engine import PREFILL_PAIRS, Completion, ScriptedEngine, TransformersEngine, by_length
from prescreen.model.prompt import draft_text
from small_draft import DRAFT

SCHEMA = {
    "type": "object",
    "properties": {"level": {"enum": ["low", "high"]}, "why": {"type": "string", "maxLength": 30}},
    "required": ["level", "why"],
    "additionalProperties": False,
}
SAID = ("I have pain", "my left arm hurts since this morning", "x")
PROMPTS = [[{"role": "user", "content": text}] for text in SAID]


def case(complaint="My chest hurts", **more):
    return Case(id="c", patient_id="p", source="t", licence="CC0-1.0", complaint=complaint, **more)


def test_a_random_model_still_writes_the_schema_and_ends_its_turn(small_model, tokenizer):
    engine = TransformersEngine(small_model, tokenizer, "random", batch_size=2, thinking=12)
    answers = engine.generate(PROMPTS, schema=SCHEMA, max_tokens=160)
    assert len(answers) == len(PROMPTS)
    finished = [a for a in answers if a.finish == "stop"]
    assert finished
    for answer in finished:
        document = json.loads(answer.text)
        assert set(document) == {"level", "why"} and document["level"] in ("low", "high")
        assert "<|" not in answer.text


def test_answers_do_not_depend_on_their_batch(small_model, tokenizer):
    alone = TransformersEngine(small_model, tokenizer, "one", batch_size=1, thinking=12)
    together = TransformersEngine(small_model, tokenizer, "all", batch_size=3, thinking=12)
    assert alone.generate(PROMPTS, schema=SCHEMA, max_tokens=80) == together.generate(
        PROMPTS, schema=SCHEMA, max_tokens=80
    )


def test_control_tokens_are_never_allowed_inside_strings(tokenizer, small_model):
    size = small_model.config.vocab_size
    grammar = Grammar(tokenizer, size, SCHEMA)
    matcher = grammar.match()
    for token in tokenizer.encode('{"level":"low","why":"x', add_special_tokens=False).ids:
        assert matcher.consume_token(token)
    bits = torch.zeros(1, size // 32, dtype=torch.int32)
    matcher.unsafe_compute_mask_ptr(bits.data_ptr(), size // 8)
    allowed = [(int(bits[0, i // 32]) >> (i % 32)) & 1 for i in range(size)]
    assert sum(allowed) > 100
    for name in ("<|channel|>", "<|start|>", "<|message|>", "<|end|>", "<|return|>", "<|endoftext|>"):
        assert not allowed[tokenizer.token_to_id(name)], name
    assert not any(allowed[tokenizer.get_vocab_size() :]), "ids beyond the tokenizer"


def test_an_endless_analysis_is_closed_and_a_loop_is_ended(tokenizer):
    marks = turn_marks(tokenizer)
    state = TurnState(None, 5, marks)
    for token in [*marks["message"], 70, 71, 72, 73]:
        state.consume(token)
    assert state.forced == [*marks["close"], *marks["open"]]
    looping = TurnState(None, 500, marks)
    for i in range(70):
        looping.consume(70 + i % 3)
    assert looping.forced == [marks["stops"][0]]


@pytest.mark.parametrize(
    ("answer", "finish", "reason"),
    [
        (draft_text(DRAFT), "stop", ""),
        ("I cannot help", "stop", "no report"),
        (Completion(draft_text(DRAFT), finish="length"), "length", "cut off"),
        (Completion("", finish="error", error="server is down"), "error", "server is down"),
    ],
)
def test_every_case_gets_a_report_whatever_the_model_does(answer, finish, reason):
    (drafted,) = draft_reports(ScriptedEngine(lambda messages: answer), [case()])
    assert drafted.finish == finish and reason in drafted.error
    assert (drafted.model is None) == bool(reason)
    assert drafted.report.acuity >= Acuity.HIGH
    if reason:
        assert reason in drafted.report.no_draft_reason


def test_a_crashing_model_is_an_error_not_a_crash():
    def crash(messages):
        raise RuntimeError("boom")

    (drafted,) = draft_reports(ScriptedEngine(crash), [case()])
    assert drafted.finish == "error" and "boom" in drafted.error


def test_a_low_draft_never_lowers_an_emergency():
    low = DRAFT.model_copy(update={"acuity": Acuity.LOW})
    crushing = case("I have crushing chest pain spreading to my left arm and I'm sweating")
    (drafted,) = draft_reports(ScriptedEngine(lambda m: draft_text(low)), [crushing])
    assert drafted.report.acuity is Acuity.EMERGENCY and drafted.report.model_acuity is Acuity.LOW


def test_batches_cover_everything_once():
    encoded = [[0] * n for n in (5, 1, 9, 3, 3)]
    batches = list(by_length(encoded, 2))
    assert sorted(i for b in batches for i in b) == list(range(5)) and batches[0][0] == 2


def test_long_prompts_are_read_few_at_a_time():
    """The square of the length is what a batch costs: transcripts of thousands of tokens once took 13 GB."""
    encoded = [[0] * n for n in (300, 3000, 1500, 1400, 40, 40)]
    batches = list(by_length(encoded, 32))
    assert batches[:2] == [[1], [2, 3, 0]] and sorted(batches[2]) == [4, 5]
    assert all(len(b) == 1 or len(b) * len(encoded[b[0]]) ** 2 <= PREFILL_PAIRS for b in batches)


def test_draft_schema_compiles(tokenizer, small_model):
    Grammar(tokenizer, small_model.config.vocab_size, Draft.model_json_schema()).match()
