"""The documentation is tested: a verb, option, key, stage or metric that is not described fails here."""

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from prescreen import cli
from prescreen.evals.glossary import GLOSSARY

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RECIPES = sorted(path for path in (ROOT / "recipes").iterdir() if path.is_dir())
PAGES = [*(ROOT / name for name in ("README.md", "CHANGELOG.md", "launch/README.md")), *sorted(DOCS.rglob("*.md"))]
PAGES += sorted(ROOT.glob("recipes/*/*.md"))


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(page: str, verb: str) -> str:
    """The part of docs/commands.md about one verb."""
    match = re.search(rf"^## `prescreen {verb}\b.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert match, f"docs/commands.md has no section for prescreen {verb}"
    return match[0]


def verbs_of(group: Any, prefix: str = "") -> dict[str, Any]:
    """Every verb by its full name, those of a group as `bank export`."""
    found = {}
    for name, command in group.commands.items():
        inner = verbs_of(command, f"{prefix}{name} ") if "commands" in vars(command) else {prefix + name: command}
        found.update(inner)
    return found


VERBS = verbs_of(typer.main.get_command(cli.app))


def test_every_verb_and_option_is_described() -> None:
    page = (DOCS / "commands.md").read_text()
    missing = [
        f"{verb} {option}"
        for verb, command in VERBS.items()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--") and option != "--help" and f"`{option}" not in section(page, verb)
    ]
    assert missing == []


def test_no_described_verb_is_gone() -> None:
    described = re.findall(r"^## `prescreen ([a-z ]*[a-z])", (DOCS / "commands.md").read_text(), re.MULTILINE)
    assert sorted(described) == sorted(VERBS)


@pytest.mark.parametrize(
    "page", ["alerts.md", "metrics.md", "monitoring.md", "recipes.md", "rules.md", "service.md"]
)
def test_generated_tables_are_fresh(generate: ModuleType, page: str) -> None:
    assert (DOCS / page).read_text() == generate.render_page(page), "run `make docs`"


def test_every_stage_and_key_is_described(generate: ModuleType) -> None:
    page = (DOCS / "recipes.md").read_text()
    for cls, stages in generate.recipe_classes().items():
        for stage in stages:
            assert f"`{stage}`" in page
        for name in cls.model_fields:
            assert f"| `{name}`" in page or f"| `{name}." in page, f"{cls.__name__}.{name}"


def test_every_key_has_a_meaning(generate: ModuleType) -> None:
    keys = [(cls.__name__, key) for cls in generate.recipe_classes() for key in generate.list_keys(cls)]
    assert [f"{owner}: {key.name}" for owner, key in keys if not key.meaning.strip()] == []


def test_every_setting_of_the_service_has_a_meaning(generate: ModuleType) -> None:
    groups = list(generate.list_groups())
    assert {"Clinic", "OidcSettings", "SmartKey", "Route", "Endpoint", "LaunchSettings"} <= {
        group.settings.__name__ for group in groups
    }
    keys = [(group.settings.__name__, key) for group in groups for key in generate.list_settings(group)]
    assert len(keys) > 80
    assert [f"{owner}: {key.name}" for owner, key in keys if not key.meaning.strip()] == []


def test_every_role_is_described_with_its_routes() -> None:
    from prescreen.service.door.roles import ROUTES

    page = (DOCS / "service.md").read_text()
    assert [route for route in ROUTES if f"`{route}`" not in page] == []


@pytest.mark.parametrize("folder", [ROOT / "recipes" / "tiny", ROOT / "deploy" / "serve.yaml.example"], ids=str)
def test_the_examples_of_settings_are_taken(folder: Path) -> None:
    from prescreen.service.settings import read_settings

    settings = read_settings(folder)
    assert settings.demo is (folder.name == "tiny")


def test_the_example_shows_every_group_of_settings(generate: ModuleType) -> None:
    """A clinic copies it and takes away; what it does not show is not found."""
    text = (ROOT / "deploy" / "serve.yaml.example").read_text()
    places = {group.place.replace("[]", "").rsplit(".")[-1] for group in generate.list_groups() if group.place}
    assert [name for name in places if f"{name}:" not in text] == []


@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: folder.name)
def test_a_recipe_folder_says_its_command_its_stages_and_its_numbers(folder: Path) -> None:
    page = (folder / "README.md").read_text()
    assert f"prescreen run recipes/{folder.name}" in page
    assert [path.stem for path in sorted(folder.glob("[0-9]*.yaml")) if f"`{path.stem}`" not in page] == []
    assert "## Numbers to expect" in page


def test_every_gate_metric_is_described() -> None:
    page = (DOCS / "metrics.md").read_text()
    assert [name for name in GLOSSARY if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_readme_opens_with_the_clinic_and_says_what_must_be_said() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "clinic" in readme[:400]
    for sentence in ("make demo", "make test", "not a medical device", "No network, no telemetry", "95 %"):
        assert sentence in readme


def test_every_make_target_is_described() -> None:
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    page = (DOCS / "commands.md").read_text()
    assert [target for target in targets[1].split() if f"`make {target}`" not in page] == []


def test_ci_calls_the_same_targets_as_the_desk() -> None:
    called = re.findall(r"^step (\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert {"setup", "check", "slow", "test"} <= set(called)


def test_every_module_of_the_tree_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    package = ROOT / "src" / "prescreen"
    parts = [path for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    unnamed = {"__init__.py", "errors.py"}
    missing = [path.name for path in parts if path.name not in unnamed and path.name not in readme]
    assert missing == []


def test_changelog_lines_are_short() -> None:
    lines = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("- ")]
    assert lines
    assert [line for line in lines if len(line.split()) > 26] == []


def test_lock_holds_exact_versions_for_all_we_declare_and_no_index() -> None:
    import tomllib

    from packaging.requirements import Requirement

    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+", line) for line in lines)
    locked = {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in (*project["dependencies"], *extras["test"], *extras["lint"]):
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked[requirement.name.lower()]), text
    assert not any(name.startswith(("nvidia-", "triton")) for name in locked)


def test_ci_script_is_sound() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)
