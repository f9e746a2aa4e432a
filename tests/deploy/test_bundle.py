"""The offline bundle, made for real out of two small packages: verified, tampered with, installed offline."""

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LOCKED = "requirements.lock"


@pytest.fixture(scope="module")
def bundle(deploy: Path) -> ModuleType:
    """deploy/bundle.py as a module."""
    return load(deploy / "bundle.py")


@pytest.fixture(scope="module")
def sbom(deploy: Path) -> ModuleType:
    """deploy/sbom.py as a module."""
    return load(deploy / "sbom.py")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_wheel(folder: Path, name: str, version: str, metadata: str = "") -> Path:
    """A wheel of one module that says its version."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text)}\n")
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return made


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the same name with one dependency, and a folder with its wheel."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "prescreen"\nversion = "9.8.7"\ndependencies = ["small_thing"]\n'
        '[tool.setuptools.packages.find]\nwhere = ["src"]\n'
    )
    (folder / "src" / "prescreen").mkdir(parents=True)
    (folder / "src" / "prescreen" / "__init__.py").write_text("import small_thing\n")
    (folder / "docs").mkdir()
    (folder / "docs" / "hardening.md").write_text("# Hardening\n")
    (folder / LOCKED).write_text("# exact\nsmall_thing==1.2.3\n")
    wheels = folder / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "small_thing", "1.2.3", "License: MIT\n")
    make_wheel(wheels, "small_thing", "1.3.0")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    (folder / "model.safetensors").write_bytes(bytes(range(256)))
    (folder / "config.json").write_text("{}")
    return folder


def make(deploy: Path, project: Path, out: Path, *more: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, deploy / "bundle.py", out, "--project", project, "--wheels", project / "wheels"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*map(str, words), "--extras", "", *map(str, more)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


@pytest.fixture(scope="module")
def made(deploy: Path, project: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, made once; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("bundle") / "out"
    done = make(deploy, project, out, "--model", model)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def install(folder: Path, prefix: Path, *more: str, expect: str | None = None) -> subprocess.CompletedProcess[str]:
    if expect is None:
        expect = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    words = ["bash", str(folder / "install.sh"), "--expect", expect, "--prefix", str(prefix)]
    return subprocess.run(
        [*words, "--python", sys.executable, *more], capture_output=True, text=True, check=False, cwd=prefix.parent
    )


def test_a_bundle_holds_all_and_nothing_but_the_lock(made: Path, deploy: Path) -> None:
    assert sorted(path.name for path in (made / "wheels").iterdir()) == [
        "prescreen-9.8.7-py3-none-any.whl",
        "small_thing-1.2.3-py3-none-any.whl",
    ]
    assert {path.name for path in made.iterdir()} == {
        *("BUNDLE.json", "SHA256SUMS", "bundle.py", "deploy", "docs", "install.sh", "requirements.txt"),
        *("sbom.cdx.json", "weights.sha256", "wheels"),
    }
    ours = {path.relative_to(deploy) for path in deploy.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    theirs = {path.relative_to(made / "deploy") for path in (made / "deploy").rglob("*") if path.is_file()}
    assert ours - theirs == {Path("install.sh")} and theirs <= ours
    lines = (made / "requirements.txt").read_text().splitlines()
    assert [line.split(" ")[0] for line in lines] == ["prescreen==9.8.7", "small-thing==1.2.3"]


def test_the_same_source_gives_the_same_bytes(deploy: Path, project: Path, model: Path, made: Path) -> None:
    again = made.parent / "again"
    (project / "src" / "prescreen" / "__init__.py").touch()
    (project / "src" / "prescreen" / "__init__.py").chmod(0o664)
    assert make(deploy, project, again, "--model", model).returncode == 0
    assert (again / "SHA256SUMS").read_bytes() == (made / "SHA256SUMS").read_bytes()


def test_coreutils_agree_about_every_sum(made: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=made, capture_output=True, check=False
    )
    assert done.returncode == 0 and done.stdout.count(b": OK\n") == sum(p.is_file() for p in made.rglob("*")) - 1


def test_a_package_the_lock_does_not_hold_is_refused(deploy: Path, project: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(project, tmp_path / "project"))
    wheel = make_wheel(other / "wheels", "small_thing", "1.2.3", "Requires-Dist: stranger\n")
    make_wheel(other / "wheels", "stranger", "6.6")
    assert wheel.exists()
    done = make(deploy, other, tmp_path / "out")
    assert done.returncode != 0 and "stranger-6.6-py3-none-any.whl: not in requirements.lock" in done.stderr
    assert not (tmp_path / "out" / "SHA256SUMS").exists()


def test_an_old_folder_is_not_written_into(deploy: Path, project: Path, made: Path) -> None:
    done = make(deploy, project, made)
    assert done.returncode != 0 and "name a new folder" in done.stderr


def flip(path: Path) -> None:
    """One bit of one byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def plant(path: Path) -> None:
    path.write_text("planted")


