"""Rows a batch, asked for and got, on twenty shapes of click logs: `python benchmarks/clicklogs.py [rows a batch]`.

A log has questions in one language each, and the article that was clicked, which exists in some languages. The shapes
differ in how popular the most popular articles are, in how many rows languages have, and in which translations there
are. The last ones have questions that are translated as well, so that arms can be compared. A cell is the mean batch,
the smallest one, and the share of the rows that can be used which an epoch shows; `whole` is what every row once an
epoch and one row of a family a batch would give.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from triglot.batches import KINDS, BatchSettings, EpochPlan, Rows, plan_epoch
from triglot.files import InputError

LANGUAGES, CLICKS, ARTICLES = 5, 5000, 240
ALL = 2**LANGUAGES - 1


def popularity(exponent: float = 0.0, giant: float = 0.0, articles: int = ARTICLES) -> np.ndarray:
    """(articles,) shares of the clicks: Zipf's law, and one article with a share of its own."""
    share = np.arange(1, articles + 1, dtype=float) ** -exponent
    share /= share.sum()
    if giant:
        share = np.concatenate([[giant], share[:-1] / share[:-1].sum() * (1 - giant)])
    return share


def log_rows(
    share: np.ndarray,
    *,
    clicks: int = CLICKS,
    asked: np.ndarray | None = None,
    there: float = 0.75,
    popular_there: float | None = None,
    parallel: bool = False,
    english: bool = True,
) -> Rows:
    """Rows of a log.

    Args:
        share: of the clicks, by article.
        clicks: rows.
        asked: shares of the questions' languages; None for equal ones.
        there: chance that an article exists in a language; all exist in the first, if `english`.
        popular_there: the same for the ten most popular articles.
        parallel: questions exist in all languages of their article.
        english: see `there`.
    """
    rng = np.random.default_rng(7)
    article = rng.choice(len(share), clicks, p=share)
    chance = np.full(len(share), there)
    chance[:10] = there if popular_there is None else popular_there
    has = rng.random((len(share), LANGUAGES)) < chance[:, None]
    has[np.arange(len(share)), 0 if english else rng.integers(0, LANGUAGES, len(share))] = True
    passage = (has @ (1 << np.arange(LANGUAGES))).astype(np.uint64)[article]
    asked = np.full(LANGUAGES, 1 / LANGUAGES) if asked is None else asked / asked.sum()
    lang = rng.choice(LANGUAGES, clicks, p=asked)
    query = passage if parallel else np.uint64(1) << lang.astype(np.uint64)
    return Rows(article.astype(np.int32), query, passage, np.zeros(clicks, np.int16))


def joined(*parts: Rows, apart: bool = False) -> Rows:
    """Several logs as one; `apart` gives each its own articles."""
    first = np.cumsum([0, *[int(part.family.max()) + 1 for part in parts]]) if apart else np.zeros(len(parts) + 1, int)
    return Rows(
        np.concatenate([part.family + start for part, start in zip(parts, first, strict=False)]).astype(np.int32),
        *[
            np.concatenate([getattr(part, column) for part in parts])
            for column in ("query_languages", "passage_languages", "source")
        ],
    )


def alone(rows: Rows, language: int) -> Rows:
    """The same clicks with questions and articles in one language."""
    mask = np.full(len(rows), 1 << language, np.uint64)
    return Rows(rows.family, mask, mask, rows.source)


def two_languages() -> Rows:
    """Every pair of languages has rows, and no row has a third one."""
    rng = np.random.default_rng(7)
    pairs = np.array([1 << a | 1 << b for a in range(LANGUAGES) for b in range(a)], np.uint64)
    mask = pairs[rng.integers(0, len(pairs), CLICKS)]
    return Rows(
        rng.choice(ARTICLES, CLICKS, p=popularity(1.0)).astype(np.int32), mask, mask, np.zeros(CLICKS, np.int16)
    )


SHAPES: dict[str, Callable[[], Rows]] = {
    "even clicks": lambda: log_rows(popularity()),
    "Zipf 0.6": lambda: log_rows(popularity(0.6)),
    "Zipf 0.8": lambda: log_rows(popularity(0.8)),
    "Zipf 1.0": lambda: log_rows(popularity(1.0)),
    "Zipf 1.2": lambda: log_rows(popularity(1.2)),
    "Zipf 1.5": lambda: log_rows(popularity(1.5)),
    "one article with 10 % of the clicks": lambda: log_rows(popularity(0.3, 0.1)),
    "one article with 30 %": lambda: log_rows(popularity(0.3, 0.3)),
    "one article with half": lambda: log_rows(popularity(0.0, 0.5)),
    "two articles with a quarter each": lambda: log_rows(np.concatenate([[0.25, 0.25], np.full(238, 0.5 / 238)])),
    "a tiny language, 20 clicks": lambda: joined(
        log_rows(popularity(1.0)), alone(log_rows(popularity(), clicks=20), 7)
    ),
    "a tiny language, all clicks on one article": lambda: joined(
        log_rows(popularity(1.0)), alone(log_rows(np.ones(1), clicks=40), 7)
    ),
    "one language has half of the questions": lambda: log_rows(popularity(0.8), asked=np.array([4.0, 1, 1, 1, 1])),
    "one language alone": lambda: alone(log_rows(popularity(1.0)), 0),
    "forty articles": lambda: log_rows(popularity(0.5, articles=40)),
    "600 clicks": lambda: log_rows(popularity(0.8), clicks=600),
    "popular articles with few translations": lambda: log_rows(
        popularity(1.0), there=0.9, popular_there=0.1, english=False
    ),
    "all pairs in two languages": two_languages,
    "translated questions, Zipf 1.2": lambda: log_rows(popularity(1.2), parallel=True),
    "translated questions, one article with half": lambda: log_rows(popularity(0.0, 0.5), parallel=True, there=0.5),
}


def planned(rows: Rows, kind: str, size: int, **settings: bool) -> EpochPlan | None:
    """A plan of a kind; None where the kind cannot use any row."""
    try:
        return plan_epoch(rows, BatchSettings(kind=kind, size=size, comparable=False, **settings), seed=1)  # type: ignore[arg-type]
    except InputError as error:
        if "no row can be used" in str(error):
            return None
        raise


def main(size: int) -> None:
    print(f"{size} rows a batch were asked for\n")
    print(
        "| log | rows | most clicked | whole | "
        + " | ".join(KINDS.names())
        + " |\n|---|---:|---:|---:|"
        + "---:|" * len(KINDS)
    )
    for name, shape in SHAPES.items():
        rows = shape()
        wholes = [
            plan.sizes.mean
            for kind in KINDS.names()
            if (plan := planned(rows, kind, size, every_row=True, allow_small=True))
        ]
        cells = [name, f"{len(rows):,}", f"{np.bincount(rows.family).max():,}", f"{min(wholes):.1f}"]
        for kind in KINDS.names():
            plan = planned(rows, kind, size)
            cells.append(f"{plan.sizes.mean:.0f}, {plan.sizes.min}, {plan.shown:.0%}" if plan else "—")
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
