"""A real server on this machine: structured output is asked for, faults are answers, keys stay at home."""

import pytest

from prescreen.errors import InputError
from prescreen.model.endpoint import KEY, THINKING, EndpointEngine, check_url
from small_server import MODEL, Reply, serve

SCHEMA = {"type": "object", "properties": {"level": {"enum": ["low"]}}, "required": ["level"]}


def prompt(text):
    return [{"role": "developer", "content": "Name the level."}, {"role": "user", "content": text}]


def said(body):
    return body["messages"][-1]["content"]


def open_engine(server, **settings):
    return EndpointEngine(server.url, MODEL, **({"pause_s": 0, "timeout_s": 5} | settings))


def test_answers_come_in_order_with_schema_and_thinking():
    with serve(lambda body: Reply(f"level {said(body)}", after_s=0.05 if said(body) == "0" else 0)) as server:
        ticks = []
        engine = open_engine(server, at_once=3)
        answers = engine.generate([prompt(str(n)) for n in range(6)], schema=SCHEMA, progress=ticks.append)
    assert [answer.text for answer in answers] == [f"level {n}" for n in range(6)]
    assert {(answer.thinking, answer.finish, answer.tokens) for answer in answers} == {("hm", "stop", 7)}
    assert ticks == [1] * 6
    body = server.bodies[0]
    form = {"name": "answer", "schema": SCHEMA, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": form}
    assert body["temperature"] == 0 and body["max_tokens"] == 640 + THINKING
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "reasoning_effort" not in body


def test_no_key_by_default_and_the_given_one_when_there_is_one():
    with serve(lambda body: Reply("x")) as server:
        open_engine(server).generate([prompt("a")])
        open_engine(server, key="secret", effort="low").generate([prompt("a")])
    assert "authorization" not in server.headers[0]
    assert server.headers[1]["authorization"] == "Bearer secret"
    assert server.bodies[1]["reasoning_effort"] == "low" and "secret" not in str(server.bodies)


@pytest.mark.parametrize(
    ("reply", "error", "asked"),
    [
        (Reply(status=500, raw=b'{"error": {"message": "out of\\n memory"}}'), 'HTTP 500: "out of memory"', 2),
        (Reply(status=503, raw=b"busy"), 'HTTP 503: "busy"', 2),
        (Reply(status=400, raw=b"no such model"), "HTTP 400", 1),
        (Reply(status=302, raw=b""), "HTTP 302", 1),
        (Reply(raw=b"<html>"), "no chat completion", 1),
        (Reply(raw=b'{"choices": []}'), "no chat completion", 1),
        (Reply(after_s=0.6), "ReadTimeout", 2),
        (Reply("x", finish="content_filter"), "filter", 1),
    ],
)
def test_a_fault_is_an_answer_and_only_passing_ones_are_asked_again(reply, error, asked):
    with serve(lambda body: reply) as server:
        (answer,) = open_engine(server, timeout_s=0.2).generate([prompt("a")])
    assert (answer.finish, answer.text) == ("error", "") and error in answer.error
    assert len(server.bodies) == asked


def test_what_fails_once_is_answered_the_second_time():
    replies = iter([Reply(status=503, raw=b"busy"), Reply("low", finish="length")])
    with serve(lambda body: next(replies)) as server:
        (answer,) = open_engine(server).generate([prompt("a")])
    assert (answer.text, answer.finish) == ("low", "length")


def test_a_server_that_is_gone_is_an_error_for_each_prompt():
    with serve(lambda body: Reply("x")) as server:
        engine = open_engine(server)
    answers = engine.generate([prompt("a"), prompt("b")])
    assert [answer.finish for answer in answers] == ["error", "error"] and "ConnectError" in answers[0].error
    with pytest.raises(InputError, match="nothing answers there"):
        engine.check()


def test_check_names_the_models_there_are():
    with serve(lambda body: Reply("x")) as server:
        open_engine(server).check()
        with pytest.raises(InputError, match=f"the server has {MODEL}"):
            EndpointEngine(server.url, "large").check()


def test_proxies_of_the_environment_never_see_a_case(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serve(lambda body: Reply("low")) as server:
        (answer,) = open_engine(server).generate([prompt("a")])
    assert answer.text == "low"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http:///v1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputError, match="such as http://localhost:8000/v1"):
        check_url(url)


def test_a_key_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(InputError, match=KEY) as refused:
        check_url("https://user:hunter2@host/v1")
    assert "hunter2" not in str(refused.value)
