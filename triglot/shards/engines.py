"""What encodes shards: this machine, or a cluster. Other packages add rows by entry points (`triglot.engines`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triglot.registry import Registry, later

if TYPE_CHECKING:
    from triglot.shards.work import Job

Run = Callable[["Job", Sequence[int], Any, int], Iterator[Any]]


@dataclass(frozen=True)
class Engine:
    """What encodes shards.

    Attributes:
        name: to choose it by.
        title: for people.
        help: a phrase about it.
        run: (job, numbers of the shards that are lacking, the model as it is loaded here, workers or 0) -> the record
            of each shard once it is on disk, in any order.
    """

    name: str
    title: str
    help: str
    run: Run


ENGINES = Registry(
    Engine,
    group="engines",
    what="engine",
    rows=[
        Engine("local", "this machine", "on this machine, one shard after the other", later("triglot.shards.work:run")),
        Engine(
            "ray",
            "Ray",
            "on a Ray cluster, by a pool of actors that each hold the model (extra `ray`)",
            later("triglot.shards.on_ray:run"),
        ),
    ],
)
