"""Further texts of a batch: rows' queries and passages in other languages, for terms that compare translations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from triglot import seeds
from triglot.batches import Step
from triglot.corpus.parallel import ParallelCorpus
from triglot.files import InputError, nearest
from triglot.losses.terms import Translation


@dataclass(frozen=True)
class Further:
    """Texts that come after those of a batch.

    Attributes:
        group, lang: (texts,) what they say, and in which language they are shown.
        sides: (texts,) bool, True for a passage.
        places: what was asked for -> (rows,) place of each row's text in the batch, -1 where it has none. A text that
            the row shows already is not shown again.
    """

    group: np.ndarray
    lang: np.ndarray
    sides: np.ndarray
    places: Mapping[Translation, np.ndarray]


def further_texts(
    corpus: ParallelCorpus, masks: np.ndarray, step: Step, wanted: Sequence[Translation], *, before: int, seed: int
) -> Further:
    """The further texts of a step.

    Args:
        corpus: of the rows.
        masks: (groups,) uint64, the languages that a group can be shown in.
        step: planned rows and languages.
        wanted: what is asked for.
        before: texts that the batch has already: queries, positives of all rows, and others.
        seed: of the languages that are drawn; a row's depends on the epoch, and not on its batch.
    """
    rows = len(step)
    shown = step.passage_lang >= 0
    row, place = np.nonzero(shown.T)[::-1]
    number = np.full(shown.shape, -1)  # (rows, positives) place in the batch
    number[row, place] = rows + np.arange(len(row))
    group, lang, sides, places = [], [], [], {}
    for need in wanted:
        passage = need.side == "passage"
        groups = (corpus.passage if passage else corpus.query)[step.rows]
        has = step.passage_lang if passage else step.query_lang[:, None]  # (rows, texts) languages shown, -1 for none
        where = number if passage else np.arange(rows)[:, None]
        if need.language:
            code = np.full(rows, corpus.languages.index(need.language))
            texts_at = np.where(has == code[:, None], where, -1).max(axis=1)
            able = (masks[groups] >> code.astype(np.uint64)) & np.uint64(1) > 0
        else:
            own = np.bitwise_or.reduce(
                np.where(has >= 0, np.uint64(1) << np.maximum(has, 0).astype(np.uint64), np.uint64(0)), axis=1
            )
            code = _drawn(masks[groups] & ~own, len(corpus.languages), step, passage, seed)
            texts_at, able = np.full(rows, -1), code >= 0
        new = np.flatnonzero(able & (texts_at < 0))
        texts_at[new] = before + sum(map(len, group)) + np.arange(len(new))
        group.append(groups[new])
        lang.append(code[new])
        sides.append(np.full(len(new), passage))
        places[need] = texts_at
    empty = np.zeros(0, np.int64)
    return Further(
        np.concatenate([empty, *group]),
        np.concatenate([empty, *lang]),
        np.concatenate([np.zeros(0, bool), *sides]),
        places,
    )


def _drawn(able: np.ndarray, languages: int, step: Step, passage: bool, seed: int) -> np.ndarray:
    """(rows,) a language of each mask, each equally likely; -1 for an empty mask."""
    bits = (able[:, None] >> np.arange(languages, dtype=np.uint64)) & np.uint64(1)
    draw = seeds.uniform(seed, "feed.translations", step.epoch, step.rows, int(passage))
    nth = (draw * bits.sum(axis=1)).astype(np.int64)
    return np.where(able > 0, (np.cumsum(bits, axis=1, dtype=np.int64) > nth[:, None]).argmax(axis=1), -1)


def check_languages(corpus: ParallelCorpus, wanted: Sequence[Translation]) -> None:
    """Raises InputError for a language that the corpus does not have."""
    for need in wanted:
        if need.language and need.language not in corpus.languages:
            raise InputError(
                f"loss.terms: no text in {need.language!r}, which passages are asked for in"
                f"{nearest(need.language, corpus.languages)}"
            )
