"""What `triglot encode` reads: the passages of a file, of a collection in many files (BEIR's, MIRACL's, tables,
shards of vectors), of a folder of documents, or of any other benchmark, one after the other."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from triglot import parquet
from triglot.corpus import tables
from triglot.corpus.formats import beir
from triglot.corpus.formats.passages import Row, say_html
from triglot.corpus.formats.records import Record, stream
from triglot.corpus.formats.registry import FORMATS, detect, split_spec
from triglot.corpus.hub import PREFIX
from triglot.corpus.splitting import SUFFIXES, Split, language_in_name, read_document
from triglot.files import InputError, beside, is_leftover
from triglot.language_tags import ending, tag

log = logging.getLogger(__name__)
VECTORS = "vectors.json"  # in a folder of shards
_ASIDE = re.compile(r"(readme|licen[cs]e|notice|changelog)(\..*)?", re.IGNORECASE)
_CORPUS = re.compile(r"corpus(?:\.(.+))?\.jsonl(?:\.gz)?")


@dataclass(frozen=True)
class Part:
    """A file of passages.

    Attributes:
        path: of the file.
        name: before the number of a passage that has no id; "" where there is one file alone.
        lang: of passages that name none.
    """

    path: Path
    name: str = ""
    lang: str = ""


@dataclass(frozen=True)
class Source:
    """Passages to read.

    Attributes:
        name: for messages.
        kind: `tables`, `beir` (an id is a group of translations), `shards` (without their vectors), `documents` (to be
            split), or `benchmark`.
        parts: files, in order; none of a benchmark.
    """

    name: str
    kind: str
    parts: tuple[Part, ...] = ()


def find(spec: str) -> Source:
    """What a word of the command line names.

    Args:
        spec: a file; a folder in BEIR's layout, of tables (in parts, as MIRACL's are; the language of passages that
            name none is told by the end of a name, `miracl-corpus-v1.0-sw/`), of shards of vectors, or of documents;
            any other benchmark, also as `FORMAT:PATH` or `hub:NAME`.

    Raises:
        InputError: there is nothing, or nothing to read.
    """
    path = Path(spec)
    if split_spec(spec)[0] or spec.startswith(PREFIX) or path.suffix in (".yaml", ".yml"):
        return Source(spec, "benchmark")
    if path.is_file():
        return Source(spec, "tables", (Part(path),))
    if not path.is_dir():
        known = spec in FORMATS and FORMATS[spec].built_in
        if not known:
            raise InputError(f"{path}: no such file or folder{beside(path)}")
        return Source(spec, "benchmark")
    if (path / VECTORS).is_file():
        return Source(spec, "shards", tuple(map(Part, sorted(path.glob("*.parquet")))))
    if beir.is_layout(path):
        return Source(spec, "beir", tuple(_beir_parts(path)))
    if (format := benchmark_in(path)) and format != "trec":
        return Source(spec, "benchmark")
    files = sorted((file for file in path.rglob("*") if _is_read(file, path)), key=_natural)
    found = [file for file in files if tables.kind_of(file) and not re.match(r"(topics|qrels|queries)\b", file.name)]
    if found:
        if others := len(files) - len(found):
            log.info("%s: %d other files are passed over", path, others)
        return Source(spec, "tables", tuple(_table_parts(path, found)))
    documents = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not documents:
        raise InputError(
            f"{path}: nothing to read in it: no tables ({', '.join(tables.KINDS)}) and no documents "
            f"({', '.join(SUFFIXES)})"
        )
    named = [Part(file, file.relative_to(path).as_posix(), language_in_name(file)) for file in documents]
    return Source(spec, "documents", tuple(named))


def _is_read(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return (
        file.is_file()
        and not hidden
        and not is_leftover(file)
        and not (_ASIDE.fullmatch(file.name) and file.parent == root)
    )


def _natural(path: Path) -> list[int | str]:
    """Sorting key that puts `docs-2` before `docs-10`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", path.as_posix())]


def benchmark_in(path: Path) -> str:
    """The format of a folder that is a benchmark; "" where it is none."""
    try:
        format = detect(path)
    except InputError:
        return ""
    return format if FORMATS[format].retrieval else ""


def _beir_parts(path: Path) -> Iterator[Part]:
    files = [(file, match) for file in sorted(path.iterdir()) if (match := _CORPUS.fullmatch(file.name))]
    for file, match in files:
        code = tag(match[1]) if match[1] else ""
        if code is None:
            log.warning("%s: its name tells no language; it is passed over", file)
            continue
        yield Part(file, file.stem if len(files) > 1 else "", code)


