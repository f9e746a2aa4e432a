"""Seconds and memory of finding near-duplicates among invented notes: ours, the exact search, other libraries.

    PYTHONPATH=src python benchmarks/near.py 10000 100000 --with near exact datasketch rensa

Each is run in a process of its own, so that the memory is its own. What is not installed is named and left out.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prescreen.data.near import find_near
from prescreen.data.quality import NEAR, SHINGLE, find_twins, word_grams

WORDS = 20_000
PERMUTATIONS = 80


def invent_notes(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Notes of 15 to 80 words, few of them common; one in ten repeats an earlier one but for two words."""
    draw = random.Random(seed)
    frames = [" ".join(f"frame{f}w{n}" for n in range(12)) for f in range(50)]  # what a clinic's template adds
    recent: list[list[str]] = []
    for number in range(count):
        if recent and draw.random() < 0.1:
            words = list(draw.choice(recent))
            for _ in range(draw.randrange(3)):
                words[draw.randrange(len(words))] = f"changed{draw.randrange(WORDS)}"
        else:
            size = draw.randrange(15, 81)
            words = [f"word{int(WORDS * draw.random() ** 3)}" for _ in range(size)]
            words += draw.choice(frames).split() if draw.random() < 0.5 else []
            if len(recent) < 5_000:
                recent.append(words)
            else:
                recent[draw.randrange(5_000)] = words
        yield f"note-{number}", " ".join(words)


def run_near(count: int) -> int:
    """Ours: MinHash, keys on the disk, exact comparison."""
    return sum(1 for _ in find_near(invent_notes(count)))


def run_exact(count: int) -> int:
    """The exact search, all in memory."""
    return sum(1 for _ in find_twins(dict(invent_notes(count))))


def run_datasketch(count: int) -> int:
    """datasketch: MinHash and LSH in memory; what it finds is compared exactly, as ours is."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=PERMUTATIONS, params=(16, 5))
    kept: dict[str, set[tuple[str, ...]]] = {}
    found = 0
    for name, text in invent_notes(count):
        grams = word_grams(text, SHINGLE)
        sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update_batch([" ".join(gram).encode() for gram in grams])
        if any(len(grams & kept[o]) >= NEAR * len(grams | kept[o]) for o in index.query(sketch)):
            found += 1
        else:
            index.insert(name, sketch)
            kept[name] = grams
    return found


def run_rensa(count: int) -> int:
    """rensa (Rust): MinHash and LSH in memory, compared exactly."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=NEAR, num_perm=PERMUTATIONS, num_bands=16)
    kept: dict[int, set[tuple[str, ...]]] = {}
    found = 0
    for number, (_, text) in enumerate(invent_notes(count)):
        grams = word_grams(text, SHINGLE)
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update([" ".join(gram) for gram in grams])
        if any(len(grams & kept[o]) >= NEAR * len(grams | kept[o]) for o in index.query(sketch)):
            found += 1
        else:
            index.insert(number, sketch)
            kept[number] = grams
    return found


def run_nothing(count: int) -> int:
    """What inventing the notes alone takes: to be subtracted."""
    return sum(0 for _ in invent_notes(count))


RUNS: dict[str, Callable[[int], int]] = {
    "nothing": run_nothing,
    "near": run_near,
    "exact": run_exact,
    "datasketch": run_datasketch,
    "rensa": run_rensa,
}


def measure(name: str, count: int) -> dict[str, object]:
    """Seconds, peak memory and how many repeats one of them found."""
    started = time.perf_counter()
    try:
        found = RUNS[name](count)
    except ImportError as error:
        return {"search": name, "left out": f"{error.name} is not installed"}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = round(time.perf_counter() - started, 1)
    return {"search": name, "notes": count, "found": found, "seconds": seconds, "peak_mb": round(peak)}


def main() -> None:
    """Each search at each size, one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="+", type=int)
    parser.add_argument("--with", dest="names", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--here", action="store_true", help="in this process")
    given = parser.parse_args()
    for count in given.counts:
        for name in given.names:
            if given.here:
                print(json.dumps(measure(name, count)), flush=True)
            else:
                command = [sys.executable, str(Path(__file__)), str(count), "--with", name, "--here"]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
