"""The service under load on the loopback: what HTTP adds to a question, and whether any answer is lost or wrong at
several times the rate that it can keep up with.

python -m benchmarks.serve_load INDEX --seconds 10 --times 4

Each phase is bounded in time. Requests go to 127.0.0.1 alone. An answer is right where its hits are those of the same
question asked in this process (scores to 1e-4: texts encoded together differ in their last digits); one that is told
to come again (503) is refused, not lost; one without any answer within the limit is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from threadpoolctl import ThreadpoolController

from benchmarks.served import serving
from triglot.commands.index import open_searched
from triglot.search.searcher import Searcher, SearchSettings

QUESTIONS, K, CONNECTIONS, LATE = 200, 10, 400, 30.0


class Line:
    """A connection that is kept, one request at a time."""

    def __init__(self, port: int):
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """(status, body) of a request."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
        reader, writer = self._streams
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *([0-9]+)", head)
            body = await reader.readexactly(int(length[1])) if length else await reader.read()
        except BaseException:
            self.close()
            raise
        if length is None or b"connection: close" in head.lower():
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


class Load:
    """Requests, and what became of them."""

    def __init__(self, port: int, asked: list[tuple[bytes, Any]]):
        self._asked, self.seen, self.taken = asked, Counter(), []
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        for _ in range(CONNECTIONS):
            self._lines.put_nowait(Line(port))

    async def one(self, number: int) -> None:
        """Send the request of this number and judge its answer."""
        request, wanted = self._asked[number % len(self._asked)]
        began = time.perf_counter()
        line = await self._lines.get()
        try:
            async with asyncio.timeout(LATE):
                status, body = await line.ask(request)
            what = "refused" if status in (429, 503) else f"status {status}"
            if status == 200:
                what = "right" if right(json.loads(body), wanted) else "wrong"
                self.taken.append(time.perf_counter() - began)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            what = "lost"
        self._lines.put_nowait(line)
        self.seen[what] += 1

    async def closed(self, clients: int, seconds: float) -> float:
        """Clients that ask again when they were answered; returns answers a second."""
        end, began = time.perf_counter() + seconds, time.perf_counter()

        async def client(first: int) -> None:
            number = first
            while time.perf_counter() < end:
                await self.one(number)
                number += clients

        await asyncio.gather(*(client(first) for first in range(clients)))
        return self.seen["right"] / (time.perf_counter() - began)

    async def open(self, rate: float, seconds: float) -> float:
        """Requests at a rate, whatever becomes of them; returns the rate at which they were sent."""
        began, tasks = time.perf_counter(), []
        for number in range(int(rate * seconds)):
            if (wait := began + number / rate - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(self.one(number)))
            if number % 20 == 0:
                await asyncio.sleep(0)
        sent = len(tasks) / (time.perf_counter() - began)
        await asyncio.gather(*tasks)
        return sent


def right(told: dict[str, Any], wanted: dict[str, float]) -> bool:
    """Whether hits have the scores of these passages; what is not among them may tie with the last."""
    hits, least = told["hits"], min(wanted.values())
    if len(hits) != len(wanted):
        return False
    return all(abs(hit["calibrated"] - wanted.get(hit["id"], least)) < 1e-3 for hit in hits)


def processor_seconds(pid: int) -> float:
    """Of a process, so far."""
    told = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--times", type=float, default=4.0)
    parser.add_argument("--clients", type=int, default=16)
    told = parser.parse_args()
    index, encoder = open_searched(told.index)
    searcher = Searcher(encoder, index)
    places = index.snapshot.places_in()
    drawn = index.snapshot.documents(places[np.linspace(0, len(places) - 1, QUESTIONS).astype(int)])
    questions = [(" ".join(text.split()[:12])[:200], lang) for text, lang in zip(drawn.texts, drawn.langs, strict=True)]
    asked, alone, settings = [], [], SearchSettings(k=K)
    for question, lang in questions:
        searcher.search(question, settings, lang=lang)
    limited = ThreadpoolController().select(internal_api="openblas").limit(limits=1)  # as the service does
    spent = time.process_time()
    for question, lang in questions:
        began = time.perf_counter()
        answer = searcher.search(question, settings, lang=lang)
        alone.append(time.perf_counter() - began)
        body = json.dumps({"query": question, "lang": lang, "k": K}).encode()
        head = (
            f"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        asked.append((head.encode() + b"\r\n\r\n" + body, {hit.id: hit.calibrated for hit in answer.hits}))
    limited.restore_original_limits()
    inside = (time.process_time() - spent) / len(questions)
    with serving(told.index, "rate=1000000", "seconds=20") as (port, pid):
        asyncio.run(_phases(port, pid, asked, told, 1000 * float(np.median(alone)), 1000 * inside))


async def _phases(port: int, pid: int, asked: list[Any], told: Any, alone: float, inside: float) -> None:
    await Load(port, asked).closed(4, 2)  # warm
    single = Load(port, asked)
    before = processor_seconds(pid)
    await single.closed(1, told.seconds)
    cost = 1000 * (processor_seconds(pid) - before) / max(single.seen["right"], 1)
    p50 = 1000 * float(np.median(single.taken))
    print(f"one at a time: p50 {alone:.1f} ms in process, {p50:.1f} ms over HTTP, so {p50 - alone:.1f} ms added;")
    print(f"processor {inside:.1f} ms in process, {cost:.1f} ms over HTTP, so {cost - inside:.1f} ms added")
    many = Load(port, asked)
    rate = await many.closed(told.clients, told.seconds)
    times = Load(port, asked)
    sent = await times.open(told.times * rate, told.seconds)
    print("| load | sent a second | right | wrong | refused (503) | lost | others | p50 ms | p99 ms of the answers |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, load, speed in ((f"{told.clients} clients", many, rate), (f"{told.times:g} times that", times, sent)):
        known = ("right", "wrong", "refused", "lost")
        counts = [load.seen[one] for one in known]
        counts.append(sum(load.seen.values()) - sum(counts))
        middle, last = (1000 * float(np.percentile(load.taken, one)) for one in (50, 99))
        print(f"| {name} | {speed:.0f} | {' | '.join(map(str, counts))} | {middle:.0f} | {last:.0f} |")
    again = Load(port, asked)
    await again.closed(1, 2)
    print(f"afterwards: {dict(again.seen)}")


if __name__ == "__main__":
    main()
