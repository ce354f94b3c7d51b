"""Who runs the parts of a study: this process, several processes of this machine, or a Ray cluster."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from triglot.extras import named
from triglot.files import InputError
from triglot.registry import Registry
from triglot.study.parts import run_part

log = logging.getLogger("triglot")
Call = tuple[str, str, str, str]  # what `run_part` takes


@dataclass(frozen=True)
class Runner:
    """A way to run the parts of a study.

    Attributes:
        name: of `--runner`.
        title: for people.
        help: a phrase that explains it.
        run: (calls, jobs, threads) -> an iterator over (index, what went wrong) in the order in which they end. `jobs`
            run at once at most, each on so many cores.
    """

    name: str
    title: str
    help: str
    run: Callable[[Sequence[Call], int, int], Iterator[tuple[int, str]]]


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone: nobody would be there to read what it writes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.3)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _local(calls: Sequence[Call], jobs: int, threads: int) -> Iterator[tuple[int, str]]:
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    options: dict[str, Any] = {"mp_context": get_context("spawn"), "initializer": _end_with, "initargs": (os.getpid(),)}
    pool = ProcessPoolExecutor(min(jobs, len(calls)), **options)
    try:
        places = {pool.submit(run_part, *call): number for number, call in enumerate(calls)}
        for done in as_completed(places):
            yield places[done], done.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ray(calls: Sequence[Call], jobs: int, threads: int) -> Iterator[tuple[int, str]]:
    with named():
        import ray  # pyright: ignore[reportMissingImports]
    if not ray.is_initialized():  # joins the cluster of RAY_ADDRESS, or starts one on this machine
        ray.init(include_dashboard=False, log_to_driver=False)
    task = ray.remote(num_cpus=max(threads, 1), max_retries=0)(run_part)
    waiting = {task.remote(*call): number for number, call in enumerate(calls)}
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1)
        for one in done:
            yield waiting.pop(one), ray.get(one)


RUNNERS = Registry(
    Runner,
    group="runners",
    what="runner",
    rows=(
        Runner("local", "this machine", "processes of this machine, as many as its cores allow", _local),
        Runner("ray", "a Ray cluster", "tasks of the Ray cluster in RAY_ADDRESS, or of one started here", _ray),
    ),
)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def jobs_for(asked: int, threads: int) -> int:
    """How many parts run at once: as many as asked, or as many as cores allow where each says how many threads it
    takes."""
    if asked:
        return asked
    return max(cores() // threads, 1) if threads else 1


def run_all(runner: str, calls: Sequence[Call], jobs: int, threads: int) -> None:
    """Run parts that do not need one another; the time that is left is told as they end.

    Raises:
        InputError: what went wrong with a part, once the others have ended.
    """
    began, wrong = time.perf_counter(), []
    for count, (number, problem) in enumerate(RUNNERS[runner].run(calls, jobs, threads), 1):
        left = (time.perf_counter() - began) / count * (len(calls) - count)
        more = f", about {max(left / 60, 0.1):.1f} min left of these" if count < len(calls) else ""
        log.info("%s: %s, %d of %d%s", calls[number][2], problem or "finished", count, len(calls), more)
        wrong += [problem] if problem else []
    if wrong:
        raise InputError("\n".join(wrong))
