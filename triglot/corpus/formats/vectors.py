"""Embeddings made elsewhere: `.npy` with an ids file beside it, or Parquet, for queries and for passages.

`X.npy` is an array (rows, dim) of float16, float32 or float64; `X.ids.txt` beside it has the id of row i in line i (as
a string of JSON where a plain line cannot hold it). `X.parquet` has the columns `id` (string or integer) and
`embedding` (list of numbers). A pair is a folder with `queries.*` and `passages.*`, or two paths with a comma between
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from triglot import parquet
from triglot.files import InputError, nearest, read_lines, write_text

if TYPE_CHECKING:
    import pyarrow as pa

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
    """The files of queries and passages.

    In a folder they may lie in sub-folders named `parts`, each left out where it is not there.

    Raises:
        InputError: a file is missing.
    """
    if is_pair(model):
        first, second = map(Path, model.split(",", 1))
        return first, second
    folder = Path(model)
    for part in parts:
        folder = folder / part if part and (folder / part).is_dir() else folder
    pair = []
    for side in SIDES:
        files = [folder / f"{side}{suffix}" for suffix in SUFFIXES if (folder / f"{side}{suffix}").is_file()]
        if len(files) != 1:
            known = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
            raise InputError(
                f"{folder}: {'two files' if files else 'no file'} of {side} embeddings ({side}.npy with "
                f"{side}.ids.txt, or {side}.parquet)"
                f"{nearest(side, known) if known and not files else ''}"
            )
        pair.append(files[0])
    return pair[0], pair[1]


def ids_file(path: Path) -> Path:
    """The file with the ids of a `.npy`."""
    return path.with_suffix(".ids.txt")


def write_ids(path: Path, ids: Sequence[str]) -> None:
    """Write the ids of `path` (a `.npy`) beside it, so that `blocks` reads the very same ones."""
    write_text(ids_file(path), "".join(f"{_line_of(identifier)}\n" for identifier in ids))


def _line_of(identifier: str) -> str:
    """An id as one line: itself, or a string of JSON where a reader of lines would break, strip or mistake it."""
    plain = (
        identifier == identifier.strip().strip("\ufeff")
        and len(identifier.splitlines()) == 1
        and not identifier.startswith('"')
    )
    return identifier if plain else json.dumps(identifier)


def _id_of(line: str) -> str:
    text = line.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _array(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # a damaged header comes as an error of any kind
        raise InputError(f"{path}: not a .npy array of numbers ({error})") from None
    if array.ndim != 2 or array.dtype.kind != "f":
        raise InputError(f"{path}: {array.dtype} of shape {array.shape}; floats of shape (rows, dim) were expected")
    if not array.shape[1]:
        raise InputError(f"{path}: embeddings of 0 dimensions")
    return array


def _single(array: np.ndarray) -> np.ndarray:
    """As fp32; what is too large for it becomes infinite, which whoever scores refuses."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(array, np.float32)


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
            yield None, _single(array[begin : begin + size])
        return
    lines = read_lines(ids_file(path))
    for begin in range(0, len(array), size):
        ids = [_id_of(line) for _, (_, line) in zip(range(min(size, len(array) - begin)), lines, strict=False)]
        if begin + len(ids) < min(begin + size, len(array)):
            raise InputError(f"{ids_file(path)}: {begin + len(ids)} ids, but {path.name} has {len(array)} rows")
        yield ids, _single(array[begin : begin + size])
    if (rest := sum(1 for _, line in lines if line.strip())) > 0:
        raise InputError(f"{ids_file(path)}: {len(array) + rest} ids, but {path.name} has {len(array)} rows")


def _parquet_blocks(path: Path, size: int) -> Iterator[tuple[list[str] | None, np.ndarray]]:
    import pyarrow as pa

    dim, row = 0, 0
    for batch in parquet.batches(path, ("id", "embedding"), needed=("id", "embedding"), size=size):
        ids, column = batch.column("id"), batch.column("embedding")
        if not isinstance(column, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray) or not _is_number(
            column.type.value_type
        ):
            raise InputError(f"{path}: the column 'embedding' is {column.type}, not a list of numbers")
        if not (pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type) or pa.types.is_integer(ids.type)):
            raise InputError(f"{path}: the column 'id' is {ids.type}, not a string")
        if column.null_count or ids.null_count:
            raise InputError(f"{path}: a row after {row} has no id or no embedding")
        if not len(column):
            continue
        flat = column.flatten().to_numpy(zero_copy_only=False)
        dim = dim or len(flat) // len(column)
        lengths = np.asarray(column.value_lengths().to_numpy(zero_copy_only=False))
        if not dim or (lengths != dim).any():
            raise InputError(f"{path}: embeddings have {int(lengths.min())} to {int(lengths.max())} dimensions")
        yield [str(one) for one in ids.to_pylist()], _single(flat).reshape(-1, dim)
        row += len(column)
    if not row:
        raise InputError(f"{path}: no embedding in it")


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


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
            raise InputError(
                f"{path}: {len(vectors)} rows, but {len(wanted)} texts; write the id of each row into "
                f"{ids_file(path).name}"
            )
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
