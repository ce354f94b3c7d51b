"""The service in a process of its own."""

from __future__ import annotations

import logging
import sys

import uvicorn

from triglot.search.searcher import Searcher
from triglot.serve.app import create_app
from triglot.serve.settings import ServeSettings
from triglot.serve.tokens import Tokens


def serve(
    searcher: Searcher,
    settings: ServeSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    tokens: Tokens | None = None,
    quiet: bool = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that were begun are answered, writes that were accepted are finished.

    Args:
        searcher: model and index.
        settings: limits.
        host: address to listen at; the default is this machine alone.
        port: 0 for any that is free.
        tokens: of those who may write.
        quiet: log warnings and errors only.
    """
    logger = logging.getLogger("triglot.serve")
    logger.handlers = [logging.StreamHandler(sys.stderr)]
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    config = uvicorn.Config(
        create_app(searcher, settings, tokens=tokens),
        host=host,
        port=port,
        access_log=False,
        log_level="warning" if quiet else "info",
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=max(1, int(settings.seconds)),
        limit_concurrency=4 * settings.waiting,
        h11_max_incomplete_event_size=65_536,
    )
    uvicorn.Server(config).run()
