"""All a clinic without internet needs, in one folder: wheels, deploy files, checksums, an installer.

Knows pip, the lock and SHA-256. Does not know what is inside the packages; copies no weights, notes their sums.

    python deploy/bundle.py OUT [--wheels FOLDER] [--model FOLDER]   # with a network or a folder of wheels
    python deploy/bundle.py verify BUNDLE                            # anywhere; needs nothing but Python
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUMS = "SHA256SUMS"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
EPOCH = "315532800"  # 1980-01-01, the oldest day a zip can hold: the same source gives the same wheel
SOURCES = ["pyproject.toml", "README.md", "LICENSE", "src"]
DOCS = ["alerts.md", "commands.md", "deployment.md", "hardening.md", "record-system.md", "service.md"]


def sum_file(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_files(folder: Path) -> Iterator[str]:
    """Every file below, by its path with slashes, in one order everywhere; a link is refused."""
    found = sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix().encode())
    for path in found:
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise SystemExit(f"{name}: a link can point anywhere; put the file itself there")
        if "\n" in name or "\\" in name:
            raise SystemExit(f"{name!r}: this name cannot stand in a list of checksums; rename the file")
        if path.is_file():
            yield name


def write_sums(folder: Path, to: Path) -> None:
    """The sums of all files below `folder`, as sha256sum(1) reads them."""
    lines = [f"{sum_file(folder / name)}  {name}\n" for name in list_files(folder) if folder / name != to]
    to.write_text("".join(lines), encoding="utf-8")


def check_sums(folder: Path, sums: Path) -> list[str]:
    """What is wrong, one line each: changed, missing, and never listed."""
    listed = {}
    for line in sums.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if match is None:
            return [f"{sums.name}: a line is no checksum"]
        listed[match[2]] = match[1]
    present = [name for name in list_files(folder) if folder / name != sums]
    wrong = [f"{name}: not in {sums.name}" for name in present if name not in listed]
    wrong += [f"{name}: missing" for name in listed if name not in present]
    wrong += [f"{name}: changed" for name in present if name in listed and sum_file(folder / name) != listed[name]]
    return wrong


def read_lock(lock: Path) -> dict[str, str]:
    """Package -> exact version."""
    lines = [line for line in lock.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {plain_name(name): version for name, version in (line.split("==") for line in lines)}


def plain_name(name: str) -> str:
    """One spelling for a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def run_pip(*words: object) -> bool:
    """Run pip quietly; whether it did what was asked."""
    done = subprocess.run([sys.executable, "-m", "pip", *map(str, words), "--quiet"], check=False)
    return done.returncode == 0


