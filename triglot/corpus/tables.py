"""Tables of any kind as rows: CSV, TSV, JSON lines, JSON, Parquet and workbooks, told apart by name and content."""

from __future__ import annotations

import csv
import io
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from triglot import parquet
from triglot.corpus import workbook
from triglot.files import LONGEST_LINE, InputError, nearest, open_bytes, parse_json, read_json, read_jsonl, read_lines

DELIMITERS = (",", ";", "\t", "|")
KINDS = {".parquet": "parquet", ".pq": "parquet", ".jsonl": "json lines", ".ndjson": "json lines", ".json": "json"}
KINDS |= {".csv": "csv", ".tsv": "tsv", ".tab": "tsv"}
KINDS |= dict.fromkeys(workbook.SUFFIXES, "workbook")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # the first bytes of what Excel calls Unicode text
_NAME = re.compile(r"[^\s\"'{}][^\"{}\t]{0,119}")
# A record, the number of its line or row, and where that is for messages.
Record = tuple[int, str, Any]


def kind_of(path: Path) -> str:
    """The kind of a table by its name: parquet, json lines, json, csv, tsv or workbook; empty for any other file."""
    return KINDS.get(suffix(path), "")


def suffix(path: Path) -> str:
    """The ending of a name, in small letters and without `.gz`."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def records(path: Path, columns: Sequence[str] | None = None) -> Iterator[Record]:
    """The records of a table, dictionaries of its columns; those without a name (a data frame's index, what stands
    behind a last delimiter) are passed over.

    Args:
        path: of the file, plain or gzip. CSV and TSV have a header, after a line `sep=;` if there is one; cells in
            quotes may have line breaks. They are UTF-8, or UTF-16 with a byte order mark.
        columns: read only these where the file keeps columns apart (Parquet); None for all.

    Raises:
        InputError: names file and line: no such file, another kind of file, no header, a row of another length than it,
            or what the kind itself asks for.
    """
    kind = kind_of(path)
    if not kind:
        _refuse(path)
    if kind == "parquet":
        return ((number, f"{path}: row {number}", row) for number, row in parquet.rows(path, columns))
    if kind == "json lines":
        return json_lines(path)
    if kind == "json":
        return json_records(path)
    if kind == "workbook":
        return _sheet(path)
    header = first_line(path)
    if not header:
        raise InputError(f"{path}: is empty; a line with the names of the columns was expected")
    names_by = {delimiter: cells_of(header, delimiter) for delimiter in (("\t",) if kind == "tsv" else DELIMITERS)}
    delimiter, names = max(names_by.items(), key=lambda item: len(item[1]))
    named = [name.strip() for name in names if name.strip()]
    if not named or not all(map(_NAME.fullmatch, named)):
        raise InputError(f"{path}:1: its first line does not name columns ({header[:60]!r})")
    return table(path, tab_separated(path, len(names)) if kind == "tsv" else quoted(path, delimiter))


def _sheet(path: Path) -> Iterator[Record]:
    """The records of a workbook."""
    found = workbook.rows(path)
    number, header = next(found, (1, []))
    names = [cell_text(cell) for cell in header]
    if not any(names):
        raise InputError(f"{path}: is empty; a row with the names of the columns was expected")
    _check_twice(names, f"{path}: row {number}")
    return (
        (row, f"{path}: row {row}", {name: cell for name, cell in zip(names, cells) if name}) for row, cells in found
    )


def _check_twice(names: Sequence[str], where: str) -> None:
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise InputError(f"{where}: two columns have the same name, {twice!r:.60}")


def _refuse(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path}: is a folder, a file was expected")
    with open_bytes(path):  # what is packed, or not there, is named so
        raise InputError(f"{path}: the name does not tell what it is ({', '.join(KINDS)})")


def cell_text(value: Any) -> str:
    """A cell as text: ids that a data frame made decimal numbers of are whole again; what is no text is none."""
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


# --- JSON


def json_lines(path: Path) -> Iterator[Record]:
    """An object a line."""
    return ((number, f"{path}:{number}", value) for number, value in read_jsonl(path))


def json_records(path: Path) -> Iterator[Record]:
    """A list of records, or JSON lines under the name of JSON."""
    with open_bytes(path) as handle:
        begins = next((byte for byte in iter(partial(handle.read, 1), b"") if byte.strip()), b"")
    if begins == b"{" and isinstance(parsed(first_line(path), path), dict):
        return json_lines(path)
    values = read_json(path)
    if not isinstance(values, list):
        raise InputError(f"{path}: a list of objects, or an object a line, was expected, not {type(values).__name__}")
    return ((number, f"{path}: item {number}", value) for number, value in enumerate(values, 1))


def parsed(line: str, path: Path) -> Any:
    """The value of a line, None where it is no JSON."""
    try:
        return parse_json(line, path, 1)
    except InputError:
        return None


# --- CSV and TSV


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, line) of a table of text in UTF-8 or UTF-16, without the line `sep=;` that Excel may begin with.

    Raises:
        InputError: as `read_lines`; what is neither is told how to be saved.
    """
    with open_bytes(path) as handle:
        wide = handle.peek(2)[:2] in _UTF16  # type: ignore[attr-defined]
    found = _wide_lines(path) if wide else read_lines(path)
    try:
        for number, line in found:
            if number > 1 or not re.fullmatch(r"sep=.", line):
                yield number, line
    except InputError as error:
        hint = "; save it as `CSV UTF-8`, or convert it by `iconv -t utf-8`" if "not UTF-8" in str(error) else ""
        raise InputError(f"{error}{hint}") from None


