"""An engine behind any OpenAI-compatible chat server (vLLM, llama.cpp, a clinic's gateway) that the user names.

A request that fails in passing is tried once more; what fails then is a completion with `finish="error"`, which
stays in every denominator. The text goes to the named address and nowhere else: no proxy, no redirect, no key
unless one is given. Knows the wire format and nothing about triage.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from prescreen.errors import InputError
from prescreen.model.engine import Completion, Progress
from prescreen.model.harmony import Message

if TYPE_CHECKING:
    from httpx2 import Client, Response

KEY = "PRESCREEN_API_KEY"  # the only place a key is read from: a flag would stand in the shell's history
THINKING = 2048  # tokens a server may think before the answer; it counts them, our own decoder does not
PASSING = frozenset({408, 429, 500, 502, 503, 504})


class _Message(BaseModel):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    completion_tokens: int = 0


class _Answer(BaseModel):
    """What is read of a server's answer; servers add fields of their own."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class EndpointEngine:
    """Asks `url`/chat/completions for `model`, several prompts at once; answers come in the order asked."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "",
        effort: str = "",
        timeout_s: float = 120.0,
        at_once: int = 4,
        pause_s: float = 1.0,
    ) -> None:
        check_url(url)
        self.url, self.model = url.rstrip("/"), model
        self.name = f"{model} at {self.url}"
        self.at_once, self.pause_s = at_once, pause_s
        self._effort, self._timeout_s = effort, timeout_s
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def generate(
        self,
        prompts: Sequence[list[Message]],
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 640,
        progress: Progress | None = None,
    ) -> list[Completion]:
        bodies = [self._write(messages, schema, max_tokens) for messages in prompts]
        return list(self._ask_all(bodies, progress))

    def check(self) -> None:
        """InputError where nothing answers, the key is refused, or the server lists other models only."""
        import httpx2

        with self._open() as client:
            try:
                answer = client.get(f"{self.url}/models")
            except httpx2.HTTPError as error:
                raise InputError(
                    f"{self.url}: nothing answers there ({_name(error)}); start the server or correct the address"
                ) from None
        if answer.status_code in (401, 403):
            raise InputError(f"{self.url}: the server refuses us; put its key into {KEY}")
        try:
            names = [str(row["id"]) for row in answer.json()["data"]]
        except (ValueError, KeyError, TypeError):
            return  # listing models is a courtesy not every server knows
        if names and self.model not in names:
            raise InputError(f"{self.url}: there is no model {self.model!r}; the server has {', '.join(names)}")

    def _open(self) -> "Client":
        from httpx2 import Client

        return Client(headers=self._headers, timeout=self._timeout_s, trust_env=False)

    def _write(self, messages: list[Message], schema: dict[str, Any] | None, max_tokens: int) -> dict[str, Any]:
        """The request. `system` is the name of our developer role that every server knows."""
        roles = {"developer": "system"}
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": roles.get(m["role"], m["role"]), "content": m["content"]} for m in messages],
            "max_tokens": max_tokens + THINKING,
            "temperature": 0,
        }
        if self._effort:
            body["reasoning_effort"] = self._effort
        if schema:
            form = {"name": "answer", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body

    def _ask_all(self, bodies: Sequence[Mapping[str, Any]], progress: Progress | None) -> Iterator[Completion]:
        pool = ThreadPoolExecutor(self.at_once)
        try:
            with self._open() as client:
                for completion in pool.map(lambda body: self._ask(client, body), bodies):
                    if progress:
                        progress(1)
                    yield completion
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C asks nothing more

    def _ask(self, client: "Client", body: Mapping[str, Any]) -> Completion:
        """One prompt; what fails in passing is asked once more."""
        import httpx2

        completion = Completion("", finish="error", error="not asked")
        for attempt in range(2):
            if attempt:
                time.sleep(self.pause_s)
            try:
                answer = client.post(f"{self.url}/chat/completions", json=dict(body))
            except httpx2.HTTPError as error:
                completion = Completion("", finish="error", error=_name(error))
                continue
            completion = read_answer(answer)
            if answer.status_code not in PASSING:
                break
        return completion


def check_url(url: str) -> None:
    """InputError for what is no plain address of a server."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{url}: give the server's address, such as http://localhost:8000/v1")
    if parts.username or parts.password or parts.query:
        raise InputError(f"{parts.hostname}: keep keys out of the address; put one into {KEY}")


def read_answer(answer: "Response") -> Completion:
    """One HTTP answer as a completion; anything but a readable choice is an error."""
    if answer.status_code != 200:
        return Completion("", finish="error", error=f"HTTP {answer.status_code}: {_say_body(answer)}")
    try:
        read = _Answer.model_validate_json(answer.content)
    except ValidationError:
        return Completion("", finish="error", error=f"no chat completion in the answer: {_say_body(answer)}")
    choice = read.choices[0]
    if choice.finish_reason == "content_filter":
        return Completion("", finish="error", error="the server's filter withheld the answer")
    thinking = choice.message.reasoning or choice.message.reasoning_content or ""
    tokens = read.usage.completion_tokens if read.usage else 0
    finish = "length" if choice.finish_reason == "length" else "stop"
    return Completion(choice.message.content or "", thinking, finish, tokens)  # type: ignore[arg-type]


def _say_body(answer: "Response") -> str:
    """The server's own words, short and on one line."""
    try:
        said = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = answer.text
    return json.dumps(" ".join(str(said).split())[:160], ensure_ascii=False)


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
