"""The drafter of a simulated year: full batches, nobody drafted twice, drafts in the order of arrival."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.evals.parallel import Job
from prescreen.model.draft import Drafted
from prescreen.simulation.drafters import Model, TwinDrafter
from prescreen.simulation.people import Arrival, Crowd, meet_week

MODEL = Model("a-folder", "some-weights")


class Pool:
    """Drafts in this process: each case's complaint is its fault, so that a draft tells whose it is."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def map(self, work: Callable[[Job], list[Drafted]], jobs: Iterable[Job]) -> Iterator[list[Drafted]]:
        for job in jobs:
            cases = [Case.model_validate_json(text) for text in job.cases]
            self.sizes.append(len(cases))
            yield [Drafted(finalise(c, None, c.complaint), None, c.complaint, "stop", 0.0) for c in cases]

    def shutdown(self) -> None: ...


def meet(week: int) -> list[Arrival]:
    return meet_week(0, week, Crowd(contacts=6))


def test_the_next_weeks_are_drafted_along_and_never_again(tmp_path: Path) -> None:
    drafter, pool = TwinDrafter(tmp_path), Pool()
    drafter._pool = pool  # type: ignore[assignment]
    first, second, third = meet(0), meet(1), meet(2)
    told = drafter.draw(MODEL, first, second)
    assert [one.why for one in told] == [arrival.case.complaint for arrival in first], "this week's, in order"
    assert pool.sizes == [6, 6], "a batch for each process"
    told = drafter.draw(MODEL, second, third)
    assert [one.why for one in told] == [arrival.case.complaint for arrival in second]
    assert pool.sizes == [6, 6], "known already, and nobody ahead is drafted before there is somebody new"
    drafter.draw(Model("a-folder", "other-weights"), second)
    assert pool.sizes == [6, 6, 3, 3], "other weights draft for themselves"
    drafter.close()
