"""A question to a host without a name, for a program that tests start and kill."""

import time

from prescreen.service.engine.calling import Call


def ask(host):
    now = time.monotonic()
    host.call(Call([{"role": "user", "content": "x"}], None, 60, now + 60, now + 60))
