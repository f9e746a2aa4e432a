"""How well the automatic faithfulness score agrees with people, on MTS-Dialog's manual scores.

    python benchmarks/faithfulness.py --data-root DIR     # two tables, and a file under benchmarks/results/

DIR (`data` where none is named) holds `mts_dialog/` with the two files of its correlation study: 400 summaries,
four of each of 100 conversations, row by row with their manual scores. Conversations with an even number choose
among the variants listed below, by rank correlation; odd ones are reported. Intervals resample conversations, since
four summaries share each.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from record import write_record
from scipy.stats import pearsonr, spearmanr

from prescreen.evals.faithfulness import Faithfulness, score_summary

SUMMARIES = "mts_dialog/MTS-Dialog-Automatic-Summaries-ValidationSet.csv"
SCORES = "mts_dialog/MTS-Dialog-Manual-Scores4CorrelationStudy.csv"
RESAMPLES = 2_000
Score = Callable[[Faithfulness], float]
# The last of each is no metric of ours but what length alone tells.
VARIANTS: dict[str, dict[str, Score]] = {
    "HallucinationRate": {
        "unsupported share": lambda f: f.unsupported,
        "contradicted share": lambda f: f.contradicted,
        "unsupported or contradicted share": lambda f: f.unfaithful,
        "contradicted, number": lambda f: f.contradicted * f.claims,
        "unsupported or contradicted, number": lambda f: f.hallucination,
        "length: claims": lambda f: float(f.claims),
    },
    "OmissionRate": {
        "share of the patient's words left out": lambda f: f.omitted,
        "number of the patient's words left out": lambda f: f.omission,
        "length: claims for each word said, negative": lambda f: -f.claims / max(f.said, 1),
    },
}


def read_rows(root: Path) -> list[dict[str, str]]:
    """Summaries joined with their scores by position, as the study's README pairs them."""
    summaries, scores = (
        list(csv.DictReader((root / name).read_text(encoding="utf-8-sig").splitlines(keepends=True)))
        for name in (SUMMARIES, SCORES)
    )
    assert len(summaries) == len(scores), "one score for each summary"
    return [{**summary, **score} for summary, score in zip(summaries, scores, strict=True)]


def correlate(given: Any, human: Any) -> tuple[float, float]:
    """Pearson and Spearman, NaN where one side is constant."""
    if np.ptp(given) == 0 or np.ptp(human) == 0:
        return float("nan"), float("nan")
    return float(pearsonr(given, human).statistic), float(spearmanr(given, human).statistic)


def measure(given: Any, human: Any, groups: Any) -> dict[str, Any]:
    """Both correlations with percentile intervals from resampling conversations."""
    rng, names = np.random.default_rng(0), np.unique(groups)
    members = {name: np.flatnonzero(groups == name) for name in names}
    draws = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([members[name] for name in rng.choice(names, len(names))])
        draws.append(correlate(given[chosen], human[chosen]))
    low, high = np.nanpercentile(np.asarray(draws), [2.5, 97.5], axis=0)
    found = correlate(given, human)
    return {
        "n": len(given),
        "conversations": len(names),
        "human_above_zero": int((human > 0).sum()),
        **{
            k: [round(float(x), 3) for x in (found[i], low[i], high[i])]
            for i, k in enumerate(("pearson", "spearman"))
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    root = parser.parse_args().data_root
    if not (root / SCORES).exists():
        print(f"NOT MEASURED: no {root / SCORES}")
        return
    rows = read_rows(root)
    found = [score_summary(row["Automatic Summary"], row["Dialogue"]) for row in rows]
    groups = np.asarray([int(row["ID"]) for row in rows])
    choosing = groups % 2 == 0
    results: dict[str, Any] = {}
    print("| human score | variant | half | n (above zero) | Pearson | Spearman |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, variants in VARIANTS.items():
        human = np.asarray([float(row[name]) for row in rows])
        results[name] = {}
        for variant, score in variants.items():
            given = np.asarray([score(each) for each in found])
            halves = {
                half: measure(given[part], human[part], groups[part])
                for half, part in (("choosing", choosing), ("reported", ~choosing))
            }
            results[name][variant] = halves
            for half, row in halves.items():
                cells = ["{:.2f} [{:.2f}, {:.2f}]".format(*row[k]) for k in ("pearson", "spearman")]
                count = f"{row['n']} ({row['human_above_zero']})"
                print(f"| {name} | {variant} | {half} | {count} | {' | '.join(cells)} |")
    print(f"written: {write_record('faithfulness', ('numpy', 'scipy'), results=results).name}")


if __name__ == "__main__":
    main()
