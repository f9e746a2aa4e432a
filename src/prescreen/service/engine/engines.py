"""Which engine serves, whether it may, and what it is called beside every draft.

The release rule holds for all: in-process the gate judged exactly these bytes; a server cannot prove its weights,
so it must serve them under the release's own name or a person must have confirmed the verdict in the settings. All
else is a demo and says so. Knows releases and engines, no page.
"""

import datetime
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from prescreen.clinic.signed import ModelLabel
from prescreen.config import Strict
from prescreen.errors import PrescreenError
from prescreen.model.endpoint import KEY, EndpointEngine
from prescreen.model.engine import Completion, Progress
from prescreen.model.harmony import Message
from prescreen.pipeline import Stages
from prescreen.release import Release, open_release, refuse
from prescreen.service.engine.calling import Caller, ThreadCaller
from prescreen.service.engine.guarding import GuardedEngine, GuardSettings
from prescreen.service.engine.host import Host
from prescreen.service.engine.pool import Pool
from prescreen.service.engine.probe import PROBE_S, Probe, probe_server
from prescreen.service.engine.standing import Standing, compare, served_name, stands, watch

DEMO = "demo, unreleased"
Doubt = Callable[[Release], str]


def trust(_release: Release) -> str:
    """Nothing else speaks against it."""
    return ""


class RulesOnly(Strict):
    """No model at all."""

    kind: Literal["rules"] = "rules"  # no model; every page of the queue says so


class Released(Strict):
    """The model of the current release, in processes beside the service. `threads` 0 is torch's own choice.

    Each process holds the whole model; with two or more, a patient's question never waits for a draft to end.
    """

    kind: Literal["release"] = "release"  # the promoted model, in processes beside the service
    releases: Path = Path("releases")  # where promoted releases are kept
    processes: Annotated[int, Field(ge=1)] = 1  # each holds the whole model; with two no question waits for a draft
    threads: int = 0  # of each process; 0 leaves it to torch
    start_s: float = 600.0  # how long loading may take before the process is taken for hung


class Demo(Strict):
    """A model that nothing released, for invented patients: `twin`, a model folder or a training run."""

    kind: Literal["demo"] = "demo"  # a model nothing released, for invented patients
    model: str = "twin"  # `twin`, a model folder or a training run
    processes: Annotated[int, Field(ge=1)] = 2  # each holds the whole model
    threads: int = 1  # of each process
    start_s: float = 600.0  # how long loading may take


class Endpoint(Strict):
    """A server the clinic names. It serves the release in `releases`, or with `demo` anything to invented patients.

    `released` is the verdict (SHA-256) that a person confirms this server to serve; it is needed where the server
    does not list the model under the release's own name (`served_name`).
    """

    kind: Literal["endpoint"] = "endpoint"  # a server that speaks the OpenAI protocol
    url: str  # e.g. http://127.0.0.1:8000/v1; its key stands in PRESCREEN_API_KEY
    model: str  # as the server lists it
    effort: str = ""  # reasoning effort asked for; empty asks for none
    timeout_s: float = 60.0  # of one call
    at_once: int = 4  # calls at the same time
    releases: Path = Path("releases")  # where promoted releases are kept
    released: str = ""  # the verdict (SHA-256) a person confirms this server to serve
    demo: bool = False  # anything, for invented patients


EngineSettings = Annotated[RulesOnly | Released | Demo | Endpoint, Field(discriminator="kind")]


class Opened(NamedTuple):
    """What serves. Without an engine `why` says why the rules draft alone; `later` that another try may help."""

    engine: Caller | None
    label: ModelLabel | None
    why: str
    standing: Standing = stands
    probe: Probe | None = None
    later: bool = False


def open_engine(settings: EngineSettings, stages: Stages, doubt: Doubt = trust) -> Opened:
    """Open what the settings name; never raises for a model that may not or cannot serve.

    `doubt` says what else speaks against a release, e.g. that nobody has signed it.
    """
    match settings:
        case Released():
            return _open_released(settings, stages, doubt)
        case Demo():
            return _open_demo(settings)
        case Endpoint():
            return _open_endpoint(settings, stages, doubt)
    return Opened(None, None, "the settings name no model; drafted by rules only")