def _wide_lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    with open_bytes(path) as handle, io.TextIOWrapper(handle, encoding="utf-16", newline="\n") as text:
        try:
            for number, line in enumerate(iter(partial(text.readline, LONGEST_LINE), ""), 1):
                yield number, line.rstrip("\r\n")
        except (EOFError, OSError, zlib.error, UnicodeError) as error:
            raise InputError(f"{path}: broken or truncated after line {number} ({error})") from None


def first_line(path: Path) -> str:
    """The first line that is not blank."""
    return next((line for _, line in lines(path) if line.strip()), "")


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of a header; none where the line is no CSV."""
    try:
        return next(csv.reader([line[:10_000]], delimiter=delimiter), [])  # no header is longer
    except csv.Error:
        return []


def table(path: Path, rows: Iterator[tuple[int, list[str]]], wanted: Callable[[list[str]], Any] = list) -> Any:
    """Records of a table; the first of its rows, (line number, cells), is the header.

    Args:
        path: for messages.
        rows: the cells.
        wanted: is shown the header, and raises InputError where it does not fit.
    """
    number, header = next(rows)
    header = [name.strip() for name in header]
    _check_twice(header, f"{path}:{number}")
    wanted([name for name in header if name])
    return _records(path, header, rows)


def _records(path: Path, header: list[str], rows: Iterable[tuple[int, list[str]]]) -> Iterator[Record]:
    for number, cells in rows:
        where = f"{path}:{number}"
        if len(cells) != len(header):
            raise InputError(f"{where}: {len(cells)} cells, but the header has {len(header)}")
        yield number, where, {name: cell for name, cell in zip(header, cells, strict=True) if name}


def tab_separated(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of a TSV: a line is a row where all have as many tabs as the header, and quotes are text
    then; otherwise as `quoted`."""
    if all(line.count("\t") == columns - 1 for _, line in lines(path) if line.strip()):
        return (
            (number, [_unquoted(cell) for cell in line.split("\t")]) for number, line in lines(path) if line.strip()
        )
    return quoted(path, "\t")


def _unquoted(cell: str) -> str:
    match = re.fullmatch(r'"((?:[^"]|"")*)"', cell)
    return match[1].replace('""', '"') if match else cell


def quoted(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of a table whose cells may stand in quotes, over several lines; blank lines are passed over.

    Raises:
        InputError: names the line where a cell begins whose quotes never end, or go on after their end.
    """
    csv.field_size_limit(LONGEST_LINE)
    begin = 1
    reader = csv.reader((f"{line}\n" for _, line in lines(path)), delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{path}:{begin}: a row that is no CSV ({error}); quotes within a cell in quotes are written twice"
            ) from None
        if cells is None:
            return
        if cells and (len(cells) > 1 or cells[0].strip()):
            yield begin, cells
        begin = reader.line_num + 1


# --- columns


def columns_of(path: Path, sample: int = 1000) -> dict[str, list[Any]]:
    """The columns of a table, those of all records, with their values in the first ones.

    Raises:
        InputError: as `records`; a record that is no object; or no record at all.
    """
    columns: dict[str, list[Any]] = {}
    own_columns = kind_of(path) in ("json", "json lines")  # a record may have some that none before it has
    for number, where, record in records(path):
        if not isinstance(record, dict):
            raise InputError(f"{where}: an object was expected")
        for name, value in record.items():
            if name not in columns or number <= sample:
                columns.setdefault(name, []).append(value)
        if number >= sample and not own_columns:
            break
    if not columns:
        raise InputError(f"{path}: has no rows")
    return columns


def check_columns(where: object, wanted: Iterable[str], known: Iterable[str]) -> None:
    """Raises InputError, with the nearest one that there is, for a column that a table does not have."""
    known = list(known)
    for name in wanted:
        if name not in known:
            raise InputError(f"{where}: has no column {name!r}{nearest(name, known)}")
