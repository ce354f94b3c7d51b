"""Retrieval data as MTEB keeps it: Parquet tables of corpus, queries and judgements, each in a folder of its own.

`corpus/*.parquet` and `queries/*.parquet` have the columns `_id` (or `id`), `text` and perhaps `title`;
`qrels/SPLIT-*.parquet` (also `default/`, `data/`) has `query-id`, `corpus-id` and perhaps `score`: without it each
judgement has grade 1, as in NanoBEIR. With several languages the folders are `xx-corpus`, `xx-queries`, `xx-qrels`,
each language a benchmark of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from triglot.corpus.formats import beir, qrels
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest
from triglot.parquet import rows

_FOLDER = re.compile(r"(?:(.+)-)?corpus")


def configs(folder: Path) -> list[str]:
    """Languages (or other parts) of a folder in this layout, `` for one without parts; empty where it is none."""
    if not folder.is_dir():
        return []
    folders = ((match[1] or "", path) for path in sorted(folder.iterdir()) if (match := _FOLDER.fullmatch(path.name)))
    return [config for config, path in folders if any(path.glob("*.parquet"))]


def is_layout(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return bool(configs(folder))


def _records(
    folder: Path,
    kind: str,
    config: str,
    tally: Tally,
    language: str,
    titles: bool,
    asked: Mapping[str, set[str]] | None = None,
) -> beir.Records:
    records = beir.Records()
    place = folder / (f"{config}-{kind}" if config else kind)
    files = sorted(place.glob("*.parquet"))
    if not files:
        raise InputError(f"{place}: no Parquet file of {kind}")
    more = {
        "kind": kind,
        "language": language,
        "languages": None,
        "titles": titles and kind == "corpus",
        "asked": asked,
    }
    for file in files:
        for number, row in rows(file, ("_id", "id", "title", "text")):
            record = {"_id": row.get("_id", row.get("id")), "text": row.get("text"), "title": row.get("title") or ""}
            beir.add_record(records, record, f"{file}: row {number}", tally, **more)
    if not records.texts:
        raise InputError(f"{place}: no {kind} can be read; {'; '.join(tally.lines())}")
    return records


def _tables(folder: Path, config: str, split: str | None) -> tuple[list[Path], str]:
    """The tables of judgements of a split, and its name; without one, `test` or else the only one that is there."""
    names = [f"{config}-qrels"] if config else ["qrels", "default", "data"]
    tables = [file for name in names for file in sorted((folder / name).glob("*.parquet"))]
    known = sorted({file.name.partition("-")[0].removesuffix(".parquet") for file in tables})
    split = split or (known[0] if len(known) == 1 else "test")
    files = [file for file in tables if re.fullmatch(rf"{re.escape(split)}(-.*)?\.parquet", file.name)]
    if not files:
        raise InputError(
            f"{folder}: no judgements of the split {split!r} in {' or '.join(names)}{nearest(split, known)}"
        )
    return files, split


def _judgements(files: Sequence[Path], tally: Tally) -> Iterator[tuple[str, str, int, str]]:
    for file in files:
        for number, row in rows(file):
            where = f"{file}: row {number}"
            query, document, score = qrels.keys_of(row)
            ids, grade = (qrels.identifier_of(query), qrels.identifier_of(document)), qrels.grade_of(score, where)
            if ids[0] is None or ids[1] is None or grade is None:
                tally.leave_out(qrels.MALFORMED, where)
                continue
            tally.count("judgements")
            yield ids[0], ids[1], grade, where


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    config: str = "",
    split: str | None = None,
    language: str = "",
    languages: Sequence[str] | None = None,
    titles: bool = True,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """The queries judged in a split against the whole corpus.

    Args:
        path: the folder.
        name: of the benchmark.
        config: `xx` of `xx-corpus`; may be left out where there is one only, or `languages` names one.
        split: of the judgements; by default `test`, or the only one that there is.
        language: of the texts; by default the config, `en` where there is none.
        languages: one language, in place of `config`.
        titles: put a document's title before its text.
        strict: a record or judgement that cannot be used is an error.
        licence: of the data.

    Raises:
        InputError: a file is missing or cannot be read, or config or split are unknown.
    """
    folder, tally = Path(path), Tally(strict=strict)
    known = configs(folder)
    if not known:
        raise InputError(f"{folder}: no folder such as `corpus` or `xx-corpus` with Parquet files")
    if not config and "" not in known:
        wanted = [one for one in known if one in languages] if languages is not None else known
        if len(wanted) != 1:
            raise InputError(
                f"{folder}: has {', '.join(known)}, each a benchmark of its own; give one of them as `config`"
            )
        config = wanted[0]
    if config not in known:
        raise InputError(f"{folder}: no {config!r}{nearest(config, known)}")
    files, split = _tables(folder, config, split)
    queries = _records(folder, "queries", config, tally, language or config or "en", titles)
    corpus = _records(folder, "corpus", config, tally, language or config or "en", titles, beir.asked(queries))
    judgements = beir.known_judgements(corpus, queries, _judgements(files, tally), tally)
    return beir.retrieval_set(
        beir.Contents(corpus, queries, *judgements), tally, name=name, split=split, licence=licence
    )
