"""Multi-EuP v2: speeches of the European Parliament in 24 languages, and the titles of their debates in each of them
(Yang, Jiang and Baldwin 2024).

One CSV file, a row a speech: `did`, `TEXT`, `LANGUAGE`, and for each language `title_XX` and `qid_XX`, the title of the
speech's debate and its id; what follows a `#` in an id is not part of it. A title asks for all speeches of its debate,
which are no translations of one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from triglot.corpus import dicts
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tables import quoted
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest
from triglot.language_tags import language, tag

_NEEDED = ("did", "TEXT", "LANGUAGE")


def _file(path: Path) -> Path | None:
    """The table itself, or the only one of a folder that has its columns."""
    folder = sorted(path.iterdir()) if path.is_dir() else []
    files = [path] if path.is_file() else folder
    tables = [file for file in files if file.name.endswith((".csv", ".csv.gz"))]
    return next((file for file in tables if _is_header(_header(file))), None)


def _header(file: Path) -> list[str]:
    try:
        return next(quoted(file, ","), (0, []))[1]
    except InputError:
        return []


def _is_header(names: Sequence[str]) -> bool:
    return all(name in names for name in _NEEDED) and any(name.startswith("qid_") for name in names)


def is_layout(path: Path) -> bool:
    """Whether a file, or one of a folder, has the columns of this table."""
    return _file(path) is not None


def _rows(file: Path, tally: Tally) -> Iterator[tuple[str, dict[str, str]]]:
    """(where, column -> cell) of each row."""
    rows = quoted(file, ",")
    _, header = next(rows)
    for number, cells in rows:
        if len(cells) != len(header):
            tally.leave_out("row with more or fewer cells than columns", f"{file}:{number}")
        else:
            yield f"{file}:{number}", dict(zip(header, cells, strict=True))


def _titles(row: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Language -> id and title of the debate."""
    titles = {}
    for column, title in row.items():
        kind, _, code = column.partition("_")
        debate = row.get(f"qid_{code}", "").partition("#")[0].strip()
        if kind == "title" and (spoken := tag(code)) is not None and title.strip() and debate:
            titles[spoken] = debate, title.strip()
    return titles


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    languages: Sequence[str] | None = None,
    strict: bool = False,
    licence: str = "CC BY 4.0",
) -> RetrievalSet:
    """The titles of debates, in each language, against all speeches.

    Args:
        path: the table, or the folder that it lies in.
        name: of the benchmark.
        languages: titles and speeches in these alone; None for all.
        strict: a row that cannot be used is an error.
        licence: of the data.

    Raises:
        InputError: no such table, one that cannot be read, or nothing in these languages.
    """
    place, tally = Path(path), Tally(strict=strict)
    if (file := _file(place)) is None:
        there = [one.name for one in place.iterdir()] if place.is_dir() else []
        hint = nearest("clean_all_with_did_qid.MEP.csv", there)
        raise InputError(f"{place}: no CSV file with the columns {', '.join(_NEEDED)} and qid_XX{hint}")
    titles: dict[str, tuple[str, str]] = {}
    corpus: dict[str, str] = {}
    spoken: dict[str, str] = {}
    debate_of: dict[str, str] = {}
    speeches: dict[str, list[str]] = {}
    for where, row in _rows(file, tally):
        identifier, text = row["did"].strip(), row["TEXT"]
        if not identifier or not text.strip() or not row["LANGUAGE"].strip():
            tally.leave_out("row without did, TEXT or LANGUAGE", where)
            continue
        code, of_row = language(row["LANGUAGE"].strip(), where), _titles(row)
        if identifier in corpus:
            tally.leave_out("speech whose did occurred before", where)
        elif not of_row:
            tally.leave_out("speech of a debate without title and id", where)
        elif languages is not None and code not in languages:
            tally.count("speeches in other languages (not asked for)")
        else:
            corpus[identifier], spoken[identifier] = text, code
            debate = of_row.get("en", next(iter(of_row.values())))[0]
            speeches.setdefault(debate, []).append(identifier)
            for other, (_, title) in of_row.items():
                if languages is None or other in languages:
                    titles.setdefault(f"{other}-{debate}", (other, title))
                    debate_of[f"{other}-{debate}"] = debate
            tally.count("speeches")
    if not titles:
        raise InputError(f"{file}: no speech of a debate in {', '.join(languages or ())}; {'; '.join(tally.lines())}")
    spoken |= {query: code for query, (code, _) in titles.items()}
    qrels = {query: speeches[debate] for query, debate in debate_of.items()}
    traits = {"name": name, "parallel": False, "licence": licence, "candidate_text": "paragraph"}
    benchmark = dicts.retrieval_set(
        {query: title for query, (_, title) in titles.items()},
        corpus,
        qrels,
        languages=spoken,
        groups=debate_of,
        **traits,
    )
    return replace(benchmark, notes=(*benchmark.notes, *tally.notes()))