def link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


TAMPERED: list[tuple[str, Callable[[Path], Any]]] = [
    ("wheels/small_thing-1.2.3-py3-none-any.whl", flip),
    ("requirements.txt", flip),
    ("deploy/nginx/server.conf", flip),
    ("install.sh", lambda path: path.write_text(path.read_text() + "\n")),
    ("sbom.cdx.json", Path.unlink),
    ("wheels/small_thing-1.2.4-py3-none-any.whl", plant),
    ("deploy/systemd/extra.conf", link),
]


@pytest.mark.parametrize(("name", "how"), TAMPERED, ids=[name for name, _ in TAMPERED])
def test_a_changed_bundle_is_refused_before_anything_happens(
    bundle: ModuleType, copied: Path, tmp_path: Path, name: str, how: Callable[[Path], Any]
) -> None:
    how(copied / name)
    done = install(copied, tmp_path / "prefix")
    assert done.returncode != 0 and "nothing was installed" in done.stderr
    assert not (tmp_path / "prefix").exists()
    with pytest.raises(SystemExit) as refused:
        bundle.verify(copied)
    assert name in str(refused.value)


def test_a_bundle_whose_sums_were_made_anew_is_refused(bundle: ModuleType, copied: Path, tmp_path: Path) -> None:
    """Whoever can change a file can change SHA256SUMS too: the sum that came by another way tells."""
    told = hashlib.sha256((copied / "SHA256SUMS").read_bytes()).hexdigest()
    flip(copied / "deploy" / "compose.yaml")
    bundle.write_sums(copied, copied / "SHA256SUMS")
    bundle.verify(copied)
    done = install(copied, tmp_path / "prefix", expect=told)
    assert done.returncode != 0 and "not the one you were told of" in done.stderr
    assert not (tmp_path / "prefix").exists()


