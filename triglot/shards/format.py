"""A shard: a Parquet file of passages with their vectors, as any reader of Parquet takes it.

Columns: `id`, `text`, `lang`, `lang_confidence` (of a language that was told by the text, none for one that was given),
`group` (translations share it; none for none), whatever stands beside passages under its own name, and `embedding`, a
list of float32, float16 or int8. A vector of int8 is `embedding * embedding_scale`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from triglot.files import InputError, atomic_write

SCALE, VECTOR = "embedding_scale", "embedding"
OWN = ("id", "text", "lang", "lang_confidence", "group", SCALE, VECTOR)
TYPES = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
NUMBERS = {"fp32": pa.float32(), "fp16": pa.float16(), "int8": pa.int8()}
_GROUP_ROWS = 4096


def schema(fields: Mapping[str, str], dtype: str, dim: int) -> pa.Schema:
    """The columns of a shard.

    Args:
        fields: name -> type of what stands beside passages.
        dtype: of the numbers of a vector.
        dim: of vectors.
    """
    own = [("id", pa.string()), ("text", pa.string()), ("lang", pa.string()), ("lang_confidence", pa.float32())]
    own.append(("group", pa.string()))
    scale = [(SCALE, pa.float32())] if dtype == "int8" else []
    vector = (VECTOR, pa.list_(NUMBERS[dtype], dim))
    return pa.schema([*own, *((name, TYPES[kind]) for name, kind in fields.items()), *scale, vector])


def rounded(vectors: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Vectors in another type.

    Args:
        vectors: (rows, dim) float32.
        dtype: `fp32`, `fp16` or `int8`.

    Returns:
        (rows, dim) numbers, and (rows,) float32 what those of int8 are multiplied by.
    """
    if dtype == "fp32":
        return vectors, None
    if dtype == "fp16":
        with np.errstate(over="ignore"):
            made = vectors.astype(np.float16)
        if not np.isfinite(made).all():
            raise InputError("dtype: fp16: a vector has numbers beyond 65,504; take fp32")
        return made, None
    scale = np.abs(vectors).max(axis=1, initial=0).astype(np.float32) / np.float32(127)
    return np.rint(vectors / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8), scale


def write(
    path: Path,
    columns: Sequence[Sequence[Any]],
    vectors: np.ndarray,
    *,
    fields: Mapping[str, str],
    dtype: str,
    about: Mapping[str, Any],
) -> None:
    """Write a shard, whole or not at all; its bytes depend on nothing but what is given, and pyarrow's version.

    Args:
        path: the file.
        columns: ids, texts, langs, confidences, groups, and those of `fields`.
        vectors: (rows, dim) float32.
        fields: name -> type.
        dtype: of the numbers of a vector.
        about: put into the file's metadata.
    """
    import pyarrow.parquet as pq

    shape = schema(fields, dtype, vectors.shape[1])
    numbers, scale = rounded(vectors, dtype)
    arrays = [pa.array(values, kind.type) for values, kind in zip(columns, shape, strict=False)]
    arrays += [] if scale is None else [pa.array(scale)]
    flat = pa.array(np.ascontiguousarray(numbers).reshape(-1), NUMBERS[dtype])
    arrays.append(pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]))
    table = pa.table(arrays, schema=shape.with_metadata({"triglot": json.dumps(dict(about), sort_keys=True)}))
    plain = f"{VECTOR}.list.element"
    # Numbers of vectors do not compress, and no two of them are equal.
    how: dict[str, Any] = {"compression": {name: "zstd" for name in shape.names if name != VECTOR} | {plain: "none"}}
    # Parquet stores int8 in four bytes; places in a dictionary of 255 numbers take one.
    how |= {"use_dictionary": ["lang", "group", *([plain] if dtype == "int8" else [])], "write_page_checksum": True}
    with atomic_write(path, "wb") as handle:
        pq.write_table(table, handle, row_group_size=_GROUP_ROWS, **how)


def vectors_of(batch: pa.RecordBatch, where: object) -> np.ndarray:
    """(rows, dim) float32 vectors of rows of a shard. Raises InputError where they are none."""
    column = batch.column(VECTOR)
    kind = column.type
    if not isinstance(column, pa.FixedSizeListArray) or kind.value_type not in NUMBERS.values() or column.null_count:
        raise InputError(f"{where}: the column {VECTOR!r} is {kind}, not vectors of float32, float16 or int8")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    vectors = np.asarray(flat, np.float32).reshape(-1, kind.list_size)
    if SCALE in batch.schema.names:
        scale = np.asarray(batch.column(SCALE).to_numpy(zero_copy_only=False), np.float32)
        vectors = vectors * scale[:, None]
    if not np.isfinite(vectors).all():
        raise InputError(f"{where}: a vector holds NaN or infinity")
    return vectors
