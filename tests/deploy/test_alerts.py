"""The alert rules: understood by promtool, each seen to fire and to be quiet, each explained to a person."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from prescreen.service.watch.points import METRICS, PREFIX

DOCS = Path(__file__).parents[2] / "docs"
FOLDED = re.compile(r"\b(prescreen_[a-z_]+?)(?:_bucket|_sum|_count)?\b(?=[^a-z_]|$)")
Rule = dict[str, Any]


def read_rules(deploy: Path) -> list[Rule]:
    groups = yaml.safe_load((deploy / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def read_cases(deploy: Path) -> list[dict[str, Any]]:
    return yaml.safe_load((deploy / "prometheus" / "alerts_test.yml").read_text())["tests"]


def promtool(*words: object) -> "subprocess.CompletedProcess[str]":
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("NOT TESTED: promtool is not here")
    return subprocess.run([found, *map(str, words)], capture_output=True, text=True, check=False)


def test_promtool_takes_the_rules(deploy: Path) -> None:
    done = promtool("check", "rules", deploy / "prometheus" / "alerts.yml")
    assert done.returncode == 0 and f"{len(read_rules(deploy))} rules found" in done.stdout, (
        done.stdout + done.stderr
    )


def test_promtool_sees_each_fire_and_be_quiet(deploy: Path) -> None:
    done = promtool("test", "rules", deploy / "prometheus" / "alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_has_a_case_of_both_kinds(deploy: Path) -> None:
    fires: dict[str, int] = {}
    quiet: dict[str, int] = {}
    for case in read_cases(deploy):
        [check] = case["alert_rule_test"]
        kind = fires if check["exp_alerts"] else quiet
        kind[check["alertname"]] = kind.get(check["alertname"], 0) + 1
    names = [rule["alert"] for rule in read_rules(deploy)]
    assert len(set(names)) == len(names) and sorted(fires) == sorted(quiet) == sorted(names)


def test_every_rule_says_how_bad_what_and_what_to_do(deploy: Path) -> None:
    page = (DOCS / "alerts.md").read_text()
    headings = re.findall(r"^### (\w+)$", page, re.MULTILINE)
    rules = read_rules(deploy)
    assert sorted(headings) == sorted(rule["alert"] for rule in rules), "one section an alert, none too many"
    for rule in rules:
        assert rule["labels"] == {"severity": rule["labels"]["severity"]}
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "runbook"}
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"
        section = page.split(f"### {rule['alert']}\n", 1)[1].split("\n#", 1)[0]
        assert re.search(r"\*\*(Nurse|Lead nurse|IT|Whoever keeps the model):\*\*", section), rule["alert"]


def test_every_rule_asks_for_what_is_told(deploy: Path) -> None:
    for rule in read_rules(deploy):
        names = {name.removeprefix(PREFIX) for name in FOLDED.findall(rule["expr"])}
        assert names <= METRICS.keys(), rule["alert"]
        assert names or "up{" in rule["expr"], rule["alert"]
        check_labels(rule["expr"])


def check_labels(query: str) -> None:
    """Every label a query picks by is one of its metric, every value one of the label's set."""
    from prescreen.service.watch.labels import SETS

    for name, picked in re.findall(r"\bprescreen_([a-z_]+)\{([^}]*)\}", query):
        base = re.sub("_(bucket|count|sum)$", "", name)
        labels = dict(METRICS[base if base in METRICS else name].labels)
        for label, value in re.findall(r'(\w+)!?="([^"]*)"', picked):
            assert label in labels, f"{name} has no label {label}"
            assert labels[label] not in SETS or value in SETS[labels[label]], f"{name}: {label} is never {value}"
