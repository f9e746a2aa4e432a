"""A real identity provider for tests: oidc-provider under Node, and a browser's way through it."""

import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

import httpx2

from small_peers import SOURCES, install_peer

PEER = "oidc-login"


@contextmanager
def run_provider(redirect: str, afterwards: str) -> Iterator[str]:
    """Start the provider and tell its issuer; skips loudly where Node or its packages are out of reach."""
    home = install_peer(PEER)
    shutil.copy(SOURCES / PEER / "provider.mjs", home)  # beside its packages, where node looks for them
    program = subprocess.Popen(
        ["node", "provider.mjs", redirect, afterwards],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.environ["PATH"], "NODE_ENV": "test"},
    )
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(
        target=lambda: [lines.put(line.strip()) for line in program.stdout or ()], daemon=True
    )
    reader.start()
    try:
        heard = []
        while not (heard and heard[-1].startswith("http://127.0.0.1:")):
            heard.append(lines.get(timeout=30))
        yield heard[-1]
    finally:
        program.terminate()
        program.wait(timeout=10)
        reader.join(timeout=5)
        if program.stdout:
            program.stdout.close()


def walk_through(start: str, login: str) -> str:
    """Follow the provider's redirects as a person's browser does, until one leads back to us."""
    with httpx2.Client(headers={"x-login": login}, trust_env=False, timeout=10) as browser:
        where = start
        for _ in range(12):
            answer = browser.get(where)
            assert answer.status_code in (302, 303), (answer.status_code, answer.text[:300])
            where = urljoin(where, answer.headers["location"])
            if "/oidc/back" in where:
                return where
    raise AssertionError("the provider did not come back")
