"""What the routes of a service share: a model that encodes for many at once, threads that search, one that writes."""

from __future__ import annotations

import asyncio
import base64
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

import triglot
from triglot.encoder.languages import detect_missing
from triglot.files import InputError
from triglot.index.documents import Documents
from triglot.index.settings import FILE
from triglot.index.store import DiskIndex
from triglot.language_tags import language
from triglot.search.modes import MODES
from triglot.search.searcher import Searcher, SearchSettings, shares
from triglot.serve.batching import Batcher, Full
from triglot.serve.logs import log, tell
from triglot.serve.metrics import Metrics
from triglot.serve.probes import probed
from triglot.serve.settings import ServeSettings
from triglot.serve.shapes import AddBody, EmbeddingsBody, RerankBody, SearchBody
from triglot.serve.tokens import Tokens

T = TypeVar("T")
Reranker = Callable[[str, Sequence[str]], np.ndarray]
_LOOK = 2.0  # seconds between two looks for what others have written


class WriteLate(Exception):
    """A write that takes longer than a request may; it is finished all the same."""


class Service:
    """A searcher, and what of it may be used by whom and how much.

    Args:
        searcher: model and index.
        settings: limits.
        tokens: of those who may write.
        reranker: (question, passages) -> (passages,) scores; None for the model's vectors.
        name: of what is served, for the page.
    """

    def __init__(
        self, searcher: Searcher, settings: ServeSettings, tokens: Tokens, reranker: Reranker | None, name: str = ""
    ):
        self.searcher, self.settings, self.tokens, self._reranker = searcher, settings, tokens, reranker
        self.index: Any = searcher.index
        self.name = name
        self.metrics = Metrics(settings.recent)
        self._model = ThreadPoolExecutor(1, "model")
        self._readers = ThreadPoolExecutor(4, "search")
        self._writer = ThreadPoolExecutor(1, "writer")
        self._busy = 0
        self._probes: tuple[int, dict[str, Any]] | None = None
        self._watcher, self._ending = threading.Thread(target=self._watch, daemon=True), threading.Event()
        self._seen: tuple[int, int] | None = None
        self._batcher = Batcher(
            self._encode,
            self._model,
            most=settings.batch,
            pause=settings.pause / 1000,
            waiting=settings.waiting,
            seen=self.metrics.batch,
        )

    def _encode(self, texts: Sequence[str], side: str) -> np.ndarray:
        return self.searcher.encoder.encode(list(texts), side=side)

    def warm(self) -> None:
        """Load what is loaded once, before the first question: what tells languages. From now on, what others write
        into the folder of the index is seen; a database is asked with every question."""
        self.searcher.languages_of(["what is it?"], [""])
        if isinstance(self.index, DiskIndex):
            self._watcher.start()

    def _watch(self) -> None:
        while not self._ending.wait(_LOOK):
            self._writer.submit(self._look).result()

    def _look(self) -> None:
        """See what another process has written since; what cannot be taken is said once."""
        now = None
        with suppress(OSError):
            status = (self.index.place / FILE).stat()
            now = status.st_ino, status.st_mtime_ns
        if now == self._seen:
            return
        self._seen = now
        try:
            if self.index.refresh():
                self._probes = None
                tell("refreshed", passages=self.passages)
        except (InputError, OSError) as error:
            log.warning("the index is served as it was before: %s", error)

    def close(self) -> None:
        """Wait for what was begun: a write that was accepted is finished."""
        self._ending.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for one in (self._writer, self._readers, self._model):
            one.shutdown(wait=True)

    async def _thread(self, executor: ThreadPoolExecutor, work: Callable[..., T], *given: Any, keep: bool = False) -> T:
        """Work in a thread, within the time that a request has; as many wait as may.

        Args:
            executor: whose thread.
            work: what is done.
            given: its arguments.
            keep: it is done even where nobody waits for it any more; anything else is then dropped, if not begun.
        """
        if self._busy >= self.settings.waiting:
            raise Full
        self._busy += 1
        begun = executor.submit(work, *given)
        future = asyncio.wrap_future(begun)
        future.add_done_callback(self._freed)
        try:
            async with asyncio.timeout(self.settings.seconds):
                return await asyncio.shield(future)
        except (TimeoutError, asyncio.CancelledError) as error:
            if not keep:
                begun.cancel()
            elif isinstance(error, TimeoutError):
                raise WriteLate from None
            raise

    def _freed(self, future: asyncio.Future[Any]) -> None:
        self._busy -= 1
        if not future.cancelled():
            future.exception()  # that of a request that was given up is nobody's

    def _parts(self, texts: Sequence[T]) -> list[Sequence[T]]:
        """A long request in batches, between which others have their turn."""
        most = self.settings.batch
        return [texts[start : start + most] for start in range(0, len(texts), most)]

    # --- what is asked

    async def search(self, body: SearchBody) -> dict[str, Any]:
        """The answer to a question."""
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
            vector = await self._batcher.vectors([body.query], "query")
        answer = await self._thread(self._readers, self._answer, body, asked, vector)
        self.metrics.answer(answer)
        query = {"query": answer.question} if self.settings.log_queries else {}
        tell("search", query_lang=answer.lang, mode=answer.mode, hits=len(answer.hits), **query)
        return finite(asdict(answer))

    def _answer(self, body: SearchBody, asked: SearchSettings, vector: np.ndarray) -> Any:
        return self.searcher.search_all([body.query], asked, langs=[body.lang], vectors=vector)[0]

    async def embeddings(self, body: EmbeddingsBody) -> dict[str, Any]:
        """Vectors in OpenAI's shape."""
        texts = [body.input] if isinstance(body.input, str) else body.input
        self._check_count(texts)
        async with asyncio.timeout(self.settings.seconds):
            vectors = np.concatenate(
                [await self._batcher.vectors(part, body.input_type) for part in self._parts(texts)]
            )
            tokens = await self._thread(self._model, self._tokens, texts, body.input_type)
        if body.dimensions not in (None, vectors.shape[1]):
            raise InputError(f"dimensions: {body.dimensions}; the vectors of this model have {vectors.shape[1]}")
        shown = [
            base64.b64encode(one.astype("<f4").tobytes()).decode() if body.encoding_format == "base64" else one.tolist()
            for one in vectors
        ]
        return {
            "object": "list",
            "data": [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(shown)],
            "model": self.searcher.encoder.name,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    def _tokens(self, texts: Sequence[str], side: str) -> int:
        """Tokens that the model reads of texts; words for an encoder that has no tokenizer."""
        tokenize = getattr(self.searcher.encoder, "tokenize", None)
        if tokenize is None:
            return sum(len(text.split()) for text in texts)
        return int(tokenize(list(texts), side=side)[1][-1])

    def _check_count(self, texts: Sequence[Any]) -> None:
        if len(texts) > self.settings.most_texts:
            raise InputError(f"{len(texts)} texts; at most {self.settings.most_texts} are taken")

    async def rerank(self, body: RerankBody) -> dict[str, Any]:
        """Passages put in order, in Cohere's shape."""
        self._check_count(body.documents)
        if len(body.query) > self.settings.longest:
            raise InputError(f"query: {len(body.query)} characters; at most {self.settings.longest} are taken")
        given = [one if isinstance(one, str) else one.get("text") for one in body.documents]
        texts = [text for text in given if isinstance(text, str) and text.strip()]
        if len(texts) < len(given) or not body.query.strip():
            raise InputError("query and documents: texts, or objects with a `text`, were expected")
        score = self._reranker or self._by_vectors
        async with asyncio.timeout(self.settings.seconds):
            parts = [await self._thread(self._model, score, body.query, part) for part in self._parts(texts)]
        scores = np.concatenate(parts)
        order = np.argsort(-scores, kind="stable")[: body.top_n or len(texts)].tolist()
        shown = [{"document": {"text": texts[place]}} if body.return_documents else {} for place in order]
        return {
            "id": str(uuid.uuid4()),
            "results": [
                {"index": place, "relevance_score": float(scores[place]), **more}
                for place, more in zip(order, shown, strict=True)
            ],
            "meta": {"api_version": {"version": "2"}, "by": "cross-encoder" if self._reranker else "vectors"},
        }

    def _by_vectors(self, query: str, texts: Sequence[str]) -> np.ndarray:
        return self._encode(texts, "passage") @ self._encode([query], "query")[0]

    # --- what is written

    async def add(self, body: AddBody) -> dict[str, Any]:
        """Passages added; they are on disk when this answers."""
        if len(body.documents) > self.settings.most_documents:
            raise InputError(f"{len(body.documents)} passages; at most {self.settings.most_documents} at once")
        new, replaced = await self._thread(self._writer, self._add, body, keep=True)
        return {"added": new, "replaced": replaced, "passages": self.passages}

    def _add(self, body: AddBody) -> tuple[int, int]:
        texts = [one.text for one in body.documents]
        langs = [language(one.lang, "lang") if one.lang else "" for one in body.documents]
        langs, _ = detect_missing(texts, langs)
        names = dict.fromkeys(name for one in body.documents for name in one.fields)
        fields = {name: [one.fields.get(name) for one in body.documents] for name in names}
        documents = Documents(
            [one.id for one in body.documents], texts, langs, [one.group for one in body.documents], fields
        )
        parts = [self._model.submit(self._encode, part, "passage").result() for part in self._parts(texts)]
        return self.index.add(documents, np.concatenate(parts))

    async def delete(self, ids: Sequence[str]) -> dict[str, Any]:
        """Passages deleted; they are gone from the disk's index when this answers."""
        if len(ids) > self.settings.most_documents:
            raise InputError(f"{len(ids)} ids; at most {self.settings.most_documents} at once")
        return {"deleted": await self._thread(self._writer, self.index.delete, ids, keep=True)}

    # --- what is known

    @property
    def passages(self) -> int:
        """That can be found."""
        return sum(self.index.counts.values())

    async def bias(self) -> dict[str, Any]:
        """Languages of recent answers, and of the neighbours of passages, against the pool."""
        generation = self.index.stats()["generation"]
        if self._probes is None or self._probes[0] != generation:
            self._probes = generation, await self._thread(self._readers, probed, self.index)
        return {"recent": self.metrics.recent(shares(self.index.counts)), "probes": self._probes[1]}

    def about(self) -> dict[str, Any]:
        """What is served."""
        stats = self.index.stats()
        limits = ("most_hits", "longest", "most_texts", "most_documents", "body", "rate", "seconds")
        return {
            "name": self.name or "Triglot",
            "version": triglot.__version__,
            "model": self.searcher.encoder.name,
            "passages": self.passages,
            "languages": dict(self.index.counts),
            "fields": dict(self.index.fields),
            "modes": [{"name": one.name, "title": one.title, "help": one.help} for one in MODES],
            "debiased": stats.get("debiased"),
            "words": bool(stats.get("words")),
            "reranker": self._reranker is not None,
            "writable": bool(self.tokens),
            "limits": {name: getattr(self.settings, name) for name in limits},
        }


def finite(value: Any) -> Any:
    """A document as JSON can hold it: what is no number becomes null."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, list | tuple) else value
