"""A clinic of real processes that can be killed: service, PostgreSQL, FHIR server; and who kills them, by seed.

Knows processes and nothing of what they do.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

BIN = Path("/usr/lib/postgresql/15/bin")
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
READY_S = 90.0
_BACK_S = 3.0


class Part(Protocol):
    """Something that runs, is killed and comes back."""

    name: str

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def wait(self) -> None:
        """Until it answers; started again where it gave up because another part was away."""


def free_port() -> int:
    """A port that no outgoing connection is ever given: a closed one of those may be taken, or answer itself."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        if not answers(port):
            return port


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


class Process:
    """One Python process of ours that listens on a port."""

    def __init__(self, name: str, port: int, log: Path, *words: object) -> None:
        self.name, self.port, self.log = name, port, log
        self._words = [sys.executable, "-m", *map(str, words)]
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(self._words, env=ENVIRONMENT, stdout=out, stderr=out, cwd=ROOT)

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any more when this returns."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait(self) -> None:
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                time.sleep(0.3)
                self.start()
            if answers(self.port):
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.name} did not come up; its log: {self.log.read_text()[-2000:]}")


class Database:
    """A PostgreSQL server of its own. A killed process loses nothing it has written, so the disk need not be waited
    for (`fsync`); a commit still waits for its write-ahead log to be written."""

    name = "database"

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.account = None
        folder.mkdir(parents=True)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self.account = "postgres"
            shutil.chown(folder, self.account)
        self._process: subprocess.Popen[bytes] | None = None
        words = [BIN / "initdb", "-D", self.data, "-U", "clinic", "-A", "trust", "-N", "-E", "UTF8"]
        subprocess.run(list(map(str, words)), check=True, user=self.account, cwd="/", stdout=subprocess.DEVNULL)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://clinic@/postgres?host={self.folder}"

    def start(self) -> None:
        words = [
            "-D",
            self.data,
            "-k",
            self.folder,
            "-c",
            "listen_addresses=",
            "-c",
            "shared_buffers=32MB",
            "-c",
            "fsync=off",
        ]
        with (self.folder.parent / "database.log").open("ab") as out:
            self._process = subprocess.Popen(
                [str(word) for word in (BIN / "postgres", *words)],
                user=self.account,
                cwd="/",
                stdout=out,
                stderr=out,
            )

    def kill(self) -> None:
        """SIGKILL to the server and all its children at once: what a crash leaves is mended at the next start."""
        if self._process is None:
            return
        mother = self._process.pid
        if self._process.poll() is None:
            os.kill(mother, signal.SIGSTOP)  # no child is born between look and kill and holds the memory
        children = _children(mother)
        for pid in (mother, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            time.sleep(0.02)

    def cut(self) -> int:
        """End the children that serve connections, one after the other, as a broken network does."""
        assert self._process is not None
        serving = [pid for pid in _children(self._process.pid) if b"clinic postgres" in _title(pid)]
        for pid in serving:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        return len(serving)

    def wait(self) -> None:
        until = time.monotonic() + READY_S
        words = [BIN / "pg_isready", "-q", "-h", self.folder]
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                time.sleep(0.2)
                self.start()
            if subprocess.run(list(map(str, words)), check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL did not come up")


class Killer(threading.Thread):
    """Kills all parts together, again and again at moments drawn by seed, and brings them back.

    On a busy machine, where coming back takes longer than `_BACK_S`, people get as much longer between two kills.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        seed: int,
        rest: tuple[float, float] = (0.5, 5.0),
        away: tuple[float, float] = (0.0, 1.5),
    ) -> None:
        super().__init__(daemon=True, name="killer")
        self.parts, self.rest, self.away = list(parts), rest, away
        self.kills = 0
        self.fault = ""
        self._slow = 1.0
        self._random, self._stop_now = random.Random(seed), threading.Event()

    def run(self) -> None:
        while not self._stop_now.wait(self._slow * self._random.uniform(*self.rest)):
            try:
                self._strike()
            except Exception as error:  # told at the end; a clinic that stays dead would tell nothing
                self.fault = f"{type(error).__name__}: {error}"

    def stop(self) -> None:
        """No more kills; everything is up when this returns."""
        self._stop_now.set()
        self.join()
        if self.fault:
            raise AssertionError(self.fault)

    def _strike(self) -> None:
        for part in self._random.sample(self.parts, len(self.parts)):
            part.kill()
            self.kills += 1
            time.sleep(self._random.uniform(0.0, 0.3))
        time.sleep(self._random.uniform(*self.away))
        order, begun = self._random.sample(self.parts, len(self.parts)), time.monotonic()
        for part in order:
            part.start()
            time.sleep(self._random.uniform(0.0, 0.3))
        for part in order:
            part.wait()
        self._slow = max(1.0, (time.monotonic() - begun) / _BACK_S)


def write_order(path: Path, **order: object) -> Path:
    path.write_text(json.dumps(order, default=str))
    return path


def _children(mother: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == mother:
                    found.append(int(entry.name))
    return found


def _title(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
