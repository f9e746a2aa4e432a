"""Harmony: token by token what openai-harmony renders; masks that train exactly what the model must say."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.model import harmony
from prescreen.model.tokenizer import O200K_PATTERN, O200K_SHA256, SPECIALS, read_ranks, write_tiktoken

openai = pytest.importorskip("openai_harmony", reason="openai-harmony is not installed: no token oracle")


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    """openai-harmony with its vocabulary file written from the verified wheel."""
    folder = tmp_path_factory.mktemp("encodings")
    text = write_tiktoken(read_ranks())
    assert hashlib.sha256(text.encode()).hexdigest() == O200K_SHA256
    (folder / "o200k_base.tiktoken").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_ENCODINGS_BASE", str(folder))
        yield openai.load_harmony_encoding(openai.HarmonyEncodingName.HARMONY_GPT_OSS)


@pytest.fixture(scope="module")
def full():
    """The full vocabulary as an independent encoder, behind the two calls encode_pieces makes."""
    import tiktoken

    encoding = tiktoken.Encoding(
        "o200k_harmony", pat_str=O200K_PATTERN, mergeable_ranks=dict(read_ranks()), special_tokens=SPECIALS
    )

    class Full:
        encode_special_tokens = True

        def token_to_id(self, name):
            return SPECIALS[name]

        def encode(self, text, add_special_tokens):
            return type("Encoded", (), {"ids": encoding.encode_ordinary(text)})

    return Full()


# Earlier turns lose their analysis, as OpenAI's format guide asks and the released chat template does.
# openai-harmony 0.0.8 itself drops only what stands before the *first* final message, so we drop for it.
KEEP = openai.RenderConversationConfig(auto_drop_analysis=False)


def without_old_thinking(messages):
    last = max(i for i, m in enumerate(messages) if m["role"] == "assistant")
    return [m if i == last else {k: v for k, v in m.items() if k != "thinking"} for i, m in enumerate(messages)]


def as_harmony(messages):
    h = openai
    system = (
        h.SystemContent.new()
        .with_reasoning_effort(h.ReasoningEffort.LOW)
        .with_conversation_start_date(harmony.PINNED_DATE)
    )
    rendered = [h.Message.from_role_and_content(h.Role.SYSTEM, system)]
    for message in messages:
        if message["role"] == "developer":
            content = h.DeveloperContent.new().with_instructions(message["content"])
            rendered.append(h.Message.from_role_and_content(h.Role.DEVELOPER, content))
        elif message["role"] == "user":
            rendered.append(h.Message.from_role_and_content(h.Role.USER, message["content"]))
        else:
            for channel, key in (("analysis", "thinking"), ("final", "content")):
                if message.get(key):
                    one = h.Message.from_role_and_content(h.Role.ASSISTANT, message[key])
                    rendered.append(one.with_channel(channel))
    return h.Conversation.from_messages(rendered)


WORDS = st.text(
    st.one_of(st.sampled_from("abc xyz 012,.!?\n'\"{}:é🙂中"), st.characters(blacklist_categories=["Cs"])),
    min_size=1,
    max_size=60,
)


@st.composite
def dialogues(draw):
    messages = [{"role": "developer", "content": draw(WORDS)}]
    for _ in range(draw(st.integers(1, 4))):
        messages.append({"role": "user", "content": draw(WORDS)})
        answer = {"role": "assistant", "content": draw(WORDS)}
        if draw(st.booleans()):
            answer["thinking"] = draw(WORDS)
        messages.append(answer)
    return messages


@given(dialogues())
def test_training_tokens_equal_openai_harmony(oracle, full, messages):
    """The last turn of each dialogue; earlier turns are history there and targets of their own examples."""
    ours = harmony.encode_pieces(harmony.render_turns(messages)[-1], full).ids
    theirs = oracle.render_conversation_for_training(as_harmony(without_old_thinking(messages)), KEEP)
    assert ours == theirs


@given(dialogues())
def test_prompt_tokens_equal_openai_harmony(oracle, full, messages):
    ours = harmony.encode_pieces(harmony.render_prompt(messages[:-1]), full).ids
    history = as_harmony(without_old_thinking(messages)[:-1])
    theirs = oracle.render_conversation_for_completion(history, openai.Role.ASSISTANT, KEEP)
    assert ours == theirs


@given(dialogues())
def test_mask_covers_exactly_the_answer_and_its_stop(full, messages):
    examples = harmony.render_turns(messages)
    turns = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
    assert len(examples) == len(turns)
    for pieces, at in zip(examples, turns, strict=True):
        given_part = harmony.encode_pieces(harmony.render_prompt(messages[:at]), full).ids
        ids, mask = harmony.encode_pieces(pieces, full)
        assert ids[: len(given_part)] == given_part, "training and serving must see the same prompt"
        assert mask == [False] * len(given_part) + [True] * (len(ids) - len(given_part))
        assert ids[-1] == SPECIALS["<|return|>"]
        trained = [p.text for p in pieces if p.trained and not p.control]
        wanted = [messages[at].get("thinking"), messages[at]["content"]]
        assert [t for t in trained if t not in ("analysis", "final", "assistant")] == [
            t for t in wanted if t and t not in ("analysis", "final", "assistant")
        ]


@given(st.sampled_from(sorted(SPECIALS)), WORDS)
def test_typed_control_tokens_stay_text(full, control, text):
    messages = [{"role": "user", "content": text + control + text}]
    plain = [{"role": "user", "content": text}]
    ids = harmony.encode_pieces(harmony.render_prompt(messages), full).ids
    usual = harmony.encode_pieces(harmony.render_prompt(plain), full).ids
    count = sum(i in SPECIALS.values() for i in ids)
    assert count == sum(i in SPECIALS.values() for i in usual)


def test_trimmed_tokenizer_splits_like_the_full_one(tokenizer, full):
    text = "I have chest pain and shortness of breath since this morning"
    ids = full.encode(text, False).ids
    strings = [prompt_bytes.decode() for prompt_bytes in ({v: k for k, v in read_ranks().items()}[i] for i in ids)]
    ours = [tokenizer.decode([i]) for i in tokenizer.encode(text, add_special_tokens=False).ids]
    assert ours == strings


@given(WORDS)
def test_trimmed_tokenizer_loses_nothing(tokenizer, text):
    assert tokenizer.decode(harmony.encode_plain(text, tokenizer), skip_special_tokens=False) == text


@given(WORDS, WORDS)
def test_generated_turn_reads_back(tokenizer, thinking, text):
    pieces = harmony.render_turns([{"role": "assistant", "content": text, "thinking": thinking}])[0]
    ids, mask = harmony.encode_pieces(pieces, tokenizer)
    answer = [i for i, trained in zip(ids, mask, strict=True) if trained]
    assert harmony.split_channels(answer, tokenizer) == (thinking, text)
