"""The texts that a command searches in or encodes, and the questions that it is given: from files of any kind, columns,
benchmarks, vectors that were prepared, and stdin."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triglot.corpus.formats.passages import ids_of, read_collection
from triglot.corpus.formats.registry import split_spec
from triglot.corpus.formats.sources import benchmark_in, find, read, spooled
from triglot.corpus.hub import PREFIX
from triglot.files import InputError

log = logging.getLogger("triglot")
STDIN = "-"


@dataclass(frozen=True)
class Texts:
    """Texts with their ids and languages; a language is "" where nobody tells it."""

    ids: list[str]
    texts: list[str]
    langs: list[str]


def read_texts(source: str, *, columns: Sequence[str] = (), languages: Sequence[str] = ()) -> Texts:
    """Texts of a file (`triglot.corpus.formats.passages`), of a folder of tables or shards, or the passages of a
    benchmark: a folder, a description of tables, `FORMAT:PATH` or a `hub:` name.

    Args:
        source: which; `-` for stdin.
        columns: of a table by their roles, `id=key,text=title+body,language=lang`; the rest is guessed.
        languages: only these; empty for all.

    Raises:
        InputError: what cannot be read; columns of what is no table; a language that no text is in, or texts that do
            not say theirs.
    """
    path = Path(source).expanduser()
    if path.is_dir() and not split_spec(source)[0] and not benchmark_in(path):
        found = _of_folder(path, columns)
    elif split_spec(source)[0] or source.startswith(PREFIX) or path.is_dir() or path.suffix in (".yaml", ".yml"):
        if columns:
            raise InputError(f"--columns: goes with a table, and {source} is a benchmark")
        found = _of_benchmark(source)
    else:
        found = Texts(*(_of_stdin() if source == STDIN else read_collection(source, columns=columns)))
    if not languages:
        return found
    if "" in found.langs:
        raise InputError(f"--languages: {source} does not say the language of {found.ids[found.langs.index('')]!r}")
    for code in languages:
        if code not in found.langs:
            raise InputError(
                f"--languages: {source} has no text in {code!r}; it has {', '.join(sorted({*found.langs}))}"
            )
    rows = [row for row, code in enumerate(found.langs) if code in languages]
    return Texts(*([column[row] for row in rows] for column in (found.ids, found.texts, found.langs)))


def _of_stdin() -> tuple[list[str], list[str], list[str]]:
    """Texts of stdin: JSON lines, or one a line."""
    with tempfile.TemporaryDirectory(prefix="triglot-") as folder:
        path = spooled(sys.stdin.buffer, Path(folder))
        try:
            return read_collection(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), "stdin")) from None


def _of_folder(path: Path, columns: Sequence[str]) -> Texts:
    """Texts of a folder of tables or shards."""
    rows = [record.row for record in read(find(str(path)), columns=columns)]
    if not rows:
        raise InputError(f"{path}: no text in it")
    return Texts(ids_of(path, rows), [row.text for row in rows], [row.lang for row in rows])


def _of_benchmark(source: str) -> Texts:
    from triglot.benchmark import open_benchmark

    opened = open_benchmark(source, stream=False, classification=False).in_memory()
    passages = opened.passages
    return Texts(
        [str(one) for one in passages.ids],
        list(passages.texts),
        [opened.languages[lang] for lang in passages.lang.tolist()],
    )


def read_questions(path: str) -> tuple[list[str], list[str]]:
    """Ids and texts of a file of questions; of stdin where it is `-`, one a line.

    Raises:
        InputError: as `triglot.corpus.formats.passages.read_passages`; nothing on stdin.
    """
    if path != STDIN:
        return read_collection(path)[:2]
    texts = [line.strip() for line in sys.stdin.read().splitlines() if line.strip()]
    if not texts:
        raise InputError("--queries -: nothing on stdin; one question a line was expected")
    return [str(number) for number in range(1, len(texts) + 1)], texts


def read_prepared(path: str, ids: Sequence[str], dim: int) -> np.ndarray:
    """(ids, dim) float32: vectors that were prepared for texts, by their ids; what is not used is logged.

    Raises:
        InputError: as `triglot.corpus.formats.vectors.read`, or another number of dimensions than `dim`.
    """
    from triglot.corpus.formats import vectors

    found, notes = vectors.read(Path(path), ids)
    for note in notes:
        log.info("%s", note)
    if found.shape[1] != dim:
        raise InputError(f"--vectors: {path} has {found.shape[1]} dimensions, and the model {dim}")
    if not np.isfinite(found).all():
        raise InputError(f"--vectors: {path} has numbers that are not finite")
    return found
