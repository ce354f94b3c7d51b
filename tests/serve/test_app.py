"""The service over HTTP: what it answers, what it refuses."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.search.small import Words, small
from triglot.files import InputError
from triglot.index.store import DiskIndex
from triglot.search.searcher import Searcher, SearchSettings
from triglot.serve.app import create_app
from triglot.serve.limits import Rate
from triglot.serve.logs import Lines
from triglot.serve.settings import ServeSettings
from triglot.serve.tokens import Tokens, hashed, make_token

TOKEN = {"Authorization": "Bearer secret"}
Answered = list[httpx.Response]


@pytest.fixture
def index(tmp_path: Path) -> DiskIndex:
    return small(tmp_path / "i")


@pytest.fixture
def ask(index: DiskIndex) -> Callable[..., Answered]:
    """Requests to the service, all at once; each is a method, a path, and what httpx takes beside them."""

    def asked(
        *requests: tuple[Any, ...], settings: ServeSettings | None = None, base: str = "http://localhost"
    ) -> Answered:
        app = create_app(Searcher(Words(), index), settings, tokens=Tokens([hashed("secret")]))

        async def run() -> Answered:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                calls: list[Coroutine[Any, Any, httpx.Response]] = [
                    client.request(method, path, **(more[0] if more else {})) for method, path, *more in requests
                ]
                return list(await asyncio.gather(*calls))

        return asyncio.run(run())

    return asked


def test_a_search_is_that_of_the_searcher(ask: Callable[..., Answered], index: DiskIndex) -> None:
    body = {"query": "de-river de-bread", "lang": "de", "k": 4, "mode": "fold", "filters": ["number<30"]}
    done = ask(("POST", "/search", {"json": body}))[0]
    assert done.status_code == 200, done.text
    settings = SearchSettings(k=4, mode="fold", where=("number<30",))
    wanted = Searcher(Words(), index).search(body["query"], settings, lang="de")
    told = done.json()
    assert [hit["id"] for hit in told["hits"]] == [hit.id for hit in wanted.hits]
    assert {"lang", "score", "calibrated", "rank_in_language", "also"} <= told["hits"][0].keys()
    assert told["lang"] == "de"


def test_questions_at_one_time_are_encoded_together_and_answered_each(ask: Callable[..., Answered]) -> None:
    words = ["river", "bread", "winter", "stone", "horse", "city", "king", "mountain"]
    requests = [("POST", "/search", {"json": {"query": f"en-{word}", "lang": "en", "k": 3}}) for word in words]
    together = ask(*requests, ("GET", "/metrics"), settings=ServeSettings(pause=50))
    alone = [ask(request)[0].json() for request in requests]
    for a, b in zip(together, alone, strict=False):
        assert [hit["id"] for hit in a.json()["hits"]] == [hit["id"] for hit in b["hits"]]
    bad = ask(
        *requests,
        ("POST", "/search", {"content": b'{"query": "\\ud800"}', "headers": {"content-type": "application/json"}}),
    )
    assert [one.status_code for one in bad] == [200] * 8 + [422]


def test_embeddings_have_openais_shape(ask: Callable[..., Answered]) -> None:
    done = ask(("POST", "/v1/embeddings", {"json": {"input": ["en-river", "bread"], "model": "x", "user": "u"}}))[
        0
    ].json()
    assert done["object"] == "list"
    vectors = np.array([one["embedding"] for one in done["data"]], np.float32)
    assert vectors == pytest.approx(Words().encode(["en-river", "bread"], side="query"))
    packed = ask(("POST", "/v1/embeddings", {"json": {"input": "en-river", "encoding_format": "base64"}}))[0].json()
    assert np.frombuffer(base64.b64decode(packed["data"][0]["embedding"]), "<f4") == pytest.approx(vectors[0])


def test_rerank_has_coheres_shape(ask: Callable[..., Answered]) -> None:
    body = {"query": "river", "documents": ["bread", {"text": "river"}, "river bread"], "top_n": 2}
    done = ask(("POST", "/rerank", {"json": {**body, "return_documents": True}}))[0].json()
    assert [one["index"] for one in done["results"]] == [1, 2]
    assert done["results"][0]["document"] == {"text": "river"}
    assert done["results"][0]["relevance_score"] == pytest.approx(1.0)
    assert done["meta"]["by"] == "vectors"


def test_documents_are_written_by_those_who_may(ask: Callable[..., Answered], index: DiskIndex) -> None:
    body = {
        "documents": [{"id": "new", "text": "de-river de-horse", "lang": "de", "group": "g1", "fields": {"number": 7}}]
    }
    count = len(index)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
        for method in ("POST", "DELETE"):
            done = ask((method, "/documents", {"json": body, "headers": headers}))[0]
            assert done.status_code == 401
    assert len(DiskIndex(index.place)) == count
    done = ask(("POST", "/documents", {"json": body, "headers": TOKEN}))[0]
    assert done.json() == {"added": 1, "replaced": 0, "passages": count + 1}
    assert DiskIndex(index.place).get(["new"])[0].texts == ["de-river de-horse"]
    done = ask(("DELETE", "/documents", {"json": {"ids": ["new", "none"]}, "headers": TOKEN}))[0]
    assert done.json() == {"deleted": 1}
    assert len(DiskIndex(index.place)) == count


def test_without_tokens_nobody_writes(index: DiskIndex) -> None:
    app = create_app(Searcher(Words(), index))

    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.request(
                "DELETE", "/documents", json={"ids": ["a"]}, headers={"Authorization": "Bearer "}
            )

    assert asyncio.run(run()).status_code == 403


def test_an_accepted_write_is_finished_when_the_service_ends(index: DiskIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client goes away and the service is stopped while a passage is written."""
    app = create_app(Searcher(Words(), index), tokens=Tokens([hashed("secret")]))
    begun, go = asyncio.Event(), __import__("threading").Event()
    add = index.add

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def slow(*given: Any) -> Any:
            loop.call_soon_threadsafe(begun.set)
            go.wait(20)
            return add(*given)

        monkeypatch.setattr(index, "add", slow)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
        async with app.router.lifespan_context(app), client:
            body = {"documents": [{"id": "late", "text": "de-river", "lang": "de"}]}
            task = asyncio.create_task(client.post("/documents", json=body, headers=TOKEN))
            await begun.wait()
            task.cancel()
            loop.call_later(0.2, go.set)

    asyncio.run(run())
    assert DiskIndex(index.place).get(["late"])[0].ids == ["late"]


