"""TREC topics and judgements, and passages as JSON lines in any number of parts: the layout of MIRACL and Mr. TyDi.

Gzip too.
"""

from __future__ import annotations

import gzip
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triglot.corpus.formats.qrels import grade_of
from triglot.corpus.tally import Tally
from triglot.files import InputError, atomic_write, nearest, read_jsonl, read_lines
from triglot.language_tags import ending
from triglot.text import titled

NAME = re.compile(r"(topics?|qrels)\.(?:.+[._-])?(?:train|dev|test)(?:[._-]?[abAB])?\.(?:tsv|txt)(?:\.gz)?")
_PARTS = re.compile(r"(?:(.+?)[._-])?((?:train|dev|test)(?:[._-]?[abAB])?)")
_JSONL = re.compile(r"(.+)\.jsonl(?:\.gz)?")
_QUERIES = re.compile(r"(?:train|dev|test)(?:[._-]?[abAB])?\.jsonl(?:\.gz)?")


@dataclass(frozen=True)
class Qrels:
    """Judgements in columns, each (query, document) once, in the order of the file.

    Attributes:
        queries, documents: ids, one a judgement.
        grades: (judgements,) int64; above 0 is relevant.
        source: the file that they were read from.
        lines: (judgements,) int64 line numbers there; None where they come from nowhere.
    """

    queries: list[str]
    documents: list[str]
    grades: np.ndarray
    source: str = ""
    lines: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, rows: Sequence[int]) -> Qrels:
        """The judgements at these indices."""
        lines = None if self.lines is None else self.lines[rows]
        return Qrels(
            [self.queries[i] for i in rows], [self.documents[i] for i in rows], self.grades[rows], self.source, lines
        )

    def where(self, row: int) -> str:
        """File and line of a judgement, for messages."""
        return f"{self.source}:{self.lines[row]}" if self.lines is not None else self.source


@dataclass(frozen=True)
class Documents:
    """A block of a corpus.

    Attributes:
        ids: of the passages.
        texts: what is encoded: title and text where titles are wanted.
        bodies: the texts without their titles.
    """

    ids: list[str]
    texts: list[str]
    bodies: list[str]

    def __len__(self) -> int:
        return len(self.ids)


@contextmanager
def lines_written(path: str | os.PathLike[str]) -> Iterator[Callable[[Iterable[str]], None]]:
    """A function that appends lines to a new file, which is there when the block ends well.

    gzip where the name ends in `.gz` (without a time stamp, so equal lines give equal bytes).
    """
    with atomic_write(path, "wb") as raw:
        handle = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if str(path).endswith(".gz") else raw
        text = io.TextIOWrapper(handle, encoding="utf-8", newline="\n")
        try:
            yield lambda lines: text.writelines(f"{line}\n" for line in lines)
        finally:
            text.flush()
            text.detach()
            if handle is not raw:
                handle.close()


def write_lines(path: str | os.PathLike[str], lines: Iterable[str]) -> None:
    """Write lines as `lines_written` does."""
    with lines_written(path) as write:
        write(lines)


def check_id(identifier: str, what: str) -> str:
    """The id of a query or document, if a TREC file can hold it.

    Raises InputError where it is empty or has white space.
    """
    if not identifier or len(identifier.split()) != 1 or identifier.strip() != identifier:
        raise InputError(f"{identifier!r}: a {what} id in a TREC file may not be empty or contain white space")
    return identifier


def read_topics(path: str | os.PathLike[str], tally: Tally) -> dict[str, str]:
    """Query id -> text of a file of `qid<TAB>text`. Raises InputError where the file has no usable topic."""
    topics: dict[str, str] = {}
    for number, line in read_lines(path):
        identifier, tab, text = line.partition("\t")
        if not tab or "\t" in text or not identifier.strip():
            tally.leave_out("topic that is not an id, a tab and a text", f"{path}:{number}")
        elif not text.strip():
            tally.leave_out("topic with an empty text", f"{path}:{number}")
        elif identifier.strip() not in topics:
            topics[identifier.strip()] = text
            tally.count("topics")
        elif topics[identifier.strip()] == text:
            tally.count("repeated topics (read as one)")
        else:
            tally.leave_out("topic whose id belongs to an earlier one", f"{path}:{number}")
    if not topics:
        raise InputError(f"{path}: no topic in it can be read; {'; '.join(tally.lines())}")
    return topics


