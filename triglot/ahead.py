"""Work done in a thread, a few items ahead of whoever needs it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def ahead(work: Callable[[T], U], items: Iterable[T], *, depth: int, name: str) -> Iterator[U]:
    """Yield `work(item)` for each item, in order. Closing the iterator ends the thread.

    Args:
        work: runs in the thread; what it raises is raised here.
        items: taken in the thread as well.
        depth: results that may wait.
        name: of the thread.
    """
    ready: queue.Queue[U | _End] = queue.Queue(depth)
    stop = threading.Event()

    def put(result: U | _End) -> bool:
        while not stop.is_set():
            try:
                ready.put(result, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put(work(item)):
                    return
            put(_End(None))
        except BaseException as error:  # raised by the consumer
            put(_End(error))

    thread = threading.Thread(target=produce, name=name, daemon=True)
    thread.start()
    try:
        while not isinstance(result := ready.get(), _End):
            yield result
        if result.error is not None:
            raise result.error
    finally:
        stop.set()
        thread.join()


class _End:
    """No more results, or the error that ended them."""

    def __init__(self, error: BaseException | None):
        self.error = error
