"""Passages with all that stands beside them in their file: groups of translations, and metadata to filter by."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triglot.corpus import tables
from triglot.corpus.formats.passages import Row, ids_of, is_header, read_collection, roles_in, row_of, say_html
from triglot.files import InputError

log = logging.getLogger(__name__)
_GROUP = ("group", "group_id", "translation_key", "translation_group")
_WHOLE, _PART = r"-?(?:0|[1-9][0-9]{0,17})", r"-?[0-9]{1,15}\.[0-9]{1,15}"


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


def read_records(path: str | Path) -> Records:
    """The passages of a file, read as `passages.read_passages` does, with a `group` (or `translation_key`) and whatever
    else a record has.

    Columns that hold lists, objects or values of several kinds are left out, which is said.

    Raises:
        InputError: as `passages.read_passages`.
    """
    path = Path(path)
    kind = tables.kind_of(path)
    if not kind or (kind == "tsv" and not is_header(tables.first_line(path).split("\t"))):
        ids, texts, langs = read_collection(path)
        return Records(ids, texts, langs, [""] * len(ids), {})
    rows: list[Row] = []
    given: list[Mapping[str, Any]] = []
    for number, where, value in tables.records(path):
        rows.append(row_of(value, number, where))
        given.append(value if isinstance(value, dict) else {})
        if not rows[-1].text.strip():
            raise InputError(f"{where}: an empty text")
    if not rows:
        raise InputError(f"{path}: no text in it")
    names = list(dict.fromkeys(name for record in given for name in record))
    taken = set(roles_in(names, str(path)).values()) if names else set()
    group = next((name for name in names if name.strip().lower() in _GROUP), None)
    groups = ["" if group is None or record.get(group) is None else str(record[group]) for record in given]
    fields, left = {}, []
    for name in names:
        if name not in taken and name != group:
            column = _column([record.get(name) for record in given], kind in ("csv", "tsv"))
            if column is None:
                left.append(name)
            else:
                fields[re.sub(r"[^\w.-]+", "_", name.strip()) or "_"] = column
    say_html(path, sum(row.was_html for row in rows))
    log.info("%s: %d passages; kept beside them: %s", path, len(rows), ", ".join(fields) or "nothing")
    if left:
        log.info("%s: not kept, as no filter could use it: %s", path, ", ".join(left)[:300])
    return Records(ids_of(path, rows), [row.text for row in rows], [row.lang for row in rows], groups, fields)


def _column(values: list[Any], by_cells: bool) -> list[Any] | None:
    """A column of metadata, in the type that all of its values have; None where there is none."""
    if by_cells:  # cells of a table are text, whatever they mean
        cells = [value.strip() if value and value.strip() else None for value in values]
        for pattern, kind in ((_WHOLE, int), (_PART, float)):
            if any(cells) and all(cell is None or re.fullmatch(pattern, cell) for cell in cells):
                return [None if cell is None else kind(cell) for cell in cells]
        return cells
    kinds = {type(value) for value in values if value is not None}
    return values if any(kinds <= allowed for allowed in ({str}, {bool}, {int}, {int, float})) else None
