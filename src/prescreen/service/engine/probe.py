"""What an OpenAI-compatible server can do, asked at the start and told in one sentence a finding.

A server that answers slowly or wrongly still serves: answers are checked here as well. What it says of itself is
cut to plain characters before it is repeated. Knows the wire, no case and no release.
"""

import json
import re
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

from prescreen.config import Strict
from prescreen.model.endpoint import EndpointEngine
from prescreen.model.engine import Completion
from prescreen.model.harmony import Message
from prescreen.service.engine.calling import run_within
from prescreen.service.engine.reading import leaks

T = TypeVar("T")
PROBE_S: Final = 30.0  # for each of the three questions
SCHEMA_USE: Final = {
    "enforced": "It holds answers to a JSON schema.",
    "ignored": "It does not hold answers to a JSON schema: more drafts will be refused here.",
    "refused": "It refuses a JSON schema and is asked without one: more drafts will be refused here.",
    None: "Whether it holds answers to a JSON schema could not be asked.",
}
PLAIN: Final = re.compile(r"[^A-Za-z0-9._:/@+-]+")


class Served(Strict):
    """One entry of the server's list: its name for the model, and where it says the weights or the adapter lie."""

    id: str
    root: str = ""
    parent: str = ""


class Probe(Strict):
    """What was found; None where it could not be asked. `findings` says it in sentences for the operator.

    `schema_use`: enforced, ignored (answers, but freely) or refused (only answers without a schema).
    """

    url: str
    model: str
    reachable: bool = False
    listed: bool | None = None
    served: Served | None = None
    version: str = ""
    schema_use: Literal["enforced", "ignored", "refused"] | None = None
    separated: bool | None = None
    latency_s: float | None = None
    findings: tuple[str, ...] = ()


def probe_server(engine: EndpointEngine, key: str = "", seconds: float = PROBE_S) -> Probe:
    """Ask the server what there is to know; takes at most three times `seconds` and raises nothing."""
    found: dict[str, Any] = {"url": engine.url, "model": engine.model}
    listing = _try(lambda: list_models(engine.url, key, seconds), seconds)
    if listing is None:
        silent = f"{engine.url}: nothing answers there; start the server or correct the address"
        return Probe(**found, findings=(silent,))
    models, version = listing
    served = next((one for one in models if one.id == engine.model), None)
    found |= {"reachable": True, "version": version, "served": served}
    found["listed"] = served is not None if models else None
    begun = time.monotonic()
    plain = _ask(engine, "Say in one short sentence that you are ready.", None, seconds)
    if plain is not None:
        found["latency_s"] = round(time.monotonic() - begun, 3)
        found["separated"] = not leaks(plain.text)
    found["schema_use"] = ask_schema(engine, plain is not None, seconds)
    probe = Probe(**found)
    return probe.model_copy(update={"findings": tuple(describe(probe, models))})


def list_models(url: str, key: str, seconds: float) -> tuple[list[Served], str]:
    """The server's models and its version where it tells; both are courtesies. No proxy, no redirect."""
    import httpx2

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx2.Client(headers=headers, timeout=seconds, trust_env=False) as client:
        models = _read_models(client.get(f"{url}/models"))
        try:
            told = client.get(f"{url.removesuffix('/v1')}/version").json()["version"]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):
            told = ""
    return models, tidy(told)


def _read_models(answer: Any) -> list[Served]:
    try:
        return [
            Served(id=str(row["id"]), root=str(row.get("root") or ""), parent=str(row.get("parent") or ""))
            for row in answer.json()["data"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def ask_schema(
    engine: EndpointEngine, answers: bool, seconds: float
) -> Literal["enforced", "ignored", "refused"] | None:
    """Whether structured output holds: the schema allows one random word that no model would say by itself."""
    word = f"w{secrets.token_hex(3)}"
    schema = {
        "type": "object",
        "properties": {"word": {"type": "string", "enum": [word]}},
        "required": ["word"],
        "additionalProperties": False,
    }
    answer = _ask(engine, "Tell me in two friendly sentences how you are. No JSON, please.", schema, seconds)
    if answer is None:
        return "refused" if answers else None
    try:
        return "enforced" if json.loads(answer.text) == {"word": word} else "ignored"
    except ValueError:
        return "ignored"


def _ask(engine: EndpointEngine, text: str, schema: dict[str, Any] | None, seconds: float) -> Completion | None:
    messages: list[Message] = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": text}]
    answers = run_within(lambda: engine.generate([messages], schema=schema, max_tokens=64), seconds)
    return answers[0] if answers and answers[0].finish != "error" else None


def _try(work: Callable[[], T], seconds: float) -> T | None:
    import httpx2

    try:
        return run_within(work, seconds)
    except httpx2.HTTPError:
        return None


def describe(probe: Probe, models: list[Served]) -> list[str]:
    """One sentence a finding, the troubling ones told with what they mean."""
    says = [f"{probe.url} answers" + (f" (version {probe.version})." if probe.version else ".")]
    if probe.listed is None:
        says.append("It lists no models, so nobody can tell which one it serves.")
    elif probe.listed:
        root = probe.served.root if probe.served else ""
        says.append(f"It lists {tidy(probe.model)}" + (f", from {tidy(root)}." if root else "."))
    else:
        says.append(
            f"It does not list {tidy(probe.model)}; it has {', '.join(tidy(one.id) for one in models[:5])}."
        )
    if probe.latency_s is None:
        says.append("It gave no answer to a plain question; drafts will fail until it does.")
    else:
        says.append(f"It answered a plain question in {probe.latency_s:.2f} s.")
    says.append(SCHEMA_USE[probe.schema_use])
    if probe.separated is not None:
        says.append(
            "Its analysis stays out of the answer."
            if probe.separated
            else "Its analysis gets into the answer: such answers are refused here."
        )
    if probe.url.startswith("http://") and not re.match(r"http://(localhost|127\.|\[::1\])", probe.url):
        says.append("The way to it is not encrypted: keep it inside one machine or a closed network.")
    return says


def tidy(text: object) -> str:
    """What a server says, in at most 80 plain characters."""
    return PLAIN.sub("_", str(text))[:80]