def open_candidate(settings: Released | Endpoint, stages: Stages, release: Release) -> Opened:
    """Open a candidate on trial beside the release: one process of lowest priority, or the server by its name."""
    try:
        refuse(release, stages, datetime.datetime.now(datetime.UTC).date())
    except (ValueError, KeyError, OSError) as error:
        return Opened(None, None, _sentence(error))
    if isinstance(settings, Released):
        return _start_hosts(
            release.model, label_of(release), settings.model_copy(update={"processes": 1}), stands, 19
        )
    named = settings.model_copy(update={"model": served_name(release), "demo": True})
    opened = _open_endpoint(named, stages, trust)
    if opened.label is None or opened.probe is None or not opened.probe.listed:
        return Opened(None, None, "the server does not list the candidate under its own name", probe=opened.probe)
    return opened._replace(
        label=opened.label.model_copy(update={"version": served_name(release), "verdict": release.verdict})
    )


def label_of(release: Release) -> ModelLabel:
    """What a draft of a release is marked with."""
    return ModelLabel(
        name=release.candidate,
        version=release.weights[:12],
        engine="in-process",
        weights=release.weights,
        verdict=release.verdict,
    )


def guard(opened: Opened, settings: GuardSettings | None = None) -> GuardedEngine:
    """The guarded engine of what was opened."""
    return GuardedEngine(opened.engine, settings, why=opened.why, standing=opened.standing)


def _open_released(settings: Released, stages: Stages, doubt: Doubt) -> Opened:
    try:
        release = open_release(settings.releases, stages)
        standing = watch(settings.releases, release)
        why = doubt(release)
    except (ValueError, KeyError, OSError) as error:
        return Opened(None, None, _sentence(error))
    if why:
        return Opened(None, None, why)
    return _start_hosts(release.model, label_of(release), settings, standing)


def _open_demo(settings: Demo) -> Opened:
    from prescreen.evals.drafting import hash_weights

    try:
        weights = hash_weights(settings.model)
    except (ValueError, KeyError, OSError) as error:
        return Opened(None, None, _sentence(error))
    name = Path(settings.model).name
    label = ModelLabel(name=name, version=DEMO, engine="in-process", weights=weights)
    return _start_hosts(settings.model, label, settings, stands)


def _start_hosts(
    where: str, label: ModelLabel, settings: Released | Demo, standing: Standing, nice: int = 0
) -> Opened:
    order = {"kind": "model", "where": where, "threads": settings.threads, "nice": nice}
    pool = Pool([Host(order, label.name, start_s=settings.start_s) for _ in range(settings.processes)])
    if fault := pool.start():
        pool.close()
        return Opened(None, None, f"{label.name} could not be started: {fault}", later=True)
    return Opened(pool, label, "", standing)


def _open_endpoint(settings: Endpoint, stages: Stages, doubt: Doubt) -> Opened:
    release: Release | None = None
    standing, key = stands, os.environ.get(KEY, "")
    try:
        engine = EndpointEngine(
            settings.url, settings.model, key=key, effort=settings.effort, timeout_s=settings.timeout_s, at_once=1
        )
        if not settings.demo:
            release = open_release(settings.releases, stages)
            standing = watch(settings.releases, release)
            if why := doubt(release):
                return Opened(None, None, why)
    except (ValueError, KeyError, OSError) as error:
        return Opened(None, None, _sentence(error))
    probe = probe_server(engine, key, min(settings.timeout_s, PROBE_S))
    if not probe.reachable:
        return Opened(None, None, probe.findings[0], probe=probe, later=True)
    if probe.listed is False:
        missing = f"the server does not list {settings.model}; correct the name or load the model"
        return Opened(None, None, missing, probe=probe, later=True)
    if release and (fault := compare(release, settings.model, settings.released, probe.served)):
        return Opened(None, None, fault, probe=probe)
    label = ModelLabel(
        name=settings.model,
        version=served_name(release) if release else DEMO,
        engine="endpoint" + (f" {probe.version}" if probe.version else ""),
        verdict=release.verdict if release else "",
    )
    asked = Unschemed(engine) if probe.schema_use == "refused" else engine
    caller = ThreadCaller(asked, at_once=settings.at_once, most_hanging=2 * settings.at_once)
    return Opened(caller, label, "", standing, probe)


class Unschemed:
    """An engine whose server refuses a schema, asked without one; the answer is checked all the same."""

    def __init__(self, engine: EndpointEngine) -> None:
        self.engine, self.name = engine, engine.name

    def generate(
        self,
        prompts: Sequence[list[Message]],
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 640,
        progress: Progress | None = None,
    ) -> list[Completion]:
        return self.engine.generate(prompts, max_tokens=max_tokens, progress=progress)


def _sentence(error: Exception) -> str:
    return (
        str(error) if isinstance(error, PrescreenError) else f"the release cannot be read ({type(error).__name__})"
    )
