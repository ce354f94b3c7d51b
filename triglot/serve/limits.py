"""What stands before the routes: size and time of a request, how often a client comes, one line of log for each."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from triglot.serve.metrics import Metrics
from triglot.serve.settings import ServeSettings

log = logging.getLogger("triglot.serve")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_CLIENTS = 10_000  # whose rate is remembered


class _Refused(Exception):
    def __init__(self, status: int, what: str):
        self.status, self.what = status, what


class Rate:
    """A bucket of tokens for each client; those that were not seen for longest are forgotten.

    Args:
        each: requests a second.
        clock: seconds.
    """

    def __init__(self, each: float, clock: Callable[[], float] = time.monotonic):
        self._each, self._clock = each, clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, client: str) -> bool:
        """Whether a client may come now."""
        now, most = self._clock(), max(1.0, 2 * self._each)
        left, then = self._held.pop(client, (most, now))
        left = min(most, left + (now - then) * self._each)
        allowed = left >= 1
        self._held[client] = (left - 1 if allowed else left, now)
        if len(self._held) > _CLIENTS:
            self._held.popitem(last=False)
        return allowed


class Limits:
    """The middleware, see the module."""

    def __init__(self, app: Any, settings: ServeSettings, metrics: Metrics):
        self._app, self._settings, self._metrics = app, settings, metrics
        self._rate = Rate(settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, its body read within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            self._check(scope)
            body = await self._body(scope, receive)
            given = False

            async def replay() -> MutableMapping[str, Any]:
                nonlocal given
                if not given:
                    given = True
                    return {"type": "http.request", "body": body, "more_body": False}
                return await receive()

            await self._app(scope, replay, sent)
        except _Refused as refused:
            await _answer(sent, refused.status, refused.what)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - began
            self._metrics.request(route, status, seconds)
            line = {"event": "request", "method": scope["method"], "route": route, "status": status}
            log.info(json.dumps({**line, "ms": round(1000 * seconds, 2)}))

    def _check(self, scope: Scope) -> None:
        client = (scope.get("client") or ("",))[0]
        if scope["path"] not in ("/health", "/metrics") and not self._rate.allow(client):
            raise _Refused(429, f"more than {self._settings.rate:g} requests a second")
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value[:20]) > self._settings.body):
                raise _Refused(413, f"a body of more than {self._settings.body} bytes")

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return b""
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._settings.seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Refused(400, "the client went away")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._settings.body:
                        raise _Refused(413, f"a body of more than {self._settings.body} bytes")
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise _Refused(408, f"the body took more than {self._settings.seconds:g} seconds") from None


async def _answer(send: Send, status: int, what: str) -> None:
    body = json.dumps({"error": {"message": what}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", b"1")] if status == 429 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
