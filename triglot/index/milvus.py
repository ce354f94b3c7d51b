"""Milvus as the place of an index, through pymilvus: a server, a cluster, or the embedded milvus-lite as a file.

The language of a passage is the partition key, so that a search in one language looks at its partitions alone.
Metadata is a JSON field that is filtered inside the search. Words are numbers of words in hexadecimal, over which
Milvus' own BM25 counts: a word of one language is another word in the next, and what is a word is said by
`triglot.bm25` for every script.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from triglot.bm25 import K1, B
from triglot.extras import named
from triglot.files import InputError
from triglot.index.database import Row
from triglot.index.documents import LONGEST_ID
from triglot.index.filters import Condition
from triglot.index.places import TOKEN, Address
from triglot.index.settings import IndexSettings

log = logging.getLogger("triglot")
_TEXT = 65_535  # bytes of a VARCHAR field, the most that Milvus has
_WORDS = _TEXT // 10  # of a passage: nine letters and a space each
_CHUNK = 45_000  # bytes of a record in one row: base64 makes 60,000 of them
_MOST = 16_384  # rows of one answer
_SECONDS = 60.0
_PLAIN = ["id", "text", "lang", "grp", "fields", "draw"]
_COLUMNS = {"id": "id", "lang": "lang", "group": "grp", "draw": "draw"}
_KINDS = {"exact": "FLAT", "hnsw": "HNSW", "ivf": "IVF_FLAT"}


class Milvus:
    """See `triglot.index.database.Database`."""

    name = "milvus"
    longest = _TEXT

    def __init__(self, address: Address):
        """Raises InputError where it cannot be reached, and `MissingExtra` without pymilvus."""
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what it logs is in the errors that it raises
        with named():
            from pymilvus import DataType, Function, FunctionType, MilvusClient
            from pymilvus.exceptions import MilvusException
        self._types, self._function = DataType, (Function, FunctionType)
        self._errors, self._address = MilvusException, address
        self.together = 1 if address.how == "file" else 8
        where = address.url
        if address.how == "file":
            with named():
                import milvus_lite  # noqa: F401
            where = str(Path(address.where).absolute())
            if not where.endswith(".db") or not Path(where).parent.is_dir():
                raise InputError(f"{address}: the path of a file that ends in .db, in a folder that is there")
        with self._told():
            self._client: Any = MilvusClient(where, token=os.environ.get(TOKEN, ""), timeout=_SECONDS)
        self._kinds: dict[int, str] = {}
        self._indexes: dict[int, str] = {}
        self._loaded: set[str] = set()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (self._errors, OSError) as error:
            said = str(getattr(error, "message", "") or error).strip().splitlines() or [type(error).__name__]
            raise InputError(f"{self._address}: {said[0][:200]}") from None

    def _collection(self, number: int) -> str:
        return f"{self._address.collection}_g{number}"

    def _read(self, name: str) -> str:
        """The name of a collection that is loaded: one that nobody has asked since Milvus began is not."""
        if name not in self._loaded:
            self._client.load_collection(name)
            self._loaded.add(name)
        return name

    @property
    def _about(self) -> str:
        return f"{self._address.collection}_about"

    # --- records

    def records(self) -> dict[str, bytes] | None:
        """All records, None where there is no index."""
        with self._told():
            if not self._client.has_collection(self._about):
                return None
            rows = self._client.query(self._read(self._about), filter="", output_fields=["id", "value"], limit=_MOST)
        parts: dict[str, list[tuple[int, bytes]]] = {}
        for row in rows:
            key, _, part = row["id"].rpartition("#")
            parts.setdefault(key, []).append((int(part), base64.b64decode(row["value"])))
        return {key: b"".join(data for _, data in sorted(held)) for key, held in parts.items()}

    def keep(self, records: Mapping[str, bytes]) -> None:
        """Write records."""
        rows = [
            {
                "id": f"{key}#{number}",
                "value": base64.b64encode(data[start : start + _CHUNK]).decode(),
                "unused": [0.0, 0.0],
            }
            for key, data in records.items()
            for number, start in enumerate(range(0, max(len(data), 1), _CHUNK))
        ]
        with self._told():
            if not self._client.has_collection(self._about):
                schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
                schema.add_field("id", self._types.VARCHAR, is_primary=True, max_length=1024)
                schema.add_field("value", self._types.VARCHAR, max_length=_TEXT)
                schema.add_field("unused", self._types.FLOAT_VECTOR, dim=2)  # a collection without one there is not
                index = self._client.prepare_index_params()
                index.add_index("unused", index_type="FLAT", metric_type="IP")
                self._client.create_collection(
                    self._about, schema=schema, index_params=index, consistency_level="Strong"
                )
            for start in range(0, len(rows), 50):
                self._client.upsert(self._about, rows[start : start + 50])

    def forget(self, keys: Sequence[str]) -> None:
        """Remove records."""
        with self._told():
            rows = self._client.query(self._read(self._about), filter="", output_fields=["id"], limit=_MOST)
            gone = [row["id"] for row in rows if row["id"].rpartition("#")[0] in set(keys)]
            if gone:
                self._client.delete(self._about, ids=gone)

    # --- collections

    def collections(self) -> list[int]:
        """Numbers of the collections that are there."""
        start = f"{self._address.collection}_g"
        with self._told():
            names = self._client.list_collections()
        return sorted(
            int(one[len(start) :]) for one in names if one.startswith(start) and one[len(start) :].isdecimal()
        )

    def create(self, number: int, dim: int, views: Sequence[str], settings: IndexSettings, kind: str) -> None:
        """Make an empty collection."""
        types, (function, function_type) = self._types, self._function
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", types.VARCHAR, is_primary=True, max_length=4 * LONGEST_ID)
        schema.add_field("text", types.VARCHAR, max_length=_TEXT)
        schema.add_field("lang", types.VARCHAR, max_length=128, is_partition_key=True)
        schema.add_field("grp", types.VARCHAR, max_length=_TEXT)
        schema.add_field("draw", types.INT64)
        schema.add_field("fields", types.JSON)
        index = self._client.prepare_index_params()
        params = {"hnsw": {"M": settings.links, "efConstruction": settings.effort}, "ivf": {"nlist": 1024}}
        for view in views:
            schema.add_field(view, types.FLOAT_VECTOR, dim=dim)
            index.add_index(view, index_type=_KINDS[kind], metric_type="IP", params=params.get(kind, {}))
        if settings.lexical:
            schema.add_field(
                "terms",
                types.VARCHAR,
                max_length=_TEXT,
                enable_analyzer=True,
                analyzer_params={"tokenizer": "standard"},
            )
            schema.add_field("words", types.SPARSE_FLOAT_VECTOR)
            schema.add_function(
                function(
                    name="bm25",
                    function_type=function_type.BM25,
                    input_field_names=["terms"],
                    output_field_names=["words"],
                )
            )
            index.add_index(
                "words",
                index_type="SPARSE_INVERTED_INDEX",
                metric_type="BM25",
                params={"bm25_k1": K1, "bm25_b": B},
            )
        with self._told():
            self._client.create_collection(
                self._collection(number), schema=schema, index_params=index, consistency_level="Strong"
            )

    def drop(self, number: int) -> None:
        """Remove a collection."""
        with self._told():
            self._client.drop_collection(self._collection(number))

    def put(self, number: int, rows: Sequence[Row]) -> None:
        """Write rows, in the place of those with the same ids."""
        lexical = self._has_words(number)
        long = sum(sum(row.terms.values()) > _WORDS for row in rows) if lexical else 0
        if long:
            log.warning("%s: of %d passages words find the first %d alone", self._address, long, _WORDS)
        data = [
            {
                "id": row.id,
                "text": row.text,
                "lang": row.lang,
                "grp": row.group,
                "draw": row.draw,
                "fields": dict(row.fields),
                **{view: np.asarray(vector, np.float32).tolist() for view, vector in row.vectors.items()},
                **({"terms": _hexadecimal(row.terms)} if lexical else {}),
            }
            for row in rows
        ]
        with self._told():
            self._client.upsert(self._collection(number), data)

    def _has_words(self, number: int) -> bool:
        if number not in self._kinds:
            with self._told():
                fields = self._client.describe_collection(self._collection(number))["fields"]
            self._kinds[number] = "words" if any(one["name"] == "words" for one in fields) else ""
        return bool(self._kinds[number])

    def _width(self, number: int, view: str, width: int) -> dict[str, int]:
        """What a search looks at, in the words of the collection's kind of index."""
        if number not in self._indexes:
            name = self._collection(number)
            names = self._client.list_indexes(name, field_name=view)
            self._indexes[number] = str(self._client.describe_index(name, index_name=names[0])["index_type"])
        return {"HNSW": {"ef": width}, "IVF_FLAT": {"nprobe": width}}.get(self._indexes[number], {})

    def remove(self, number: int, ids: Sequence[str]) -> None:
        """Delete rows."""
        with self._told():
            self._client.delete(self._collection(number), ids=list(ids))

    # --- what is read

    def search(
        self, number: int, view: str, queries: np.ndarray, k: int, where: Sequence[Condition], width: int
    ) -> list[list[tuple[Row, float]]]:
        """The best rows of each query by dot product."""
        k = min(k, _MOST)
        with self._told():
            found = self._client.search(
                self._read(self._collection(number)),
                data=np.asarray(queries, np.float32).tolist(),
                anns_field=view,
                limit=k,
                filter=expression(where),
                search_params={"params": self._width(number, view, max(width, k))},
                output_fields=_PLAIN,
            )
        return [[(_row(hit["entity"] | {"id": hit["id"]}), float(hit["distance"])) for hit in hits] for hits in found]

    def by_words(self, number: int, terms: Mapping[int, int], k: int, where: Sequence[Condition]) -> list[Row]:
        """The best rows by BM25."""
        with self._told():
            found = self._client.search(
                self._read(self._collection(number)),
                data=[_hexadecimal(terms)],
                anns_field="words",
                limit=min(k, _MOST),
                filter=expression(where),
                output_fields=_PLAIN,
            )
        return [_row(hit["entity"] | {"id": hit["id"]}) for hit in found[0]]

    def rows(self, number: int, where: Sequence[Condition], views: Sequence[str], most: int) -> Iterator[Row]:
        """Rows that fulfil conditions."""
        with self._told():
            name = self._read(self._collection(number))
        asked = {"collection_name": name, "filter": expression(where), "output_fields": [*_PLAIN, *views]}
        if most <= _MOST:
            with self._told():
                yield from (_row(one, views) for one in self._client.query(**asked, limit=most))
            return
        with self._told():
            pages = self._client.query_iterator(**asked, batch_size=1000, limit=most)
            while page := pages.next():
                yield from (_row(one, views) for one in page)
            pages.close()

    def count(self, number: int, where: Sequence[Condition]) -> int:
        """How many rows fulfil conditions."""
        with self._told():
            found = self._client.query(
                self._read(self._collection(number)), filter=expression(where), output_fields=["count(*)"]
            )
        return int(found[0]["count(*)"])

    def compact(self, number: int) -> None:
        """Ask for the room of what was deleted; Milvus gives it back when it finds the time."""
        with self._told():
            self._client.compact(self._collection(number))

    def close(self) -> None:
        """Let go of it."""
        self._client.close()