def write_topics(path: str | os.PathLike[str], topics: dict[str, str]) -> None:
    """Write `qid<TAB>text`. Raises InputError for an id or text that such a line cannot hold."""
    for identifier, text in topics.items():
        if not text.strip() or re.search(r"[\t\r\n]", text):
            raise InputError(f"topic {identifier!r}: its text is empty or has a tab or a line break")
    write_lines(path, (f"{check_id(identifier, 'query')}\t{text}" for identifier, text in topics.items()))


def _judgements(path: str | os.PathLike[str], tally: Tally) -> Iterator[tuple[str, str, int, int]]:
    """(query, document, grade, line), each pair once."""
    seen: dict[tuple[str, str], int] = {}
    for number, line in read_lines(path):
        fields = line.split()
        grade = grade_of(fields[3], f"{path}:{number}") if len(fields) == 4 else None
        if grade is None:
            tally.leave_out("judgement that is not query, iteration, document and a whole number", f"{path}:{number}")
            continue
        pair = (fields[0], fields[2])
        if pair not in seen:
            seen[pair] = grade
            tally.count("judgements")
            yield *pair, grade, number
        elif seen[pair] == grade:
            tally.count("repeated judgements (read as one)")
        else:
            tally.leave_out("judgement that contradicts an earlier one", f"{path}:{number}")


def read_qrels(path: str | os.PathLike[str], tally: Tally) -> Qrels:
    """Judgements of four columns (query, iteration, document, grade). Raises InputError where none can be used."""
    judgements = list(_judgements(path, tally))
    if not judgements:
        raise InputError(f"{path}: no judgement in it can be read; {'; '.join(tally.lines())}")
    queries, documents, grades, lines = zip(*judgements, strict=True)
    return Qrels(list(queries), list(documents), np.array(grades, np.int64), str(path), np.array(lines, np.int64))


def write_qrels(path: str | os.PathLike[str], qrels: Qrels) -> None:
    """Write judgements as `query 0 document grade`. Raises InputError for an id with white space."""
    rows = zip(qrels.queries, qrels.documents, qrels.grades.tolist(), strict=True)
    write_lines(
        path,
        (f"{check_id(query, 'query')} 0 {check_id(document, 'document')} {grade}" for query, document, grade in rows),
    )


