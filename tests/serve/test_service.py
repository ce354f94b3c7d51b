"""A service whose index changes: by another process, and until nothing is left in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.search.small import Words, small
from triglot.index.documents import Documents
from triglot.index.store import DiskIndex, create
from triglot.search.modes import MODES
from triglot.search.searcher import Searcher
from triglot.serve.app import create_app


@asynccontextmanager
async def client_of(place: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that runs as long as the block lasts."""
    app = create_app(Searcher(Words(), DiskIndex(place)))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
    async with app.router.lifespan_context(app), client:
        yield client


async def told(client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    done = await (client.get(path) if body is None else client.post(path, json=body))
    assert done.status_code == 200, done.text
    return done.json()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.02)


def test_what_others_write_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process adds and compacts, so that files go; then it builds the index anew for another model."""
    monkeypatch.setattr("triglot.serve.service._LOOK", 0.02)
    index = small(tmp_path / "i")
    count, new = len(index), Documents(["new"], ["de-river de-horse"], ["de"])
    vectors = Words().encode(new.texts, side="passage")
    body = {"query": "de-river de-horse", "lang": "de", "filters": ["id=new"]}

    async def run() -> None:
        async with client_of(index.place) as client:
            before = await told(client, "/bias")
            index.add(new, vectors)
            index.compact()
            await until(lambda: "refreshed" in caplog.text)
            assert (await told(client, "/about"))["passages"] == count + 1
            assert (await told(client, "/bias"))["probes"] != before["probes"]
            found = await told(client, "/search", body)
            assert [hit["id"] for hit in found["hits"]] == ["new"]
            create(index.place, new, vectors[:, ::-1], model="other", force=True)
            await until(lambda: "built anew for another model" in caplog.text)
            assert (await told(client, "/about"))["passages"] == count + 1
            assert (await told(client, "/search", body))["hits"] == found["hits"]

    with caplog.at_level(logging.INFO, "triglot.serve"):
        asyncio.run(run())
    assert caplog.text.count("the index is served as it was before: ") == 1


def test_files_that_are_gone_are_not_needed(tmp_path: Path) -> None:
    """Between two looks at what others write."""
    index = small(tmp_path / "i")

    async def run() -> None:
        async with client_of(index.place) as client:
            index.delete(["0-de", "0-en", "0-fr"])
            index.compact()
            for path in ("/about", "/bias", "/health"):
                await told(client, path)

    asyncio.run(run())


def test_an_index_that_was_emptied_still_answers(tmp_path: Path) -> None:
    index = small(tmp_path / "i")
    index.delete(index.snapshot.documents(index.snapshot.places_in()).ids)

    async def run() -> None:
        async with client_of(index.place) as client:
            for mode in MODES.names():
                for hybrid in (False, True):
                    found = await told(client, "/search", {"query": "de-river", "mode": mode, "hybrid": hybrid})
                    assert found["hits"] == []
            assert (await told(client, "/about"))["passages"] == 0
            assert (await told(client, "/bias"))["probes"] == {}

    asyncio.run(run())
