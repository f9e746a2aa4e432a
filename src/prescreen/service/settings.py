"""serve.yaml: what a clinic sets, frozen; unknown keys are errors. Secrets stand in files it names, never here."""

from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from prescreen.clinic.acuity import Acuity
from prescreen.config import Strict, parse_recipe, read_yaml
from prescreen.ehr.launch import LaunchSettings
from prescreen.errors import RecipeError
from prescreen.intake.state import NUMBER
from prescreen.service.door.identity_settings import IdentitySettings
from prescreen.service.door.programs import HookSettings, Program
from prescreen.service.engine.engines import Demo, EngineSettings, RulesOnly
from prescreen.service.record.ways import EmbeddedWay, Way
from prescreen.service.watch.settings import MetricsSettings, TraceSettings

NAME: Final = "serve.yaml"


class Clinic(Strict):
    """Who the clinic is, as patients read it. `languages` are offered in this order; the first is the default."""

    name: str = Field(min_length=2, max_length=120)  # as patients and nurses read it on every page
    emergency_number: str = Field(pattern=NUMBER)  # what a patient is told to call
    phone: str = Field("", max_length=40)  # the clinic's own, on the pages that send a patient to a person
    languages: tuple[str, ...] = Field(("en",), min_length=1)  # offered in this order: en, es, ar, de
    teams: tuple[str, ...] = Field(("clinic",), min_length=1)  # a visit belongs to one; the first takes walk-ins
    time_zone: str = "UTC"  # of the clinic's wall clock, e.g. Europe/Berlin

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("write a time zone as the tz database names it, for example Europe/Berlin") from None
        return value


class Review(Strict):
    """How nurses work. `targets_min` is how long each level may wait, in minutes."""

    undo_s: int = Field(30, ge=0, le=600)  # how long a signature can be taken back; nothing is sent before
    blind_share: float = Field(0.05, ge=0, le=1)  # of visits whose level a nurse decides before the draft is seen
    draft_by_s: int = Field(120, ge=5, le=3600)  # then the rules alone draft; half of it is the model's time
    # how long each level may wait, in minutes: all four levels, in their order
    targets_min: dict[Acuity, int] = {
        Acuity.EMERGENCY: 2,
        Acuity.HIGH: 15,
        Acuity.MEDIUM: 60,
        Acuity.LOW: 240,
    }

    @model_validator(mode="after")
    def _names_every_level(self) -> "Review":
        if set(self.targets_min) != set(Acuity):
            raise ValueError("targets_min: name all four levels")
        return self


class Web(Strict):
    """Where the pages are reached. `hosts` are the names a request may carry; behind a proxy the outer ones."""

    base_url: str = "http://localhost:8080"  # where people reach it: https://NAME, plain http for a demonstration
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1")  # names a request may carry, without port
    proxies: tuple[str, ...] = ()  # addresses or networks of proxies that are believed about who asks
    walk_in: bool = True  # may a patient begin without an invitation?
    body_limit: int = Field(262_144, ge=4_096)  # bytes of one request

    @property
    def is_secure(self) -> bool:
        return self.base_url.startswith("https://")


class Audit(Strict):
    """Where the log's end is noted outside the database, best on another machine's disk, and how often."""

    anchor: Path | None = None  # the file signed marks are added to; none keeps them in the database alone
    every: int = Field(100, ge=1)  # lines of the log between two marks


class Settings(Strict):
    """One clinic's service. `demo` marks every page, allows unreleased models, and plain HTTP on this machine."""

    clinic: Clinic
    review: Review = Review()
    web: Web = Web()
    engine: EngineSettings = RulesOnly()
    record: tuple[Way, ...] = (EmbeddedWay(),)
    identity: IdentitySettings = IdentitySettings()
    programs: tuple[Program, ...] = ()  # who may use the FHIR endpoint of the embedded way
    hooks: HookSettings | None = None
    launch: LaunchSettings | None = None
    audit: Audit = Audit()
    approvals: Literal["required", "waived"] = "required"  # a release needs a physician's and an admin's signature
    metrics: MetricsSettings | None = None
    traces: TraceSettings | None = None
    demo: bool = False  # invented patients: marks every page, allows an unreleased model and plain http here

    @property
    def needs_approvals(self) -> bool:
        """Whether an unsigned release is refused; invented patients need nobody's signature."""
        return self.approvals == "required" and not self.demo

    @model_validator(mode="after")
    def _is_safe(self) -> "Settings":
        local = {"localhost", "127.0.0.1"}
        if not self.web.is_secure and not (self.demo and set(self.web.hosts) <= local):
            raise ValueError(
                "web.base_url must be https (a proxy in front ends TLS); plain http is for demo: true on localhost"
            )
        names = [way.name for way in self.record]
        if len(set(names)) < len(names):
            raise ValueError("record: give every way a name of its own")
        if isinstance(self.engine, Demo) and not self.demo:
            raise ValueError("engine: kind demo is for demo: true; a clinic serves a release")
        return self


def read_settings(folder: Path) -> Settings:
    """The settings in a folder; RecipeError names file, key and mend."""
    path = folder / NAME if folder.is_dir() else folder
    if not path.is_file():
        raise RecipeError(f"{path}: not here; name a folder with a {NAME}, for example recipes/tiny")
    return parse_recipe(Settings, read_yaml(path), path)
