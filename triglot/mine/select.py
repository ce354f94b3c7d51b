"""Which candidates become negatives: bounds on scores, so many of each language, each meaning once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triglot import seeds
from triglot.corpus.parallel import ParallelCorpus
from triglot.mine.lines import Lines, Pools
from triglot.mine.search import Candidates, Search
from triglot.mine.settings import MineSettings

_LAST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Chosen:
    """Negatives of lines.

    Attributes:
        text: (lines, negatives) int64 texts of the corpus, -1 where there were too few. With several languages they
            take turns, so that the first m of a line are as mixed as all.
        score: (lines, negatives) float32, NaN there and where candidates have no scores.
        positive: (lines,) float32 score of the positive; NaN without scores.
        rank: (lines,) int64 rank of the positive among the passages of its language, its family left out; 0 beyond
            those that were looked at, -1 unknown.
        dropped: (lines,) int64 candidates within skip and depth that a bound left out.
    """

    text: np.ndarray
    score: np.ndarray
    positive: np.ndarray
    rank: np.ndarray
    dropped: np.ndarray


def choose(
    corpus: ParallelCorpus,
    lines: Lines,
    pools: Pools,
    quota: np.ndarray,
    search: Search,
    mine: MineSettings,
    turns: Sequence[int],
) -> Chosen:
    """Negatives of some lines; those of one line do not depend on the other lines.

    Args:
        corpus: the training data.
        lines: what is mined for.
        pools: what is mined from.
        quota: (lines, languages) wanted.
        search: finds candidates.
        mine: settings.
        turns: languages that take turns: those that any line of the mining has negatives in.
    """
    positive = _positive(lines, search, mine)
    rank, dropped = np.full(len(lines), -1, np.int64), np.zeros(len(lines), np.int64)
    ceiling, floor = _bounds(positive, mine)
    spoken = np.flatnonzero(quota.any(axis=0)).tolist()
    texts, scores = [], []
    together = mine.negative_languages == "any"  # one ranking of all languages
    for lang in spoken:
        rows = np.flatnonzero(quota[:, lang])
        candidates = _candidates(lines.select(rows), lang, search, mine)
        if mine.source != "random":
            own_lines = np.flatnonzero((lines.lang[rows] == lang) & ~np.isnan(positive[rows]))
            above = (candidates[0].score[own_lines] > positive[rows[own_lines], None]).sum(axis=1)
            rank[rows[own_lines]] = np.where(above == candidates[0].place.shape[1], 0, above + 1)
        place, score = _interleaved([_window(one, mine) for one in candidates])
        bad = (place >= 0) & ((score > ceiling[rows, None]) | (score < floor))
        dropped[rows] += bad.sum(axis=1)
        text = np.where((place >= 0) & ~bad, pools.texts[lang][place], -1)
        texts.append(_spread(text, rows, len(lines), -1))
        scores.append(_spread(score, rows, len(lines), -np.inf))
    width = max(one.shape[1] for one in texts)
    text = np.stack([_padded(one, width, -1) for one in texts], axis=1)  # (lines, languages, candidates)
    score = np.stack([_padded(one, width, -np.inf) for one in scores], axis=1).astype(np.float32)
    wanted = quota[:, spoken]
    if together:
        text, score = text.reshape(len(lines), 1, -1), score.reshape(len(lines), 1, -1)
        wanted = np.full((len(lines), 1), mine.negatives)
        if mine.source != "random":
            text, score = (one[:, :, mine.skip : mine.depth] for one in _in_order(text, score, -score))
    if mine.sampling == "random" or mine.source == "random":
        draw = seeds.bits(mine.seed, "mine.sample", lines.query[:, None, None], lines.passage[:, None, None], text)
        text, score = _in_order(text, score, draw)
    lists = (
        np.zeros(1, np.int64)
        if together
        else np.array([spoken.index(lang) if lang in spoken else -1 for lang in turns])
    )
    first = (seeds.bits(mine.seed, "mine.first", lines.query, lines.passage) % np.uint64(len(lists))).astype(np.int64)
    group = np.append(corpus.text_group, -1)[text]
    if len(lists) > 1 or together or mine.source in ("both", "random"):
        text[_repeated(group)] = -1
    picked, points = _fill(text, score, group, wanted, first, mine.negatives, lists)
    if mine.source == "random":
        points[:] = np.nan
    return Chosen(picked, points, positive, rank, dropped)


def _positive(lines: Lines, search: Search, mine: MineSettings) -> np.ndarray:
    if mine.needs_model:
        return search.vectors.positive(lines)
    if mine.source == "bm25":
        return search.lexical.positive(lines)
    return np.full(len(lines), np.nan, np.float32)


def _bounds(positive: np.ndarray, mine: MineSettings) -> tuple[np.ndarray, float]:
    """(lines,) highest score of a negative, and the lowest."""
    ceiling = np.full(len(positive), np.inf)
    if mine.max_score is not None:
        ceiling[:] = mine.max_score
    if mine.margin is not None:
        ceiling = np.fmin(ceiling, positive - mine.margin)
    if mine.relative_margin is not None:
        ceiling = np.fmin(ceiling, positive - np.abs(positive) * mine.relative_margin)
    return ceiling, -np.inf if mine.min_score is None else mine.min_score


def _candidates(lines: Lines, lang: int, search: Search, mine: MineSettings) -> list[Candidates]:
    if mine.source == "random":
        return [search.random(lines, lang, mine.depth, mine.seed)]
    dense = [search.dense(lines, lang, mine.reach)] if mine.needs_model else []
    if mine.source == "dense":
        return dense
    words = search.bm25(lines, lang, mine.reach)
    if mine.source == "bm25":
        return [words]
    return [*dense, Candidates(words.place, search.vectors.score(lines, lang, words.place))]


def _window(candidates: Candidates, mine: MineSettings) -> Candidates:
    """Less what is skipped."""
    skip = 0 if mine.source == "random" or mine.negative_languages == "any" else mine.skip
    return Candidates(candidates.place[:, skip:], candidates.score[:, skip:])


def _interleaved(lists: list[Candidates]) -> tuple[np.ndarray, np.ndarray]:
    """One list of several, in turn."""
    if len(lists) == 1:
        return lists[0].place, lists[0].score
    place, score = (
        np.stack(column, axis=2).reshape(len(column[0]), -1)
        for column in zip(*((one.place, one.score) for one in lists))
    )
    return place, score


def _spread(values: np.ndarray, rows: np.ndarray, lines: int, empty: float) -> np.ndarray:
    """(lines, k) with the values in their rows."""
    if len(rows) == lines:
        return values
    out = np.full((lines, values.shape[1]), empty, values.dtype)
    out[rows] = values
    return out


def _padded(values: np.ndarray, width: int, empty: float) -> np.ndarray:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=empty)


def _in_order(text: np.ndarray, score: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in ascending order of a key along the last axis."""
    order = np.argsort(key, axis=-1, kind="stable")
    return np.take_along_axis(text, order, -1), np.take_along_axis(score, order, -1)


