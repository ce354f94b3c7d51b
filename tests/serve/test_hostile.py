"""A service and those who mean it ill: slow, endless, deep, broken and lying requests end within the limits."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.search.small import Words, small
from tests.serve.serving import serving
from triglot.index.store import DiskIndex
from triglot.search.searcher import Searcher
from triglot.serve.batching import Batcher, Full
from triglot.serve.settings import ServeSettings
from triglot.serve.tokens import Tokens, hashed

pytestmark = pytest.mark.slow
SECONDS = 0.6
TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    place = small(tmp_path_factory.mktemp("index") / "i").place
    allowed = ServeSettings(rate=10_000, seconds=SECONDS, body=50_000)
    with serving(Searcher(Words(), DiskIndex(place)), allowed, tokens=Tokens([hashed("secret")])) as address:
        yield address, int(address.rpartition(":")[2])


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that gives a write its time."""
    place = small(tmp_path_factory.mktemp("index") / "i").place
    with serving(Searcher(Words(), DiskIndex(place)), tokens=Tokens([hashed("secret")])) as address:
        yield address


def connected(served: tuple[str, int]) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served[1]), timeout=20)


def answer(client: socket.socket) -> bytes:
    """All that the service says until it hangs up."""
    told = b""
    while part := client.recv(65_536):
        told += part
    return told


HEAD = b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /hea",
        HEAD,
        HEAD + b"Content-Length: 100\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_a_client_that_does_not_finish_is_let_go(served: tuple[str, int], sent: bytes) -> None:
    with closing(connected(served)) as client:
        began = time.monotonic()
        client.sendall(sent)
        told = answer(client)
        assert time.monotonic() - began < 4.5  # and not after an idle connection's five seconds
    assert told.startswith(b"HTTP/1.1 408")


def test_a_client_that_sends_a_byte_now_and_then_is_let_go(served: tuple[str, int]) -> None:
    with closing(connected(served)) as client:
        began = time.monotonic()
        with pytest.raises(OSError):
            for byte in HEAD * 3:
                client.sendall(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - began < 15


def test_a_client_that_does_not_read_is_let_go(served: tuple[str, int]) -> None:
    """Answers pile up until the service stops: its memory is not the client's to fill."""
    body = json.dumps({"input": ["en-river"] * 200}).encode()
    request = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    request += str(len(body)).encode() + b"\r\n\r\n" + body
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    with closing(client):
        client.connect(("127.0.0.1", served[1]))
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < 30:
                client.sendall(request)
                time.sleep(0.01)
            answer(client)


def test_others_are_answered_meanwhile(served: tuple[str, int]) -> None:
    idle = [connected(served) for _ in range(50)]
    for client in idle:
        client.sendall(b"GET / HT")
    done = httpx.post(f"{served[0]}/search", json={"query": "en-river", "lang": "en"}, timeout=10)
    assert done.status_code == 200
    for client in idle:
        client.close()


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/page/../app.py",
        "/page/..%2f..%2fapp.py",
        "/page/%2e%2e/__init__.py",
        "/page//etc/passwd",
        "/page/__init__.py",
        "/page/page.css%00.js",
        "/page/" + "a" * 5000,
    ],
)
def test_no_path_leads_to_a_file(served: tuple[str, int], path: str) -> None:
    with closing(connected(served)) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        told = answer(client)
    assert told.split(b" ", 2)[1] in (b"404", b"400"), told[:200]
    assert b"root:" not in told
    assert b"import" not in told


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"query": "\xff\xfe"}', 400),
        (b'{"query": "\\ud800"}', 422),
        (b"[" * 40_000, 400),
        (b'{"query":' * 4000, 400),
        (b'{"query": ' + b"1" * 40_000 + b"}", 400),
        (b'{"query": NaN}', 422),
        (b'{"query": "x", "k": 1e999}', 422),
        (b'{"query": "x", "query": 3}', 422),
        (b"\xef\xbb\xbf{}", 422),
        (b"", 422),
        (b"x" * 60_000, 413),
    ],
)
def test_broken_bodies_are_refused(served: tuple[str, int], content: bytes, status: int) -> None:
    done = httpx.post(f"{served[0]}/search", content=content, headers={"content-type": "application/json"}, timeout=10)
    assert done.status_code == status, done.text
    assert done.json()["error"]["message"]


@pytest.mark.parametrize(
    "document",
    [
        {"id": "a", "text": "\ud800"},
        {"id": "\ud800", "text": "river"},
        {"id": "a", "text": "river", "fields": {"number": "many"}},
        {"id": "a", "text": "river", "fields": {"number": 2**70}},
        {"id": "a", "text": "river", "fields": {"number": float("nan")}},
        {"id": "a", "text": "river", "fields": {"\ud800": 1}},
        {"id": "a", "text": "river", "group": "\ud800"},
        {"id": "a", "text": "river", "lang": "../.."},
        {"id": "a", "text": "   "},
    ],
)
def test_documents_that_no_index_can_hold_are_refused(patient: str, document: dict[str, Any]) -> None:
    content = json.dumps({"documents": [{"lang": "en", **document}]}).encode()
    headers = {**TOKEN, "content-type": "application/json"}
    done = httpx.post(f"{patient}/documents", content=content, headers=headers, timeout=40)
    assert done.status_code == 422, done.text