@pytest.mark.parametrize(
    ("request_", "status", "match"),
    [
        (("POST", "/search", {"json": {}}), 422, "query"),
        (("POST", "/search", {"json": {"query": "x", "modes": 1}}), 422, "modes"),
        (("POST", "/search", {"json": {"query": "en-river", "mode": "fare"}}), 422, "did you mean 'fair'"),
        (("POST", "/search", {"json": {"query": "en-river", "k": 101}}), 422, "at most 100"),
        (("POST", "/search", {"json": {"query": "en-river", "filters": ["nmber=1"]}}), 422, "did you mean 'number'"),
        (("POST", "/search", {"json": {"query": "en-river", "filters": [f"number={10**20}"]}}), 422, "is no int"),
        (("POST", "/search", {"json": {"query": "en-river", "languages": "x;q=9"}}), 422, "languages"),
        (("POST", "/search", {"json": {"query": "en-river", "lang": "../x"}}), 422, "language"),
        (("POST", "/search", {"json": {"query": "x" * 2001}}), 422, "2001 characters"),
        (("POST", "/search", {"content": b'{"query": "\xff"}'}), 400, ""),
        (("POST", "/search", {"content": b"[" * 100_000}), 400, ""),
        (("POST", "/search", {"content": b'{"query": ' + b"9" * 6000 + b"}"}), 400, ""),
        (("POST", "/search", {"content": b"x" * 20_000}), 413, "more than 10000 bytes"),
        (("POST", "/search", {"content": iter([b"x" * 6000] * 3)}), 413, "more than 10000 bytes"),
        (("POST", "/v1/embeddings", {"json": {"input": ["a"] * 300}}), 422, "at most 256"),
        (("POST", "/rerank", {"json": {"query": "a", "documents": [{"title": "x"}]}}), 422, "text"),
        (("GET", "/../../etc/passwd"), 404, ""),
        (("GET", "/search"), 405, ""),
    ],
)
def test_what_is_wrong_is_refused_and_said(
    ask: Callable[..., Answered], request_: tuple[Any, ...], status: int, match: str
) -> None:
    if len(request_) > 2 and not isinstance(request_[2].get("content", b""), bytes):

        async def parts() -> Any:
            for _ in range(3):
                yield b"x" * 6000

        request_ = (*request_[:2], {"content": parts()})
    elif len(request_) > 2 and len(request_[2].get("content", b"")) == 100_000:
        request_ = (*request_[:2], {"content": b"[" * 9_000})
    more = {"headers": {"content-type": "application/json"}} | (request_[2] if len(request_) > 2 else {})
    done = ask((*request_[:2], more), settings=ServeSettings(body=10_000))[0]
    assert done.status_code == status, done.text
    assert match in done.text


def test_a_host_of_another_name_is_refused(ask: Callable[..., Answered]) -> None:
    refused = ask(("GET", "/health"), base="http://evil.example")[0]
    assert refused.status_code == 400
    assert "no name 'evil.example': --allow-host evil.example" in refused.json()["error"]["message"]
    assert ask(("GET", "/health"))[0].json()["status"] == "ok"
    calls = [
        ("GET", "/health", {"headers": {"host": host}})
        for host in ("Help.example.org:8443", "a.b.example.com", "[2001:db8::1]:80", "localhost", "example.com", "x y")
    ]
    settings = ServeSettings(hosts=("help.Example.org", "*.example.com", "2001:db8:0::1"))
    assert [one.status_code for one in ask(*calls, settings=settings)] == [200, 200, 200, 400, 400, 400]
    assert {one.status_code for one in ask(*calls, settings=ServeSettings(hosts=("*",)))} == {200}


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("*example.org", r"did you mean '\*\.example\.org'"),
        ("help.example.org:8443", "help.example.org without a port"),
        ("https://help.example.org", "is no name of a host"),
        ("help.*", "is no name of a host"),
        ("", "is no name of a host"),
    ],
)
def test_a_name_that_no_request_has_is_refused_before_the_service_starts(name: str, match: str) -> None:
    with pytest.raises(InputError, match=f"--allow-host.*{match}"):
        ServeSettings(hosts=("localhost", name))


