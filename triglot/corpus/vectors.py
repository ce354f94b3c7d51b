"""Embeddings made elsewhere: `.npy` with an ids file beside it, or Parquet, for queries and for passages.

`X.npy` is an array (rows, dim) of float16, float32 or float64; `X.ids.txt` beside it has the id of row i in line i. `X.parquet` has the
columns `id` (string) and `embedding` (list of floats). A pair is a folder with `queries.*` and `passages.*`, or two paths with a comma
between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from triglot.files import InputError, nearest, read_lines

SUFFIXES = (".npy", ".parquet")
SIDES = ("queries", "passages")


def is_pair(model: str) -> bool:
    """Whether this names two files of embeddings, `Q.npy,P.npy`."""
    first, comma, second = model.partition(",")
    return bool(comma) and first.endswith(SUFFIXES) and second.endswith(SUFFIXES)


def holds_pair(folder: Path) -> bool:
    """Whether a folder has embeddings of queries."""
    return any((folder / f"queries{suffix}").is_file() for suffix in SUFFIXES)


def find_pair(model: str, *parts: str) -> tuple[Path, Path]:
    """The files of queries and passages. In a folder they may lie in sub-folders named `parts`, each left out where it is not there.

    Raises:
        InputError: a file is missing.
    """
    if is_pair(model):
        first, second = map(Path, model.split(",", 1))
        return first, second
    folder = Path(model)
    for part in parts:
        folder = folder / part if part and (folder / part).is_dir() else folder
    found = []
    for side in SIDES:
        files = [folder / f"{side}{suffix}" for suffix in SUFFIXES if (folder / f"{side}{suffix}").is_file()]
        if len(files) != 1:
            known = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
            raise InputError(
                f"{folder}: {'two files' if files else 'no file'} of {side} embeddings ({side}.npy with {side}.ids.txt, or {side}.parquet)"
                f"{nearest(side, known) if known and not files else ''}"
            )
        found.append(files[0])
    return found[0], found[1]


def ids_file(path: Path) -> Path:
    """The file with the ids of a `.npy`."""
    return path.with_suffix(".ids.txt")


def _array(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not a .npy array of numbers ({error})") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
        what = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise InputError(f"{path}: {what}; floats of shape (rows, dim) were expected")
    return array


def blocks(path: Path, *, size: int = 16_384) -> Iterator[tuple[list[str] | None, np.ndarray]]:
    """Ids and embeddings (rows, dim) float32 in blocks; ids are None where a `.npy` has no ids file.

    Raises:
        InputError: not such a file, an empty one, ids and rows that differ in number, or rows that differ in length.
    """
    yield from _parquet_blocks(path, size) if path.suffix == ".parquet" else _npy_blocks(path, size)


def _npy_blocks(path: Path, size: int) -> Iterator[tuple[list[str] | None, np.ndarray]]:
    array = _array(path)
    if not len(array):
        raise InputError(f"{path}: no embedding in it")
    if not ids_file(path).is_file():
        for begin in range(0, len(array), size):
            yield None, np.asarray(array[begin : begin + size], np.float32)
        return
    lines = read_lines(ids_file(path))
    for begin in range(0, len(array), size):
        ids = [line.strip() for _, (_, line) in zip(range(min(size, len(array) - begin)), lines, strict=False)]
        if begin + len(ids) < min(begin + size, len(array)):
            raise InputError(f"{ids_file(path)}: {begin + len(ids)} ids, but {path.name} has {len(array)} rows")
        yield ids, np.asarray(array[begin : begin + size], np.float32)
    if (rest := sum(1 for _, line in lines if line.strip())) > 0:
        raise InputError(f"{ids_file(path)}: {len(array) + rest} ids, but {path.name} has {len(array)} rows")


def _parquet_blocks(path: Path, size: int) -> Iterator[tuple[list[str] | None, np.ndarray]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a Parquet file ({error})") from None
    for column in ("id", "embedding"):
        if column not in file.schema_arrow.names:
            raise InputError(f"{path}: no column {column!r}{nearest(column, file.schema_arrow.names)}")
    dim, row = 0, 0
    for batch in file.iter_batches(size, columns=["id", "embedding"]):
        column = batch.column(batch.schema.names.index("embedding"))
        if not isinstance(column, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
            raise InputError(f"{path}: the column 'embedding' is {column.type}, not a list of floats")
        if column.null_count or batch.column(batch.schema.names.index("id")).null_count:
            raise InputError(f"{path}: a row after {row} has no id or no embedding")
        flat = column.flatten().to_numpy(zero_copy_only=False)
        dim = dim or len(flat) // max(len(column), 1)
        lengths = np.asarray(column.value_lengths().to_numpy(zero_copy_only=False))
        if not dim or (lengths != dim).any():
            raise InputError(f"{path}: embeddings have {int(lengths.min())} to {int(lengths.max())} dimensions")
        yield [str(one) for one in batch.column(batch.schema.names.index("id")).to_pylist()], flat.astype(np.float32).reshape(-1, dim)
        row += len(column)
    if not row:
        raise InputError(f"{path}: no embedding in it")


def read(path: Path, wanted: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Embeddings in the order of ids, (wanted, dim) float32, and notes on what was not used.

    Raises:
        InputError: as `blocks`; an id twice; an id that has no embedding; or, without ids, another number of rows.
    """
    parts = list(blocks(path))
    dims = {part.shape[1] for _, part in parts}
    if len(dims) > 1:
        raise InputError(f"{path}: embeddings have {min(dims)} to {max(dims)} dimensions")
    vectors = np.concatenate([part for _, part in parts])
    if parts[0][0] is None:
        if len(vectors) != len(wanted):
            raise InputError(f"{path}: {len(vectors)} rows, but {len(wanted)} texts; write the id of each row into {ids_file(path).name}")
        return vectors, [f"{path.name} has no ids: its rows were taken in the order of the benchmark"]
    place: dict[str, int] = {}
    for row, identifier in enumerate(identifier for ids, _ in parts for identifier in ids or ()):
        if place.setdefault(identifier, row) != row:
            raise InputError(f"{path}: the id {identifier!r} stands in rows {place[identifier] + 1} and {row + 1}")
    missing = [identifier for identifier in wanted if identifier not in place]
    if missing:
        first = f"the first is {missing[0]!r}; the file begins with {next(iter(place))!r}"
        raise InputError(f"{path}: no embedding for {len(missing)} of {len(wanted)} ids, {first}")
    unused = len(place) - len(set(wanted))
    return vectors[[place[identifier] for identifier in wanted]], [
        f"{path.name}: {unused} embeddings of other ids are not used"
    ] if unused else []
