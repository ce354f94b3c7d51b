"""A service in a thread of this process, at an address of the loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from triglot.search.searcher import Searcher
from triglot.serve.app import create_app
from triglot.serve.run import server_of
from triglot.serve.settings import ServeSettings


@contextmanager
def serving(searcher: Searcher, settings: ServeSettings | None = None, **more: Any) -> Iterator[str]:
    """Its address, as long as the block lasts; as `triglot.serve.serve` sets it up."""
    settings = settings or ServeSettings(rate=1000)
    server = server_of(create_app(searcher, settings, **more), settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
