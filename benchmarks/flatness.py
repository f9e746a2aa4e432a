"""Cost per useful token when a row holds more documents, or a data set more rows: it should stay flat.

    python benchmarks/flatness.py          # two tables, and a file under benchmarks/results/

Forward and backward of packed rows through the pipeline's own collator and loss, the twin with an adapter on
attention. Documents of one length, so that only the number of neighbours changes. Every size is measured in turn,
rounds repeat, and each is held against the median of its own round, because a shared machine's speed drifts.
"""

import argparse
import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from contenders import load
from record import write_record

NEIGHBOURS = (1, 2, 4, 8, 16, 32)
ROWS = (200, 2000, 20000)


def make_units(count: int, length: int, vocabulary: int) -> list[Any]:
    """Random documents, all trained."""
    from prescreen.train.sharing import Document

    rng = random.Random(0)
    ids = [[rng.randrange(vocabulary - 64) for _ in range(length)] for _ in range(min(count, 64))]
    return [[Document(ids[i % len(ids)], ids[i % len(ids)])] for i in range(count)]


def cost_of_row(model: Any, length: int, neighbours: int) -> float:
    """Seconds a token of forward and backward, over 32 documents."""
    from prescreen.train.objectives import cross_entropy
    from prescreen.train.packing import PackedRows

    rows = PackedRows(make_units(32, length, model.config.vocab_size), neighbours * length, 1, 0)
    begin = time.perf_counter()
    for i in range(len(rows)):
        cross_entropy(model, rows[i]).backward()
        model.zero_grad()
    return (time.perf_counter() - begin) / (32 * length)


def cost_of_set(model: Any, length: int, count: int) -> float:
    """Seconds a token of packing `count` documents and of collating and training 8 rows drawn from them."""
    from prescreen.train.objectives import cross_entropy
    from prescreen.train.packing import PackedRows

    units = make_units(count, length, model.config.vocab_size)
    begin = time.perf_counter()
    rows = PackedRows(units, 4096, 1, 0)
    packing = (time.perf_counter() - begin) / (count * length)
    begin = time.perf_counter()
    for i in range(0, len(rows), -(-len(rows) // 8)):
        cross_entropy(model, rows[i]).backward()
        model.zero_grad()
    return packing + (time.perf_counter() - begin) / (8 * 4096)


def measure(name: str, sizes: tuple[int, ...], cost: Callable[[int], float], rounds: int) -> dict[str, Any]:
    """Each size against the median of its round."""
    cost(sizes[0])  # caches and threads warm up
    found: dict[int, list[float]] = {size: [] for size in sizes}
    ratios: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        one = {size: cost(size) for size in sizes}
        middle = median(one.values())
        for size in sizes:
            found[size].append(one[size])
            ratios[size].append(one[size] / middle)
    print(f"| {name} | microseconds a token | against the round's median |\n| --- | --- | --- |")
    for size in sizes:
        print(f"| {size} | {median(found[size]) * 1e6:.0f} | {median(ratios[size]):.2f} |", flush=True)
    return {"name": name, "seconds_per_token": found, "ratio": {size: median(r) for size, r in ratios.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--length", type=int, default=512, help="tokens of a document")
    chosen = parser.parse_args()
    rounds, length = chosen.rounds, chosen.length
    from prescreen.train.trainer import use_packed_attention

    model = load("attention").model
    use_packed_attention(model)
    results = [
        measure("documents a row", NEIGHBOURS, lambda size: cost_of_row(model, length, size), rounds),
        measure("documents in the set", ROWS, lambda size: cost_of_set(model, length, size), rounds),
    ]
    path = write_record("flatness-cpu", ("torch", "transformers", "peft"), length=length, results=results)
    print(f"written: {path.name}")


if __name__ == "__main__":
    main()
