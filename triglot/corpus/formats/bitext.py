"""Translations: TSV pairs (`xx-yy.tsv[.gz]`, or a folder of them) and line-aligned folders (`xx.txt[.gz]`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.corpus.tally import Tally
from triglot.files import InputError, read_lines
from triglot.language_tags import TAG, tag, two_of_name
from triglot.ranges import Count, Several

PAIR = re.compile(rf"({TAG}-{TAG})\.tsv(?:\.gz)?")
ALIGNED = re.compile(rf"({TAG})\.txt(?:\.gz)?")
NAME = re.compile(rf"{TAG}-{TAG}\.tsv(?:\.gz)?|(?!{TAG}-{TAG}\.){TAG}\.txt(?:\.gz)?")  # `xx-yy.txt` is a word list


@dataclass(frozen=True)
class Lines:
    """Groups of translations in columns: text i is in language `lang[i]` and belongs to group `group[i]`."""

    languages: tuple[str, ...]
    texts: list[str]
    lang: np.ndarray
    group: np.ndarray
    ids: list[str]


def is_aligned(path: Path) -> bool:
    """Whether a folder is line-aligned (`xx.txt`) and not one of TSV pairs, nor of word lists (`xx-yy.txt`)."""
    if not path.is_dir():
        return False
    names = [p.name for p in path.iterdir()]
    one = [match[1] for name in names if (match := ALIGNED.fullmatch(name)) and tag(match[1]) is not None]
    # `en-es` may be two languages or the English of Spain; `en` beside it tells.
    return (
        bool(one)
        and not any(PAIR.fullmatch(name) for name in names)
        and any(two_of_name(stem, str(path)) is None for stem in one)
    )


def find_pairs(
    path: Path, languages: Sequence[str] | None = None, tally: Tally | None = None, *, pattern: re.Pattern[str] = PAIR
) -> list[tuple[Path, str, str]]:
    """(file, source language, target language) of the files named so. Raises InputError where there is none."""
    files = []
    suffixes = (".tsv", ".tsv.gz") if pattern is PAIR else (".tsv", ".tsv.gz", ".txt", ".txt.gz")
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        match = pattern.fullmatch(file.name)
        if match and (two := two_of_name(match[1], str(file))) is not None:
            files.append((file, *two))
        elif tally is not None and file.name.endswith(suffixes):
            tally.pass_over("file whose name tells no two languages", file)
    kept = [(p, a, b) for p, a, b in files if languages is None or (a in languages and b in languages)]
    if not kept:
        why = f" with both sides in {list(languages)}" if files and languages is not None else ""
        raise InputError(f"{path}: no file such as `xx-yy{suffixes[-2]}` or `xx-yy{suffixes[1]}`{why}")
    return kept


def read_pairs(
    path: Path, tally: Tally, *, languages: Sequence[str] | None = None, skip: int = 0, limit: int | None = None
) -> Lines:
    """One group a line. Broken lines are counted; so are repeats of a whole line within a file, which are read once."""
    files = find_pairs(path, languages, tally)
    codes = tuple(sorted({code for _, a, b in files for code in (a, b)}))
    texts: list[str] = []
    ids: list[str] = []
    langs = []
    for file, a, b in files:
        seen: set[str] = set()
        first = len(ids)
        for number, line in islice(read_lines(file), skip, None if limit is None else skip + limit):
            source, tab, target = line.partition("\t")
            if not tab or "\t" in target:
                tally.leave_out("line that has not two columns with a tab between them", f"{file}:{number}")
            elif not source.strip() or not target.strip():
                tally.leave_out("line with an empty side", f"{file}:{number}")
            elif line in seen:
                tally.leave_out("line that repeats an earlier one of its file", f"{file}:{number}")
            else:
                seen.add(line)
                texts.append(source)
                texts.append(target)
                ids.append(f"{a}-{b}/{number}")
        langs.append(np.tile(np.array([codes.index(a), codes.index(b)], np.int16), len(ids) - first))
        if len(ids) == first:
            raise InputError(f"{file}: no pair in it can be read; {'; '.join(tally.lines())}")
    tally.count("files", len(files))
    tally.count("pairs", len(ids))
    return Lines(codes, texts, np.concatenate(langs), np.repeat(np.arange(len(ids), dtype=np.int32), 2), ids)


def read_aligned(
    path: Path, tally: Tally, *, languages: Sequence[str] | None = None, skip: int = 0, limit: int | None = None
) -> Lines:
    """One group a line number. Raises InputError where the files have different numbers of lines."""
    file_of: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        match = ALIGNED.fullmatch(file.name)
        code = tag(match[1]) if match else None
        if code is not None and file_of.setdefault(code, file) != file:
            raise InputError(f"{file}: a second file in {code}, beside {file_of[code].name}")
        if code is None and file.name.endswith((".txt", ".txt.gz")):
            tally.pass_over("file whose name is no language", file)
    kept = [(file, code) for code, file in sorted(file_of.items()) if languages is None or code in languages]
    if len(kept) < 2:
        raise InputError(
            f"{path}: fewer than two files such as `xx.txt`{f' in {list(languages)}' if languages is not None else ''}"
        )
    columns = [[line for _, line in read_lines(file)] for file, _ in kept]
    for (file, _), column in zip(kept, columns, strict=True):
        if len(column) != len(columns[0]):
            raise InputError(
                f"{file}: {len(column)} lines, but {kept[0][0].name} has {len(columns[0])}; the files are not aligned"
            )
    rows = range(len(columns[0]))[skip : None if limit is None else skip + limit]
    if skip and not rows:
        raise InputError(f"skip: {skip:,} lines are passed over, and the files of {path} have {len(columns[0]):,}")
    texts, lang, group = [], [], []
    for code, ((file, _), column) in enumerate(zip(kept, columns, strict=True)):
        for row, line in zip(rows, column[rows.start : rows.stop], strict=True):
            if line.strip():
                texts.append(line)
                lang.append(code)
                group.append(row - rows.start)
            else:
                tally.leave_out("empty line", f"{file}:{row + 1}")
    tally.count("files", len(kept))
    tally.count("lines", len(rows))
    ids = [f"line/{row + 1}" for row in rows]
    return Lines(tuple(code for _, code in kept), texts, np.array(lang, np.int16), np.array(group, np.int32), ids)


def corpus_of(lines: Lines, source: str, tally: Tally) -> ParallelCorpus:
    """Rows whose query and passage are the same group, for every group with at least two languages."""
    # Two lines with the same English side stay two groups: that their other sides mean the same would be decided by
    # comparing strings. `ParallelCorpus.family` keeps identical texts from being each other's negatives.
    sizes = np.bincount(lines.group, minlength=len(lines.ids))
    rows = np.flatnonzero(sizes >= 2).astype(np.int32)
    if len(rows) < len(lines.ids):
        tally.leave_out(
            "line with a text in fewer than two languages", lines.ids[int(np.argmin(sizes))], len(lines.ids) - len(rows)
        )
    tally.count("rows", len(rows))
    return ParallelCorpus(
        languages=lines.languages,
        sources=(source,),
        texts=pa.array(lines.texts, pa.large_string()),
        text_lang=lines.lang,
        text_group=lines.group,
        group_ids=pa.array(lines.ids, pa.large_string()),
        group_titles=pa.array([""] * len(lines.ids), pa.large_string()),
        query=rows,
        passage=rows,
        source=np.zeros(len(rows), np.int16),
    )


def _read(path: Path, tally: Tally, languages: Sequence[str] | None, skip: int, limit: int | None) -> Lines:
    read = read_aligned if is_aligned(path) else read_pairs
    return read(path, tally, languages=languages, skip=skip, limit=limit)


def read_training(
    path: str | Path,
    *,
    languages: Sequence[str] | None = None,
    skip: Count = 0,
    limit: Several | None = None,
    strict: bool = False,
    source: str = "bitext",
) -> tuple[ParallelCorpus, Tally]:
    """Training rows of translations: query == passage; the planner takes two languages of the group.

    Args:
        path: a TSV file, a folder of TSV files, or a line-aligned folder.
        languages: read only pairs (or columns) in these languages.
        skip: pass over so many lines of each file, which are kept for a benchmark, say.
        limit: read at most so many of the lines that follow.
        strict: a line that cannot be used is an error.
        source: the name of the source in the corpus.

    Raises:
        InputError: a file cannot be read, or line-aligned files have different lengths.
    """
    tally = Tally(strict=strict)
    lines = _read(Path(path), tally, languages, skip, limit)
    return corpus_of(lines, source, tally), tally


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    languages: Sequence[str] | None = None,
    skip: Count = 0,
    limit: Several | None = None,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """Translation retrieval: every text is a query and a candidate; relevant are the group's texts in the **other**
    languages.

    The candidate in the query's own language is the query itself. To find it is no achievement, so it is not judged:
    the set has no monolingual setting. In the multilingual pool it stands unjudged (in effect above the first answer),
    so read the cross-lingual figures.
    """
    tally = Tally(strict=strict)
    lines = _read(Path(path), tally, languages, skip, limit)
    count = len(lines.texts)
    order = np.argsort(lines.group, kind="stable")
    ends = np.flatnonzero(np.diff(lines.group[order], append=-1)) + 1
    judged = [np.zeros((0, 2), np.int64)]
    by_size: dict[int, list[np.ndarray]] = {}
    for members in np.split(order, ends[:-1]):
        by_size.setdefault(len(members), []).append(members)
    for size, groups in by_size.items():
        members = np.stack(groups)  # (groups, size)
        a, b = np.nonzero(~np.eye(size, dtype=bool))
        judged.append(np.column_stack([members[:, a].ravel(), members[:, b].ravel()]))
    pairs = np.concatenate(judged)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    has = np.zeros(count, bool)
    has[pairs[:, 0]] = True
    if not has.any():
        raise InputError(f"{name}: no line has a text in two languages; {'; '.join(tally.lines())}")
    if not has.all():
        tally.leave_out(
            "line with a text in fewer than two languages",
            lines.ids[lines.group[int(np.argmin(has))]],
            int((~has).sum()),
        )
    text_ids = [
        f"{lines.languages[lang]}-{lines.ids[group]}" for lang, group in zip(lines.lang, lines.group, strict=True)
    ]
    passages = Texts(text_ids, lines.texts, lines.lang, lines.group, lines.group)
    new = np.cumsum(has) - 1
    return RetrievalSet(
        name=name,
        languages=lines.languages,
        queries=passages.take(np.flatnonzero(has)),
        passages=passages,
        judgements=np.column_stack([new[pairs[:, 0]], pairs[:, 1], np.ones(len(pairs), np.int64)]),
        notes=(
            "translation retrieval: no monolingual setting; the query's own text is in the pool and not judged",
            *tally.notes(),
        ),
        licence=licence,
    )
