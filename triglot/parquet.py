"""The one door to Parquet files: whatever is wrong with one is an `InputError` that names it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triglot.files import InputError, beside, nearest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS_A_BYTE = 1000  # more than any table of different rows can have; a damaged header claims billions


@contextmanager
def _blame(path: Path, what: str) -> Iterator[None]:
    """Turn what pyarrow raises about a file into an InputError: damaged bytes come as errors of a dozen kinds."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        why = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"{path}: not a Parquet file{what}, or a damaged one ({why})") from None


def _checked(path: Path, file: pq.ParquetFile) -> int:
    """The number of rows that a file claims.

    Raises InputError where that contradicts itself or the size of the file.
    """
    about = file.metadata
    groups = [about.row_group(number).num_rows for number in range(about.num_row_groups)]
    if min(groups, default=0) < 0 or sum(groups) != about.num_rows:
        raise InputError(
            f"{path}: a damaged Parquet file (its parts have {sum(groups)} rows, its footer says {about.num_rows})"
        )
    if about.num_rows > _ROWS_A_BYTE * (size := path.stat().st_size):
        raise InputError(
            f"{path}: a damaged Parquet file (its footer says {about.num_rows} rows, and it has {size} bytes)"
        )
    return about.num_rows


def batches(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    *,
    needed: Sequence[str] = (),
    size: int = 16_384,
    what: str = "",
) -> Iterator[pa.RecordBatch]:
    """The rows of a file in batches that were checked: texts are UTF-8, offsets and dictionaries fit, pages fit their
    checksums.

    Args:
        path: of the file.
        columns: read only those of these that the file has; None for all.
        needed: columns that it must have.
        size: rows a batch.
        what: ` of results` or the like, for the message.

    Raises:
        InputError: no such file, no Parquet, damaged, or without a column that is needed (with the nearest one that is
            there).
    """
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}{beside(path)}")
    with _blame(path, what):
        file = pq.ParquetFile(path, page_checksum_verification=True)
        claimed, known = _checked(path, file), file.schema_arrow.names
        parts = file.iter_batches(
            size, columns=None if columns is None else [name for name in columns if name in known]
        )
    for name in needed:
        if name not in known:
            raise InputError(f"{path}: no column {name!r}{nearest(name, known)}")
    rows = 0
    while True:
        with _blame(path, what):
            batch = next(parts, None)
            if batch is not None:
                batch.validate(full=True)
        if batch is None:
            break
        rows += len(batch)
        yield batch
    if rows != claimed:
        raise InputError(f"{path}: a damaged Parquet file ({rows} rows can be read, its footer says {claimed})")


def column_names(path: str | os.PathLike[str], *, what: str = "") -> list[str]:
    """Names of the columns, from the footer alone. Raises InputError where that cannot be read."""
    import pyarrow.parquet as pq

    with _blame(Path(path), what):
        return list(pq.read_schema(path).names)


def rows(
    path: str | os.PathLike[str], columns: Sequence[str] | None = None, **options: Any
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row number from 1, values) of those columns that the file has; options and errors as for `batches`."""
    number = 0
    for batch in batches(path, columns, **options):
        with _blame(Path(path), ""):  # a time or a decimal that Python has no value for
            values = batch.to_pylist()
        for row in values:
            number += 1
            yield number, row


def read_table(path: str | os.PathLike[str], columns: Sequence[str] | None = None, **options: Any) -> pa.Table:
    """The whole file; options and errors as for `batches`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = list(batches(path, columns, **options))
    with _blame(Path(path), ""):
        schema = parts[0].schema if parts else pq.ParquetFile(path).schema_arrow
        table = pa.Table.from_batches(parts, schema).unify_dictionaries()
        return table if columns is None or parts else table.select([name for name in columns if name in schema.names])
