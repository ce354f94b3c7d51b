"""Before and after, in plain words: what changed for those who search in each language, and for which questions."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow.compute as pc

from triglot.evaluate.results import figure_names, read_figures, read_questions
from triglot.grid import cut
from triglot.report.runs import Arm
from triglot.report.verdicts import ALPHA
from triglot.stats import cluster_sums, holm, permutation_test

FIRST = 10  # passages that a searcher looks at
EXAMPLES = 3
_COLUMNS = ("query_id", "query_lang", "cluster", "setting", "relevant", f"r@{FIRST}", "mrr")
_WHAT = " of per-query results"


@dataclass(frozen=True)
class Change:
    """What changed for one language.

    Attributes:
        language: its code.
        questions: how many were asked in it.
        before, after: share of them with an answer among the first ten.
        verdict: 1 better, -1 worse, 0 no more than chance, after Holm's correction over the languages.
    """

    language: str
    questions: int
    before: float
    after: float
    verdict: int


@dataclass(frozen=True)
class Example:
    """A question won or lost: the rank of its first answer before and after."""

    language: str
    text: str
    before: int
    after: int


@dataclass(frozen=True)
class Changes:
    """What changed on a benchmark from one model, or mean of seeds, to another.

    Attributes:
        benchmark, before, after: names.
        languages: a change for each.
        won, lost: questions whose first answer came into the first ten, or left them.
        same: whether not a single question has another rank.
        versions: share of all versions of an article, in whatever language, that are among the first ten, before and
            after, with a verdict; None where articles have one version.
    """

    benchmark: str
    before: str
    after: str
    languages: tuple[Change, ...]
    won: tuple[Example, ...]
    lost: tuple[Example, ...]
    same: bool = False
    versions: tuple[float, float, int] | None = None

    @property
    def sentences(self) -> list[str]:
        """Plain sentences; the first says what changed for whom."""
        if self.same:
            return ["Nothing changed: every question finds its answers where it found them before."]
        by = {sign: [one for one in self.languages if one.verdict == sign] for sign in (1, -1, 0)}
        by[1].sort(key=lambda one: one.before - one.after)
        by[-1].sort(key=lambda one: one.after - one.before)
        said = []
        for sign, word in ((1, ""), (-1, "Worse: ")):
            parts = [
                f"{name_of(one.language)} {'searchers find the article in the first ten ' if not place else ''}"
                f"in {one.after:.0%} instead of {one.before:.0%}"
                for place, one in enumerate(by[sign])
            ]
            if parts:
                said.append(f"{word}{'; '.join(parts)}.")
        if by[0]:
            listed = ", ".join(f"{name_of(one.language)} ({one.before:.0%}, now {one.after:.0%})" for one in by[0])
            said.append(f"No difference beyond chance: {listed}.")
        before, after = (float(np.mean([getattr(one, key) for one in self.languages])) for key in ("before", "after"))
        said.append(f"Over all languages: in {after:.0%} instead of {before:.0%}.")
        if self.versions:
            before, after, verdict = self.versions
            told = (
                f"Of all versions of an article, in any language, {after:.0%} are among the first ten instead of "
                f"{before:.0%}{'' if verdict else ', no more than chance'}."
            )
            # the first line says what changed: where every searcher found some version before, that is this
            said.insert(0 if verdict and not (by[1] or by[-1]) else len(said), told)
        return said

    def lines(self, width: int = 80) -> list[str]:
        """Sentences and examples for a terminal of so many columns."""
        found = [f"{self.benchmark}: {self.after} after {self.before}"]
        for sentence in self.sentences:
            found += textwrap.wrap(
                sentence, width - 2, initial_indent="  ", subsequent_indent="  ", break_long_words=False
            )
        for title, examples in (("won", self.won), ("lost", self.lost)):
            for one in examples:
                ranks = f"  {title:<4} {one.language:<5} {one.before:>6,} -> {one.after:<6,} "
                found.append(ranks + cut(one.text, width - len(ranks)))
        return found


@cache
def name_of(code: str) -> str:
    """The English name of a language, `German`; the code where CLDR has none."""
    from babel import Locale

    names = Locale("en").languages
    return names.get(code.replace("-", "_")) or names.get(code.partition("-")[0], code)


def changes(arms: Sequence[Arm], benchmark: str) -> Changes | None:
    """What changed from the first of two arms to the second, as means over their seeds.

    None where there are not two arms with figures of the same questions in one pool of all languages. The verdicts go
    by paragraphs alone: they are on these very models.
    """
    if len(arms) != 2:
        return None
    read = [figures for arm in arms if (figures := _figures(arm, benchmark)) is not None]
    if len(read) < 2 or not np.array_equal(read[0]["query_id"], read[1]["query_id"]):
        return None
    before, after = (one["found"] for one in read)
    base = read[0]
    languages, p = sorted(set(base["query_lang"].tolist())), []
    for code in languages:
        rows = base["query_lang"] == code
        difference = (after - before)[None, rows]
        cluster = np.unique(base["cluster"][rows], return_inverse=True)[1]
        p.append(permutation_test(cluster_sums(difference, cluster)) if difference.any() else 1.0)
    told = []
    for code, corrected in zip(languages, holm(p).tolist(), strict=True):
        rows = base["query_lang"] == code
        was, now = float(before[rows].mean()), float(after[rows].mean())
        sign = int(np.sign(now - was)) if corrected <= ALPHA else 0
        told.append(Change(code, int(rows.sum()), was, now, sign))
    versions = None
    if (base["relevant"] > 1).any():
        shares = [one["share"] for one in read]
        sums = cluster_sums((shares[1] - shares[0])[None], *_numbers(base, "cluster", "query_lang"))
        was, now = (float(np.mean([one[base["query_lang"] == code].mean() for code in languages])) for one in shares)
        differs = (shares[0] != shares[1]).any() and permutation_test(sums) <= ALPHA
        versions = (was, now, int(np.sign(now - was)) if differs else 0)
    ranks = [np.maximum(1, np.rint(1 / np.maximum(one["mrr"], 1e-9))).astype(np.int64) for one in read]
    texts = _texts(arms, benchmark)
    return Changes(
        benchmark,
        arms[0].name,
        arms[1].name,
        tuple(told),
        _examples(base, ranks[0], ranks[1], texts),
        _examples(base, ranks[1], ranks[0], texts, turned=True),
        bool(np.array_equal(read[0]["mrr"], read[1]["mrr"]) and np.array_equal(before, after)),
        versions,
    )


def _numbers(columns: Mapping[str, np.ndarray], *names: str) -> list[np.ndarray]:
    return [np.unique(columns[name], return_inverse=True)[1] for name in names]


def _figures(arm: Arm, benchmark: str) -> dict[str, np.ndarray] | None:
    """The multilingual rows of an arm, `found` and `mrr` as means over its seeds; None where a run has none."""
    seeds = []
    for run in arm.runs:
        path = run.queries(benchmark)
        if path is None or not path.name.endswith(".queries.parquet"):
            return None
        if not set(_COLUMNS) <= set(figure_names(path, what=_WHAT)):  # of a run to a depth, say
            return None
        table = read_figures(path, _COLUMNS, what=_WHAT).filter(pc.field("setting") == "multi")
        columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
        if not len(table) or np.isnan(columns[f"r@{FIRST}"].astype(float)).any():
            return None
        seeds.append(columns)
    first = seeds[0]
    if not all(np.array_equal(first["query_id"], one["query_id"]) for one in seeds):
        return None
    # without ties this is 1 where any answer is among the first ten
    found = [np.minimum(1, one[f"r@{FIRST}"].astype(float) * one["relevant"]) for one in seeds]
    mrr = [one["mrr"].astype(float) for one in seeds]
    share = [one[f"r@{FIRST}"].astype(float) for one in seeds]
    return {**first, "found": np.mean(found, axis=0), "mrr": np.mean(mrr, axis=0), "share": np.mean(share, axis=0)}


def _examples(
    base: Mapping[str, np.ndarray],
    outside: np.ndarray,
    inside: np.ndarray,
    texts: Mapping[str, str],
    *,
    turned: bool = False,
) -> tuple[Example, ...]:
    """Questions whose first answer is beyond the first ten by `outside` and among them by `inside`: the largest moves,
    each in another language as long as there are some."""
    rows = np.flatnonzero((outside > FIRST) & (inside <= FIRST))
    rows = rows[np.argsort((inside - outside)[rows], kind="stable")].tolist()
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(str(base["query_lang"][row]), row)
    order = [*first.values(), *(row for row in rows if row not in set(first.values()))]
    found = []
    for row in order[:EXAMPLES]:
        was, now = (inside, outside) if turned else (outside, inside)
        identifier = str(base["query_id"][row])
        text = " ".join(texts.get(identifier, identifier).split())
        found.append(Example(str(base["query_lang"][row]), text, int(was[row]), int(now[row])))
    return tuple(found)


def _texts(arms: Sequence[Arm], benchmark: str) -> Mapping[str, str]:
    """Id -> text of the questions, as far as a run has them."""
    for arm in arms:
        for run in arm.runs:
            if texts := read_questions(run.folder, benchmark):
                return texts
    return {}
