"""Work ahead in a thread: order, errors, and that the thread ends."""

from __future__ import annotations

import threading
import time

import pytest

from triglot.ahead import ahead


def test_results_come_in_order_and_the_thread_ends() -> None:
    assert list(ahead(lambda x: x * x, range(50), depth=3, name="squares")) == [x * x for x in range(50)]
    assert "squares" not in {thread.name for thread in threading.enumerate()}


def test_at_most_depth_results_wait() -> None:
    done: list[int] = []
    results = ahead(lambda x: done.append(x) or x, range(100), depth=2, name="bounded")
    assert next(results) == 0
    time.sleep(0.3)
    assert len(done) <= 4  # one taken, two waiting, one in hand
    results.close()
    assert "bounded" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("where", ["work", "items"])
def test_an_error_is_raised_where_the_results_are_used(where: str) -> None:
    def items():
        yield 1
        if where == "items":
            raise KeyError("broken")
        yield 0

    results = ahead(lambda x: 1 / x, items(), depth=1, name="errors")
    assert next(results) == 1
    with pytest.raises(KeyError if where == "items" else ZeroDivisionError):
        next(results)
    assert "errors" not in {thread.name for thread in threading.enumerate()}
