"""What all tests share: a table of tiny stages for the executor, and a way to write recipe folders."""

import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, settings

from small_stages import CopyRecipe, MakeRecipe, copy, make

pytest_plugins = ["small_model"]

# The same examples every time, and no clock: a busy machine must not turn a property into a flake.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Two stages no product knows: `make` and `copy`."""
    for name, cls, main in (("stage_make", MakeRecipe, make), ("stage_copy", CopyRecipe, copy)):
        module = types.ModuleType(name)
        module.__file__ = __file__
        vars(module).update(Settings=cls, main=main)
        monkeypatch.setitem(sys.modules, name, module)
    return {"make": "stage_make:Settings", "copy": "stage_copy:Settings"}


@pytest.fixture
def write_recipes(tmp_path: Path) -> Callable[..., Path]:
    """Write `{recipe name: values}` as a folder of YAML files and return it."""

    def write(recipes: dict[str, dict[str, object]], folder: str = "recipes/small") -> Path:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        for name, values in recipes.items():
            (root / f"{name}.yaml").write_text(yaml.safe_dump(values))
        return root

    return write


@pytest.fixture
def small(write_recipes: Callable[..., Path]) -> Path:
    """A folder of two recipes, the second reading the first."""
    return write_recipes(
        {
            "01-make": {"stage": "make"},
            "02-copy": {"stage": "copy", "inputs": {"source": "01-make"}, "times": 2},
        }
    )