def test_the_sum_must_be_given(copied: Path) -> None:
    done = subprocess.run(["bash", copied / "install.sh"], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "--expect is missing" in done.stderr


@pytest.mark.parametrize("how", [flip, Path.unlink])
def test_other_weights_are_refused(copied: Path, model: Path, tmp_path: Path, how: Callable[[Path], Any]) -> None:
    weights = Path(shutil.copytree(model, tmp_path / "weights"))
    how(weights / "model.safetensors")
    done = install(copied, tmp_path / "prefix", "--model", str(weights))
    assert done.returncode != 0 and "nothing was installed" in done.stderr
    assert not (tmp_path / "prefix").exists()


def test_weights_with_a_stray_file_are_refused(copied: Path, model: Path, tmp_path: Path) -> None:
    weights = Path(shutil.copytree(model, tmp_path / "weights"))
    (weights / "adapter.safetensors").write_text("another mind")
    done = install(copied, tmp_path / "prefix", "--model", str(weights))
    assert done.returncode != 0 and "adapter.safetensors" in done.stderr


def test_a_bundle_for_another_machine_is_refused(bundle: ModuleType, copied: Path, tmp_path: Path) -> None:
    made_for = json.loads((copied / "BUNDLE.json").read_text())
    (copied / "BUNDLE.json").write_text(json.dumps({**made_for, "machine": "abacus"}))
    bundle.write_sums(copied, copied / "SHA256SUMS")
    done = install(copied, tmp_path / "prefix")
    assert done.returncode != 0 and "made for machine abacus" in done.stderr
    assert not (tmp_path / "prefix").exists()


def test_it_installs_offline_and_an_older_release_stays(
    bundle: ModuleType, copied: Path, model: Path, tmp_path: Path
) -> None:
    """The first install finds what a killed one left and begins anew."""
    prefix = tmp_path / "prefix"
    total = hashlib.sha256((copied / "SHA256SUMS").read_bytes()).hexdigest()
    killed = prefix / "releases" / f"9.8.7-{total[:12]}"
    (killed / "bin").mkdir(parents=True)
    (killed / "bin" / "python").write_text("half a file")
    done = install(copied, prefix, "--model", str(model))
    assert done.returncode == 0, done.stderr
    program = "import prescreen, small_thing; print(small_thing.version)"
    ran = subprocess.run(
        [prefix / "current/bin/python", "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "1.2.3\n"
    first = (prefix / "current").resolve()
    assert first == killed
    (copied / "docs" / "hardening.md").write_text("# Another edition\n")
    bundle.write_sums(copied, copied / "SHA256SUMS")
    assert install(copied, prefix).returncode == 0
    second = (prefix / "current").resolve()
    assert second != first and first.exists(), "to roll back is to point `current` at the first again"
    assert {path.name for path in (prefix / "releases").iterdir()} == {first.name, second.name}


def test_the_bill_names_every_package_its_licence_and_its_hash(made: Path) -> None:
    bill = json.loads((made / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert bill["metadata"]["component"]["name"] == "prescreen"
    (part,) = bill["components"]
    wheel = made / "wheels" / "small_thing-1.2.3-py3-none-any.whl"
    assert part["purl"] == "pkg:pypi/small-thing@1.2.3"
    assert part["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}]
    assert part["licenses"] == [{"license": {"name": "MIT", "acknowledgement": "declared"}}]
    needs = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    assert needs == {"pkg:pypi/prescreen@9.8.7": [part["purl"]], part["purl"]: []}


def test_the_bill_is_what_cyclonedx_takes(made: Path) -> None:
    validation = pytest.importorskip(
        "cyclonedx.validation.json", reason="NOT TESTED: cyclonedx-python-lib is not here"
    )
    from cyclonedx.schema import SchemaVersion

    text = (made / "sbom.cdx.json").read_text()
    assert validation.JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_bill_follows_extras_and_leaves_out_what_does_not_apply(sbom: ModuleType, tmp_path: Path) -> None:
    make_wheel(
        tmp_path, "prescreen", "1.0", "Provides-Extra: store\nRequires-Dist: driver[fast]; extra == 'store'\n"
    )
    make_wheel(
        tmp_path, "driver", "2.0", "Requires-Dist: quick; extra == 'fast'\nRequires-Dist: slow; extra == 'old'\n"
    )
    make_wheel(tmp_path, "quick", "3.0+cpu", "License-Expression: MIT\nRequires-Dist: slow; os_name == 'amiga'\n")
    make_wheel(tmp_path, "slow", "4.0", "Classifier: License :: OSI Approved :: ISC License (ISCL)\n")
    bill = sbom.make_sbom(tmp_path)
    needs = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    assert needs["pkg:pypi/prescreen@1.0"] == ["pkg:pypi/driver@2.0"]
    assert needs["pkg:pypi/driver@2.0"] == ["pkg:pypi/quick@3.0%2Bcpu"]
    assert needs["pkg:pypi/quick@3.0%2Bcpu"] == []
    licences = {part["name"]: part.get("licenses") for part in bill["components"]}
    assert licences["driver"] is None and licences["quick"] == [{"expression": "MIT"}]
    assert licences["slow"][0]["license"]["name"] == "ISC License (ISCL)"


def test_the_installer_is_sound(deploy: Path) -> None:
    script = deploy / "install.sh"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert text.index('check_folder "$bundle"') < text.index("-m venv"), "verified before anything is installed"
    assert {"--no-index", "--require-hashes", "PIP_CONFIG_FILE=/dev/null", "--isolated"} <= set(text.split())


def test_shellcheck_has_nothing_to_say(deploy: Path) -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("NOT TESTED: shellcheck is not here")
    done = subprocess.run([shellcheck, deploy / "install.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
