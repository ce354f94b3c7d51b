"""Several processes under torchrun: one writes, the others wait for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def main_first() -> Iterator[None]:
    """The block runs on the main process first, on the others when it is done there."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    from triglot.train.distributed import process

    with process().main_process_first():
        yield
