"""Releases told to an MLflow server besides, where limits.yaml names one: versions, aliases, tags.

The ledger is what counts; a server that is away or refuses blocks nothing. No weights are sent: a version names
their hash. Knows MLflow's REST interface, no clinic.
"""

import logging
from pathlib import Path
from typing import Any, Final

from prescreen.monitor.advance import find_champion, read_limits_of
from prescreen.monitor.changes import Registry
from prescreen.monitor.shelf import Shelf, read_proposed, read_state
from prescreen.release import Release, key_of

LOG = logging.getLogger("prescreen.registry")
TIMEOUT_S: Final = 5.0
_API: Final = "/api/2.0/mlflow"


def announce(registry: Registry, release: Release, alias: str, **tags: str) -> bool:
    """Write a release down as a version under an alias (candidate, champion); False where that did not work."""
    import httpx2

    if not registry.mlflow:
        return False
    try:
        with httpx2.Client(base_url=registry.mlflow.rstrip("/"), timeout=TIMEOUT_S, trust_env=False) as client:
            version = _find_version(client, registry.model, key_of(release)) or _add(client, registry, release)
            for key, value in tags.items():
                _call(client, "POST", "/model-versions/set-tag", _named(registry, version, key=key, value=value))
            body = {"name": registry.model, "alias": alias, "version": version}
            _call(client, "POST", "/registered-models/alias", body)
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        LOG.info("the registry was not told: %s", type(error).__name__)
        return False
    return True


def tell(shelf: Shelf) -> bool:
    """Write down who serves and who is on trial now; False where no registry is named, or it did not answer."""
    state = read_state(shelf.ledger.read())
    registry = read_limits_of(shelf, state.candidate or state.current).registry
    champion = find_champion(shelf)
    told = [announce(registry, champion, "champion", stage="serves")] if champion is not None else []
    if state.candidate:
        candidate = read_proposed(shelf, state.candidate)
        told.append(announce(registry, candidate, "candidate", stage=state.stage))
    return bool(told) and all(told)


def _add(client: Any, registry: Registry, release: Release) -> str:
    answer = client.post(f"{_API}/registered-models/create", json={"name": registry.model})
    if answer.status_code != 200 and answer.json().get("error_code") != "RESOURCE_ALREADY_EXISTS":
        answer.raise_for_status()
    tags = {"key": key_of(release), "weights": release.weights, "verdict": release.verdict}
    body = {
        "name": registry.model,
        "source": f"prescreen:/{release.candidate}-{release.weights[:12]}/{Path(release.gate).name}",
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    return str(_call(client, "POST", "/model-versions/create", body)["model_version"]["version"])


def _find_version(client: Any, name: str, key: str) -> str:
    """The version of a release that was written down before, "" where none was."""
    answer = client.get(f"{_API}/model-versions/search", params={"filter": f"name='{name}'", "max_results": 1000})
    found = answer.json().get("model_versions", []) if answer.status_code == 200 else []
    for one in found:
        if {"key": "key", "value": key} in one.get("tags", []):
            return str(one["version"])
    return ""


def _named(registry: Registry, version: str, **more: str) -> dict[str, str]:
    return {"name": registry.model, "version": version, **more}


def _call(client: Any, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.request(method, f"{_API}{path}", json=body)
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told
