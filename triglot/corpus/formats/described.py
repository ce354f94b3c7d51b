"""One's own tables, described in YAML: articles and the clicks of a search log, in columns of any name; and the folder
that `triglot data prepare` made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from triglot.corpus.clicks import Prepared, prepare
from triglot.corpus.description import read_description
from triglot.corpus.formats import beir, pairs
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import Tally
from triglot.files import InputError

BENCHMARK, PAIRS, REPORT = "benchmark", "train.jsonl", "prepared.json"


def is_prepared(path: Path) -> bool:
    """Whether a folder was made by `triglot data prepare`."""
    return path.is_dir() and (path / REPORT).is_file() and (path / PAIRS).is_file()


def is_layout(path: Path) -> bool:
    """Whether a file is named as a description is."""
    return path.is_file() and re.fullmatch(r".*\.ya?ml", path.name) is not None


def read(path: str | Path, languages: Sequence[str] | None = None, strict: bool = False) -> Prepared:
    """The tables of a description, divided. Raises InputError as `triglot.corpus.clicks.prepare`."""
    description = read_description(path)
    if languages is not None:
        own = [code for code in description.languages if code in languages] if description.languages else languages
        if not own:
            raise InputError(f"{path}: languages: has none of {', '.join(languages)}")
        description = replace(description, languages=tuple(own))
    return prepare(description, Path(path).parent, strict=strict)


def read_training(
    path: str | Path, *, languages: Sequence[str] | None = None, strict: bool = False, source: str = "clicks"
) -> tuple[ParallelCorpus, Tally]:
    """The questions of training with the articles that were clicked.

    Args:
        path: the description, which `triglot data describe` makes.
        languages: only articles and questions in these.
        strict: a row that cannot be used is an error.
        source: the name of the source in the corpus.

    Raises:
        InputError: as `triglot.corpus.clicks.prepare`.
    """
    prepared = read(path, languages, strict)
    corpus = prepared.corpus(source)
    prepared.tally.count("rows", len(corpus))
    return corpus, prepared.tally


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    split: Literal["test"] = "test",
    languages: Sequence[str] | None = None,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """The questions whose articles are kept from training, against all articles.

    Args:
        path: as for `read_training`.
        name: of the benchmark.
        split: there is one, `test`.
        languages: as for `read_training`.
        strict: as for `read_training`.
        licence: of the data.

    Raises:
        InputError: as `triglot.corpus.clicks.prepare`; or no article is kept for a benchmark.
    """
    if split != "test":
        raise InputError(f"{path}: no split {split!r}; known: test")
    prepared = read(path, languages, strict)
    return beir.retrieval_set(benchmark(prepared), prepared.tally, name=name, split=split, licence=licence)


def benchmark(prepared: Prepared) -> beir.Contents:
    """The benchmark. Raises InputError where no article is kept for one."""
    if not prepared.test:
        raise InputError("test_size: 0 keeps no article for a benchmark")
    return prepared.contents()


def read_prepared_training(
    path: str | Path, *, languages: Sequence[str] | None = None, strict: bool = False, source: str = "clicks"
) -> tuple[ParallelCorpus, Tally]:
    """The training pairs of a prepared folder; arguments and errors as `triglot.corpus.formats.pairs.read_training`."""
    return pairs.read_training(Path(path) / PAIRS, languages=languages, strict=strict, source=source)


def read_prepared_retrieval(
    path: str | Path,
    *,
    name: str,
    split: str = "test",
    languages: Sequence[str] | None = None,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """The benchmark of a prepared folder; arguments and errors as `triglot.corpus.formats.beir.read_retrieval`."""
    if not (Path(path) / BENCHMARK).is_dir():
        raise InputError(f"{path}: has no benchmark; it was prepared with test_size 0")
    more = {"languages": languages, "strict": strict, "licence": licence}
    return beir.read_retrieval(Path(path) / BENCHMARK, name=name, split=split, **more)
