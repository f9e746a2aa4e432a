"""The dashboard and the rules beside the running service: every name is told, every query is understood.

A real service is scraped by a real client and by a real Prometheus, which is then asked each panel's query.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from attacks.process import Running, free_port, running
from deploy.test_alerts import FOLDED, check_labels, read_rules
from prescreen.service.watch.points import METRICS, PREFIX

ROOT = Path(__file__).parents[2]
HOLDS = re.compile(r"^(prescreen_[a-z_]+?)(?:_bucket|_sum|_count)?(?:\{| )", re.MULTILINE)
RARE = {
    "release_expires_seconds", "engine_faults_total", "override_reasons", "certificate_expires_seconds",
    "signal_figure",  # of a last week in which nobody came
}  # fmt: skip


def read_dashboard(deploy: Path) -> dict[str, Any]:
    return json.loads((deploy / "grafana" / "prescreen.json").read_text())


def queries(deploy: Path) -> list[tuple[str, str]]:
    """Every query with the title of its panel."""
    panels = [panel for panel in read_dashboard(deploy)["panels"] if panel["type"] != "row"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]


def test_the_dashboard_is_what_its_table_says(deploy: Path) -> None:
    spec = importlib.util.spec_from_file_location("make", deploy / "grafana" / "make.py")
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    sys.modules["make"] = make
    spec.loader.exec_module(make)
    assert (deploy / "grafana" / "prescreen.json").read_text() == make.render(), "run deploy/grafana/make.py"


def test_panels_stand_side_by_side_each_with_a_name(deploy: Path) -> None:
    panels = read_dashboard(deploy)["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        "Safety", "The week", "Queue", "Model", "Record", "Machine",
    ]  # fmt: skip
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24 and panel["title"], panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells


def test_panels_ask_for_what_is_told(deploy: Path) -> None:
    asked: set[str] = set()
    for title, query in queries(deploy):
        names = {name.removeprefix(PREFIX) for name in FOLDED.findall(query)}
        assert names and names <= METRICS.keys(), title
        assert "$" not in query, f"{title}: a variable of Grafana's hides the query from Prometheus"
        check_labels(query)
        asked |= names
    unseen = METRICS.keys() - asked
    alerted = {name.removeprefix(PREFIX) for rule in read_rules(deploy) for name in FOLDED.findall(rule["expr"])}
    assert unseen - alerted == set(), "a number nobody looks at"


def test_grafanas_own_model_takes_it(deploy: Path) -> None:
    """The types of Grafana's foundation SDK: nothing is lost on the way through them."""
    dashboards = pytest.importorskip(
        "grafana_foundation_sdk.models.dashboard", reason="NOT TESTED: grafana-foundation-sdk is not here"
    )
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    plugins.register_default_plugins()
    told = read_dashboard(deploy)
    read = dashboards.Dashboard.from_json(told)
    assert {type(panel.targets[0]).__module__ for panel in read.panels if panel.type_val != "row"} == {
        "grafana_foundation_sdk.models.prometheus"
    }
    again = json.loads(JSONEncoder(sort_keys=True).encode(read))
    assert find_lost(told, again) == []


def find_lost(one: Any, other: Any, place: str = "") -> list[str]:
    """Where the second holds less than the first."""
    if isinstance(one, dict):
        gone = [f"{place}.{key}" for key in one if key not in other]
        return gone + [
            lost for key in one if key in other for lost in find_lost(one[key], other[key], f"{place}.{key}")
        ]
    if isinstance(one, list):
        pairs = enumerate(zip(one, other, strict=True))
        return [lost for at, (a, b) in pairs for lost in find_lost(a, b, f"{place}[{at}]")]
    return [] if one == other else [place]


def test_grafana_finds_its_files(deploy: Path) -> None:
    provisioning = deploy / "grafana" / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    compose = yaml.safe_load((deploy / "compose.yaml").read_text())
    assert source["type"] == "prometheus" and source["url"].split("//")[1].split(":")[0] in compose["services"]
    [provider] = yaml.safe_load((provisioning / "dashboards" / "prescreen.yaml").read_text())["providers"]
    assert (
        provider["type"] == "file" and provider["options"]["path"] in (ROOT / "docs" / "deployment.md").read_text()
    )


