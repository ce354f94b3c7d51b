"""Shards encoded on a Ray cluster: Ray Data gives their numbers to a pool of actors, each of which holds the model.

Texts and shards lie on storage that all machines share, so nothing but numbers goes through Ray. An actor that dies is
started again by Ray, and so is the shard that it had.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from triglot.extras import named
from triglot.files import InputError
from triglot.sealed import read_sealed
from triglot.shards.folder import WORK, note_file
from triglot.shards.work import Job, Worker


class Actor:
    """A worker as Ray Data calls it."""

    def __init__(self, job: Job):
        self.worker = Worker(job)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Make the shards of a batch."""
        for number in batch["shard"].tolist():
            self.worker.write(*self.worker.texts(number))
        return batch


def run(job: Job, numbers: Sequence[int], encoder: Any, workers: int) -> Iterator[Any]:
    """Make shards on the cluster of `RAY_ADDRESS`, else on one that runs here, else on one that is started for it.

    Args:
        job: what of.
        numbers: of the shards.
        encoder: stays where it is; actors load the model by its name.
        workers: actors; 0 for one on each GPU, or where the model computes on processors as many as these have room
            for.

    Raises:
        MissingExtra: Ray is not installed.
        InputError: what an actor raised.
    """
    # Law 3: no network but the cluster's own.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with named():
        import ray
        import ray.data
        from ray.exceptions import RayError

    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    for name in ("ray", "ray.data"):  # progress is told here, and what goes wrong is raised
        logging.getLogger(name).setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    on_gpu = job.computing.device.startswith("cuda") or getattr(getattr(encoder, "device", None), "type", "") == "cuda"
    have = ray.cluster_resources()
    room = have.get("GPU", 0) if on_gpu else have.get("CPU", 1) // max(1, job.threads)
    if on_gpu and not room:
        raise InputError("--engine ray: the model computes on a GPU, and the cluster has none (--device cpu)")
    if on_gpu:  # Ray shows an actor its own GPU alone
        job = replace(job, computing=replace(job.computing, device="cuda"))
    # Without room for one whole actor it takes what there is: a small machine is slow and does not hang.
    count = max(1, min(workers or int(room), len(numbers)))
    need = min(float(job.threads), have.get("CPU", 1) / (count + 1))
    resources: dict[str, Any] = {"num_gpus": 1} if on_gpu else {"num_cpus": need}
    data = ray.data.from_items([{"shard": number} for number in numbers], override_num_blocks=len(numbers))
    done = data.map_batches(
        Actor,
        fn_constructor_args=(job,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=count),
        **resources,
    )
    work = Path(job.place) / WORK
    try:
        for row in done.iter_rows():
            yield read_sealed(note_file(work, int(row["shard"])))
    except RayError as error:
        raise InputError(f"--engine ray: {_reason(error)}") from error
    finally:
        if started:
            ray.shutdown()


def _reason(error: BaseException) -> str:
    """What a worker said; Ray hands it on inside the text of errors of its own."""
    told = re.findall(r"InputError(?:\x1b\[[0-9;]*m)?: (.+)", str(error))
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{told[-1] if told else (lines or [type(error).__name__])[0]:.500}"