def test_a_body_without_end_is_cut_off(served: tuple[str, int]) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(10_000):
            yield b" " * 10_000

    try:
        done = httpx.post(f"{served[0]}/search", content=parts(), timeout=10)
        assert done.status_code == 413
    except httpx.HTTPError:
        pass  # it hung up while we were still sending
    assert httpx.get(f"{served[0]}/health").status_code == 200


def test_every_answer_has_the_headers_of_safety(served: tuple[str, int]) -> None:
    for path, policy in (
        ("/", "script-src 'self'"),
        ("/page/page.js", "default-src 'none'"),
        ("/bias", "default-src 'none'"),
    ):
        told = httpx.get(f"{served[0]}{path}", timeout=10).headers
        assert policy in told["content-security-policy"]
        assert "unsafe" not in told["content-security-policy"]
        assert told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "no-referrer"
        assert "server" not in told
    assert httpx.get(f"{served[0]}/health", headers={"host": "evil.example"}).status_code == 400
    assert httpx.options(f"{served[0]}/search", headers={"origin": "http://evil.example"}).status_code == 405


def test_what_was_given_up_is_not_encoded() -> None:
    """Under load the work of those who have gone is not done."""
    from concurrent.futures import ThreadPoolExecutor

    encoded: list[str] = []

    def slow(texts: Any, side: str) -> np.ndarray:
        time.sleep(0.2)
        encoded.extend(texts)
        return np.zeros((len(texts), 2), np.float32)

    async def run() -> None:
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(slow, executor, most=1, pause=0, waiting=3)
            first = asyncio.create_task(batcher.vectors(["a"], "query"))
            await asyncio.sleep(0.05)
            second = asyncio.create_task(batcher.vectors(["b"], "query"))
            third = asyncio.create_task(batcher.vectors(["c"], "passage"))
            await asyncio.sleep(0)
            fourth = asyncio.create_task(batcher.vectors(["d"], "query"))
            await asyncio.sleep(0)
            with pytest.raises(Full):
                await batcher.vectors(["e"], "query")
            second.cancel()
            await asyncio.gather(first, third, fourth)

    asyncio.run(run())
    assert encoded == ["a", "c", "d"]


def test_a_batch_has_one_side_and_each_request_its_own_vectors() -> None:
    from concurrent.futures import ThreadPoolExecutor

    seen: list[tuple[int, str]] = []

    def encode(texts: Any, side: str) -> np.ndarray:
        seen.append((len(texts), side))
        if "bad" in texts:
            raise ValueError("bad")
        return np.array([[float(text), len(side)] for text in texts], np.float32)

    async def run() -> list[Any]:
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(encode, executor, most=5, pause=0.05, waiting=100)
            asked = [
                (["1", "2"], "query"),
                (["3"], "passage"),
                (["4", "5"], "query"),
                (["6"] * 9, "query"),
                (["bad"], "passage"),
            ]
            calls = [batcher.vectors(texts, side) for texts, side in asked]
            return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(run())
    assert [one[:, 0].tolist() for one in found[:4]] == [[1, 2], [3], [4, 5], [6] * 9]
    assert isinstance(found[4], ValueError)
    assert seen[0] == (4, "query")


def test_a_cross_encoder_ranks_where_one_is_given(tmp_path: Path, served: tuple[str, int]) -> None:
    def longest(question: str, passages: Any) -> np.ndarray:
        return np.array([len(one) for one in passages], np.float32)

    searcher = Searcher(Words(), small(tmp_path / "i"))
    documents = [f"{'x' * (n % 40)} river" for n in range(100)]
    with serving(searcher, reranker=longest) as address:
        for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
            body = {"query": "river", "documents": documents, "top_n": 3, "model": "rerank-v3.5"}
            done = httpx.post(address + path, json=body, timeout=10).json()
            assert [one["index"] for one in done["results"]] == [39, 79, 38]
            assert done["meta"]["by"] == "cross-encoder"
            assert done["id"]
        assert httpx.get(f"{address}/about").json()["reranker"] is True


def test_tokens_are_counted_by_the_tokenizer(tmp_path: Path) -> None:
    class Pieces(Words):
        def tokenize(self, texts: Any, *, side: str) -> tuple[np.ndarray, np.ndarray]:
            lengths = [len(text) for text in texts]
            return np.zeros(sum(lengths)), np.concatenate([[0], np.cumsum(lengths)])

    ask: Callable[..., Any] = httpx.post
    with serving(Searcher(Pieces(), small(tmp_path / "i"))) as address:
        body = {"input": ["river", "de-bread"], "model": "x", "dimensions": 24}
        done = ask(f"{address}/v1/embeddings", json=body, timeout=10).json()
        assert done["usage"] == {"prompt_tokens": 13, "total_tokens": 13}
        wrong = ask(f"{address}/v1/embeddings", json={**body, "dimensions": 5}, timeout=10)
        assert (wrong.status_code, "have 24" in wrong.text) == (422, True)