def _natural(path: Path) -> list[int | str]:
    """Sorting key that puts `docs-2` before `docs-10`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", str(path))]


def corpus_files(path: str | Path | Sequence[str | Path]) -> list[Path]:
    """The parts of a corpus in order: a file, the files given, or all `*.jsonl[.gz]` under a folder (part 2 before part
    10).

    Raises:
        InputError: no such file in the folder. A path that does not exist is found when it is read.
    """
    if not isinstance(path, str | Path):
        return [Path(one) for one in path]
    path = Path(path)
    if not path.is_dir():
        return [path]
    files = sorted((p for p in path.rglob("*") if _JSONL.fullmatch(p.name) and p.is_file()), key=_natural)
    if not files:
        raise InputError(f"{path}: no passages in it, that is no `*.jsonl` or `*.jsonl.gz` with docid, title and text")
    return files


def read_corpus(
    path: str | Path | Sequence[str | Path], tally: Tally, *, block: int = 16_384, titles: bool = True
) -> Iterator[Documents]:
    """Stream a corpus of `{"docid", "title", "text"}` in blocks; no more than one block is in memory.

    A docid that comes twice in one block is counted. One that comes again in another block cannot be known without
    holding all ids; `runs.from_top_k` refuses it where it reaches a ranking, and `collection.read_retrieval`, which
    holds the corpus, counts it.

    Args:
        path: as in `corpus_files`.
        tally: gets the counts, complete when the stream has ended.
        block: passages a block.
        titles: put a title before its text.

    Raises:
        InputError: a file cannot be read; or, at the end, no passage could be used.
    """
    if block < 1:
        raise InputError(f"block is {block}; it must be at least 1")
    return _stream(corpus_files(path), tally, block, titles)


def _stream(files: Sequence[Path], tally: Tally, block: int, titles: bool) -> Iterator[Documents]:
    held: dict[str, tuple[str, str]] = {}
    passages = 0

    def documents() -> Documents:
        tally.count("passages", len(held))
        return Documents(list(held), [text for text, _ in held.values()], [body for _, body in held.values()])

    for file in files:
        for number, record in read_jsonl(file):
            identifier = record.get("docid") if isinstance(record, dict) else None
            title, text = (record.get("title") or "", record.get("text")) if isinstance(record, dict) else ("", "")
            if type(identifier) not in (str, int) or not str(identifier).strip():
                tally.leave_out("passage without a docid", f"{file}:{number}")
            elif (
                not isinstance(text, str)
                or not isinstance(title, str)
                or not (whole := (titled(title, text) if titles else text)).strip()
            ):
                tally.leave_out("passage with an empty text", f"{file}:{number}")
            elif str(identifier) in held:
                tally.leave_out("passage whose docid occurred before", f"{file}:{number}")
            else:
                held[str(identifier)] = whole, text
            if len(held) == block:
                passages += block
                yield documents()
                held = {}
    if held:
        passages += len(held)
        yield documents()
    if not passages:
        raise InputError(f"{', '.join(map(str, files))}: no passage can be read; {'; '.join(tally.lines())}")


def is_layout(folder: Path) -> bool:
    """Whether a folder holds topics and judgements, at most two folders down: in `topics/` and `qrels/`, a folder a
    language, or both."""
    if not folder.is_dir():
        return False
    if all((folder / kind).exists() for kind in ("topics", "qrels")):
        return True
    return any(NAME.fullmatch(file.name) for level in ("*", "*/*", "*/*/*") for file in folder.glob(level))


def find_topics(folder: Path, split: str, language: str | None, tally: Tally) -> dict[str, dict[str, Path]]:
    """Language -> topics and qrels files of a split, anywhere under the folder. Files of no known kind are counted."""
    if not folder.is_dir():
        raise InputError(f"{folder}: a folder with topics.*.tsv, qrels.*.tsv and the passages was expected")
    by_language: dict[str, dict[str, Path]] = {}
    splits: set[str] = set()
    for file in sorted(folder.rglob("*")):
        match = NAME.fullmatch(file.name)
        parts = _PARTS.fullmatch(re.sub(r"\.(tsv|txt)(\.gz)?$", "", file.name.partition(".")[2])) if match else None
        if match is None or parts is None:
            if (
                file.is_file()
                and not _JSONL.fullmatch(file.name)
                and not file.name.startswith((".", "README", "LICENSE"))
            ):
                tally.pass_over("file that is by its name neither topics, judgements nor passages", file)
            continue
        splits.add(parts[2])
        if parts[2] != split:
            continue
        code = language or ending(parts[1] or "")
        kind = "qrels" if match[1] == "qrels" else "topics"
        if code is None:
            raise InputError(
                f"{file}: the file name tells no language (`topics.name-xx-{split}.tsv`); give `language: xx`"
            )
        if (other := by_language.setdefault(code, {}).setdefault(kind, file)) != file:
            raise InputError(f"{file}: a second file of {kind} for {code} in {split}, beside {other}")
    if not splits:
        raise InputError(f"{folder}: no files such as topics.name-xx-{split}.tsv and qrels.name-xx-{split}.tsv")
    if not by_language:
        raise InputError(f"{folder}: no split {split!r}{nearest(split, splits)}")
    for code, files in by_language.items():
        for kind in {"topics", "qrels"} - set(files):
            raise InputError(
                f"{folder}: no {kind} file for {code} in {split}, though {next(iter(files.values())).name} is there"
            )
    return dict(sorted(by_language.items()))


def passage_files(root: Path, codes: Sequence[str]) -> dict[str, list[Path]]:
    """Language -> parts of its corpus, by the nearest folder or file name that ends in a code
    (`miracl-corpus-v1.0-sw/docs-0.jsonl.gz`)."""
    files: dict[str, list[Path]] = {}
    around = [code for code in codes if code == ending(root.name)]
    for file in corpus_files(root):
        if _QUERIES.fullmatch(file.name) and file != root:
            continue  # Mr. TyDi has its training queries beside the corpus
        folders = [] if file == root else list(file.relative_to(root).parts[:-1])
        stem = re.sub(r"\.jsonl(\.gz)?$", "", file.name)
        codes_of_file = [code for part in (stem, *reversed(folders)) if (code := ending(part)) is not None]
        codes_of_file += around or (codes if len(codes) == 1 else [])
        if not codes_of_file:
            raise InputError(
                f"{file}: neither its name nor its folder tells which of {', '.join(codes)} it is in "
                "(`docs-xx.jsonl`, `xx/`)"
            )
        files.setdefault(codes_of_file[0], []).append(file)
    for code in codes:
        if code not in files:
            raise InputError(f"{root}: no passages for {code}{nearest(code, files)}")
    return files


def topics_in(documents: Documents, topics: Mapping[str, str]) -> list[str]:
    """Ids of passages that are, without their title, the topic of the same id."""
    rows = zip(documents.ids, documents.texts, documents.bodies, strict=True)
    return [one for one, *forms in rows if one in topics and topics[one].strip() in [form.strip() for form in forms]]
