"""Passages read once, checked, and cut into the texts of shards, before the first of them is encoded: what is wrong
with a file is known at the beginning and not after a day, and whoever encodes needs one small file."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from triglot import parquet
from triglot.corpus.formats.passages import ids_clash
from triglot.corpus.formats.records import Kinds, Record, as_type, field_name, say_fields
from triglot.files import InputError, atomic_write
from triglot.progress import Bar
from triglot.shards.format import OWN
from triglot.shards.seen import Seen, digests
from triglot.shards.settings import ShardSettings

log = logging.getLogger("triglot")
LONGEST_ID, LONGEST_TEXT = 512, 1 << 20  # characters; an index takes no longer ones
_SCHEMA = pa.schema([(name, pa.string()) for name in ("where", "id", "text", "lang", "group", "beside")])
_SCALARS = (str, bool, int, float)


def texts_file(folder: Path, number: int) -> Path:
    """The texts of a shard."""
    return folder / f"texts-{number:06d}.parquet"


class _Ids:
    """Ids of passages that come one after the other.

    Attributes:
        prefixed: whether ids repeat in other languages, so that each gets its language in front.
    """

    def __init__(self, folder: Path):
        self.prefixed = False
        self._folder, self._ids, self._pairs, self._spoken = folder, Seen(), Seen(), True

    def add(self, records: Sequence[Record], pieces: int) -> None:
        """Ids of further passages, after so many pieces that were written. Raises InputError for one that is there
        twice."""
        ids, langs = [record.row.id for record in records], [record.row.lang for record in records]
        twice = self._ids.add(digests(ids))
        same = self._pairs.add(digests([f"{lang}\n{one}" for one, lang in zip(ids, langs, strict=True)]))
        self._spoken = self._spoken and all(langs)
        self.prefixed = self.prefixed or bool(twice.any())
        if not self.prefixed or (self._spoken and not same.any()):
            return
        # One of these rows, or where all had a language so far one without.
        bad = same if self._spoken else twice
        for row in [number for number in range(len(ids)) if bad[number]]:
            if first := self._first(records, row, pieces, any_language=not self._spoken):
                raise ids_clash(first, records[row].row)
        if not self._spoken and not bad.any():
            lacking = next(record for record in records if not record.row.lang)
            raise InputError(f"{lacking.row.where}: names no language, and ids repeat in other languages")

    def _first(self, records: Sequence[Record], row: int, pieces: int, *, any_language: bool) -> str:
        """Where the id of a row stands first; "" where it stands nowhere else, and only a digest was there before."""
        one, lang = records[row].row.id, records[row].row.lang
        for number in range(pieces):
            for where, other, spoken in _named(texts_file(self._folder, number)):
                if other == one and (any_language or spoken == lang):
                    return where
        for record in records[:row]:
            if record.row.id == one and (any_language or record.row.lang == lang):
                return record.row.where
        return ""


def _named(path: Path) -> Iterator[tuple[str, str, str]]:
    for batch in parquet.batches(path, ("where", "id", "lang")):
        yield from zip(*(batch.column(name).to_pylist() for name in ("where", "id", "lang")), strict=True)


def stage(records: Iterator[Record], folder: Path, settings: ShardSettings, source: str, progress: bool) -> dict:
    """Write the texts of all shards.

    Args:
        records: the passages.
        folder: to write to; it is empty.
        settings: rows of a shard, languages.
        source: for messages.
        progress: show a bar.

    Returns:
        `rows` and `pieces` (how many), `prefixed` (whether ids get their language in front), `fields` (column of the
        source -> name and type).

    Raises:
        InputError: what cannot be read, an id that is there twice or too long, a text that is too long, or no passage.
    """
    kinds, ids, left = Kinds(), _Ids(folder), Counter()
    held: list[Record] = []
    rows = pieces = 0

    def put() -> None:
        nonlocal pieces, rows, held
        ids.add(held, pieces)
        _write(texts_file(folder, pieces), held)
        rows, pieces, held = rows + len(held), pieces + 1, []

    with Bar("reading", progress) as bar:
        for record in records:
            row = record.row
            if settings.language and not row.lang:
                row = replace(row, lang=settings.language)
                record = replace(record, row=row)
            if settings.languages and row.lang and row.lang not in settings.languages:
                left[row.lang] += 1
                continue
            if len(row.id) > LONGEST_ID or len(row.text) > LONGEST_TEXT:
                what = f"an id of {len(row.id)}" if len(row.id) > LONGEST_ID else f"a text of {len(row.text):,}"
                raise InputError(f"{row.where}: {what} characters; at most {LONGEST_ID} and {LONGEST_TEXT:,} are taken")
            kinds.see(record.beside)
            held.append(record)
            if len(held) == settings.rows:
                put()
                bar.reach(rows, rows)
        if held:
            put()
    if left:
        log.info(
            "%s: in other languages and left out: %s", source, ", ".join(f"{a} {b:,}" for a, b in sorted(left.items()))
        )
    if not rows:
        raise InputError(f"{source}: no passage in it" + (f" in {', '.join(settings.languages)}" if left else ""))
    fields = {name: [_own(field_name(name), source), kind] for name, kind in kinds.types().items()}
    say_fields(source, rows, [name for name, _ in fields.values()], kinds.left())
    if ids.prefixed:
        log.info("%s: ids repeat in other languages; each gets its language in front", source)
    return {"rows": rows, "pieces": pieces, "prefixed": ids.prefixed, "fields": fields}


def _own(name: str, source: str) -> str:
    if name in OWN:
        raise InputError(
            f"{source}: a column {name!r} stands beside passages, and shards have one of their own; rename it"
        )
    return name


def _write(path: Path, records: Sequence[Record]) -> None:
    import pyarrow.parquet as pq

    columns: list[list[str]] = [
        [record.row.where for record in records],
        [record.row.id for record in records],
        [record.row.text for record in records],
        [record.row.lang for record in records],
        [record.group for record in records],
        [
            json.dumps({key: value for key, value in record.beside.items() if isinstance(value, _SCALARS)})
            for record in records
        ],
    ]
    try:
        table = pa.table([pa.array(column, pa.string()) for column in columns], schema=_SCHEMA)
    except UnicodeEncodeError:
        bad = next(record for record in records if not _is_text(record))
        raise InputError(f"{bad.row.where}: half a character (a lone surrogate) is no text") from None
    with atomic_write(path, "wb") as handle:
        pq.write_table(table, handle, compression="zstd", write_page_checksum=True)


def _is_text(record: Record) -> bool:
    try:
        f"{record.row.id}{record.row.text}{record.group}{record.row.where}".encode()
    except UnicodeEncodeError:
        return False
    return True


def read_texts(folder: Path, number: int, plan: dict[str, Any]) -> dict[str, list[Any]]:
    """The texts of a shard: `id`, `text`, `lang`, `group`, and the fields by their names.

    Args:
        folder: where they were staged.
        number: of the shard.
        plan: what `stage` returned.
    """
    table = parquet.read_table(texts_file(folder, number))
    found = {name: table.column(name).to_pylist() for name in ("id", "text", "lang", "group")}
    if plan["prefixed"]:
        found["id"] = [f"{lang}-{one}" for one, lang in zip(found["id"], found["lang"], strict=True)]
    beside = [json.loads(line) for line in table.column("beside").to_pylist()]
    for name, (shown, kind) in plan["fields"].items():
        found[shown] = [as_type(one.get(name), kind) for one in beside]
    return found
