"""An executor that does its work at once, in this process, for code that hands work to others."""

from concurrent.futures import Future


class Inline:
    """What `submit` returns is done."""

    def submit(self, work, job):
        future = Future()
        future.set_result(work(job))
        return future
