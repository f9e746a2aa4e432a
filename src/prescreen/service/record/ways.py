"""The ways to the record system as a clinic sets them, and the channel each becomes. Knows no queue and no page."""

import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from prescreen.clinic.signed import SignedVisit
from prescreen.config import Strict
from prescreen.ehr.bundle import write_bundle
from prescreen.ehr.channel import Channel
from prescreen.ehr.checks import check_bundle
from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.drop import DropChannel
from prescreen.ehr.embedded import EmbeddedChannel
from prescreen.ehr.fhir_client import FhirChannel
from prescreen.ehr.messages import Route, write_mdm, write_oru
from prescreen.ehr.mllp_client import MllpChannel
from prescreen.errors import GuardError

if TYPE_CHECKING:
    from prescreen.ehr.smart import BackendAuth

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]


class EmbeddedWay(Strict):
    """The FHIR endpoint of this service itself, over its own store."""

    kind: Literal["embedded"] = "embedded"  # prescreen's own store, read by programs below /fhir
    name: Name = "record"  # as the outbox shows it; keep it, for deliveries on their way carry it


class SmartKey(Strict):
    """Who we are to the record's token server (SMART Backend Services); `key_file` holds the private key as PEM."""

    client_id: str  # as the record system registered us
    kid: str  # the key's id in the key set registered there
    key_file: Path  # the private key as PEM, for the service's user alone (0600)
    algorithm: Literal["RS384", "ES384"] = "RS384"  # how assertions are signed
    scopes: tuple[str, ...] = ("system/*.cruds",)  # what the record system has granted


class FhirWay(Strict):
    """An R4 server of the clinic. `ca` is a file of its certificate authority, where that is the clinic's own."""

    kind: Literal["fhir"]  # an R4 server of the clinic
    name: Name = "record"  # as the outbox shows it; keep it
    base_url: str  # of the server, https
    smart: SmartKey | None = None
    ca: Path | None = None  # the clinic's own certificate authority, as PEM
    timeout_s: float = Field(20.0, gt=0, le=120)  # of one call


class MllpWay(Strict):
    """An interface engine that takes HL7 v2."""

    kind: Literal["mllp"]  # an interface engine that takes HL7 v2.5.1
    name: Name = "interface"  # as the outbox shows it; keep it
    host: str  # of the engine
    port: int = Field(ge=1, le=65535)  # of the engine
    message: Literal["MDM", "ORU"] = "MDM"  # a document, or results with vital signs as values
    route: Route = Route()
    ca: Path | None = None  # the receiver's certificate authority, as PEM; with it TLS is spoken
    allow_plain: bool = False  # send to another machine without TLS, where the network itself is closed


class DropWay(Strict):
    """A folder from which something else takes the files."""

    kind: Literal["drop"]  # a folder that something else empties
    name: Name = "folder"  # as the outbox shows it; keep it
    folder: Path  # it must be there and belong to the service's user
    format: Literal["fhir", "mdm", "oru"] = "fhir"  # what each file holds: .json, or .hl7


Way = Annotated[EmbeddedWay | FhirWay | MllpWay | DropWay, Field(discriminator="kind")]


def open_way(way: EmbeddedWay | FhirWay | MllpWay | DropWay, desk: FhirDesk) -> Channel:
    """The channel of a way; GuardError where a file or folder it names is not there."""
    match way:
        case EmbeddedWay():
            return EmbeddedChannel(desk)
        case FhirWay():
            ca = None if way.ca is None else str(_there(way.ca))
            return FhirChannel(way.base_url, _open_smart(way, ca), timeout_s=way.timeout_s, ca=ca)
        case MllpWay():
            tls = None if way.ca is None else ssl.create_default_context(cafile=str(_there(way.ca)))
            return MllpChannel(
                way.host, way.port, tls=tls, allow_plain=way.allow_plain, kind=way.message, route=way.route
            )
        case DropWay():
            write, ending = _FORMATS[way.format]
            return DropChannel(way.folder, write, ending)


def _write_fhir(visit: SignedVisit) -> bytes:
    bundle = check_bundle(write_bundle(visit))
    return json.dumps(bundle, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


_FORMATS = {
    "fhir": (_write_fhir, ".json"),
    "mdm": (lambda visit: write_mdm(visit).encode(), ".hl7"),
    "oru": (lambda visit: write_oru(visit).encode(), ".hl7"),
}


def _open_smart(way: FhirWay, ca: str | None) -> "BackendAuth | None":
    if way.smart is None:
        return None
    from prescreen.ehr.smart import BackendAuth, ServiceKey

    told = way.smart
    pem = read_secret(told.key_file)
    key = ServiceKey(client_id=told.client_id, kid=told.kid, pem=pem, algorithm=told.algorithm)
    return BackendAuth(way.base_url, key, told.scopes, timeout_s=way.timeout_s, ca=ca)


def read_secret(path: Path) -> str:
    """A secret's file; GuardError where others can read it."""
    if _there(path).stat().st_mode & 0o077:
        raise GuardError(f"{path}: others can read this secret; run chmod 600 on it")
    return path.read_text(encoding="utf-8").strip()


def _there(path: Path) -> Path:
    if not path.is_file():
        raise GuardError(f"{path}: the settings name this file, but it is not there; correct serve.yaml")
    return path
