"""How often the service takes back a release that is within its limits, and how soon one that is not.

    python benchmarks/stopping.py          # a table, and a file under benchmarks/results/

A stop rule is looked at after every signed visit over a sliding window, so its error is not that of one look.
Visits are drawn independently at a true rate that is a share of what the rule allows; the rules are the product's.
"""

from statistics import median

import numpy as np
from record import write_record
from scipy.stats import binomtest

from prescreen.clinic.rates import Rate
from prescreen.monitor.changes import Stop, Stops
from prescreen.monitor.guard import breaks

A_DAY = 20  # signed visits
WITHIN, BEYOND = (0.5, 0.75, 1.0), (1.5, 2.0, 3.0)  # true rate, of the rate allowed
YEARS, MONTHS = 400, 400  # how many are drawn


def find_breaking(stop: Stop) -> np.ndarray:
    """For each number of visits in the window, how many of the kind break the rule; one too many where none do."""
    least = np.arange(stop.days * A_DAY + 1) + 1
    for n in range(stop.least, len(least)):
        begin = int(least[n - 1]) if least[n - 1] <= n - 1 else 0  # with more visits never fewer
        least[n] = next((k for k in range(begin, n + 1) if breaks(Rate(right=k, wrong=n - k), stop)), n + 1)
    return least


def stop_at(stop: Stop, breaking: np.ndarray, rate: float, days: int, chance: np.random.Generator) -> int | None:
    """At which visit a release of this true rate is stopped, None where it is not."""
    total = np.concatenate([[0], np.cumsum(chance.random(days * A_DAY) < rate)])
    end = np.arange(1, len(total))
    begin = np.maximum(0, end - stop.days * A_DAY)
    broken = np.flatnonzero(total[end] - total[begin] >= breaking[end - begin])
    return int(broken[0]) + 1 if len(broken) else None


def main() -> None:
    chance = np.random.default_rng(0)
    rows = []
    for name in Stops.model_fields:
        stop: Stop = getattr(Stops(), name)
        breaking = find_breaking(stop)
        for share in (*WITHIN, *BEYOND):
            rate, days, runs = stop.most * share, *((365, YEARS) if share <= 1 else (60, MONTHS))
            if rate >= 1:
                continue
            ends = [stop_at(stop, breaking, rate, days, chance) for _ in range(runs)]
            stopped = [end for end in ends if end is not None]
            low, high = binomtest(len(stopped), runs).proportion_ci(method="exact")
            visits = median(stopped) if stopped else None
            rows.append(
                {"rule": name, "of_allowed": share, "days": days, "runs": runs, "stopped": len(stopped),
                 "interval": [low, high], "visits_until_stopped": visits}
            )  # fmt: skip
            told = f"{len(stopped)}/{runs} [{low:.0%}, {high:.0%}] stopped, median visit {visits}"
            print(f"{name}: true rate {rate:.1%} ({share:g} of what is allowed), {days} days: {told}", flush=True)
    print("written to", write_record("stopping", ("numpy", "scipy"), visits_a_day=A_DAY, rows=rows).name)


if __name__ == "__main__":
    main()
