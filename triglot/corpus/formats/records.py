"""Passages with all that stands beside them in their file: groups of translations, and metadata to filter by."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triglot.corpus import tables
from triglot.corpus.formats.passages import Row, by_columns, has_header, ids_of, roles_in, row_of, rows_of, say_html
from triglot.files import InputError

log = logging.getLogger(__name__)
_GROUP = ("group", "group_id", "translation_key", "translation_group")
_WHOLE, _PART = r"-?(?:0|[1-9][0-9]{0,17})", r"-?[0-9]{1,15}\.[0-9]{1,15}"
# What the values of a column look like -> the type that they have together; the first row that has them all counts.
_TYPES = (
    ({"bool"}, "bool"),
    ({"int", "whole"}, "int"),
    ({"int", "float", "part"}, "float"),
    ({"string", "whole", "part"}, "string"),
)


@dataclass(frozen=True)
class Records:
    """Passages of a file.

    Attributes:
        ids: as `passages.read_passages`.
        texts: as `passages.read_passages`.
        langs: "" where the file gives none.
        groups: passages with the same group are translations of one another; "" where the file gives none.
        fields: every other column of text, numbers, or true and false -> its values, None for none.
    """

    ids: list[str]
    texts: list[str]
    langs: list[str]
    groups: list[str]
    fields: dict[str, list[Any]]


@dataclass(frozen=True)
class Record:
    """A passage as it comes.

    Attributes:
        row: its text, and where that stands.
        group: as in `Records`.
        beside: what else its record has; a cell of CSV or TSV is a `Cell`.
    """

    row: Row
    group: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict)


class Cell(str):
    """What stands in a table of text, where a number looks like one and is none."""


def stream(path: str | Path, columns: tuple[str, ...] = ()) -> Iterator[Record]:
    """The passages of a file one after the other, read as `passages.read_passages` does, with a `group` (or
    `translation_key`) and whatever else a record has.

    Args:
        path: of the file.
        columns: of a table by their roles, as in `passages.read_collection`.

    Raises:
        InputError: as `passages.read_passages`; ids are not compared here.
    """
    path, with_html = Path(path), 0
    for record in _records(path, columns):
        if not record.row.text.strip():
            raise InputError(f"{record.row.where}: an empty text")
        with_html += record.row.was_html
        yield record
    say_html(path, with_html)


def _records(path: Path, columns: tuple[str, ...]) -> Iterator[Record]:
    kind = tables.kind_of(path)
    cells = kind in ("csv", "tsv")
    if columns:
        for row, group, beside in by_columns(path, columns):
            yield Record(row, group, _cells(beside) if cells else beside)
        return
    if not kind or (kind == "tsv" and not has_header(path)):
        yield from map(Record, rows_of(path))
        return
    known: dict[tuple[str, ...], tuple[str | None, list[str]]] = {}
    for number, where, value in tables.records(path):
        row = row_of(value, number, where)
        if not isinstance(value, dict):
            yield Record(row)
            continue
        names = tuple(value)
        if names not in known:
            taken = {*roles_in(names, where).values()}
            group = next((name for name in names if name.strip().lower() in _GROUP), None)
            known[names] = group, [name for name in names if name not in taken and name != group]
        group, rest = known[names]
        beside = {name: value[name] for name in rest}
        told = "" if group is None or value[group] is None else str(value[group])
        yield Record(row, told, _cells(beside) if cells else beside)


def _cells(beside: Mapping[str, Any]) -> dict[str, Any]:
    stripped = {name: str(value).strip() if value else "" for name, value in beside.items()}
    return {name: Cell(value) if value else None for name, value in stripped.items()}


class Kinds:
    """The types of what stands beside passages, told by all of their values."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def see(self, beside: Mapping[str, Any]) -> None:
        """The values of one passage."""
        for name, value in beside.items():
            looks = self._seen.setdefault(name, set())
            if value is not None:
                looks.add(_looks(value))

    def types(self) -> dict[str, str]:
        """Column -> `string`, `int`, `float` or `bool`; those whose values have no type together are not there."""
        found = {}
        for name, looks in self._seen.items():
            kind = next((kind for allowed, kind in _TYPES if looks <= allowed), None) if looks else "string"
            if kind:
                found[name] = kind
        return found

    def left(self) -> list[str]:
        """The columns that are not there."""
        types = self.types()
        return [name for name in self._seen if name not in types]


def _looks(value: Any) -> str:
    if isinstance(value, Cell):
        found = ((_WHOLE, "whole"), (_PART, "part"))
        return next((kind for pattern, kind in found if re.fullmatch(pattern, value)), "string")
    kind = {str: "string", bool: "bool", int: "int", float: "float"}.get(type(value), "none")
    return "none" if kind == "int" and not -(2**63) <= value < 2**63 else kind


def as_type(value: Any, kind: str) -> Any:
    """A value in the type that its column has."""
    if value is None or kind == "bool":
        return value
    return {"int": int, "float": float, "string": str}[kind](value)


def field_name(name: str) -> str:
    """A column's name as filters can say it."""
    return re.sub(r"[^\w.-]+", "_", name.strip()) or "_"


def read_records(path: str | Path) -> Records:
    """The passages of a file, all of them, see `stream`.

    Columns that hold lists, objects or values of several kinds are left out, which is said.

    Raises:
        InputError: as `passages.read_passages`.
    """
    path, kinds, found = Path(path), Kinds(), []
    for record in stream(path):
        kinds.see(record.beside)
        found.append(record)
    if not found:
        raise InputError(f"{path}: no text in it")
    types = kinds.types()
    fields = {
        field_name(name): [as_type(record.beside.get(name), kind) for record in found] for name, kind in types.items()
    }
    if tables.kind_of(path):
        say_fields(path, len(found), fields, kinds.left())
    rows = [record.row for record in found]
    groups = [record.group for record in found]
    return Records(ids_of(path, rows), [row.text for row in rows], [row.lang for row in rows], groups, fields)


def say_fields(source: object, passages: int, kept: Any, left: Any) -> None:
    """Log what is kept beside passages, and what is not."""
    log.info("%s: %s passages; kept beside them: %s", source, f"{passages:,}", ", ".join(kept) or "nothing")
    if left:
        log.info("%s: not kept, as no filter could use it: %s", source, ", ".join(left)[:300])
