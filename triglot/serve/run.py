"""The service in a process of its own."""

from __future__ import annotations

import logging

import uvicorn
from fastapi import FastAPI
from threadpoolctl import ThreadpoolController

from triglot.search.searcher import Searcher
from triglot.serve.app import create_app
from triglot.serve.connections import timed
from triglot.serve.logs import handler, log
from triglot.serve.service import Reranker
from triglot.serve.settings import ServeSettings
from triglot.serve.tokens import Tokens


def serve(
    searcher: Searcher,
    settings: ServeSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    tokens: Tokens | None = None,
    reranker: Reranker | None = None,
    name: str = "",
    quiet: bool = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that were begun are answered, writes that were accepted are finished.

    Args:
        searcher: model and index.
        settings: limits.
        host: address to listen at; the default is this machine alone.
        port: 0 for any that is free.
        tokens: of those who may write.
        reranker: see `create_app`.
        name: of what is served, for the page.
        quiet: log warnings and errors only.
    """
    for logger in (log, logging.getLogger("uvicorn")):
        logger.handlers = [handler()]
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
        logger.propagate = False
    app = create_app(searcher, settings, tokens=tokens, reranker=reranker, name=name)
    # Questions are searched side by side, so each has one thread of NumPy's: several would wait for one another, and
    # spin while they wait (16 ms of the processor a question on a core that is shared, 3 ms with one).
    with ThreadpoolController().select(internal_api="openblas").limit(limits=1):
        server_of(app, settings, host=host, port=port).run()


def server_of(app: FastAPI, settings: ServeSettings, *, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Server:
    """uvicorn with the limits of a service; `run()` serves, and ends when `should_exit` is set."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=timed(settings.seconds),
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=max(1, int(settings.seconds)),
        limit_concurrency=4 * settings.waiting,
        h11_max_incomplete_event_size=65_536,
    )
    return uvicorn.Server(config)
