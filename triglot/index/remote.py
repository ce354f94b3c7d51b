"""An index in a vector database: the same verbs as of one in a folder, and the database need know nothing of languages.

A database keeps collections of passages, each with its vectors as the model gave them and without language, and a few
records: which collection is the index, its model and settings, what takes the language out, and a record for each
language and field. A new index is a new collection until one record, replaced as a whole, names it; whoever is killed
before leaves the older one. What is added or deleted is there batch by batch, each when the database has confirmed it.
Languages and fields have records of their own, so that several processes may add at one time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from triglot import seeds
from triglot.encoder.languages import Removal
from triglot.files import InputError, parse_json
from triglot.index import approximate, words
from triglot.index.database import Database, Row
from triglot.index.documents import Documents, joined, table_of
from triglot.index.filters import Condition
from triglot.index.known import Known
from triglot.index.protocol import FAIR, RAW
from triglot.index.reads import Reads
from triglot.index.remote_records import (
    META,
    VERSION,
    Meta,
    array_bytes,
    array_of,
    field_records,
    read_meta,
    removal_bytes,
    removal_of,
    spoken_records,
)
from triglot.index.remote_snapshot import RemoteSnapshot, State, in_batches
from triglot.index.settings import IndexSettings
from triglot.index.store import at_strength, checked
from triglot.index.views import in_view
from triglot.shapes import shaped
from triglot.topk import top_k

log = logging.getLogger("triglot")
_BATCH = 500  # passages written together
_TRIED, _AT = 100, 10


def create(
    database: Database,
    place: str,
    documents: Documents,
    vectors: np.ndarray,
    settings: IndexSettings | None = None,
    *,
    model: str = "",
    similarity: str = "cosine",
    probe: np.ndarray | None = None,
    removal: Removal | None = None,
    force: bool = False,
) -> DatabaseIndex:
    """Make an index in a database; an older one of the same model is replaced when the new one is whole.

    Args:
        database: connected.
        place: its address, for messages.
        documents: the passages.
        vectors: (documents, dim), as the model gives them.
        settings: how it is built.
        model: where the model is found again.
        similarity: by which the model compares.
        probe: (texts, dim) vectors of a few texts by which the model is known again.
        removal: what takes the language out of vectors; None where there is nothing.
        force: replace the index of another model.

    Raises:
        InputError: there are no passages, they do not fit the vectors, the place is another model's, or the database
            refuses something.
    """
    settings = settings or IndexSettings()
    vectors = checked(vectors, len(documents), None if removal is None else removal.offsets.shape[1])
    fields = joined({}, documents)
    records = database.records()
    before = read_meta(records, place) if records and META in records else None
    if before is not None and before["model"] != model and not force:
        raise InputError(
            f"{place}: was written by `triglot index` for {before['model']}; --force replaces it, or choose another "
            "place"
        )
    removal = at_strength(removal, settings.strength)
    held = before["collection"] if before else 0
    for number in database.collections():
        if number != held:  # of a process that was killed
            database.drop(number)
    kind = approximate.chosen(settings.kind, len(documents))
    views = (RAW,) if removal is None else (RAW, FAIR)
    number = held + 1
    told = words.count_lengths(documents.texts, documents.langs) if settings.lexical else {}
    words.warn_unread(told)
    lengths = {lang: max(total / max(passages, 1), 1.0) for lang, (passages, total, _) in told.items()}
    made: dict[str, bytes] = spoken_records(number, documents.langs, told) | field_records(number, fields)
    if removal is not None:
        made[f"{number}/removal"] = removal_bytes(removal)
    if probe is not None:
        made[f"{number}/probe"] = array_bytes(probe)
    database.create(number, vectors.shape[1], views, settings, kind)
    rows = _Rows(removal, lengths if settings.lexical else None, fields, database.longest)
    rows.check(documents)
    for part, of_part in in_batches(documents, vectors, _BATCH):
        database.put(number, rows.made(part, of_part, views))
    width, recall = _widened(database, number, vectors, documents.ids, kind, settings)
    meta: Meta = {
        "format": "triglot-index",
        "version": VERSION,
        "collection": number,
        "model": model,
        "similarity": similarity,
        "dim": int(vectors.shape[1]),
        "settings": asdict(settings),
        "kind": kind,
        "width": width,
        "recall": recall,
        "lengths": lengths,
    }
    database.keep(made)
    database.keep({META: json.dumps(meta).encode()})
    if before is not None:
        database.drop(held)
        database.forget([key for key in records or () if key.startswith(f"{held}/")])
    return DatabaseIndex(database, place)


def _widened(
    database: Database, number: int, vectors: np.ndarray, ids: Sequence[str], kind: str, settings: IndexSettings
) -> tuple[int, float]:
    """How much has to be looked at for the recall that is wanted, and what was reached: measured on passages that ask
    for their neighbours, themselves left out."""
    if kind == "exact":
        return approximate.WIDTHS[0], 1.0
    asked = np.sort(seeds.shuffled(len(vectors), 1, "index recall")[:_TRIED])
    k = min(_AT + 1, len(vectors))
    exact = top_k(vectors[asked], vectors, k)[1]
    width, recall = approximate.WIDTHS[0], 1.0
    for width in approximate.WIDTHS:
        found = database.search(number, RAW, vectors[asked], k, (), width)
        hits = wanted = 0
        for own, best, seen in zip(asked.tolist(), exact.tolist(), found, strict=True):
            others = {ids[row] for row in best if row != own}
            hits += len(others & {row.id for row, _ in seen})
            wanted += len(others)
        recall = hits / wanted if wanted else 1.0
        if recall >= settings.recall:
            break
    say = log.info if recall >= settings.recall else log.warning
    say(
        "index: %s of %d passages in %s finds %.3f of the exact first ten (looking at %d)",
        kind,
        len(vectors),
        database.name,
        recall,
        width,
    )
    return width, recall


class _Rows:
    """Makes rows of passages."""

    def __init__(
        self, removal: Removal | None, lengths: Mapping[str, float] | None, fields: Mapping[str, str], longest: int
    ):
        self._removal, self._lengths, self._fields, self._longest = removal, lengths, fields, longest

    def check(self, documents: Documents) -> None:
        """Raises InputError for what the database would refuse in the middle."""
        table_of(documents, self._fields)
        for one, text in zip(documents.ids, documents.texts, strict=True):
            if (size := len(text.encode())) > self._longest:
                raise InputError(f"id {one!r:.60}: a text of {size} bytes; this database keeps {self._longest}")
        for name, values in documents.fields.items():
            for one, value in zip(documents.ids, values, strict=True):
                if isinstance(value, float) and not np.isfinite(value):
                    raise InputError(f"id {one!r:.60}: {name} is {value}, which this database does not keep")

    def made(self, documents: Documents, vectors: np.ndarray, views: Sequence[str]) -> list[Row]:
        """Rows of passages and their vectors of the model."""
        of_view = {view: in_view(self._removal, None, vectors, documents.langs, view, "passage") for view in views}
        found = []
        for row, (one, text, lang) in enumerate(zip(documents.ids, documents.texts, documents.langs, strict=True)):
            metadata = {
                name: float(value) if self._fields[name] == "float" else value
                for name, values in documents.fields.items()
                if (value := values[row]) is not None
            }
            terms, length = {}, 1.0
            if self._lengths is not None:
                terms, length = words.terms_of(text, lang, self._lengths.get(lang, 0.0))
            found.append(
                Row(
                    one,
                    text,
                    lang,
                    documents.groups[row],
                    metadata,
                    draw_of(one),
                    {view: array[row] for view, array in of_view.items()},
                    terms,
                    length,
                )
            )
        return found


def draw_of(one: str) -> int:
    """The number of an id by which passages are drawn, below 2**31."""
    return int.from_bytes(hashlib.blake2b(one.encode(), digest_size=4).digest(), "little") >> 1


class DatabaseIndex(Reads):
    """An index in a vector database, see `triglot.index.protocol.Index`.

    Threads may search while one of them writes.
    """

    def __init__(self, database: Database, place: str):
        """
        Args:
            database: connected.
            place: its address, for messages.

        Raises:
            InputError: it holds no index, or records that are none.
        """
        self.place = place
        self._db = database
        self._writing = threading.Lock()
        self._generation = 0
        self._read()

    def _read(self) -> None:
        records = self._db.records()
        if records is None or META not in records:
            raise InputError(f"{self.place}: holds no index; `triglot index` makes one")
        meta = read_meta(records, self.place)
        prefix = f"{meta['collection']}/"
        own = {key.removeprefix(prefix): value for key, value in records.items() if key.startswith(prefix)}
        removal = removal_of(own["removal"], self.place) if "removal" in own else None
        if removal is not None and removal.offsets.shape[1] != meta["dim"]:
            raise InputError(f"{self.place}: what takes the language out does not have the dimensions of the index")
        spoken = {
            key.removeprefix("lang/"): shaped(parse_json(value.decode(), self.place), list[int], self.place)
            for key, value in own.items()
            if key.startswith("lang/")
        }
        fields = {key.removeprefix("field/"): value.decode() for key, value in own.items() if key.startswith("field/")}
        self._known = Known(
            self.place,
            meta["model"],
            meta["similarity"],
            meta["dim"],
            array_of(own["probe"], self.place) if "probe" in own else None,
        )
        self._meta, self._records = meta, records
        self._take(removal, spoken, fields)

    def _take(self, removal: Removal | None, spoken: Mapping[str, Sequence[int]], fields: Mapping[str, str]) -> None:
        """Count what is there now."""
        number = self._meta["collection"]
        counts = {code: self._db.count(number, [Condition("lang", "=", (code,))]) for code in spoken}
        counts = {code: count for code, count in counts.items() if count}
        counts = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        self._generation += 1
        self._state = State(
            self._db,
            number,
            self._meta["dim"],
            self._meta["width"],
            removal,
            dict(spoken),
            dict(fields),
            counts,
            bool(self._meta["settings"].get("lexical")),
        )

    # --- what it is

    @property
    def snapshot(self) -> RemoteSnapshot:
        """The passages as the database has them."""
        return RemoteSnapshot(self._state)

    @property
    def spoken(self) -> Mapping[str, Sequence[int]]:
        """Language -> passages, words, passages whose script BM25 does not read; empty where no words are kept."""
        return self._state.spoken if self._state.lexical else {}

    @property
    def fields(self) -> Mapping[str, str]:
        """Name -> type of the metadata."""
        return self._state.fields

    @property
    def views(self) -> tuple[str, ...]:
        """`raw`, and `fair` where the language is taken out."""
        return self._state.views

    @property
    def model(self) -> str:
        """Where the model is found."""
        return self._meta["model"]

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self._meta["dim"]

    def __len__(self) -> int:
        return sum(self._state.counts.values())

    def check_model(self, probe: np.ndarray, similarity: str, name: str) -> None:
        """Raises InputError where a model is not the one that the index was made with, see
        `triglot.index.protocol.Index`."""
        self._known.check(probe, similarity, name)

    def stats(self) -> dict[str, Any]:
        """Counts, languages, kind and recall, as JSON can hold them; the database knows sizes and does not tell all."""
        state, removal = self._state, self._state.removal
        strengths = None if removal is None else removal.strengths
        return {
            "backend": self._db.name,
            "passages": len(self),
            "deleted": 0,
            "languages": dict(state.counts),
            "dim": self.dim,
            "model": self.model,
            "fields": dict(state.fields),
            "views": list(state.views),
            "debiased": None if removal is None else removal.method,
            "strength": None if strengths is None else float(strengths[1].mean()),
            "segments": [{"kind": self._meta["kind"], "passages": len(self)}],
            "recall": self._meta["recall"],
            "words": state.lexical,
            "bytes": None,
            "size": f"in {self._db.name}",
            "generation": self._generation,
        }

    # --- what is read

    def refresh(self) -> bool:
        """See languages, fields and counts that another process has written since; passages are seen in any case."""
        with self._writing:
            before = self._state.counts, self._records
            self._read()
            return (self._state.counts, self._records) != before

    # --- what is written

    def add(self, documents: Documents, vectors: np.ndarray) -> tuple[int, int]:
        """Add passages, and put those whose id is there already in the place of the older ones, see
        `triglot.index.protocol.Index`."""
        vectors = checked(vectors, len(documents), self.dim)
        with self._writing:
            self._read()
            state, number = self._state, self._meta["collection"]
            fields = joined(state.fields, documents)
            rows = _Rows(state.removal, self._meta["lengths"] if state.lexical else None, fields, self._db.longest)
            rows.check(documents)
            told = words.count_lengths(documents.texts, documents.langs) if state.lexical else {}
            words.warn_unread(told)
            # what the passages are found by is there before they are
            more = {
                lang: [a + b for a, b in zip(state.spoken.get(lang, [0, 0, 0]), told.get(lang, [0, 0, 0]), strict=True)]
                for lang in dict.fromkeys(documents.langs)
            }
            new_fields = {name: kind for name, kind in fields.items() if state.fields.get(name) != kind}
            self._db.keep(spoken_records(number, list(more), more) | field_records(number, new_fields))
            replaced = 0
            for part, of_part in in_batches(documents, vectors, _BATCH):
                replaced += self._db.count(number, [Condition("id", "=", tuple(part.ids))])
                self._db.put(number, rows.made(part, of_part, state.views))
            self._take(state.removal, {**state.spoken, **more}, fields)
        return len(documents) - replaced, replaced

    def delete(self, ids: Sequence[str]) -> int:
        """Delete passages. Returns how many of the ids were there; they are gone when it returns."""
        ids = list(dict.fromkeys(one for one in ids if one))
        with self._writing:
            state, number, count = self._state, self._meta["collection"], 0
            for start in range(0, len(ids), _BATCH):
                some = ids[start : start + _BATCH]
                count += self._db.count(number, [Condition("id", "=", tuple(some))])
                self._db.remove(number, some)
            self._take(state.removal, state.spoken, state.fields)
        return count

    def compact(self) -> None:
        """Ask the database to give back the room of what was deleted."""
        self._db.compact(self._meta["collection"])

    def regroup(self, groups: Mapping[str, str]) -> int:
        """Set the groups of passages: id -> group. Returns how many ids were there."""
        documents, vectors = self.get(list(groups))
        if not len(documents):
            return 0
        self.add(replace(documents, groups=[groups[one] for one in documents.ids]), vectors)
        return len(documents)

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()
