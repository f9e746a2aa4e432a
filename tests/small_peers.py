"""Real servers of other people, run beside a test: installed by npm into a folder outside git, started, stopped.

PRESCREEN_PEERS names the folder (default: .peers beside the sources). A missing program or network skips loudly.
`make peers` installs them all beforehand: python -m small_peers.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "tests" / "peers"


def install_peer(name: str) -> Path:
    """The folder with the peer's packages, exactly those of its lock."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip(f"SKIPPED, NOT PASSED: the peer {name} needs npm and node 20")
    home = Path(os.environ.get("PRESCREEN_PEERS", ROOT / ".peers")) / name
    home.mkdir(parents=True, exist_ok=True)
    lock = (SOURCES / name / "package-lock.json").read_bytes()
    done, wanted = home / "installed", hashlib.sha256(lock).hexdigest()
    with open(home / "lock", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if done.exists() and done.read_text() == wanted:
            return home
        for part in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name / part, home / part)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, cwd=home, check=True, capture_output=True, timeout=180)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            pytest.skip(f"SKIPPED, NOT PASSED: npm could not install the peer {name}; is there a network?")
        done.write_text(wanted)
    return home


@contextmanager
def run_peer(name: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The peer's address while it runs."""
    home = install_peer(name)
    known = {"PATH": os.environ["PATH"], "HOME": str(home), "PEER_HOME": str(home), **(environment or {})}
    command = ["node", str(SOURCES / name / "server.mjs")]
    process = subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        assert port.isdigit(), f"the peer {name} did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Install every peer; one that cannot be is told loudly and is no error: its tests will skip."""
    for lock in sorted(SOURCES.glob("*/package-lock.json")):
        try:
            print(f"{lock.parent.name}: {install_peer(lock.parent.name)}")
        except pytest.skip.Exception as why:
            print(f"{lock.parent.name}: {why}")


if __name__ == "__main__":
    main()
