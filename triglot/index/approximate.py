"""Approximate search by FAISS: built, measured against exact search, written, and read back with suspicion.

A FAISS file is data of somebody else's until shown otherwise. Its reader is given limits, the index must be of the kind
and size that was expected, and no link of a graph may lead out of it: FAISS follows links without looking.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from triglot import seeds
from triglot.files import InputError
from triglot.index.settings import IndexSettings
from triglot.topk import top_k

log = logging.getLogger("triglot")
EXACT_BELOW, HNSW_BELOW = 100_000, 2_000_000  # passages
_LEAST = 256  # passages; fewer are compared one by one whatever was asked for
_TRIED, _AT = 200, 10
WIDTHS = (64, 128, 256, 512, 1024)
_TRAINED = 200_000
_SLACK = 1 << 20  # bytes beyond what is expected


def chosen(kind: str, rows: int) -> str:
    """The kind for so many passages."""
    if kind != "auto":
        return kind if rows >= _LEAST else "exact"
    if rows <= EXACT_BELOW:
        return "exact"
    return "hnsw" if rows <= HNSW_BELOW else "ivf"


def _faiss() -> Any:
    """The module, which takes a tenth of a second to import; half of its names are made when it is loaded, so that no
    type checker sees them."""
    import faiss

    return faiss


class Approximate:
    """An index of FAISS over the vectors of one view.

    Attributes:
        kind: `hnsw` or `ivf`.
        width: passages looked at (HNSW's efSearch) or lists (IVF's nprobe).
        recall: of the exact first ten, at this width, when it was built.
    """

    def __init__(self, index: Any, kind: str, width: int, recall: float):
        self._index, self.kind, self.width, self.recall = index, kind, width, recall

    def search(self, queries: np.ndarray, k: int, allowed: np.ndarray | None) -> np.ndarray:
        """(queries, k) int64 rows, -1 for none: candidates, in the order of FAISS' 8-bit scores.

        Args:
            queries: (queries, dim) float32.
            k: candidates of each.
            allowed: (rows,) bool, None for all; looked at inside the search.
        """
        faiss = _faiss()
        selector = None
        if allowed is not None:
            selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        if self.kind == "hnsw":
            how = faiss.SearchParametersHNSW(efSearch=max(self.width, k), sel=selector)
        else:
            how = faiss.SearchParametersIVF(nprobe=self.width, sel=selector)
        return self._index.search(np.ascontiguousarray(queries, np.float32), k, params=how)[1]

    def save(self, path: Path) -> None:
        """Write it. Raises InputError where it cannot be written."""
        try:
            _faiss().write_index(self._index, str(path))
        except RuntimeError as error:
            raise InputError(f"{path}: cannot be written ({str(error).splitlines()[0][-160:]})") from None


def build(vectors: np.ndarray, kind: str, settings: IndexSettings, *, what: str = "") -> Approximate:
    """Build, and widen the search until it finds what exact search does.

    Args:
        vectors: (rows, dim) float32.
        kind: `hnsw` or `ivf`.
        settings: links, effort, and the recall that is wanted.
        what: named in the log.

    Returns:
        the index; a recall below the one wanted is warned about.
    """
    faiss = _faiss()
    rows, dim = vectors.shape
    if kind == "hnsw":
        index = faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_8bit, settings.links, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = settings.effort
    else:
        lists = max(1, min(int(4 * rows**0.5), rows // 39 or 1))
        coarse = faiss.IndexFlatIP(dim)
        index = faiss.IndexIVFScalarQuantizer(
            coarse, dim, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.seed = 1
    some = seeds.shuffled(rows, 1, "index training")[:_TRAINED]
    index.train(np.ascontiguousarray(vectors[np.sort(some)], np.float32))
    for start in range(0, rows, 65536):
        index.add(np.ascontiguousarray(vectors[start : start + 65536], np.float32))
    return _widened(Approximate(index, kind, 0, 0.0), vectors, settings.recall, what)


def _widened(index: Approximate, vectors: np.ndarray, wanted: float, what: str) -> Approximate:
    """Measured on passages that ask for their neighbours, themselves left out."""
    asked = np.sort(seeds.shuffled(len(vectors), 1, "index recall")[:_TRIED])
    queries = np.ascontiguousarray(vectors[asked], np.float32)
    k = min(_AT + 1, len(vectors))
    exact = top_k(queries, vectors, k)[1]
    for width in WIDTHS if index.kind == "hnsw" else (8, *WIDTHS):
        index.width = width
        found = index.search(queries, min(4 * k, len(vectors)), None)
        index.recall = _recall(exact, rescored(queries, found, vectors, k), asked)
        if index.recall >= wanted:
            break
    say = log.info if index.recall >= wanted else log.warning
    say(
        "index%s: %s of %d passages finds %.3f of the exact first ten (looking at %d%s)",
        f" {what}" if what else "",
        index.kind,
        len(vectors),
        index.recall,
        index.width,
        "" if index.recall >= wanted else f"; {wanted:g} was wanted",
    )
    return index


def _recall(exact: np.ndarray, found: np.ndarray, own: np.ndarray) -> float:
    hits = wanted = 0
    for best, seen, itself in zip(exact, found, own, strict=True):
        others = set(best[best != itself][:_AT].tolist())
        hits += len(others & set(seen.tolist()))
        wanted += len(others)
    return hits / wanted if wanted else 1.0


def rescored(queries: np.ndarray, found: np.ndarray, vectors: np.ndarray, k: int) -> np.ndarray:
    """(queries, k) the best of some candidates by the vectors as they are."""
    scores = np.einsum("qd,qcd->qc", queries, vectors[np.maximum(found, 0)].astype(np.float32))
    scores[found < 0] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found, order, 1)


def read(path: Path, kind: str, rows: int, dim: int, width: int, recall: float) -> Approximate:
    """Read an index, memory-mapped where its kind allows.

    Args:
        path: of the file; its checksum is looked at elsewhere.
        kind: `hnsw` or `ivf`.
        rows: that it must have.
        dim: that it must have.
        width: see `Approximate`.
        recall: see `Approximate`.

    Raises:
        InputError: the file is no index of FAISS, one of another kind or size, or has links that lead out of it.
    """
    faiss = _faiss()
    if kind not in ("hnsw", "ivf"):
        raise InputError(f"{path}: {kind!r:.40} is no kind of index")
    size = path.stat().st_size
    before = faiss.get_deserialization_vector_byte_limit(), faiss.get_deserialization_loop_limit()
    try:
        # No array in a file is larger than the file, and no list has more members.
        faiss.set_deserialization_vector_byte_limit(size + _SLACK)
        faiss.set_deserialization_loop_limit(size + _SLACK)
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if kind == "hnsw" else faiss.IO_FLAG_MMAP)
    except (RuntimeError, MemoryError) as error:
        raise InputError(f"{path}: cannot be read by FAISS ({str(error).splitlines()[0][-160:]})") from None
    finally:
        faiss.set_deserialization_vector_byte_limit(before[0])
        faiss.set_deserialization_loop_limit(before[1])
    wanted = {"hnsw": faiss.IndexHNSWSQ, "ivf": faiss.IndexIVFScalarQuantizer}[kind]
    if type(index) is not wanted:
        raise InputError(f"{path}: holds a {type(index).__name__}, a {wanted.__name__} was expected")
    if (index.ntotal, index.d) != (rows, dim) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise InputError(f"{path}: holds {index.ntotal} x {index.d}, not the {rows} x {dim} of this index")
    (_check_graph if kind == "hnsw" else _check_lists)(index, path)
    return Approximate(index, kind, int(width), float(recall))


def _check_graph(index: Any, path: Path) -> None:
    """Raises InputError for a graph whose links or levels lead out of it."""
    faiss = _faiss()
    graph, rows = index.hnsw, index.ntotal
    storage = faiss.downcast_index(index.storage)
    links, offsets, levels = (
        faiss.vector_to_array(getattr(graph, name)) for name in ("neighbors", "offsets", "levels")
    )
    per_level = faiss.vector_to_array(graph.cum_nneighbor_per_level)
    sound = (
        isinstance(storage, faiss.IndexScalarQuantizer)
        and (storage.ntotal, storage.d) == (rows, index.d)
        and storage.codes.size() == rows * storage.code_size
        and len(levels) == rows
        and len(offsets) == rows + 1
        and 0 <= graph.entry_point < rows
        and (levels >= 1).all()
        and (levels < len(per_level)).all()
        and graph.max_level + 1 == levels[graph.entry_point] == levels.max()
        and (np.diff(per_level) >= 0).all()
        and offsets[0] == 0
        and (np.diff(offsets.astype(np.int64)) == per_level[levels]).all()
        and offsets[-1] == len(links)
        and (not len(links) or (links.min() >= -1 and links.max() < rows))
    )
    if not sound:
        raise InputError(f"{path}: a graph whose links do not fit its passages; build the index anew")


def _check_lists(index: Any, path: Path) -> None:
    """Raises InputError for lists that do not hold each passage once."""
    faiss = _faiss()
    coarse = faiss.downcast_index(index.quantizer)
    if type(coarse) is not faiss.IndexFlatIP or (coarse.ntotal, coarse.d) != (index.nlist, index.d):
        raise InputError(f"{path}: its lists have no centres of their own; build the index anew")
    lists, seen = index.invlists, np.zeros(index.ntotal, bool)
    for number in range(index.nlist):
        size = lists.list_size(number)
        if size:
            held = faiss.rev_swig_ptr(lists.get_ids(number), size)
            if size > index.ntotal or held.min() < 0 or held.max() >= index.ntotal:
                raise InputError(f"{path}: a list that leads out of the index; build it anew")
            seen[held] = True
    if not seen.all():
        raise InputError(f"{path}: {int((~seen).sum())} passages are in no list; build the index anew")