def _fill(
    text: np.ndarray,
    score: np.ndarray,
    group: np.ndarray,
    wanted: np.ndarray,
    first: np.ndarray,
    most: int,
    turns: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """So many of each list, in order; no group twice in a line.

    Lists of a line choose one after the other. Another one is the first from line to line, so that none always has the
    pick.

    Args:
        text: (lines, lists, candidates), -1 for none.
        score: of the same shape.
        group: of the same shape.
        wanted: (lines, lists).
        first: (lines,) whose turn is first.
        most: width of the answer.
        turns: (turns,) the list that chooses at each turn; -1 for one that none of these lines has.
    """
    count, lists = len(text), len(turns)
    rows = np.arange(count)
    taken = np.full((count, most), -1, np.int64)
    picked, points = np.full((count, most), -1, np.int64), np.full((count, most), np.nan, np.float32)
    turn = np.full((count, most), _LAST)
    filled = np.zeros(count, np.int64)
    for step in range(lists):
        which = turns[(first + step) % lists]
        if (which < 0).all():
            continue
        here, whose = text[rows, which], group[rows, which]
        allowed = (here >= 0) & (which >= 0)[:, None]
        for column in range(int(filled.max(initial=0))):
            allowed &= whose != taken[:, column : column + 1]
        nth = np.cumsum(allowed, axis=1)
        row, column = np.nonzero(allowed & (nth <= wanted[rows, which][:, None]))
        slot = filled[row] + nth[row, column] - 1
        picked[row, slot], points[row, slot] = here[row, column], score[row, which[row], column]
        taken[row, slot], turn[row, slot] = whose[row, column], (nth[row, column] - 1) * lists + step
        filled += np.bincount(row, minlength=count)
    return _in_order(picked, points, turn) if lists > 1 else (picked, points)


def _repeated(group: np.ndarray) -> np.ndarray:
    """Whether an earlier one of the last axis has the same group."""
    order = np.argsort(group, axis=-1, kind="stable")
    values = np.take_along_axis(group, order, -1)
    again = np.zeros(group.shape, bool)
    np.put_along_axis(again, order[..., 1:], values[..., 1:] == values[..., :-1], -1)
    return again
