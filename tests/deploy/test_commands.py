"""Every prescreen command that stands in a deploy file or on its pages is one the program understands."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [
    "docs/deployment.md",
    "docs/hardening.md",
    "docs/service.md",
    "docs/identity.md",
    "docs/updating.md",
    "docs/record-system.md",
]


def said_in(deploy: Path) -> Iterator[tuple[str, list[str]]]:
    """Where a command stands, and its words after `prescreen`."""
    for name, service in yaml.safe_load((deploy / "compose.yaml").read_text())["services"].items():
        if "APP_IMAGE" in service["image"]:
            yield f"compose.yaml {name}", service["command"]
    for path in (deploy / "kubernetes").glob("*.yaml"):
        yield from ((path.name, words) for words in pod_commands(list(yaml.safe_load_all(path.read_text()))))
    for path in (deploy / "systemd").glob("*.service"):
        for line in re.findall(r"^Exec\w+=\S+/bin/prescreen (.+)$", path.read_text(), re.MULTILINE):
            yield path.name, shlex.split(line)
    default = re.search(r"^CMD (\[.+\])$", (deploy / "Containerfile").read_text(), re.MULTILINE)
    assert default
    yield "Containerfile", json.loads(default[1])
    for page in PAGES:
        text = (ROOT / page).read_text()
        for line in re.findall(r"(?:^|`|/bin/)prescreen ([a-z][^`\n]*)", text, re.MULTILINE):
            yield page, shlex.split(line, comments=True)


def pod_commands(tree: Any) -> Iterator[list[str]]:
    if isinstance(tree, dict):
        if str(tree.get("image", "")).startswith("prescreen:") and "command" not in tree:
            yield tree["args"]
        tree = list(tree.values())
    if isinstance(tree, list):
        for item in tree:
            yield from pod_commands(item)


def find_verb(words: list[str]) -> tuple[Any, list[str]]:
    """The program's command for these words, and the words that are left; (None, ...) when there is none."""
    from prescreen import cli

    command: Any = typer.main.get_command(cli.app)
    while words and "commands" in vars(command):
        if words[0] not in command.commands:
            return None, words
        command, words = command.commands[words[0]], words[1:]
    return command, words


def test_every_command_is_understood(deploy: Path) -> None:
    found = list(said_in(deploy))
    assert len(found) >= 12
    for where, words in found:
        command, rest = find_verb(words)
        assert command is not None, f"{where}: prescreen {' '.join(words[:2])} is no verb"
        known = {option for parameter in command.params for option in parameter.opts}
        assert [word for word in rest if word.startswith("--") and word.split("=")[0] not in known] == [], where
        command.make_context("prescreen", list(rest), resilient_parsing=False).close()
