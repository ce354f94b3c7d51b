"""Qdrant as the place of an index, through qdrant-client: a server, a cluster, or the client's own local mode.

Metadata is the payload, filtered inside the search. Words are a sparse vector of the saturated counts of BM25, and
Qdrant brings the inverse document frequency; a word of one language is another word in the next.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from triglot.bm25 import K1
from triglot.extras import named
from triglot.files import InputError
from triglot.index.database import Row
from triglot.index.filters import Condition
from triglot.index.places import TOKEN, Address
from triglot.index.settings import IndexSettings

_CHUNK = 1 << 20
_PAGE = 1000
_SECONDS = 60
_SPACE = uuid.UUID("6d0f5f0c-6f43-4f0b-9c43-3d1f4a3b7a11")  # of the points' numbers, which are made of ids


class Qdrant:
    """See `triglot.index.database.Database`."""

    name = "qdrant"
    longest = 1 << 22

    def __init__(self, address: Address, client: Any = None):
        """
        Args:
            address: of the collection.
            client: a client that is connected; None to connect to the address.

        Raises:
            InputError: it cannot be reached.
            MissingExtra: there is no qdrant-client.
        """
        with named():
            from qdrant_client import QdrantClient, models
            from qdrant_client.http.exceptions import ApiException
        self._models, self._address, self._errors = models, address, ApiException
        self._local = client is not None or address.how == "file"
        self.together = 1 if self._local else 8
        self._lock = RLock()  # local mode is for one thread
        if client is None:
            with self._told():
                if address.how == "file":
                    client = QdrantClient(path=str(Path(address.where).absolute()))
                else:
                    client = QdrantClient(
                        url=address.url,
                        api_key=os.environ.get(TOKEN) or None,
                        timeout=_SECONDS,
                        check_compatibility=False,
                    )
        self._client: Any = client
        self._lexical: dict[int, bool] = {}

    @contextmanager
    def _told(self) -> Iterator[None]:
        with self._lock if self._local else RLock():
            try:
                yield
            except (self._errors, OSError, RuntimeError, ValueError) as error:
                said = str(error).strip().splitlines() or [type(error).__name__]
                raise InputError(f"{self._address}: {said[0][:200]}") from None

    def _collection(self, number: int) -> str:
        return f"{self._address.collection}_g{number}"

    @property
    def _about(self) -> str:
        return f"{self._address.collection}_about"

    # --- records

    def records(self) -> dict[str, bytes] | None:
        """All records, None where there is no index."""
        with self._told():
            if not self._client.collection_exists(self._about):
                return None
            parts: dict[str, list[tuple[int, bytes]]] = {}
            for point in self._points(self._about, None, False, None):
                held = point.payload
                parts.setdefault(held["key"], []).append((held["part"], base64.b64decode(held["value"])))
        return {key: b"".join(data for _, data in sorted(held)) for key, held in parts.items()}

    def keep(self, records: Mapping[str, bytes]) -> None:
        """Write records."""
        models = self._models
        points = [
            models.PointStruct(
                id=str(uuid.uuid5(_SPACE, f"{key}#{part}")),
                vector=[0.0],
                payload={
                    "key": key,
                    "part": part,
                    "value": base64.b64encode(data[start : start + _CHUNK]).decode(),
                },
            )
            for key, data in records.items()
            for part, start in enumerate(range(0, max(len(data), 1), _CHUNK))
        ]
        with self._told():
            if not self._client.collection_exists(self._about):
                self._client.create_collection(
                    self._about, vectors_config=models.VectorParams(size=1, distance=models.Distance.DOT)
                )
            for start in range(0, len(points), 8):
                self._client.upsert(self._about, points=points[start : start + 8], wait=True)

    def forget(self, keys: Sequence[str]) -> None:
        """Remove records."""
        with self._told():
            gone = [one.id for one in self._points(self._about, None, False, None) if one.payload["key"] in set(keys)]
            if gone:
                self._client.delete(self._about, points_selector=self._models.PointIdsList(points=gone), wait=True)

    # --- collections

    def collections(self) -> list[int]:
        """Numbers of the collections that are there."""
        start = f"{self._address.collection}_g"
        with self._told():
            names = [one.name for one in self._client.get_collections().collections]
        return sorted(
            int(one[len(start) :]) for one in names if one.startswith(start) and one[len(start) :].isdecimal()
        )

    def create(self, number: int, dim: int, views: Sequence[str], settings: IndexSettings, kind: str) -> None:
        """Make an empty collection."""
        models, name = self._models, self._collection(number)
        graph = models.HnswConfigDiff(m=0) if kind == "exact" else None
        graph = graph or models.HnswConfigDiff(m=settings.links, ef_construct=settings.effort)
        vectors = {
            view: models.VectorParams(size=dim, distance=models.Distance.DOT, hnsw_config=graph) for view in views
        }
        sparse = {"words": models.SparseVectorParams(modifier=models.Modifier.IDF)} if settings.lexical else None
        with self._told():
            self._client.create_collection(name, vectors_config=vectors, sparse_vectors_config=sparse)
            for field in ("id", "lang", "group") if not self._local else ():
                self._client.create_payload_index(name, field, field_schema=models.PayloadSchemaType.KEYWORD)
            if not self._local:
                self._client.create_payload_index(name, "draw", field_schema=models.PayloadSchemaType.INTEGER)

    def drop(self, number: int) -> None:
        """Remove a collection."""
        with self._told():
            self._client.delete_collection(self._collection(number))

    def put(self, number: int, rows: Sequence[Row]) -> None:
        """Write rows, in the place of those with the same ids."""
        models, lexical = self._models, self._has_words(number)
        points = []
        for row in rows:
            vector: dict[str, Any] = {view: np.asarray(one, np.float32).tolist() for view, one in row.vectors.items()}
            if lexical:
                values = [times / (times + K1 * row.length) for times in row.terms.values()]
                vector["words"] = models.SparseVector(indices=list(row.terms), values=values)
            payload = {
                "id": row.id,
                "text": row.text,
                "lang": row.lang,
                "group": row.group,
                "draw": row.draw,
                "fields": dict(row.fields),
            }
            points.append(models.PointStruct(id=_point(row.id), vector=vector, payload=payload))
        with self._told():
            self._client.upsert(self._collection(number), points=points, wait=True)

    def _has_words(self, number: int) -> bool:
        if number not in self._lexical:
            with self._told():
                params = self._client.get_collection(self._collection(number)).config.params
            self._lexical[number] = bool(params.sparse_vectors)
        return self._lexical[number]

    def remove(self, number: int, ids: Sequence[str]) -> None:
        """Delete rows."""
        gone = self._models.PointIdsList(points=[_point(one) for one in ids])
        with self._told():
            self._client.delete(self._collection(number), points_selector=gone, wait=True)

    # --- what is read

    def search(
        self, number: int, view: str, queries: np.ndarray, k: int, where: Sequence[Condition], width: int
    ) -> list[list[tuple[Row, float]]]:
        """The best rows of each query by dot product."""
        models = self._models
        asked = [
            models.QueryRequest(
                query=query,
                using=view,
                limit=k,
                filter=self._filter(where),
                with_payload=True,
                params=None if self._local else models.SearchParams(hnsw_ef=max(width, k)),
            )
            for query in np.asarray(queries, np.float32).tolist()
        ]
        with self._told():
            found = self._client.query_batch_points(self._collection(number), requests=asked)
        return [[(_row(point), float(point.score)) for point in one.points] for one in found]

    def by_words(self, number: int, terms: Mapping[int, int], k: int, where: Sequence[Condition]) -> list[Row]:
        """The best rows by BM25."""
        query = self._models.SparseVector(indices=list(terms), values=[float(times) for times in terms.values()])
        with self._told():
            found = self._client.query_points(
                self._collection(number),
                query=query,
                using="words",
                limit=k,
                query_filter=self._filter(where),
                with_payload=True,
            )
        return [_row(point) for point in found.points if point.score > 0]

    def rows(self, number: int, where: Sequence[Condition], views: Sequence[str], most: int) -> Iterator[Row]:
        """Rows that fulfil conditions."""
        with self._told():
            name, asked = self._collection(number), list(views) or False
            yield from (_row(point, views) for point in self._points(name, self._filter(where), asked, most))

    def _points(self, name: str, where: Any, vectors: Any, most: int | None) -> Iterator[Any]:
        offset = None
        while most is None or most > 0:
            page, offset = self._client.scroll(
                name,
                scroll_filter=where,
                limit=_PAGE if most is None else min(_PAGE, most),
                offset=offset,
                with_payload=True,
                with_vectors=vectors,
            )
            yield from page
            most = None if most is None else most - len(page)
            if offset is None:
                return

    def count(self, number: int, where: Sequence[Condition]) -> int:
        """How many rows fulfil conditions."""
        with self._told():
            return self._client.count(self._collection(number), count_filter=self._filter(where), exact=True).count

    def compact(self, number: int) -> None:
        """Nothing: Qdrant gives back the room of what was deleted by itself."""

    def close(self) -> None:
        """Let go of it."""
        self._client.close()

    def _filter(self, where: Sequence[Condition]) -> Any:
        models = self._models
        must: list[Any] = []
        must_not: list[Any] = []
        for one in where:
            key = one.field if one.field in ("id", "lang", "group", "draw") else f'fields."{one.field}"'
            if one.op in ("=", "!="):
                (must if one.op == "=" else must_not).append(self._one_of(key, one.values))
                continue
            order = {{">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}[one.op]: one.values[0]}
            must.append(models.FieldCondition(key=key, range=models.Range(**order)))
        return models.Filter(must=must or None, must_not=must_not or None) if must or must_not else None

    def _one_of(self, key: str, values: Sequence[Any]) -> Any:
        """One of some values: numbers with a fraction and true or false have no list of their own in Qdrant."""
        models = self._models
        if all(isinstance(value, str) for value in values):
            return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))
        either: list[Any] = [
            models.FieldCondition(key=key, match=models.MatchValue(value=value))
            if isinstance(value, bool)
            else models.FieldCondition(key=key, range=models.Range(gte=value, lte=value))
            for value in values
        ]
        return models.Filter(should=either)


def _point(one: str) -> str:
    """The number of a point: a UUID made of the passage's id, since Qdrant takes no other names."""
    return str(uuid.uuid5(_SPACE, one))


def _row(point: Any, views: Sequence[str] = ()) -> Row:
    held = point.payload
    vectors = {view: np.asarray(point.vector[view], np.float32) for view in views}
    return Row(held["id"], held["text"], held["lang"], held["group"], held["fields"], int(held["draw"]), vectors)
