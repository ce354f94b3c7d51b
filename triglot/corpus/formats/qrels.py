"""Judgements as files have them: one rule for grades and ids, whatever the layout.

Grades are whole numbers, `1` as well as `1.0`; where there is no column for them each judgement has grade 1. A number
that is no grade (a fraction, NaN, infinity, one beyond 32 bits) is an error: read as something else it would change
every figure in silence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from triglot.corpus.tally import Tally
from triglot.files import InputError, read_jsonl, read_lines

_LARGEST = 2**31 - 1
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_NAMES = {  # of columns and keys, without capitals, dashes and underscores
    "query": ("queryid", "qid", "query", "topicid", "topic"),
    "document": ("corpusid", "docid", "documentid", "did", "passageid", "pid", "docno", "document", "doc", "passage"),
    "grade": ("score", "relevance", "grade", "label", "rel", "relevant", "rating"),
}
MALFORMED = "judgement that is not query-id, corpus-id and a whole number"


def grade_of(value: object, where: str) -> int | None:
    """A grade as an integer; None where the value is no number at all.

    Args:
        value: an integer, a float, or text that holds one.
        where: file and line or row, for the message.

    Raises:
        InputError: a number that is no grade.
    """
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            return None
        number: int | float | Decimal = int(text) if len(text) < 20 and text.lstrip("+-").isdigit() else float(text)
    elif isinstance(value, int | float | Decimal):
        number = value
    else:
        return None
    if not math.isfinite(number) or abs(number) > _LARGEST or number != int(number):
        raise InputError(f"{where}: the grade {str(value)[:40]} is not a whole number up to {_LARGEST}")
    return int(number)


def identifier_of(value: object) -> str | None:
    """An id as text; None where the value is neither text nor an integer, or empty."""
    return str(value) or None if type(value) in (str, int) else None


def _kinds(names: Sequence[str]) -> dict[str, int]:
    """`query`, `document` and `grade` -> which of the names it is; without those that none of them is."""
    plain = [re.sub(r"[-_ ]", "", name.strip().lower()) for name in names]
    return {kind: place for kind, known in _NAMES.items() for place, name in enumerate(plain) if name in known}


def keys_of(record: Mapping[str, Any]) -> tuple[object, object, object]:
    """Query, document and grade of an object or a row, whatever their names; a grade of 1 where no key is named like
    one."""
    names = list(record)
    kinds = _kinds(names)
    query, document = (record[names[kinds[kind]]] if kind in kinds else None for kind in ("query", "document"))
    return query, document, record[names[kinds["grade"]]] if "grade" in kinds else 1


def read(path: Path, tally: Tally) -> Iterator[tuple[str, str, int, str]]:
    """(query id, document id, grade, where) of a file of BEIR's layout or TREC's four columns, or of JSON lines.

    A first line that names the columns says their order; tabs or other white space are between them, and text in quotes
    is unquoted where the whole first line is. Lines that are no judgement are counted.

    Raises:
        InputError: the file cannot be read, or a grade is a number and no whole one.
    """
    judgements = _objects(path) if re.search(r"\.jsonl(\.gz)?$", path.name) else _lines(path)
    for query, document, value, where in judgements:
        ids = identifier_of(query), identifier_of(document)
        grade = grade_of(value, where)
        if ids[0] is None or ids[1] is None or grade is None:
            tally.leave_out(MALFORMED, where)
            continue
        tally.count("judgements")
        yield ids[0], ids[1], grade, where


def _objects(path: Path) -> Iterator[tuple[object, object, object, str]]:
    for number, record in read_jsonl(path):
        query, document, grade = keys_of(record) if isinstance(record, dict) else (None, None, None)
        yield query, document, grade, f"{path}:{number}"


def _lines(path: Path) -> Iterator[tuple[object, object, object, str]]:
    header: dict[str, int] = {}
    quoted, width = False, 0
    for number, line in read_lines(path):
        if not line.strip():
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        if not width:
            quoted = all(len(field) > 1 and field[0] == field[-1] == '"' for field in fields)
        if quoted:
            fields = [
                field[1:-1].replace('""', '"') if len(field) > 1 and field[0] == field[-1] == '"' else field
                for field in fields
            ]
        if not width:
            width, kinds = len(fields), _kinds(fields)
            if {"query", "document"} <= kinds.keys() or kinds.get("grade") == width - 1 > 0:
                header = kinds if {"query", "document"} <= kinds.keys() else {}
                width = width if header else 3
                continue
        where = f"{path}:{number}"
        if header and len(fields) == width:
            yield (
                fields[header["query"]],
                fields[header["document"]],
                fields[header["grade"]] if "grade" in header else 1,
                where,
            )
        elif not header and len(fields) in (
            3,
            4,
        ):
            # BEIR has three columns, TREC four (query, iteration, document, grade).
            yield fields[0], fields[-2], fields[-1], where
        elif not header and len(fields) == width == 2:
            yield fields[0], fields[1], 1, where
        else:
            yield None, None, None, where