def _hexadecimal(terms: Mapping[int, int]) -> str:
    """The words of a text, as Milvus' analyzer tells them apart; the first 6,553 of a long one."""
    words = [f"x{number:08x}" for number, times in terms.items() for _ in range(times)]
    return " ".join(words[:_WORDS])


def _row(held: Mapping[str, Any], views: Sequence[str] = ()) -> Row:
    fields = held["fields"]
    fields = json.loads(fields) if isinstance(fields, str | bytes) else fields
    vectors = {view: np.asarray(held[view], np.float32) for view in views}
    return Row(held["id"], held["text"], held["lang"], held["grp"], fields or {}, int(held["draw"]), vectors)


def expression(where: Sequence[Condition]) -> str:
    """Conditions in Milvus' words."""
    return " and ".join(f"({_expressed(one)})" for one in where)


def _expressed(one: Condition) -> str:
    values = [json.dumps(value, ensure_ascii=False) for value in one.values]
    if one.field in _COLUMNS:
        name = _COLUMNS[one.field]
        if one.op in ("=", "!="):
            return f"{name} {'in' if one.op == '=' else 'not in'} [{', '.join(values)}]"
        return f"{name} {one.op} {values[0]}"
    name = f"fields[{json.dumps(one.field, ensure_ascii=False)}]"
    if one.op == "=":
        return " or ".join(f"{name} == {value}" for value in values)
    if one.op == "!=":
        differs = " and ".join(f"{name} != {value}" for value in values)
        return f"(not (exists {name})) or ({differs})"
    return f"{name} {one.op} {values[0]}"
