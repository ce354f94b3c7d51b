"""What an index keeps of a passage beside its vector, as columns of an Arrow table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from triglot.files import InputError, nearest

LONGEST_ID, LONGEST_TEXT = 512, 1 << 20  # characters
MOST_FIELDS = 64
FIELD = re.compile(r"[A-Za-z_][\w.-]{0,63}")
OWN = ("id", "text", "lang", "group")
TYPES = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


@dataclass(frozen=True)
class Documents:
    """Passages without their vectors.

    Attributes:
        ids: unique.
        texts: what was encoded.
        langs: codes, "" where the language is not known.
        groups: passages with the same group are translations of one another; "" for none.
        fields: name -> a value for each passage, None where it has none.

    Raises:
        InputError: columns of unequal length, an id that is empty, too long or there twice, a text that is too long, or
            a field with a name that no filter could say.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    langs: Sequence[str]
    groups: Sequence[str] = ()
    fields: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.groups:
            object.__setattr__(self, "groups", [""] * len(self.ids))
        for name, column in {"texts": self.texts, "langs": self.langs, "groups": self.groups, **self.fields}.items():
            if len(column) != len(self.ids):
                raise InputError(f"{name}: {len(column)} of them for {len(self.ids)} passages")
        seen: set[str] = set()
        for one in self.ids:
            if not one.strip() or len(one) > LONGEST_ID:
                what = f"longer than {LONGEST_ID} characters" if one.strip() else "empty"
                raise InputError(f"id {one[:60]!r}: is {what}")
            if one in seen:
                raise InputError(f"id {one!r}: is there twice")
            seen.add(one)
        for one, text in zip(self.ids, self.texts, strict=True):
            if not text.strip():
                raise InputError(f"id {one!r}: an empty text")
            if len(text) > LONGEST_TEXT:
                raise InputError(f"id {one!r}: a text of {len(text)} characters; at most {LONGEST_TEXT} are kept")
        check_fields(self.fields)

    def __len__(self) -> int:
        return len(self.ids)


def check_fields(names: Mapping[str, Any]) -> None:
    """Raises InputError for names of fields that no filter could say, or for too many."""
    for name in names:
        if not FIELD.fullmatch(name) or name in OWN:
            raise InputError(
                f"field {name[:60]!r}: a name of letters, digits, _ . - was expected, none of {', '.join(OWN)}"
            )
    if len(names) > MOST_FIELDS:
        raise InputError(f"{len(names)} fields; at most {MOST_FIELDS} are kept")


def kind_of(values: Sequence[Any], name: str) -> str:
    """The type of a field's values: a key of `TYPES`.

    Raises InputError for values that are neither text, number nor true or false, or of several kinds.
    """
    kinds = {type(value) for value in values if value is not None}
    for allowed, kind in (({bool}, "bool"), ({int}, "int"), ({int, float}, "float"), ({str}, "string")):
        if kinds <= allowed:
            return kind
    raise InputError(
        f"field {name!r}: values of the kinds {', '.join(sorted(kind.__name__ for kind in kinds))}; "
        "text, numbers or true and false were expected, of one kind"
    )


def table_of(documents: Documents, fields: Mapping[str, str]) -> pa.Table:
    """The columns of passages.

    Args:
        documents: their fields are among those named.
        fields: name -> type, all that the index has.

    Raises:
        InputError: a value of another type than its field has, or a text that is not Unicode text.
    """
    schema = schema_of(fields)
    own = (documents.ids, documents.texts, documents.langs, documents.groups)
    columns, column = [], schema[0]
    try:
        for column, values in zip(schema, [*own, *map(documents.fields.get, fields)], strict=True):
            if values is not None and column.type == pa.float64():
                values = [float(value) if type(value) is int else value for value in values]
            columns.append(pa.nulls(len(documents), column.type) if values is None else pa.array(values, column.type))
    except (pa.ArrowException, UnicodeEncodeError, TypeError, OverflowError) as error:
        name = column.name.removeprefix("field:")
        raise InputError(f"field {name!r}: a value that does not fit ({error})") from None
    return pa.table(columns, schema=schema)


def joined(known: Mapping[str, str], documents: Documents) -> dict[str, str]:
    """The fields of an index and those of new passages.

    Raises:
        InputError: a field has another type than before.
    """
    found = dict(known)
    for name, values in documents.fields.items():
        if all(value is None for value in values):
            continue
        kind = kind_of(values, name)
        before = found.setdefault(name, kind)
        if kind != before and (kind, before) != ("int", "float"):
            raise InputError(f"field {name!r}: is {before} in this index, and {kind} in what is added")
    check_fields(found)
    return found


def schema_of(fields: Mapping[str, str]) -> pa.Schema:
    """The schema of `table_of`."""
    own = [(name, pa.large_string() if name == "text" else pa.string()) for name in OWN]
    return pa.schema([*own, *((f"field:{name}", TYPES[kind]) for name, kind in fields.items())])


def column_of(name: str, fields: Mapping[str, str]) -> str:
    """The column of a field or of `id`, `lang`, `group`. Raises InputError with the nearest name."""
    if name in OWN:
        return name
    if name not in fields:
        raise InputError(f"{name!r} is no field of this index{nearest(name, [*OWN, *fields])}")
    return f"field:{name}"
