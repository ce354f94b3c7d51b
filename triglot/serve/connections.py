"""Clients that are slow at HTTP itself: one that sends its request, or reads its answer, a byte at a time is let go."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def timed(seconds: float) -> type[H11Protocol]:
    """uvicorn's protocol with an end to waiting: uvicorn itself waits for a request's head, and for a reader, forever.

    Args:
        seconds: for the head of a request, and for a client to take what waits for it. The body has its own limit
            (`triglot.serve.limits`), and so has an idle connection (uvicorn's keep-alive).
    """

    class Timed(H11Protocol):
        _head: asyncio.TimerHandle | None = None
        _reader: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._head = self.loop.call_later(seconds, self._late)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            waits = self.cycle is None or self.cycle.response_complete
            if not waits:
                self._head = _ended(self._head)
            elif self._head is None:
                self._head = self.loop.call_later(seconds, self._late)

        def on_response_complete(self) -> None:
            self._head = _ended(self._head)
            super().on_response_complete()

        def pause_writing(self) -> None:
            self.flow.pause_writing()
            self._reader = _ended(self._reader) or self.loop.call_later(seconds, self.transport.abort)

        def resume_writing(self) -> None:
            self._reader = _ended(self._reader)
            self.flow.resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head, self._reader = _ended(self._head), _ended(self._reader)
            super().connection_lost(exc)

        def _late(self) -> None:
            if not self.transport.is_closing():
                self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                self.transport.close()

    return Timed


def _ended(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
