"""The application: routes in the shapes that clients know, and the search page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException as StarletteError

import triglot
from triglot.files import InputError
from triglot.search.searcher import Searcher
from triglot.serve import page, shapes
from triglot.serve.batching import Full
from triglot.serve.limits import Limits
from triglot.serve.service import Reranker, Service, WriteLate
from triglot.serve.settings import ServeSettings
from triglot.serve.tokens import Tokens

_BEARER = HTTPBearer(auto_error=False, description="A token of `triglot serve --new-token`.")
_ADDED = "$request.body#/documents/0/id"


def create_app(
    searcher: Searcher,
    settings: ServeSettings | None = None,
    *,
    tokens: Tokens | None = None,
    reranker: Reranker | None = None,
    name: str = "",
) -> FastAPI:
    """The service of one index, for any ASGI server.

    Args:
        searcher: model and index.
        settings: limits.
        tokens: of those who may write; nobody without them.
        reranker: (question, passages) -> (passages,) scores, of a cross-encoder (`triglot.encoder.load_reranker`); else
            `/rerank` goes by the model's vectors.
        name: of what is served, for the page.
    """
    service = Service(searcher, settings or ServeSettings(), tokens or Tokens(), reranker, name)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.warm)
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="Triglot",
        version=triglot.__version__,
        description="Search in several languages without a preference for one.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Limits, settings=service.settings, metrics=service.metrics)
    _errors(app, service)
    _questions(app, service)
    _writes(app, service)
    _looks(app, service)
    _page(app)
    return app


def _errors(app: FastAPI, service: Service) -> None:
    """What goes wrong, as one shape of answer."""

    @app.exception_handler(InputError)
    async def refused(request: Request, error: InputError) -> JSONResponse:
        return _error(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        told = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()[:5]]
        return _error(422, "; ".join(told))

    @app.exception_handler(StarletteError)
    async def failed(request: Request, error: StarletteError) -> JSONResponse:
        return _error(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Full)
    async def full(request: Request, error: Full) -> JSONResponse:
        return _error(503, "too many requests are waiting", {"retry-after": "1"})

    @app.exception_handler(TimeoutError)
    async def late(request: Request, error: TimeoutError) -> JSONResponse:
        return _error(504, f"no answer in {service.settings.seconds:g} seconds")

    @app.exception_handler(WriteLate)
    async def later(request: Request, error: WriteLate) -> JSONResponse:
        told = f"not done in {service.settings.seconds:g} seconds; it goes on, and the same request may be sent again"
        return _error(504, told)


def _error(status: int, what: str, headers: Any = None) -> JSONResponse:
    told = what.encode("utf-8", "replace").decode()[:1000]
    return JSONResponse(shapes.error_body(status, told), status, headers)


def _questions(app: FastAPI, service: Service) -> None:
    """Search, embeddings, rerank."""
    hit = {"description": "A passage that was found.", "operationId": "delete", "requestBody": {}}
    hit["requestBody"] = {"ids": ["$response.body#/hits/0/id"]}

    @app.post(
        "/search",
        operation_id="search",
        responses={**shapes.refusals(), 200: {"model": shapes.SearchAnswer, "links": {"delete": hit}}},
    )
    async def search(body: shapes.SearchBody) -> dict[str, Any]:
        """Passages for a question."""
        return await service.search(body)

    @app.post(
        "/v1/embeddings",
        operation_id="embeddings",
        responses={**shapes.refusals(), 200: {"model": shapes.EmbeddingsAnswer}},
    )
    async def embeddings(body: shapes.EmbeddingsBody) -> dict[str, Any]:
        """Vectors of texts, in the shape of OpenAI's."""
        return await service.embeddings(body)

    # Cohere's own clients put the version of the interface before the name.
    @app.post("/v1/rerank", include_in_schema=False)
    @app.post("/v2/rerank", include_in_schema=False)
    @app.post("/rerank", operation_id="rerank", responses={**shapes.refusals(), 200: {"model": shapes.RerankAnswer}})
    async def rerank(body: shapes.RerankBody) -> dict[str, Any]:
        """Passages put in order for a question, in the shape of Cohere's."""
        return await service.rerank(body)


def _writes(app: FastAPI, service: Service) -> None:
    """Add and delete, for those who have a token."""

    async def writer(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
        if not service.tokens:
            raise HTTPException(403, "this service takes no writes: it was started without tokens")
        if given is None or not service.tokens.allow(f"{given.scheme} {given.credentials}"):
            raise HTTPException(401, "a token is needed: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"})

    links = {
        "delete": {"operationId": "delete", "requestBody": {"ids": [_ADDED]}, "description": "What was added."},
        "add": {
            "operationId": "add",
            "requestBody": {"documents": [{"id": _ADDED, "text": "again"}]},
            "description": "The same id is replaced.",
        },
    }

    @app.post(
        "/documents",
        operation_id="add",
        dependencies=[Depends(writer)],
        responses={**shapes.refusals(401, 403), 200: {"model": shapes.AddAnswer, "links": links}},
    )
    async def add(body: shapes.AddBody) -> dict[str, Any]:
        """Add passages; when this answers, they are on disk."""
        return await service.add(body)

    @app.delete(
        "/documents",
        operation_id="delete",
        dependencies=[Depends(writer)],
        responses={**shapes.refusals(401, 403), 200: {"model": shapes.DeleteAnswer}},
    )
    async def delete(body: shapes.DeleteBody) -> dict[str, Any]:
        """Delete passages; when this answers, they are gone from the disk's index."""
        return await service.delete(body.ids)


def _looks(app: FastAPI, service: Service) -> None:
    """What there is to know of the service."""

    @app.get("/bias", operation_id="bias", responses={**shapes.refusals(), 200: {"model": shapes.BiasAnswer}})
    async def bias() -> dict[str, Any]:
        """The languages of recent answers and of probes, against the pool."""
        return await service.bias()

    @app.get("/about", operation_id="about", responses={**shapes.refusals(), 200: {"model": shapes.AboutAnswer}})
    async def about() -> dict[str, Any]:
        """What is served: passages by language, fields, ways of ranking, limits."""
        return service.about()

    @app.get("/health", operation_id="health", responses={200: {"model": shapes.HealthAnswer}})
    async def health() -> dict[str, Any]:
        """Whether the service answers."""
        return {"status": "ok", "passages": service.passages, "version": triglot.__version__}

    @app.get(
        "/metrics", operation_id="metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
    )
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(service.metrics.text(service.index.counts), media_type="text/plain; version=0.0.4")


def _page(app: FastAPI) -> None:
    """The search page: files in memory, by name; no path of a request is ever one of the disk."""
    files = page.read()
    headers = {"content-security-policy": page.POLICY, "cache-control": "no-cache"}

    @app.get("/", include_in_schema=False)
    async def start() -> Response:
        return Response(files[page.START][0], media_type=files[page.START][1], headers=headers)

    @app.get("/page/{name}", include_in_schema=False)
    async def part(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "Not Found")
        return Response(files[name][0], media_type=files[name][1], headers=headers)
