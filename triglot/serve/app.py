"""The application: routes in the shapes that clients know."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

import triglot
from triglot.encoder.languages import detect_missing
from triglot.files import InputError
from triglot.index.documents import Documents
from triglot.language_tags import language
from triglot.search.searcher import Searcher, SearchSettings, shares
from triglot.serve.batching import Batcher, Full
from triglot.serve.limits import Limits
from triglot.serve.metrics import Metrics
from triglot.serve.probes import probed
from triglot.serve.settings import ServeSettings
from triglot.serve.shapes import AddBody, DeleteBody, EmbeddingsBody, RerankBody, SearchBody
from triglot.serve.tokens import Tokens

log = logging.getLogger("triglot.serve")
T = TypeVar("T")
Reranker = Callable[[str, Sequence[str]], np.ndarray]


def create_app(
    searcher: Searcher,
    settings: ServeSettings | None = None,
    *,
    tokens: Tokens | None = None,
    reranker: Reranker | None = None,
) -> FastAPI:
    """The service of one index, for any ASGI server.

    Args:
        searcher: model and index.
        settings: limits.
        tokens: of those who may write; nobody without them.
        reranker: (question, passages) -> (passages,) scores, of a cross-encoder; else `/rerank` goes by the model's
            vectors.
    """
    service = _Service(searcher, settings or ServeSettings(), tokens or Tokens(), reranker)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(title="Triglot", version=triglot.__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*service.settings.hosts])
    app.add_middleware(Limits, settings=service.settings, metrics=service.metrics)

    @app.exception_handler(InputError)
    async def refused(request: Request, error: InputError) -> JSONResponse:
        return _error(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        told = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()[:5]]
        return _error(422, "; ".join(told))

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        return _error(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Full)
    async def full(request: Request, error: Full) -> JSONResponse:
        return _error(503, "too many requests are waiting", {"retry-after": "1"})

    @app.exception_handler(TimeoutError)
    async def late(request: Request, error: TimeoutError) -> JSONResponse:
        return _error(504, f"no answer in {service.settings.seconds:g} seconds")

    async def writer(authorization: Annotated[str, Header(max_length=1000)] = "") -> None:
        if not service.tokens:
            raise HTTPException(403, "this service takes no writes: it was started without tokens")
        if not service.tokens.allow(authorization):
            raise HTTPException(401, "a token is needed: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"})

    @app.post("/search")
    async def search(body: SearchBody) -> dict[str, Any]:
        """Passages for a question."""
        return await service.search(body)

    @app.post("/v1/embeddings")
    async def embeddings(body: EmbeddingsBody) -> dict[str, Any]:
        """Vectors of texts, in the shape of OpenAI's."""
        return await service.embeddings(body)

    @app.post("/rerank")
    async def rerank(body: RerankBody) -> dict[str, Any]:
        """Passages put in order for a question, in the shape of Cohere's."""
        return await service.rerank(body)

    @app.post("/documents", dependencies=[Depends(writer)])
    async def add(body: AddBody) -> dict[str, Any]:
        """Add passages; when this answers, they are on disk."""
        return await service.add(body)

    @app.delete("/documents", dependencies=[Depends(writer)])
    async def delete(body: DeleteBody) -> dict[str, Any]:
        """Delete passages; when this answers, they are gone from the disk's index."""
        return {"deleted": await service.written(service.index.delete, body.ids)}

    @app.get("/bias")
    async def bias() -> dict[str, Any]:
        """The languages of recent answers and of probes, against the pool."""
        return await service.bias()

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Whether the service answers."""
        return {"status": "ok", "passages": sum(service.index.counts.values()), "version": triglot.__version__}

    @app.get("/metrics")
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(service.metrics.text(service.index.counts), media_type="text/plain; version=0.0.4")

    return app


def _error(status: int, what: str, headers: Any = None) -> JSONResponse:
    told = what.encode("utf-8", "replace").decode()[:1000]
    return JSONResponse({"error": {"message": told}}, status, headers)


class _Service:
    """What the routes share."""

    def __init__(self, searcher: Searcher, settings: ServeSettings, tokens: Tokens, reranker: Reranker | None):
        self.searcher, self.settings, self.tokens, self._reranker = searcher, settings, tokens, reranker
        self.index: Any = searcher.index
        self.metrics = Metrics(settings.recent)
        self._model = ThreadPoolExecutor(1, "model")
        self._readers = ThreadPoolExecutor(4, "search")
        self._writer = ThreadPoolExecutor(1, "writer")
        self._busy = 0
        self._probes: tuple[int, dict[str, Any]] | None = None
        self._batcher = Batcher(
            lambda texts: self._encode(texts, "query"),
            self._model,
            most=settings.batch,
            pause=settings.pause / 1000,
            waiting=settings.waiting,
            seen=self.metrics.batch,
        )

    def _encode(self, texts: Sequence[str], side: str) -> np.ndarray:
        return self.searcher.encoder.encode(list(texts), side=side)

    def close(self) -> None:
        """Wait for what was begun: a write that was accepted is finished."""
        for one in (self._writer, self._readers, self._model):
            one.shutdown(wait=True)

    async def _thread(self, executor: ThreadPoolExecutor, work: Callable[..., T], *given: Any) -> T:
        """Work in a thread, within the time that a request has; as many wait as may."""
        if self._busy >= self.settings.waiting:
            raise Full
        self._busy += 1
        future = asyncio.get_running_loop().run_in_executor(executor, lambda: work(*given))
        future.add_done_callback(self._freed)
        async with asyncio.timeout(self.settings.seconds):
            return await asyncio.shield(future)

    def _freed(self, future: asyncio.Future[Any]) -> None:
        self._busy -= 1
        if not future.cancelled():
            future.exception()  # that of a request that was given up is nobody's

    async def written(self, work: Callable[..., T], *given: Any) -> T:
        """A write: one at a time, and finished even if the client goes away."""
        return await self._thread(self._writer, work, *given)

    async def search(self, body: SearchBody) -> dict[str, Any]:
        """See the route."""
        if len(body.query) > self.settings.longest:
            raise InputError(f"query: {len(body.query)} characters; at most {self.settings.longest} are taken")
        if body.k > self.settings.most_hits:
            raise InputError(f"k: {body.k}; at most {self.settings.most_hits} hits are given")
        asked = SearchSettings(
            k=body.k,
            mode=body.mode,
            languages=body.languages,
            quotas=tuple(body.quotas),
            where=tuple(body.filters),
            hybrid=body.hybrid,
        )
        async with asyncio.timeout(self.settings.seconds):
            vector = await self._batcher.vector(body.query)
        answer = await self._thread(self._readers, self._answer, body, asked, vector)
        self.metrics.answer(answer)
        line: dict[str, Any] = {
            "event": "search",
            "query_lang": answer.lang,
            "mode": answer.mode,
            "hits": len(answer.hits),
        }
        if self.settings.log_queries:
            line["query"] = answer.question
        log.info(json.dumps(line, ensure_ascii=False))
        return asdict(answer)

    def _answer(self, body: SearchBody, asked: SearchSettings, vector: np.ndarray) -> Any:
        return self.searcher.search_all([body.query], asked, langs=[body.lang], vectors=vector[None])[0]

    async def embeddings(self, body: EmbeddingsBody) -> dict[str, Any]:
        """See the route."""
        texts = [body.input] if isinstance(body.input, str) else body.input
        self._check_texts(texts)
        vectors = await self._thread(self._model, self._encode, texts, body.input_type)
        shown = [
            base64.b64encode(one.astype("<f4").tobytes()).decode() if body.encoding_format == "base64" else one.tolist()
            for one in vectors
        ]
        tokens = sum(len(text.split()) for text in texts)
        return {
            "object": "list",
            "data": [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(shown)],
            "model": self.searcher.encoder.name,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    def _check_texts(self, texts: Sequence[str]) -> None:
        if len(texts) > self.settings.most_texts:
            raise InputError(f"{len(texts)} texts; at most {self.settings.most_texts} are taken")

    async def rerank(self, body: RerankBody) -> dict[str, Any]:
        """See the route."""
        texts = [one if isinstance(one, str) else one.get("text") for one in body.documents]
        self._check_texts(body.documents)  # type: ignore[arg-type]
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise InputError("documents: texts, or objects with a `text`, were expected")
        scores = await self._thread(self._model, self._reranker or self._by_vectors, body.query, texts)
        order = np.argsort(-np.asarray(scores), kind="stable")[: body.top_n or len(texts)].tolist()
        results = [{"index": place, "relevance_score": float(scores[place])} for place in order]
        if body.return_documents:
            results = [{**one, "document": {"text": texts[one["index"]]}} for one in results]  # type: ignore[dict-item]
        return {"results": results, "meta": {"by": "cross-encoder" if self._reranker else "vectors"}}

    def _by_vectors(self, query: str, texts: Sequence[str]) -> np.ndarray:
        return self._encode(texts, "passage") @ self._encode([query], "query")[0]

    async def add(self, body: AddBody) -> dict[str, Any]:
        """See the route."""
        if len(body.documents) > self.settings.most_documents:
            raise InputError(f"{len(body.documents)} passages; at most {self.settings.most_documents} at once")
        new, replaced = await self.written(self._add, body)
        return {"added": new, "replaced": replaced, "passages": sum(self.index.counts.values())}

    def _add(self, body: AddBody) -> tuple[int, int]:
        texts = [one.text for one in body.documents]
        langs = [language(one.lang, "lang") if one.lang else "" for one in body.documents]
        langs, _ = detect_missing(texts, langs)
        names = dict.fromkeys(name for one in body.documents for name in one.fields)
        fields = {name: [one.fields.get(name) for one in body.documents] for name in names}
        documents = Documents(
            [one.id for one in body.documents], texts, langs, [one.group for one in body.documents], fields
        )
        vectors = self._model.submit(self._encode, texts, "passage").result()
        return self.index.add(documents, vectors)

    async def bias(self) -> dict[str, Any]:
        """See the route."""
        generation = self.index.stats()["generation"]
        if self._probes is None or self._probes[0] != generation:
            self._probes = generation, await self._thread(self._readers, probed, self.index)
        return {"recent": self.metrics.recent(shares(self.index.counts)), "probes": self._probes[1]}
