"""What robust training costs: time and peak memory of each method against plain training, on a small transformer. Run:

python benchmarks/robust_cost.py

Random texts of XQuAD-like lengths, no data needed. All methods take turns step by step within one run, so that a noisy
machine hits them alike; the median of the ratios to the plain step of the same turn is printed. Memory is that of
tensors alive at the peak of a step, as torch's profiler counts them (allocations less releases).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.tokenizer import word_counts
from triglot.losses import LossSettings
from triglot.robust import RobustSettings, perturbed_step
from triglot.train.distributed import World
from triglot.train.network import Network
from triglot.train.objective import Objective
from triglot.train.passes import Passes

METHODS = {
    "plain": RobustSettings(),
    "fgm, queries": RobustSettings(method="fgm", side="query"),
    "fgm": RobustSettings(method="fgm"),
    "pgd-2": RobustSettings(method="pgd", steps=2),
    "freelb-2": RobustSettings(method="freelb", steps=2),
    "smart": RobustSettings(method="smart", eps=1e-5, step_size=1e-3),
    "r3f, queries": RobustSettings(method="r3f", side="query", eps=1e-5),
    "r3f": RobustSettings(method="r3f", eps=1e-5),
}


def make_batch(size: int, query_words: int, passage_words: int, seed: int) -> Any:
    """A batch of random words: queries, then passages."""
    rng = np.random.default_rng(seed)
    words = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("n", "r", "s", "ta", "ko", "li")]
    lengths = [
        *rng.integers(query_words // 2, query_words * 3 // 2, size),
        *rng.integers(passage_words // 2, passage_words * 3 // 2, size),
    ]
    strings = [" ".join(rng.choice(words, n)) for n in lengths]
    rows = np.arange(size)
    sides = np.arange(2 * size) >= size
    zeros = np.zeros(size, np.int64)
    return SimpleNamespace(
        strings=strings,
        sides=sides,
        query_row=rows,
        passage_row=rows,
        query_family=rows,
        passage_family=rows,
        query_lang=zeros,
        passage_lang=zeros[:, None],
        views=np.zeros(0, np.int64),
    )


def step(model: Network, batch: Any, robust: RobustSettings, number: int) -> None:
    """One step of training, without the update of the weights."""
    size = len(batch.strings)
    rows = np.zeros(size, bool)
    if robust.method != "none":
        rows = np.ones(size, bool) if robust.side == "both" else batch.sides == (robust.side == "passage")
    half = size // 2
    chunks = []
    for a, b in ((0, half), (half, size)):  # by side, so that every method pads alike
        chunks.append((model.prepare(batch.strings[a:b], batch.sides[a:b]), slice(a, b)))
    passes = Passes(
        model,
        chunks,
        size,
        rows,
        World(),
        graph=True,
        reseed=lambda chunk: torch.manual_seed(chunk),
        autocast=nullcontext,
        draw=lambda chunk, purpose: torch.Generator().manual_seed(number + chunk),
    )
    terms = Objective(LossSettings(), RobustSettings(), dim=model.dim, languages=1, seed=1).on(batch, 0.0)
    perturbed_step(passes, terms.value, terms.divergence, robust)
    model.module.zero_grad(set_to_none=True)


def peak_memory(model: Network, batch: Any, robust: RobustSettings) -> float:
    """MiB of tensors at the peak of one step."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        step(model, batch, robust, 0)
    assert found.profiler is not None
    events = [event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"]
    alive = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        alive += event.nbytes()
        peak = max(peak, alive)
    return peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--query-words", type=int, default=10)
    parser.add_argument("--passage-words", type=int, default=40)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    texts = make_batch(200, 10, 40, 0).strings
    settings = EncoderSettings(kind="transformer", dim=arguments.dim, vocab=2000, layers=arguments.layers, heads=4)
    model = Network(init_encoder(settings, word_counts({"en": texts}), seed=1), weight_decay=0.0)
    batches = [
        make_batch(arguments.batch, arguments.query_words, arguments.passage_words, seed)
        for seed in range(arguments.rounds + 1)
    ]
    times: dict[str, list[float]] = {name: [] for name in METHODS}
    for number, batch in enumerate(batches):
        for name, robust in METHODS.items():
            start = time.perf_counter()
            step(model, batch, replace(robust), number)
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    memory = {name: peak_memory(model, batches[0], robust) for name, robust in METHODS.items()}
    print(
        f"batch {arguments.batch}, {arguments.layers} layers of {arguments.dim}, {arguments.threads} thread; "
        f"median of {arguments.rounds}"
    )
    print(f"{'':14s} {'step':>9s} {'ratio':>7s} {'memory':>10s} {'ratio':>7s}")
    for name in METHODS:
        ratio = statistics.median(a / b for a, b in zip(times[name], times["plain"], strict=True))
        seconds = statistics.median(times[name])
        print(
            f"{name:14s} {1000 * seconds:6.0f} ms {ratio:7.2f} {memory[name]:6.0f} MiB "
            f"{memory[name] / memory['plain']:7.2f}"
        )


if __name__ == "__main__":
    main()
