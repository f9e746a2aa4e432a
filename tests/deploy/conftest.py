"""What the tests of the deployment share: the folder, and YAML as its readers see it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="session")
def deploy() -> Path:
    """The folder of deploy files."""
    return DEPLOY


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """compose.yaml with its anchors and merges resolved."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="session")
def manifests() -> list[dict[str, Any]]:
    """Every object of the Kubernetes folder, the template of secrets too."""
    found = []
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        found += [item for item in yaml.safe_load_all(path.read_text()) if item]
    return found