class Live:
    """A service, and a Prometheus that reads it every second."""

    def __init__(self, service: Running, metrics: int, prometheus: httpx2.Client) -> None:
        self.service, self.metrics, self.prometheus = service, metrics, prometheus

    def scrape(self) -> str:
        answer = httpx2.get(f"http://127.0.0.1:{self.metrics}/metrics", trust_env=False)
        assert answer.status_code == 200
        return str(answer.text)

    def ask(self, path: str, **parameters: str) -> Any:
        answer = self.prometheus.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    pytest.importorskip("prometheus_client", reason="NOT TESTED: prometheus-client is not here")
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("NOT TESTED: prometheus is not here")
    folder, metrics = tmp_path_factory.mktemp("live"), free_port()
    with ExitStack() as stack:
        service = stack.enter_context(running(folder, more=f"metrics: {{port: {metrics}}}\n"))
        command = [sys.executable, "-m", "prescreen.cli", "audit", "verify", "--data", str(folder / "data")]
        path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": path})
        url = stack.enter_context(run_prometheus(program, folder, metrics))
        client = stack.enter_context(httpx2.Client(base_url=url, trust_env=False, timeout=10))
        live = Live(service, metrics, client)
        with service.client() as browser:
            browser.get("/sign-in")
        for _ in range(150):
            asked = ("increase(prescreen_requests_total[1h])", "prescreen_signal_state")
            if all(live.ask("query", query=query)["result"] for query in asked):
                break
            time.sleep(0.2)
        yield live


class run_prometheus:
    """A Prometheus with the rules of this folder; its address while it runs."""

    def __init__(self, program: str, folder: Path, metrics: int) -> None:
        config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{metrics}"]}]
        config["rule_files"] = [str(ROOT / "deploy" / "prometheus" / "alerts.yml")]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.port, self.log = free_port(), (folder / "prometheus.log").open("wb")
        self.words = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def __enter__(self) -> str:
        self.process = subprocess.Popen(self.words, stdout=self.log, stderr=subprocess.STDOUT)
        url = f"http://127.0.0.1:{self.port}"
        for _ in range(150):
            try:
                if httpx2.get(f"{url}/-/ready", trust_env=False).status_code == 200:
                    return url
            except httpx2.ConnectError:
                pass
            time.sleep(0.2)
        self.__exit__()
        raise AssertionError("prometheus does not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


@pytest.mark.slow
def test_every_name_asked_for_is_told_by_the_running_service(live: Live, deploy: Path) -> None:
    text = live.scrape()
    declared = {name.removeprefix(PREFIX) for name in re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)}
    assert declared == METRICS.keys()
    held = {name.removeprefix(PREFIX) for name in HOLDS.findall(text)}
    asked = [rule["expr"] for rule in read_rules(deploy)] + [query for _, query in queries(deploy)]
    names = {name.removeprefix(PREFIX) for query in asked for name in FOLDED.findall(query)}
    assert names - held <= RARE, "declared and never given a value"


@pytest.mark.slow
def test_a_real_prometheus_takes_every_panels_query(live: Live, deploy: Path) -> None:
    empty = {title for title, query in queries(deploy) if not live.ask("query", query=query)["result"]}
    assert empty <= {
        "Days the release is good for", "Days the certificate is good for", "Why they changed them, week",
        "Questions without an answer", "Signals in alarm, last whole week", "Shares by week",
    }, empty  # fmt: skip


@pytest.mark.slow
def test_a_real_prometheus_judges_every_rule(live: Live, deploy: Path) -> None:
    for _ in range(100):
        rules = [rule for group in live.ask("rules")["groups"] for rule in group["rules"]]
        if all(rule["health"] != "unknown" for rule in rules):
            break
        time.sleep(0.2)
    assert sorted(rule["name"] for rule in rules) == sorted(rule["alert"] for rule in read_rules(deploy))
    assert {rule["health"] for rule in rules} == {"ok"}
    targets = live.ask("targets")["activeTargets"]
    assert [target["health"] for target in targets] == ["up"]


@pytest.mark.slow
def test_what_people_do_is_seen(live: Live) -> None:
    """Invented patients of the demonstration stand in the queue, and in the numbers."""
    waiting = live.ask("query", query="sum(prescreen_queue_waiting)")["result"][0]["value"][1]
    assert float(waiting) > 0
    whole = live.ask("query", query="prescreen_audit_verified")["result"][0]["value"][1]
    assert whole == "1"