def build_project(project: Path, wheels: Path) -> Path:
    """The project's own wheel, from a clean copy: no leftovers of a build, no file modes of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in SOURCES:
            source = project / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            elif source.exists():
                shutil.copyfile(source, copy / name)
        for path in copy.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.environ["SOURCE_DATE_EPOCH"] = EPOCH
        if not run_pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", wheels, copy):
            raise SystemExit("the project's own wheel cannot be built; run `make setup` and use its Python")
    return next(wheels.glob("prescreen-*.whl"))


def fetch_wheels(wheels: Path, lock: Path, extras: str, local: Path | None, torch_index: str) -> None:
    """Every package the service needs, none but those in the lock."""
    locked = read_lock(lock)
    where: list[object] = ["--find-links", wheels]
    if local is not None:
        where += ["--no-index", "--find-links", local]
    # `wheel`, not `download`: a package of the lock that comes as source only is built here, not at the clinic.
    download = ["wheel", "--no-build-isolation", "--prefer-binary", "--wheel-dir", wheels, *where]
    if "torch" in locked:  # as the Makefile does: the CPU build, asked from its own index in one command only
        torch = ["--no-deps", f"torch=={locked['torch']}"]
        index = ["--extra-index-url", torch_index] if torch_index and local is None else []
        if not run_pip(*download, *index, *torch) and not (index and run_pip(*download, *torch)):
            raise SystemExit(f"torch {locked['torch']} was not found; name a folder that holds it with --wheels")
    wheel = next(wheels.glob("prescreen-*.whl"))
    if not run_pip(*download, "--constraint", lock, f"{wheel}[{extras}]" if extras else wheel):
        raise SystemExit("a package of the lock was not found; see pip's words above")


def list_requirements(wheels: Path, lock: Path) -> str:
    """What will be installed: exact version and hash of each wheel; one that the lock does not hold is refused."""
    locked = read_lock(lock)
    lines = []
    seen = set()
    for wheel in sorted(wheels.iterdir(), key=lambda path: path.name):
        name, version, *_ = wheel.name.split("-")
        plain = plain_name(name)
        if plain in seen:
            raise SystemExit(f"{wheel.name}: two wheels of one package; start from an empty folder")
        if plain != "prescreen" and locked.get(plain) != version.partition("+")[0]:
            raise SystemExit(f"{wheel.name}: not in {lock.name} in this version; a bundle holds what was tested")
        seen.add(plain)
        lines.append(f"{plain}=={version} --hash=sha256:{sum_file(wheel)}\n")
    return "".join(lines)


def copy_deploy(project: Path, out: Path) -> None:
    """The deploy files, the two pages about them, and the installer at the top."""
    shutil.copytree(
        HERE, out / "deploy", ignore=shutil.ignore_patterns("__pycache__", "site.env", "*.key", "*.pem")
    )
    shutil.move(out / "deploy" / "install.sh", out / "install.sh")
    shutil.copyfile(HERE / "bundle.py", out / "bundle.py")
    (out / "docs").mkdir()
    for name in DOCS:
        if (project / "docs" / name).exists():
            shutil.copyfile(project / "docs" / name, out / "docs" / name)


def build(options: argparse.Namespace) -> None:
    """Make the bundle; its folder must not exist, so nothing old can be in it."""
    out: Path = options.out
    if out.exists():
        raise SystemExit(f"{out} exists; name a new folder")
    wheels = out / "wheels"
    wheels.mkdir(parents=True)
    project: Path = options.project
    lock = project / "requirements.lock"
    version = build_project(project, wheels).name.split("-")[1]
    fetch_wheels(wheels, lock, options.extras, options.wheels, options.torch_index)
    (out / "requirements.txt").write_text(list_requirements(wheels, lock), encoding="utf-8")
    copy_deploy(project, out)
    from sbom import make_sbom

    (out / "sbom.cdx.json").write_text(json.dumps(make_sbom(wheels), indent=1) + "\n", encoding="utf-8")
    if options.model is not None:
        write_sums(options.model, out / "weights.sha256")
    made_for = {
        "version": version,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    (out / "BUNDLE.json").write_text(json.dumps(made_for, indent=1) + "\n", encoding="utf-8")
    write_sums(out, out / SUMS)
    print(f"{out}: {sum(1 for _ in list_files(out))} files")
    print(f"Send this by another way than the bundle; the installer asks for it: {sum_file(out / SUMS)}")


def verify(folder: Path) -> None:
    """SystemExit naming every file that is not as it was bundled."""
    sums = folder / SUMS
    wrong = check_sums(folder, sums) if sums.exists() else [f"{SUMS}: missing"]
    if wrong:
        raise SystemExit("\n".join([*wrong, "This bundle is not what was made; do not install it."]))
    print(f"{folder}: every file is as it was bundled; {SUMS} is {sum_file(sums)}")


def main(arguments: Sequence[str]) -> None:
    """`verify BUNDLE`, or make one."""
    if arguments[:1] == ["verify"]:
        parser = argparse.ArgumentParser(prog="bundle.py verify")
        parser.add_argument("bundle", type=Path)
        verify(parser.parse_args(arguments[1:]).bundle)
        return
    parser = argparse.ArgumentParser(prog="bundle.py", description="Make an offline bundle.")
    parser.add_argument("out", type=Path, help="the new folder")
    parser.add_argument("--wheels", type=Path, help="take wheels from this folder and ask no index")
    parser.add_argument("--torch-index", default=os.environ.get("TORCH_INDEX", TORCH_INDEX))
    parser.add_argument("--model", type=Path, help="a released model folder whose sums go along")
    parser.add_argument("--extras", default="service,postgres,records")
    parser.add_argument("--project", type=Path, default=HERE.parent)
    build(parser.parse_args(arguments))


if __name__ == "__main__":
    main(sys.argv[1:])
