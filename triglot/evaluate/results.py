"""Results on disk: results.json with macro averages, and per benchmark a JSON per language and a Parquet file per
query.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from triglot.files import InputError, atomic_write, nearest, read_json, write_json
from triglot.measures import FORMER, current, reported
from triglot.measures.result import Result
from triglot.names import check_name
from triglot.parquet import column_names, read_table
from triglot.shapes import shaped

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 1
_PACKAGES = ("triglot", "numpy", "torch", "transformers", "sentence-transformers", "tokenizers", "bm25s")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can move a figure, without importing them."""
    of_package = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            of_package[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return of_package


def write_results(folder: str | Path, evaluations: Mapping[str, Result], *, model: str) -> Path:
    """Write results.json, NAME.languages.json, NAME.questions.json and NAME.queries.parquet into a folder (made if
    absent), each file whole or absent.

    A classification has NAME.items.parquet in place of NAME.queries.parquet, and its head in the folder NAME.head.
    results.json is written last, so where it exists the others do.

    Args:
        folder: where to write.
        evaluations: by the name that each benchmark has in the files.
        model: what was evaluated, for the tables.

    Returns:
        The path of results.json.

    Raises:
        InputError: a name that cannot be a file name, or a folder that cannot be written.
    """
    folder = Path(folder)
    for name in evaluations:
        check_name("benchmark", name)
    for name, evaluation in evaluations.items():
        _write_rows(folder / f"{name}.{evaluation.unit}.parquet", evaluation.table)
        for part, content in evaluation.parts.items():
            content.save(folder / f"{name}.{part}")
        write_json(folder / f"{name}.languages.json", evaluation.by_language)
        if evaluation.asked and "+" not in name:  # attacked forms are told by their clean form
            write_json(folder / f"{name}.questions.json", dict(evaluation.asked))
    benchmarks = {name: evaluation.summary for name, evaluation in evaluations.items()}
    write_json(
        folder / "results.json", {"schema": SCHEMA, "model": model, "benchmarks": benchmarks, "versions": versions()}
    )
    return folder / "results.json"


def _write_rows(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays, biased = {}, {one.name for one in reported("bias")}
    for name, column in columns.items():
        if column.dtype == object:
            arrays[name] = (
                pa.array(column, pa.string()).dictionary_encode()
                if name not in ("query_id", "item_id")
                else pa.array(column, pa.string())
            )
        else:
            arrays[name] = pa.array(column, from_pandas=name in biased)
    with atomic_write(path, "wb") as handle:
        pq.write_table(pa.table(arrays), handle, compression="zstd", write_page_checksum=True)


def read_results(folder: str | Path) -> dict[str, Any]:
    """The content of results.json in a folder (or of the file itself).

    Raises:
        InputError: not there, not JSON, or of another schema.
    """
    path = Path(folder)
    path = path / "results.json" if path.is_dir() else path
    value = read_json(path)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA or not isinstance(value.get("benchmarks"), dict):
        raise InputError(f"{path}: not a results file of schema {SCHEMA}")
    return value


def read_questions(folder: str | Path, name: str) -> dict[str, str]:
    """Id -> text of the questions of one benchmark; empty where an earlier version has written the results."""
    path = Path(folder) / f"{name}.questions.json"
    return shaped(read_json(path), dict[str, str], str(path)) if path.is_file() else {}


def read_languages(folder: str | Path, name: str) -> dict[str, Any]:
    """The figures per language of one benchmark."""
    return read_json(_beside(folder, name, "languages.json"))


def read_queries(folder: str | Path, name: str, columns: list[str] | None = None) -> dict[str, np.ndarray]:
    """The per-query table of one benchmark as NumPy columns; figures that do not apply are NaN."""
    return _read_rows(_beside(folder, name, "queries.parquet"), columns)


def read_items(folder: str | Path, name: str, columns: list[str] | None = None) -> dict[str, np.ndarray]:
    """The predictions of one classification benchmark as NumPy columns."""
    return _read_rows(_beside(folder, name, "items.parquet"), columns)


def _read_rows(path: Path, columns: list[str] | None) -> dict[str, np.ndarray]:
    table = read_figures(path, columns, what=" of results")
    return {column: table[column].to_numpy(zero_copy_only=False) for column in table.column_names}


def read_figures(path: Path, columns: Sequence[str] | None = None, *, what: str = "") -> pa.Table:
    """The per-query or per-item file of a run; columns of earlier versions get the names that their measures have now.

    Args:
        path: of the file.
        columns: read only these; None for all.
        what: ` of results` or the like, for messages.

    Raises:
        InputError: no such file, no Parquet, damaged, or without one of the columns.
    """
    if columns is None:
        table = read_table(path, what=what)
        return table.rename_columns([current(name) for name in table.column_names])
    once = {now: before for before, now in FORMER.items()}
    former = [f"{once[base]}{at}{cut}" for base, at, cut in (name.partition("@") for name in columns) if base in once]
    table = read_table(path, [*columns, *former], what=what)
    table = table.rename_columns([current(name) for name in table.column_names])
    for name in columns:
        if name not in table.column_names:
            known = read_figures(path, what=what).column_names
            raise InputError(f"{path}: no column {name!r}{nearest(name, known)}")
    return table.select(list(columns))


def figure_names(path: Path, *, what: str = "") -> list[str]:
    """The columns of a per-query or per-item file by their names of now; its rows are not read.

    Raises:
        InputError: no such file, no Parquet, or damaged.
    """
    return [current(name) for name in column_names(path, what=what)]


def _beside(folder: str | Path, name: str, suffix: str) -> Path:
    path = Path(folder) / f"{name}.{suffix}"
    if not path.exists():
        known = [p.name.removesuffix(f".{suffix}") for p in Path(folder).glob(f"*.{suffix}")]
        raise InputError(f"{folder}: no results of {name!r}{nearest(name, known)}")
    return path
