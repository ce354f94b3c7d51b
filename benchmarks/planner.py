"""How fast batches are planned: `python benchmarks/planner.py [rows]`, on one thread.

The median of five rounds of the whole work: sorting rows into pools, ordering an epoch, and making every step with its
row numbers and languages. `first` is all of it; `later` is the second epoch, for which the pools are there already. CPU
time is printed beside wall time, because a busy machine stretches only the latter.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import sys
import time
import tracemalloc

import numpy as np

from triglot.batches import BatchSettings, Rows, RunPlan, plan_run

LANGUAGES, ROUNDS = 11, 5
CASES = [
    (1, "xx", 256),
    (1, "xy", 256),
    (1, "hybrid", 64),
    (1, "hybrid", 256),
    (1, "hybrid", 1024),
    (200, "xy", 256),
    (200, "hybrid", 256),
]


def make_rows(count: int, strata: int) -> Rows:
    """Rows in passage families of two on average, with one set of languages or many."""
    rng = np.random.default_rng(0)
    masks = (
        rng.choice(2**LANGUAGES, strata, replace=False).astype(np.uint64) | np.uint64(3)
        if strata > 1
        else np.array([2**LANGUAGES - 1], np.uint64)
    )
    mask = masks[rng.integers(0, len(masks), count)]
    return Rows(rng.integers(0, count // 2, count).astype(np.int32), mask, mask, np.zeros(count, np.int16))


def plan(rows: Rows, kind: str, size: int, seed: int) -> RunPlan:
    """A run of two epochs (or of a few steps more, which are not asked for)."""
    return plan_run(rows, BatchSettings(kind=kind, size=size), steps=2 * (len(rows) // size + 1000), seed=seed)  # type: ignore[arg-type]


def clock() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def main(count: int) -> None:
    print(f"{count:,} rows, {LANGUAGES} languages; million rows a second by wall (by CPU time), median of {ROUNDS}")
    print(f"{'strata':>6} {'kind':>8} {'size':>5} {'steps':>7} {'first':>14} {'later':>14}")
    for strata, kind, size in CASES:
        rows = make_rows(count, strata)
        first, later = [], []
        for seed in range(ROUNDS):
            start = clock()
            run = plan(rows, kind, size, seed)
            epoch = run.epochs[0]
            for step in range(epoch):
                run[step]
            middle = clock()
            for step in range(epoch, 2 * epoch):
                run[step]
            first.append(middle - start)
            later.append(clock() - middle)
        rates = [
            [count / statistics.median(column) / 1e6 for column in zip(*seconds, strict=True)]
            for seconds in (first, later)
        ]
        print(
            f"{strata:>6} {kind:>8} {size:>5} {epoch:>7,} "
            + " ".join(f"{f'{wall:.1f} ({cpu:.1f})':>14}" for wall, cpu in rates),
            flush=True,
        )
    tracemalloc.start()
    run = plan(rows, "hybrid", 256, 1)
    for step in range(2000):
        run[step]
    kept, peak = tracemalloc.get_traced_memory()
    print(
        f"memory beyond the rows themselves: {kept / count:.0f} bytes a row kept, {peak / count:.0f} at most "
        "while planning"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000)