def test_a_client_that_comes_too_often_is_told_so(ask: Callable[..., Answered]) -> None:
    requests = [("POST", "/search", {"json": {"query": "en-river", "lang": "en"}})] * 12
    codes = [one.status_code for one in ask(*requests, settings=ServeSettings(rate=2))]
    assert codes.count(429) == 8
    assert codes.count(200) == 4
    free = [("GET", path) for path in ("/", "/page/page.js", "/health", "/metrics")] * 5
    assert {one.status_code for one in ask(*free, settings=ServeSettings(rate=2))} == {200}
    now = [0.0]
    rate = Rate(1, lambda: now[0])
    assert [rate.allow("a"), rate.allow("a"), rate.allow("a"), rate.allow("b")] == [True, True, False, True]
    now[0] = 1.0
    assert rate.allow("a")
    for number in range(20_000):
        rate.allow(str(number))
    assert len(rate._held) <= 10_000


def test_more_than_may_wait_are_told_to_come_again(ask: Callable[..., Answered]) -> None:
    requests = [("POST", "/search", {"json": {"query": "en-river", "lang": "en"}})] * 20
    codes = [one.status_code for one in ask(*requests, settings=ServeSettings(waiting=3, rate=1000, pause=30))]
    assert codes.count(503) == 17
    assert codes.count(200) == 3


def test_metrics_and_bias_count_languages(ask: Callable[..., Answered], index: DiskIndex) -> None:
    app = create_app(Searcher(Words(), index))

    async def run() -> tuple[str, dict[str, Any]]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            for mode in ("any", "fair"):
                await client.post("/search", json={"query": "de-river de-king", "lang": "de", "mode": mode})
            await client.post("/search", json={"query": "river", "lang": "sw"})
            return (await client.get("/metrics")).text, (await client.get("/bias")).json()

    text, bias = asyncio.run(run())
    assert 'triglot_searches_total{mode="any",query_lang="de"} 1.0' in text
    assert 'triglot_hits_total{lang="de",query_lang="de"}' in text
    assert 'query_lang="other"' in text
    assert '"sw"' not in text
    assert 'triglot_own_language_excess{mode="any",query_lang="de"}' in text
    assert 'triglot_passages{lang="fr"}' in text
    assert 'triglot_requests_total{route="/search",status="200"} 3.0' in text
    assert bias["recent"]["answers"] == 3
    assert bias["recent"]["by_question_language"]["de"]["own_language"] > bias["recent"]["pool"]["de"]
    assert bias["probes"]["any"]["excess"] > 0.5
    assert bias["probes"]["fair"]["excess"] < 0.2


@pytest.mark.parametrize("shown", [False, True])
def test_questions_are_in_the_log_only_where_asked(
    ask: Callable[..., Answered], caplog: pytest.LogCaptureFixture, shown: bool
) -> None:
    with caplog.at_level(logging.INFO, "triglot.serve"):
        ask(
            ("POST", "/search", {"json": {"query": "en-river", "lang": "en"}}),
            settings=ServeSettings(log_queries=shown),
        )
    lines = [Lines().format(one) for one in caplog.records if one.name == "triglot.serve"]
    assert {json.loads(line)["event"] for line in lines} == {"search", "request"}
    assert any("en-river" in line for line in lines) == shown
    assert all({"time", "level"} <= json.loads(line).keys() for line in lines)


def test_tokens_are_kept_as_hashes(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    token = make_token(path)
    other = make_token(path)
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    tokens = Tokens.read(path)
    assert tokens.allow(f"Bearer {token}")
    assert tokens.allow(f"bearer {other}")
    for header in ("", f"Bearer {token}x", token, f"Basic {token}", "Bearer \ud800"):
        assert not tokens.allow(header)
    path.write_text(path.read_text().rstrip("\n"))  # as an editor leaves it
    third = make_token(path)
    assert all(Tokens.read(path).allow(f"Bearer {one}") for one in (token, other, third))
    path.write_text("my secret\n")
    with pytest.raises(InputError, match=":1: 64 hexadecimal digits") as caught:
        Tokens.read(path)
    assert "my secret" not in str(caught.value)


def test_the_openapi_document_names_the_routes(ask: Callable[..., Answered]) -> None:
    paths = ask(("GET", "/openapi.json"))[0].json()["paths"]
    assert {"/search", "/about", "/v1/embeddings", "/rerank", "/documents", "/bias", "/health", "/metrics"} == set(
        paths
    )
