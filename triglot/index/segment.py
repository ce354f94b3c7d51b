"""A segment: passages that came together, in files that are written once and only read from then on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from typing_extensions import TypedDict

from triglot.encoder.languages import Removal
from triglot.files import InputError, sync
from triglot.index import approximate, cohort, words
from triglot.index.approximate import Approximate
from triglot.index.documents import Documents, schema_of, table_of
from triglot.index.protocol import FAIR, RAW
from triglot.index.settings import IndexSettings
from triglot.index.views import in_view, without_language
from triglot.sealed import file_checksum
from triglot.shapes import strict
from triglot.topk import Best

_BLOCK = 16_384
_MORE = 4  # candidates of an approximate index for each passage that is wanted
_FEW = 20_000  # passages that are compared one by one whatever the kind


@strict
class Width(TypedDict):
    """How an approximate index is searched, and how well."""

    width: int
    recall: float


@strict
class SegmentRecord(TypedDict):
    """What the manifest says of a segment: `files` are name -> checksum, `words` language -> [passages, words, not
    read]."""

    name: str
    rows: int
    kind: str
    files: dict[str, str]
    widths: dict[str, Width]
    words: dict[str, list[int]]


@dataclass(frozen=True, eq=False)
class Segment:
    """An open segment.

    Attributes:
        record: of the manifest.
        table: its metadata, memory-mapped.
        raw: (rows, dim) float32 vectors of the model, memory-mapped.
        fair: the same without language; None where there is no removal, or where they are made when needed.
        graphs: view -> approximate index.
        held: words, where the index keeps them.
        drawn: rows of the cohort.
        langs: (rows,) numbers of the languages in `codes`.
        codes: the languages.
        removal: of the index.
    """

    record: SegmentRecord
    table: pa.Table
    raw: np.ndarray
    fair: np.ndarray | None
    graphs: dict[str, Approximate]
    held: words.Words | None
    drawn: np.ndarray
    langs: np.ndarray
    codes: tuple[str, ...]
    removal: Removal | None = field(default=None)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the metadata that `table` has, whatever its file has."""
        return tuple(name.removeprefix("field:") for name in self.table.column_names if name.startswith("field:"))

    @property
    def rows(self) -> int:
        """Passages, deleted ones among them."""
        return len(self.raw)

    def vectors(self, view: str, rows: np.ndarray | slice) -> np.ndarray:
        """Vectors of some rows in a view, float32."""
        if view == RAW or self.removal is None:
            return np.asarray(self.raw[rows], np.float32)
        if self.fair is not None:
            return np.asarray(self.fair[rows], np.float32)
        return without_language(self.removal, np.asarray(self.raw[rows], np.float32), self.langs[rows], self.codes)

    def search(
        self,
        queries: np.ndarray,
        k: int,
        view: str,
        allowed: np.ndarray | None,
        measures: tuple[np.ndarray, np.ndarray] | None,
        of_index: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best rows of each query.

        Args:
            queries: (queries, dim) in the view.
            k: how many.
            view: `raw` or `fair`.
            allowed: (rows,) bool, None for all.
            measures: (queries, languages of the index) means and deviations, to rank by calibrated scores.
            of_index: number of each language of `codes` in the index.

        Returns:
            (queries, k) rows, -1 for none, and what they are ranked by.
        """
        count = self.rows if allowed is None else int(allowed.sum())
        graph = self.graphs.get(view if self.removal is not None else RAW)
        if graph is None or count <= max(_FEW, _MORE * k):
            return self._exact(queries, k, view, allowed, measures, of_index)
        if measures is None:
            return self._approximate(graph, queries, k, view, allowed, count)
        best = Best(len(queries), k)
        for number in range(len(self.codes)):
            mine = (self.langs == number) & (True if allowed is None else allowed)
            if not mine.any():
                continue
            rows, scores = self.search(queries, min(k, int(mine.sum())), view, mine, None, of_index)
            at = of_index[number]
            scores = (scores - measures[0][:, at, None]) / measures[1][:, at, None]
            everything = slice(0, len(queries))
            best.offer_some(everything, rows, np.where(rows < 0, -np.inf, scores).astype(np.float32))
        return best.index, best.scores

    def _approximate(
        self, graph: Approximate, queries: np.ndarray, k: int, view: str, allowed: np.ndarray | None, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        found = graph.search(queries, min(_MORE * k + 16, count), allowed)
        wanted = min(k, count)
        rows, scores = np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -np.inf, np.float32)
        for number, candidates in enumerate(found):
            kept = candidates[candidates >= 0]
            if len(kept) < wanted:  # a filter that the graph has too few ways through
                mine = self._exact(queries[number : number + 1], k, view, allowed, None, np.zeros(0, np.int64))
                rows[number], scores[number] = mine[0][0], mine[1][0]
                continue
            own = self.vectors(view, kept) @ queries[number]
            order = np.lexsort((kept, -own))[:k]
            rows[number, : len(order)], scores[number, : len(order)] = kept[order], own[order]
        return rows, scores

    def _exact(
        self,
        queries: np.ndarray,
        k: int,
        view: str,
        allowed: np.ndarray | None,
        measures: tuple[np.ndarray, np.ndarray] | None,
        of_index: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        chosen = None if allowed is None or allowed.all() else np.flatnonzero(allowed)
        count = self.rows if chosen is None else len(chosen)
        best = Best(len(queries), k)
        everything = slice(0, len(queries))
        for start in range(0, count, _BLOCK):
            rows = slice(start, min(start + _BLOCK, count)) if chosen is None else chosen[start : start + _BLOCK]
            scores = queries @ self.vectors(view, rows).T
            if measures is not None:
                at = of_index[self.langs[rows]]
                scores = (scores - measures[0][:, at]) / measures[1][:, at]
            best.offer(everything, scores, start)
        places = best.index
        if chosen is not None:
            places = np.where(places < 0, -1, chosen[np.maximum(places, 0)] if len(chosen) else -1)
        return places, best.scores


def write(
    folder: Path,
    name: str,
    documents: Documents,
    vectors: np.ndarray,
    settings: IndexSettings,
    fields: dict[str, str],
    removal: Removal | None,
    number: int,
) -> SegmentRecord:
    """Write the files of a segment. Nothing refers to them yet.

    Args:
        folder: of the index.
        name: of the segment, with which its files begin.
        documents: one or more.
        vectors: (documents, dim) of the model.
        settings: of the index.
        fields: of the index.
        removal: of the index.
        number: of the segment, for its draws.
    """
    kind = approximate.chosen(settings.kind, len(documents))
    paths: list[Path] = []

    def put(part: str, array: np.ndarray) -> None:
        paths.append(folder / f"{name}.{part}.npy")
        with paths[-1].open("wb") as handle:
            np.save(handle, array)

    table = table_of(documents, fields)
    paths.append(folder / f"{name}.arrow")
    with pa.OSFile(str(paths[-1]), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    put("raw", np.ascontiguousarray(vectors, np.float32))
    views = {RAW: vectors}
    if removal is not None:
        views[FAIR] = in_view(removal, None, vectors, documents.langs, FAIR, "passage")
        if kind == "exact":
            put("fair", views[FAIR])
    widths: dict[str, Width] = {}
    for view, of_view in views.items() if kind != "exact" else ():
        graph = approximate.build(of_view, kind, settings, what=view)
        paths.append(folder / f"{name}.{view}.faiss")
        graph.save(paths[-1])
        widths[view] = {"width": graph.width, "recall": graph.recall}
    told: dict[str, list[int]] = {}
    if settings.lexical:
        held, told = words.count(documents.texts, documents.langs)
        words.warn_unread(told)
        for part in words.PARTS:
            put(part, getattr(held, part))
    put("cohort", cohort.drawn(documents.langs, number))
    for path in paths:
        sync(path)
    files = {path.name: file_checksum(path) for path in paths}
    return {"name": name, "rows": len(documents), "kind": kind, "files": files, "widths": widths, "words": told}


def open_segment(
    folder: Path, record: SegmentRecord, fields: dict[str, str], dim: int, removal: Removal | None
) -> Segment:
    """Open a segment whose checksums were looked at.

    Raises:
        InputError: names the file: it cannot be read, or does not fit the others.
    """
    name, rows = record["name"], record["rows"]

    def array(part: str, shape: tuple[int | None, ...], dtype: type) -> np.ndarray:
        path = folder / f"{name}.{part}.npy"
        try:
            # memory-mapped arrays cannot be empty
            found = np.load(path, mmap_mode="r" if path.stat().st_size > 4096 else None, allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None
        fits = found.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, found.shape, strict=True)
        )
        if found.dtype != dtype or not fits:
            raise InputError(f"{path}: holds {found.dtype} of shape {found.shape}, which does not fit this index")
        return found

    path = folder / f"{name}.arrow"
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    wanted = schema_of({one: kind for one, kind in fields.items() if f"field:{one}" in table.column_names})
    if table.schema != wanted or table.num_rows != rows:
        raise InputError(f"{path}: its columns or rows are not those of this index")
    for later in schema_of(fields):
        if later.name not in table.column_names:
            table = table.append_column(later, pa.nulls(rows, later.type))
    encoded = table.column("lang").combine_chunks().dictionary_encode()
    codes = tuple(encoded.dictionary.to_pylist())
    graphs = {
        view: approximate.read(
            folder / f"{name}.{view}.faiss", record["kind"], rows, dim, told["width"], told["recall"]
        )
        for view, told in record["widths"].items()
    }
    lexical = f"{name}.terms.npy" in record["files"]
    kinds = {"terms": np.uint64, "starts": np.int64, "rows": np.int32, "counts": np.uint16, "lengths": np.int32}
    held = words.Words(**{part: array(part, (None,), kinds[part]) for part in words.PARTS}) if lexical else None
    drawn = array("cohort", (None,), np.int64)
    if len(drawn) and (drawn.min() < 0 or drawn.max() >= rows):
        raise InputError(f"{folder / name}.cohort.npy: rows that the segment does not have")
    if held is not None and len(held.lengths) != rows:
        raise InputError(f"{folder / name}.lengths.npy: does not fit the passages")
    return Segment(
        record,
        table,
        array("raw", (rows, dim), np.float32),
        array("fair", (rows, dim), np.float32) if f"{name}.fair.npy" in record["files"] else None,
        graphs,
        held,
        np.asarray(drawn),
        encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        codes,
        removal,
    )