def _table_parts(root: Path, files: Sequence[Path]) -> Iterator[Part]:
    told: Counter[str] = Counter()
    for file in files:
        stem = re.sub(r"\.[a-z]+(\.gz)?$", "", file.name)
        names = (stem, *reversed(file.relative_to(root).parts[:-1]), root.name)
        code = next((code for name in names if (code := ending(name)) is not None), "")
        told[code] += bool(code)
        yield Part(file, file.relative_to(root).as_posix() if len(files) > 1 else "", code)
    if +told:
        shown = ", ".join(f"{code} {count}" for code, count in told.most_common() if code)
        log.info("%s: language by the names of files, where passages name none: %s", root, shown)


def read(source: Source, *, columns: Sequence[str] = (), split: Split | None = None) -> Iterator[Record]:
    """The passages of a source; ids are not compared here, and none is empty.

    Args:
        source: what `find` has found.
        columns: of tables by their roles, `id=key,text=title+body`.
        split: what splits documents.

    Raises:
        InputError: what cannot be read, with file and line; columns of what is no table.
    """
    if columns and source.kind != "tables":
        raise InputError(f"--columns: goes with tables, and {source.name} is none")
    if source.kind == "benchmark":
        yield from _of_benchmark(source.name)
        return
    if source.kind == "documents":
        if split is None:
            raise InputError(
                f"{source.name}: a folder of documents, which have to be split; write to a folder, not to .npy"
            )
        yield from _of_documents(source, split)
        return
    if source.kind == "shards":
        for part in source.parts:
            yield from _of_shard(part.path)
        return
    several = source.kind == "beir" and len(source.parts) > 1
    for part in source.parts:
        for record in stream(part.path, tuple(columns)):
            row = record.row
            row = replace(row, lang=row.lang or part.lang, id=row.id or _numbered(part.name, row.number))
            if several:
                record = replace(record, group=record.group or row.id)
                row = replace(row, id=f"{row.lang}-{row.id}" if row.lang else row.id)
            yield replace(record, row=row)


def _numbered(name: str, number: int) -> str:
    return f"{name}:{number}" if name else str(number)


def _of_shard(path: Path) -> Iterator[Record]:
    """The passages of a shard; a language that was told by the text is told again."""
    names = [name for name in parquet.column_names(path) if not name.startswith("embedding")]
    for number, value in parquet.rows(path, names, needed=("id", "text", "lang", "lang_confidence", "group")):
        own = [value.pop(name) for name in ("id", "text", "lang", "group", "lang_confidence")]
        lang = own[2] if own[4] is None else ""
        yield Record(Row(number, f"{path}: row {number}", own[0], own[1], lang), own[3], value)


def _of_documents(source: Source, split: Split) -> Iterator[Record]:
    pages = 0
    for part in source.parts:
        text = read_document(part.path)
        pages += part.path.suffix.lower().startswith(".htm")
        passages = split(text, part.path.suffix.lower())
        if not passages:
            log.warning("%s: has no text; it is passed over", part.path)
        for number, (place, passage) in enumerate(passages):
            row = Row(number, f"{part.path}: passage {number}", f"{part.name}#{number}", passage, part.lang)
            yield Record(row, "", {"file": part.name, "start": place})
    say_html(Path(source.name), pages)


def _of_benchmark(name: str) -> Iterator[Record]:
    """The passages of a benchmark; in one of parallel texts those of one group are translations."""
    from triglot.corpus.formats.registry import locate

    located = locate(name)
    row = FORMATS[located.format]
    if not row.retrieval:
        raise InputError(f"{name}: {located.format} has no passages to search in")
    label = re.sub(r"[^\w-]+", "-", name).strip("-") or "passages"
    found = row.read("retrieval", located.path, {**located.options, "name": label})
    passages = found.passages
    pairs = list(zip(passages.group.tolist(), passages.lang.tolist(), strict=True))
    counts = Counter(pair for pair in pairs if pair[0] >= 0)
    twice = {group for (group, _), count in counts.items() if count > 1}
    for number, (one, text, (group, lang)) in enumerate(zip(passages.ids, passages.texts, pairs, strict=True), 1):
        shared = found.parallel and group >= 0 and group not in twice
        where = f"{name}: passage {number}"
        yield Record(Row(number, where, str(one), text, found.languages[lang]), f"g{group}" if shared else "")


def spooled(lines: Iterable[bytes], folder: Path) -> Path:
    """What comes on stdin as a file: JSON lines where the first line is an object, else one passage a line.

    Raises InputError where nothing comes.
    """
    lines = iter(lines)
    head = list(islice((line for line in lines if line.strip()), 1))
    if not head:
        raise InputError("-: nothing on stdin; JSON lines, or one passage a line, was expected")
    path = folder / ("stdin.jsonl" if _is_object(head[0]) else "stdin.txt")
    with path.open("wb") as handle:
        handle.writelines(head)
        handle.writelines(lines)
    return path


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
