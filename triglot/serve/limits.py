"""What stands before the routes: size and time of a request, how often a client comes, one line of log for each."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from triglot.serve.logs import tell
from triglot.serve.metrics import Metrics
from triglot.serve.settings import ServeSettings
from triglot.serve.shapes import error_body

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_CLIENTS = 10_000  # whose rate is remembered
_BODIES = 32  # of the largest size, held at one time
# Asked by machines that watch the service, and by a browser at once: the page and its files.
_FREE = re.compile(r"/(health|metrics|page/.*)?")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]*)?")
# What every answer has: no browser guesses its type, embeds it, runs anything of it or tells others where it came from.
# The page brings a policy of its own.
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


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
        self._held = 0  # bytes of all bodies that are being read or worked on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, its body read within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, body = time.perf_counter(), 500, bytearray()

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = list(message.get("headers", []))
                named = {name.lower() for name, _ in own}
                message["headers"] = [*own, *(pair for pair in _HEADERS if pair[0] not in named)]
            await send(message)

        try:
            self._check(scope)
            await self._read(scope, receive, body)
            given = False

            async def replay() -> MutableMapping[str, Any]:
                nonlocal given
                if not given:
                    given = True
                    return {"type": "http.request", "body": bytes(body), "more_body": False}
                return await receive()

            await self._app(scope, replay, sent)
        except _Refused as refused:
            await _answer(sent, refused.status, refused.what)
        finally:
            self._held -= len(body)
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - began
            self._metrics.request(route, status, seconds)
            tell("request", method=scope["method"], route=route, status=status, ms=round(1000 * seconds, 2))

    def _check(self, scope: Scope) -> None:
        client = (scope.get("client") or ("",))[0]
        if not _FREE.fullmatch(scope["path"]) and not self._rate.allow(client):
            raise _Refused(429, f"more than {self._settings.rate:g} requests a second")
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value[:20]) > self._settings.body):
                raise _Refused(413, f"a body of more than {self._settings.body} bytes")
        called = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        for host in called or [""]:
            self._check_host(host)

    def _check_host(self, told: str) -> None:
        """Refuse a request that calls the service by a name that is not its own."""
        match = _HOST.fullmatch(told)
        name = match[1] if match else ""
        for host in self._settings.hosts:
            if host == "*" or name == host or (host.startswith("*.") and name.endswith(host[1:])):
                return
        raise _Refused(
            400, f"this service has no name {told[:100]!r}: --allow-host {name[:100] or 'NAME'} would add it"
        )

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> None:
        """Read a request's body as it comes, and no more of it than may be held of one and of all."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        try:
            async with asyncio.timeout(self._settings.seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Refused(400, "the client went away")
                    part = message.get("body", b"")
                    if len(body) + len(part) > self._settings.body:
                        raise _Refused(413, f"a body of more than {self._settings.body} bytes")
                    if self._held + len(part) > _BODIES * self._settings.body:
                        raise _Refused(503, "too many large requests at once")
                    body += part
                    self._held += len(part)
                    more = bool(message.get("more_body"))
        except TimeoutError:
            raise _Refused(408, f"the body took more than {self._settings.seconds:g} seconds") from None


async def _answer(send: Send, status: int, what: str) -> None:
    body = json.dumps(error_body(status, what)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", b"1")] if status in (429, 503) else []
    headers += [(b"connection", b"close")] if status in (408, 413) else []  # the rest of the body is not waited for
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
