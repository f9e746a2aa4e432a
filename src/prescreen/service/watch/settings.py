"""What a clinic sets about numbers and traces; both are off unless set. Knows no metric."""

from pathlib import Path

from pydantic import Field, model_validator

from prescreen.config import Strict
from prescreen.service.door.identity_settings import is_loopback


class MetricsSettings(Strict):
    """Where Prometheus reads the service's numbers: `/metrics` on a port of its own, never through the proxy."""

    port: int = Field(9464, ge=1, le=65535)  # plain HTTP; no number carries a name, a visit or a word
    host: str = "127.0.0.1"  # 0.0.0.0 in a container, where the network decides who comes near
    certificate: Path | None = None  # the certificate patients' phones see, to count the days it is still good


class TraceSettings(Strict):
    """Where spans go: OTLP as protobuf over HTTP. A span holds codes and times, no content."""

    endpoint: str = Field(pattern=r"^https?://[^\s/]+(/\S*)?$")  # whole, e.g. http://127.0.0.1:4318/v1/traces
    headers_file: Path | None = None  # lines `name: value` for the collector, for the service's user alone (0600)
    ca: Path | None = None  # certificates the collector is checked against, where not the system's

    @model_validator(mode="after")
    def _keeps_its_secret(self) -> "TraceSettings":
        host = self.endpoint.split("://", 1)[1].split("/", 1)[0].rsplit(":", 1)[0].strip("[]")
        if self.headers_file is not None and not self.endpoint.startswith("https://") and not is_loopback(host):
            raise ValueError("endpoint: headers hold a secret; name an https:// address")
        return self
