"""compose.yaml and the Containerfile, read: no container is built or started here."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

# What the compose specification knows and we use; another key is a slip of the pen or a new risk to look at.
KEYS = """cap_drop command cpus depends_on deploy entrypoint environment healthcheck image init logging mem_limit
networks pids_limit ports profiles read_only restart secrets security_opt shm_size stop_grace_period sysctls tmpfs
user volumes"""
IMAGE = re.compile(r"[\w./-]+:[\w.-]+(@sha256:[0-9a-f]{64})?")
TOOLS = {"migrate", "backup", "audit"}


def services_of(compose: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(compose["services"].items())


def images(deploy: Path) -> dict[str, str]:
    lines = [line for line in (deploy / "images.env").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_only_keys_we_know(compose: dict[str, Any]) -> None:
    tops = {key for key in compose if not key.startswith("x-")}
    assert tops == {"name", "services", "networks", "volumes", "secrets"}
    strange = {
        f"{name}.{key}" for name, service in services_of(compose) for key in service if key not in KEYS.split()
    }
    assert strange == set()


def test_every_service_is_locked_down(compose: dict[str, Any]) -> None:
    for name, service in services_of(compose):
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"] and "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        user, group = service["user"].split(":")
        assert int(user) > 0 and int(group) > 0, name
        assert {"pids_limit", "mem_limit", "cpus"} <= service.keys(), name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_every_service_that_stays_says_whether_it_lives(compose: dict[str, Any]) -> None:
    for name, service in services_of(compose):
        assert ("healthcheck" in service) is (name not in TOOLS), name
        assert service["restart"] == ("no" if name in TOOLS else "unless-stopped"), name


def test_only_the_proxy_is_reachable_and_only_the_gate_can_leave(compose: dict[str, Any]) -> None:
    assert [name for name, service in services_of(compose) if "ports" in service] == ["proxy"]
    open_networks = {name for name, network in compose["networks"].items() if not network.get("internal")}
    on_open = {name: set(service["networks"]) & open_networks for name, service in services_of(compose)}
    assert {name: nets for name, nets in on_open.items() if nets} == {"proxy": {"edge"}, "outbound": {"out"}}
    assert compose["services"]["outbound"]["profiles"] == ["record-system"], "off unless it is asked for"
    assert set(compose["services"]["db"]["networks"]) == {"data"}
    meets_db = {name for name, service in services_of(compose) if "data" in service["networks"]}
    assert meets_db == {"db", "app", *TOOLS}, "neither the proxy nor the model sees the database"


def test_volumes_are_read_only_but_for_data(compose: dict[str, Any]) -> None:
    written = {
        (name, volume["target"])
        for name, service in services_of(compose)
        for volume in service.get("volumes", [])
        if not volume.get("read_only")
    }
    data = {(name, "/var/lib/prescreen") for name in ("app", *TOOLS)}
    other = {
        ("db", "/var/lib/postgresql/data"),
        ("prometheus", "/prometheus"),
        ("backup", "/var/backups/prescreen"),
        ("app", "/mnt/anchor/prescreen"),
        ("app", "/srv/prescreen/releases"),
        ("migrate", "/run/keys"),
    }
    assert written == data | other
    sockets = [volume for _, service in services_of(compose) for volume in service.get("volumes", [])]
    assert not any("docker.sock" in str(volume) for volume in sockets)


def test_memory_for_scratch_cannot_run_programs(compose: dict[str, Any]) -> None:
    for name, service in services_of(compose):
        for entry in service.get("tmpfs", []):
            options = entry.split(":", 1)[1].split(",")
            assert {"nosuid", "nodev"} <= set(options), name
            assert any(option.startswith("size=") for option in options), name
            assert ("noexec" in options) is (name != "vllm"), name


def test_secrets_are_files_and_no_value_stands_in_the_open(compose: dict[str, Any]) -> None:
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"${{SECRETS_FOLDER:?see site.env.example}}/{name}"}
    for name, service in services_of(compose):
        assert set(service.get("secrets", [])) <= compose["secrets"].keys(), name
        for key, value in service.get("environment", {}).items():
            named = re.search("PASSWORD|SECRET|KEY|TOKEN$", key)
            assert not named or value.startswith("/run/secrets"), f"{name}: {key}"
            assert not re.search(r"://[^/@]*:[^/@]*@", str(value)), f"{name}: {key} holds a password"


def test_only_who_needs_a_secret_has_it(compose: dict[str, Any]) -> None:
    holders: dict[str, set[str]] = {}
    for name, service in services_of(compose):
        for secret in service.get("secrets", []):
            holders.setdefault(secret, set()).add(name)
    app = {"app", *TOOLS}
    assert holders == {
        "pgpass": app,
        "postgres_password": {"db"},
        "tls_certificate.pem": {"proxy"},
        "tls_key.pem": {"proxy"},
    }


def test_the_keys_are_a_folder_that_only_who_makes_them_may_write(compose: dict[str, Any]) -> None:
    """A key file must be the service's user's own: a folder that is bound keeps owner and mode."""
    for name in ("app", *TOOLS):
        service = compose["services"][name]
        (keys,) = [volume for volume in service["volumes"] if volume["target"] == "/run/keys"]
        assert keys.get("read_only", False) is (name != "migrate"), name
        assert service["command"][service["command"].index("--keys") + 1] == "/run/keys", name
    others = {name for name, service in services_of(compose) if "KEYS_FOLDER" in str(service.get("volumes"))}
    assert others == {"app", *TOOLS}


def test_the_proxy_is_believed_by_its_network_alone(compose: dict[str, Any], deploy: Path) -> None:
    (range_,) = compose["networks"]["front"]["ipam"]["config"]
    assert range_["subnet"] in (deploy / "serve.yaml.example").read_text()
    on_front = {name for name, service in services_of(compose) if "front" in service["networks"]}
    assert on_front == {"proxy", "app"}


def test_the_service_has_time_to_end(compose: dict[str, Any]) -> None:
    assert compose["services"]["app"]["stop_grace_period"] == "60s", "10 s of requests, 30 s of work, 5 s of models"


def test_the_base_with_postgresqls_programs_fits_the_server(deploy: Path) -> None:
    """An older pg_dump refuses a newer server: then there is no backup."""
    base = (deploy / "Base.containerfile").read_text()
    client = re.search(r"postgresql-client-(\d+)", base)
    server = re.search(r"postgres:(\d+)\.", images(deploy)["POSTGRES_IMAGE"])
    assert client and server and int(client[1]) >= int(server[1])


def test_every_image_has_a_tag_and_a_slot_for_its_digest(compose: dict[str, Any], deploy: Path) -> None:
    known = images(deploy)
    for name, service in services_of(compose):
        match = re.fullmatch(r"\$\{(\w+):\?see images.env\}", service["image"])
        assert match and match[1] in known, name
    for name, image in known.items():
        assert IMAGE.fullmatch(image) and ":latest" not in image, image
        assert ("@sha256:" in image) is (name != "APP_IMAGE"), image


def test_every_variable_is_explained(deploy: Path) -> None:
    asked = set(re.findall(r"\$\{(\w+)", (deploy / "compose.yaml").read_text()))
    site = set(re.findall(r"^(\w+)=", (deploy / "site.env.example").read_text(), re.MULTILINE))
    assert asked == (site | images(deploy).keys()) - {"SITE_NAME"}


def test_bound_folders_exist(compose: dict[str, Any], deploy: Path) -> None:
    sources = [volume["source"] for _, service in services_of(compose) for volume in service.get("volumes", [])]
    assert [source for source in sources if source.startswith("./") and not (deploy / source).is_dir()] == []


def test_the_database_writes_no_statement_into_its_log(compose: dict[str, Any]) -> None:
    command = compose["services"]["db"]["command"]
    assert {"log_statement=none", "log_min_error_statement=panic", "log_parameter_max_length_on_error=0"} <= set(
        command
    )


def stages(deploy: Path) -> list[str]:
    joined = (deploy / "Containerfile").read_text().replace("\\\n", " ")
    return re.split(r"^FROM ", joined, flags=re.MULTILINE)


def test_the_image_is_small_offline_and_nobody_is_root_in_it(deploy: Path) -> None:
    before, build, final = stages(deploy)
    assert re.search(r"^ARG PYTHON_IMAGE=docker.io/library/python:3\.11-slim-\w+$", before, re.MULTILINE)
    assert "@sha256:DIGEST" in before
    assert build.startswith("${PYTHON_IMAGE} AS build") and final.startswith("${PYTHON_IMAGE}\n")
    assert build.index("bundle.py verify") < build.index("pip install"), "checked before anything is installed"
    assert {"--no-index", "--require-hashes", "--find-links"} <= set(build.split())
    lines = final.splitlines()
    assert "USER 10001:10001" in lines and not any(line.startswith(("RUN", "ADD", "ARG")) for line in lines)
    assert lines.index("USER 10001:10001") < next(
        at for at, line in enumerate(lines) if line.startswith("ENTRYPOINT")
    )
    health = next(line for line in lines if line.startswith("HEALTHCHECK"))
    assert 'CMD ["python"' in health and "/live" in health, "no curl in the image"
    assert not re.search(r"apt|curl|wget|http(?!://127)s?://", build + final.replace(health, ""))


def test_prometheus_reads_what_the_app_offers(compose: dict[str, Any], deploy: Path) -> None:
    config = yaml.safe_load((deploy / "prometheus" / "prometheus.yml").read_text())
    assert [job["static_configs"][0]["targets"] for job in config["scrape_configs"]] == [["app:9464"]]
    assert "remote_write" not in config and "alerting" not in config, "nothing is sent out"
    assert set(compose["services"]["prometheus"]["networks"]) == {"watch"}


def test_prometheus_understands_its_files(deploy: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("NOT TESTED: promtool is not here")
    words = [promtool, "check", "config", deploy / "prometheus" / "prometheus.yml"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    groups = yaml.safe_load((deploy / "prometheus" / "alerts.yml").read_text())["groups"]
    num_rules = sum(len(group["rules"]) for group in groups)
    assert done.returncode == 0 and f"{num_rules} rules found" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["compose.yaml", "images.env", "site.env.example"])
def test_no_secret_of_ours_slipped_in(deploy: Path, name: str) -> None:
    assert not re.search(r"BEGIN [A-Z ]*PRIVATE KEY|(?i:password|secret)=[^$/\s]", (deploy / name).read_text())
