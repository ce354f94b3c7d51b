"""Conditions on metadata, in words (`lang=de,en`, `year>=2020`) and as masks: they are asked inside the search."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from triglot.files import InputError
from triglot.index.documents import TYPES, column_of
from triglot.language_tags import language

_WORD = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*", re.DOTALL)
pc: Any = pyarrow.compute  # its functions are made when it is loaded
_ORDER = {">=": pc.greater_equal, "<=": pc.less_equal, ">": pc.greater, "<": pc.less}
MOST_CONDITIONS, MOST_VALUES = 32, 1000


@dataclass(frozen=True)
class Condition:
    """One condition; several of them must all hold.

    Attributes:
        field: `id`, `lang`, `group` or a field of the index.
        op: `=` (one of the values), `!=` (none of them), or an order.
        values: in the type of the field; a language stands for its regions and scripts too (`pt` for `pt-BR`).
    """

    field: str
    op: str
    values: tuple[Any, ...]


def parse_conditions(words: Sequence[str], fields: Mapping[str, str]) -> tuple[Condition, ...]:
    """Conditions in words.

    Args:
        words: `NAME=VALUE[,VALUE]`, `NAME!=...`, `NAME>=VALUE` and the like; a value that holds a comma stands in
            quotes, as in CSV (`place="Paris, France"`).
        fields: name -> type of the index.

    Raises:
        InputError: a word that is none, an unknown field with the nearest one, a value of another type, or several
            values for an order.
    """
    if len(words) > MOST_CONDITIONS:
        raise InputError(f"{len(words)} conditions; at most {MOST_CONDITIONS} are taken")
    found = []
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            raise InputError(
                f"filter {word[:80]!r}: NAME=VALUE[,VALUE], NAME!=VALUE, NAME>=VALUE and the like are known"
            )
        name, op, told = match.groups()
        column_of(name, fields)
        if name == "text":
            raise InputError("filter text: texts are searched, not filtered")
        kind = fields.get(name, "string")
        values = tuple(_value(part.strip(), kind, word) for part in _parts(told, word))
        if len(values) > MOST_VALUES:
            raise InputError(f"filter {name}: {len(values)} values; at most {MOST_VALUES} are taken")
        if op in _ORDER and kind == "bool":
            raise InputError(f"filter {word[:80]!r}: {name} is true or false and has no order")
        if op in _ORDER and len(values) > 1:
            raise InputError(f"filter {word[:80]!r}: {op} takes one value; one that holds a comma stands in quotes")
        found.append(Condition(name, op, values))
    return tuple(found)


def _parts(told: str, word: str) -> list[str]:
    """The values between commas."""
    try:
        return next(csv.reader([told], skipinitialspace=True, strict=True)) or [""]
    except csv.Error:
        raise InputError(
            f'filter {word[:80]!r}: has no values as CSV writes them, such as: one, "two, with a comma"'
        ) from None


def _value(text: str, kind: str, word: str) -> Any:
    try:
        if kind == "bool":
            return {"true": True, "false": False}[text.lower()]
        value: Any = text if kind == "string" else {"int": int, "float": float}[kind](text)
        pa.scalar(value, TYPES[kind])  # a number that is too large, or half a character, is in no column
        if kind != "float" or math.isfinite(value):
            return value
    except (ValueError, KeyError, OverflowError):
        pass
    raise InputError(f"filter {word[:80]!r}: {text[:40]!r} is no {kind}, which this field holds")


def of_kind(values: Sequence[str], codes: Sequence[str]) -> list[str]:
    """The codes that are one of these languages, or a region or script of one (`pt-BR` for `pt`)."""
    asked = {language(value, "filter lang") if value else "" for value in values}
    return [code for code in codes if code in asked or any(code.startswith(f"{one}-") for one in asked)]


def mask(table: pa.Table, conditions: Sequence[Condition], fields: Mapping[str, str]) -> np.ndarray | None:
    """(rows,) whether each passage fulfils all conditions; None where there are none. What has no value fulfils `!=`
    alone."""
    kept: np.ndarray | None = None
    for condition in conditions:
        column = table.column(column_of(condition.field, fields))
        if condition.op in _ORDER:
            holds = pc.fill_null(_ORDER[condition.op](column, pa.scalar(condition.values[0], column.type)), False)
        else:
            values = list(condition.values)
            if condition.field == "lang":
                values = of_kind(values, pc.unique(column).to_pylist())
            holds = pc.is_in(column, value_set=pa.array(values, column.type))
        found = holds.combine_chunks().to_numpy(zero_copy_only=False).astype(bool)
        found = ~found if condition.op == "!=" else found
        kept = found if kept is None else kept & found
    return kept
