"""What a figure of bias is counted over (the languages asked for) and at which levels it is averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.files import InputError, nearest
from triglot.ranges import Range, shown

MOST_SUBSETS = Range(0, 2000)  # pools of some languages alone; all pairs of 60 languages are 1,770


@dataclass(frozen=True)
class Figure:
    """One figure of bias at every level of averaging.

    Attributes:
        by_query: (queries of the benchmark,) NaN where the figure does not apply or the query is not in the languages
            asked for.
        by_language: (languages,) mean over the queries of each language, NaN for one without any.
        queries: (languages,) int64, how many queries each mean counts.
        left_out: queries in these languages that the figure does not apply to.
        macro: mean over the query languages that have a figure; NaN if none has.
    """

    by_query: np.ndarray
    by_language: np.ndarray
    queries: np.ndarray
    left_out: int
    macro: float


@dataclass(frozen=True)
class Scope:
    """The languages asked for, in their order.

    Attributes:
        codes: of the languages.
        columns: (codes,) their index in the benchmark.
        query_lang: (queries,) index in `codes`, -1 for another language.
        passage_lang: (passages,) likewise.
    """

    codes: tuple[str, ...]
    columns: np.ndarray
    query_lang: np.ndarray
    passage_lang: np.ndarray

    def figure(self, values: np.ndarray) -> Figure:
        """Averages of (queries,) values, NaN where they do not apply."""
        inside = self.query_lang >= 0
        has = inside & ~np.isnan(values)
        number = np.bincount(self.query_lang[has], minlength=len(self.codes))
        total = np.bincount(self.query_lang[has], weights=values[has], minlength=len(self.codes))
        by_language = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        macro = float(by_language[number > 0].mean()) if number.any() else float("nan")
        return Figure(np.where(has, values, np.nan), by_language, number, int(inside.sum() - has.sum()), macro)


def check_subsets(name: str, subsets: Sequence[Sequence[str]], known: Sequence[str] | None = None) -> None:
    """Hold smaller pools to what can be reported, before anything is encoded.

    Args:
        name: of the benchmark, or the key, that messages begin with.
        subsets: the languages of each pool.
        known: languages of the benchmark; None where it was not read yet.

    Raises:
        InputError: too many, fewer than two languages in one, a language twice or unknown, or the same pool twice.
    """
    if complaint := MOST_SUBSETS.complaint(len(subsets), whole=True):
        raise InputError(f"{name}: subsets: {complaint}")
    pools: set[frozenset[str]] = set()
    for codes in subsets:
        pool = frozenset(codes)
        if len(pool) < 2 or len(pool) < len(codes):
            raise InputError(f"{name}: a subset needs two languages or more, each once, not {shown(list(codes))}")
        if pool in pools:
            raise InputError(f"{name}: the subset {'+'.join(sorted(pool))} is given twice")
        pools.add(pool)
        for code in codes:
            if known is not None and code not in known:
                raise InputError(f"{name}: no language {code!r}{nearest(code, known)}")


def scope_of(benchmark: RetrievalSet, languages: Sequence[str] | None) -> Scope:
    """The scope of language codes, all by default. Raises InputError for an unknown one, one given twice, or none."""
    codes = benchmark.languages if languages is None else tuple(languages)
    if not codes or len(set(codes)) < len(codes):
        raise InputError(f"{benchmark.name}: languages must be given, each once, not {list(codes)}")
    columns = benchmark.language_indices(codes)
    number = np.full(len(benchmark.languages), -1, np.int64)
    number[columns] = np.arange(len(codes))
    return Scope(codes, columns, number[benchmark.queries.lang], number[benchmark.passages.lang])
