"""Passages to search in, and texts to encode: JSON, JSON lines, Parquet, TSV, CSV or plain lines, told apart by name
and content."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triglot.corpus import tables
from triglot.corpus.markup import is_html, plain_text
from triglot.files import InputError, open_bytes, read_lines
from triglot.language_tags import language
from triglot.ranges import Count, Several
from triglot.text import in_one, titled

if TYPE_CHECKING:
    from triglot.corpus.parallel import ParallelCorpus
    from triglot.corpus.tally import Tally

log = logging.getLogger(__name__)
UNDETERMINED = "und"  # in BCP 47

_ID = ("_id", "id", "docid", "doc_id", "docno", "document_id", "pid", "passage_id", "qid", "query_id")
_TEXT = ("text", "contents", "content", "passage", "body", "sentence", "query", "question")
_TITLE = ("title", "headline")
_LANG = ("lang", "language", "locale")
_ROLES = {"id": _ID, "text": _TEXT, "title": _TITLE, "lang": _LANG}


@dataclass(frozen=True)
class Row:
    """A text, the line or row that it stands in, and where that is for messages; `id` is "" where the file gives
    none."""

    number: int
    where: str
    id: str
    text: str
    lang: str = ""
    was_html: bool = False


def read_passages(path: str | Path) -> tuple[list[str], list[str]]:
    """Ids and texts of a file, plain or gzip.

    `.jsonl`, `.json` (a list, or lines) and `.parquet`: an id (`_id`, `id`, `docid`, ...; else the number of the
    line or row) and a `text` (or `contents`, `passage`, `body`, ...); a `title` is put before the text. `.csv`, and
    `.tsv` with a header: the same as columns, and cells in quotes may have line breaks. `.tsv` without a header:
    id, tab, text. HTML in the texts of all these becomes what a reader sees. `.txt` or no suffix: one text a line,
    blank lines are passed over. What was taken for what is logged. Ids that repeat in other languages get their
    language in front, `de-1`.

    Raises:
        InputError: names file and line: another kind of file, no text, an id that is empty or occurred before, or
            nothing to read at all.
    """
    ids, texts, _ = read_collection(path)
    return ids, texts


def read_collection(path: str | Path, *, columns: Sequence[str] = ()) -> tuple[list[str], list[str], list[str]]:
    """Ids, texts and languages of a file, as `read_passages`; a language is "" where the file gives none.

    Args:
        path: of the file.
        columns: of a table by their roles, as `triglot.corpus.description.split_columns` reads them; the rest is
            guessed as in `triglot data describe`.

    Raises:
        InputError: as `read_passages`; columns that the file does not have.
    """
    path = Path(path)
    rows = [row for row, *_ in by_columns(path, columns)] if columns else list(rows_of(path))
    if not rows:
        raise InputError(f"{path}: no text in it")
    for row in rows:
        if not row.text.strip():
            raise InputError(f"{row.where}: an empty text")
    return ids_of(path, rows), [row.text for row in rows], [row.lang for row in rows]


def is_layout(path: Path) -> bool:
    """Whether a file is named as only texts are; JSON lines and TSV may be other formats as well."""
    return path.is_file() and re.fullmatch(r".*\.(csv|parquet)(\.gz)?", path.name) is not None


def read_training(
    path: str | Path,
    *,
    languages: Sequence[str] | None = None,
    itself: bool = False,
    skip: Count = 0,
    limit: Several | None = None,
) -> tuple[ParallelCorpus, Tally]:
    """Texts without any pairs: each is a group of its own, and there are no rows.

    Args:
        path: as `read_passages`.
        languages: only these.
        itself: each text is a row, query and passage in one, for losses that ask for no answer (a term `keep`); one
            whose language is not named is in `und`, undetermined.
        skip: pass over so many texts, which are kept for something else.
        limit: read at most so many of those that follow.

    Raises:
        InputError: as `read_passages`; a text whose language is not named; or none that is left.
    """
    from triglot.corpus.parallel import CorpusBuilder
    from triglot.corpus.tally import Tally

    tally, builder = Tally(), CorpusBuilder("passages")
    texts = list(zip(*read_collection(path), strict=True))
    for identifier, text, lang in texts[skip : None if limit is None else skip + limit]:
        if not lang and not itself:
            raise InputError(f"{path}: {identifier}: has no language; give it in a column `lang`")
        lang = lang or UNDETERMINED
        if languages is None or lang in languages:
            builder.text(identifier, lang, text)
            if itself:
                builder.row(identifier, identifier)
            tally.count("texts")
    if skip >= len(texts):
        raise InputError(f"skip: {skip:,} texts are passed over, and {path} has {len(texts):,}")
    if not tally.read["texts"]:
        raise InputError(f"{path}: no text in {', '.join(languages or ())}")
    return builder.build(), tally


def by_columns(path: Path, columns: Sequence[str]) -> Iterator[tuple[Row, str, dict[str, Any]]]:
    """The rows of a table whose columns were told, each with its group ("" for none) and the cells without a role."""
    from triglot.corpus.description import Articles, guess, roles_of

    (guessed,) = guess({str(path): tables.columns_of(path)}, columns)
    if not isinstance(guessed.table, Articles):
        raise InputError(f"--columns {' '.join(columns)}: texts have the roles id, text, language and group")
    roles, spoken = roles_of(guessed.table), guessed.table.language
    taken = {name for names in roles.values() for name in names}
    for number, where, record in tables.records(path):
        if not isinstance(record, dict):
            raise InputError(f"{where}: an object was expected")
        cells = {role: [tables.cell_text(record.get(name)) for name in names] for role, names in roles.items()}
        lang = cells.get("language", [""])[0]
        row = Row(
            number,
            where,
            cells.get("id", [""])[0],
            in_one([plain_text(cell) for cell in cells["text"]]),
            language(lang, where) if lang else spoken,
        )
        yield row, cells.get("group", [""])[0], {name: value for name, value in record.items() if name not in taken}


def rows_of(path: Path) -> Iterator[Row]:
    """The texts of a file one after the other, as `read_passages` tells them; ids are not compared."""
    return _reader(path)(path)


def _reader(path: Path) -> Callable[[Path], Iterator[Row]]:
    suffix = tables.suffix(path)
    readers = {"parquet": _parquet, "csv": _csv, "tsv": _tsv, "workbook": _workbook}
    readers |= {
        "json lines": lambda path: _records(path, tables.json_lines(path)),
        "json": lambda path: _records(path, tables.json_records(path)),
    }
    known = {ending: readers[kind] for ending, kind in tables.KINDS.items()} | {".txt": _lines, "": _lines}
    if suffix not in known and path.is_file():
        with open_bytes(path):  # what is packed is named so
            raise InputError(
                f"{path}: the name does not tell what it is ({', '.join(filter(None, known))}); one text a line is .txt"
            )
    return known.get(suffix, _lines)


def ids_of(path: Path, rows: Sequence[Row]) -> list[str]:
    """An id for each row: its own, else its number.

    Raises InputError for one that occurs twice, in one language or without any.
    """
    ids = [row.id or str(row.number) for row in rows]
    spoken = all(row.lang for row in rows)
    if spoken and len(set(ids)) < len(ids) == len({(one, row.lang) for one, row in zip(ids, rows, strict=True)}):
        log.info(
            "%s: ids repeat in other languages; each gets its language in front, %s-%s", path, rows[0].lang, ids[0]
        )
        return [f"{row.lang}-{one}" for one, row in zip(ids, rows, strict=True)]
    seen: dict[str, Row] = {}
    for one, row in zip(ids, rows, strict=True):
        if (first := seen.setdefault(one, row)) is not row:
            raise ids_clash(first.where.removeprefix(str(path)).lstrip(": "), replace(row, id=one))
    return ids


def ids_clash(place: str, row: Row) -> InputError:
    """What is said of an id that is there twice: at a place (a line, row or file) and in a row."""
    return InputError(
        f"{row.where}: the id {row.id!r} occurred before, in {f'line {place}' if place.isdigit() else place}"
    )


# --- records


def roles_in(names: Iterable[str], where: str) -> dict[str, str]:
    """Which name plays which role (id, text, title, lang). Raises InputError where none is a text."""
    by_lower: dict[str, str] = {}
    for name in names:
        by_lower.setdefault(name.strip().lower(), name)
    columns = {role: next((by_lower[one] for one in known if one in by_lower), None) for role, known in _ROLES.items()}
    if columns["text"] is None:
        raise InputError(
            f"{where}: no text: the object has {', '.join(by_lower)[:200] or 'nothing'}; looked for {', '.join(_TEXT)}"
        )
    return {role: name for role, name in columns.items() if name is not None}


def _tell(path: Path, roles: dict[str, str], names: Iterable[str]) -> None:
    rest = [name for name in names if name not in roles.values()]
    columns = ", ".join(role if role == name else f"{role} from {name!r}" for role, name in roles.items())
    log.info("%s: read %s%s", path, columns, f"; not read: {', '.join(rest)}" if rest else "")


def row_of(value: Any, number: int, where: str) -> Row:
    """A record, or a text alone."""
    if isinstance(value, str):
        return Row(number, where, "", value)
    if not isinstance(value, dict):
        raise InputError(f"{where}: an object or a string was expected")
    roles = roles_in(value, where)
    text, title, lang = (value.get(roles[role]) if role in roles else None for role in ("text", "title", "lang"))
    if not isinstance(text, str):
        raise InputError(f"{where}: {roles['text']} is not a string")
    if title is not None and not isinstance(title, str):
        raise InputError(f"{where}: {roles['title']} is not a string")
    identifier = ""
    if "id" in roles:
        given = value[roles["id"]]
        if type(given) not in (str, int) or not str(given).strip():
            raise InputError(f"{where}: {roles['id']} is {given!r:.40}, not an id")
        identifier = str(given)
    return Row(
        number,
        where,
        identifier,
        titled(plain_text(title or ""), plain_text(text)),
        language(lang, where) if lang else "",
        is_html(text),
    )


def say_html(path: Path, texts: int) -> None:
    """Log of how many texts HTML was taken out."""
    if texts:
        log.info("%s: HTML in %s texts, tags and entities taken out", path, f"{texts:,}")


def _records(path: Path, values: Iterable[tuple[int, str, Any]]) -> Iterator[Row]:
    roles_said, with_html = False, 0
    for number, where, value in values:
        row = row_of(value, number, where)
        if not roles_said and isinstance(value, dict):
            _tell(path, roles_in(value, where), value)
            roles_said = True
        with_html += row.was_html
        yield row
    say_html(path, with_html)


def _parquet(path: Path) -> Iterator[Row]:
    spellings = [
        spelling for known in _ROLES.values() for name in known for spelling in (name, name.title(), name.upper())
    ]
    return _records(path, tables.records(path, spellings))


def _workbook(path: Path) -> Iterator[Row]:
    values = (
        (number, where, {name: tables.cell_text(cell) for name, cell in record.items()})
        for number, where, record in tables.records(path)
    )
    return _records(path, values)


# --- tables: CSV, TSV


def is_header(cells: Sequence[str]) -> bool:
    """Whether a first line names columns: names only, with a text among them, an id at the front, or a title or
    language beside others."""
    names = [cell.strip().lower() for cell in cells]
    known = not set(_TEXT).isdisjoint(names) or not set(_ID).isdisjoint(names[:1])
    known = known or (len(names) > 2 and not {*_TITLE, *_LANG}.isdisjoint(names))
    return known and all(len(name) <= 80 for name in names)


def _csv(path: Path) -> Iterator[Row]:
    first = tables.first_line(path)
    for delimiter in tables.DELIMITERS:
        if is_header(tables.cells_of(first, delimiter)):
            return _table(path, tables.quoted(path, delimiter))
    if not first:
        return iter(())
    raise InputError(f"{path}:1: its first line names no column of texts ({first[:60]!r}); known: {', '.join(_TEXT)}")


def has_header(path: Path) -> bool:
    """Whether the first line of a TSV names its columns."""
    return is_header(tables.cells_of(tables.first_line(path), "\t"))


def _tsv(path: Path) -> Iterator[Row]:
    if not has_header(path):
        return _id_and_text(path)
    return _table(path, tables.tab_separated(path, len(tables.cells_of(tables.first_line(path), "\t"))))


def _id_and_text(path: Path) -> Iterator[Row]:
    log.info("%s: its first line names no columns; each line is an id, a tab and a text", path)
    several = 0
    for number, line in read_lines(path):
        identifier, tab, text = line.partition("\t")
        if line.strip() and not tab:
            raise InputError(f"{path}:{number}: no tab; a line is `id<TAB>text`")
        if line.strip() and not identifier.strip():
            raise InputError(f"{path}:{number}: an empty id")
        if line.strip():
            several += "\t" in text
            yield Row(number, f"{path}:{number}", identifier, text)
    if several:
        log.warning(
            "%s: %s lines have more than one tab; what stands behind the first is the text. A first line that names "
            "the columns (id, title, text) keeps them apart",
            path,
            f"{several:,}",
        )


def _table(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    """Texts of a table; the first of its rows, (line number, cells), is the header."""
    return _records(path, tables.table(path, rows, lambda header: roles_in(header, f"{path}:1")))


# --- one text a line


def _lines(path: Path) -> Iterator[Row]:
    """Plain lines, unless their content tells that they are something else."""
    rows = []
    tabs: set[int] = set()
    for number, line in read_lines(path):
        if "\0" in line:
            raise InputError(f"{path}:{number}: a NUL byte; this is no text in UTF-8")
        if line.strip():
            if not rows:
                _check_plain(path, number, line)
            tabs.add(line.count("\t"))
            rows.append(Row(number, f"{path}:{number}", "", line))
    if len(tabs) == 1 and 0 not in tabs:
        raise InputError(
            f"{path}: every line has {tabs.pop()} tab(s), as in a table; name it .tsv (id, tab, text, or with a header)"
        )
    return iter(rows)


def _check_plain(path: Path, number: int, line: str) -> None:
    """Raises InputError where a first line is that of a JSON file, a table or a page."""
    start = line.lstrip()
    if start.rstrip() in ("{", "[") or (
        start.startswith(("{", "[")) and isinstance(tables.parsed(start, path), dict | list)
    ):
        raise InputError(f"{path}:{number}: this is JSON; name it .jsonl (an object a line) or .json")
    if re.match(r"<(!doctype|html|\?xml)\b", start, re.IGNORECASE):
        raise InputError(f"{path}:{number}: this is HTML or XML, and its lines are no texts")
    for delimiter in tables.DELIMITERS:
        cells = {cell.strip().lower() for cell in tables.cells_of(line, delimiter)}
        if not cells.isdisjoint(_TEXT) and not cells.isdisjoint((*_ID, *_TITLE, *_LANG)):
            raise InputError(
                f"{path}:{number}: this is the header of a table; name it {'.tsv' if delimiter == chr(9) else '.csv'}"
            )
