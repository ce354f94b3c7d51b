"""What is mined for and from: lines (a question text and a positive text of a row) and the passages of each
language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from triglot import seeds
from triglot.corpus.formats.pair_writer import language_pairs
from triglot.corpus.parallel import ParallelCorpus
from triglot.files import InputError, nearest
from triglot.graph import components
from triglot.mine.settings import MineSettings
from triglot.text import said


@dataclass(frozen=True)
class Lines:
    """One line a question text and positive text; a row whose texts are in m languages has m lines or more.

    Attributes:
        row: (lines,) row of the corpus.
        query, passage: (lines,) texts of the corpus.
        lang: (lines,) language of the positive text.
    """

    row: np.ndarray
    query: np.ndarray
    passage: np.ndarray
    lang: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def select(self, keep: np.ndarray) -> Lines:
        """Some of the lines, by number."""
        return Lines(self.row[keep], self.query[keep], self.passage[keep], self.lang[keep])


def lines_of(corpus: ParallelCorpus) -> Lines:
    """The lines of all rows, in the order of rows.

    Question and positive are in the same language where both exist in it; every text of either occurs in a line. Of
    bitext, where one group is both, each text is asked for the one in the next language.
    """
    text_of = corpus.text_of
    query, passage = text_of[corpus.query] >= 0, text_of[corpus.passage] >= 0  # (rows, languages)
    own = corpus.query == corpus.passage
    plain = ~own & (query == passage).all(axis=1)
    row, lang = np.nonzero(query & plain[:, None])
    parts = [np.stack([row, lang, lang], axis=1)]
    for number in np.flatnonzero(~plain).tolist():
        if own[number]:
            codes = np.flatnonzero(query[number])
            pairs = list(zip(codes, np.roll(codes, -1), strict=True)) if len(codes) > 1 else []
        else:
            pairs = language_pairs(query[number], passage[number])
        if pairs:
            parts.append(np.array([(number, *pair) for pair in pairs]))
    table = np.concatenate(parts)
    table = table[np.argsort(table[:, 0], kind="stable")]
    row = table[:, 0]
    return Lines(row, text_of[corpus.query[row], table[:, 1]], text_of[corpus.passage[row], table[:, 2]], table[:, 2])


def one_a_row(lines: Lines, turn: int = 0) -> Lines:
    """One line of each row; another one of the row's at the next turn."""
    rows, first, count = np.unique(lines.row, return_index=True, return_counts=True)
    return lines.select(first + (rows + turn) % count)


@dataclass(frozen=True)
class Pools:
    """The passages that may become negatives.

    Attributes:
        texts: of each language of the corpus, the texts of its pool, each different text once, ascending.
        families: the family of each of these texts: a line's negatives have another family than its positive and its
            question.
        keys: what each of them says, as a number; texts that differ in case or white space alone share it.
        family, key: the same for every group and every text of the corpus; -1 for a text that was not looked at.
    """

    texts: list[np.ndarray]
    families: list[np.ndarray]
    keys: list[np.ndarray]
    family: np.ndarray
    key: np.ndarray


def pools_of(corpus: ParallelCorpus, lines: Lines, *, most: int = 0, seed: int = 1) -> Pools:
    """The passages of a corpus by language: all that are the passage or a negative of a row.

    Passages are of one family if a question has both as answers (two questions with the same text count as one), or if
    they say the same in any language.

    Args:
        corpus: the training data.
        lines: what is mined for.
        most: passages of a language; others are left out by chance. 0 for all.
        seed: of that chance.
    """
    groups = len(corpus.group_ids)
    candidate = np.zeros(groups, bool)
    candidate[corpus.passage] = True
    if corpus.negatives is not None:
        candidate[np.asarray(corpus.negatives.flatten())] = True
    texts = np.flatnonzero(candidate[corpus.text_group])
    key = np.full(len(corpus.texts), -1, np.int64)
    seen = np.union1d(texts, lines.query)
    key[seen] = said(corpus.texts.take(pa.array(seen)))
    # Groups in a chain that says the same, or that answers the same question.
    asked = key[lines.query] * len(corpus.languages) + corpus.text_lang[lines.query]
    links = [
        (np.arange(groups), corpus.family),
        (corpus.passage[lines.row], np.unique(asked, return_inverse=True)[1]),
        (corpus.text_group[texts], np.unique(key[texts], return_inverse=True)[1]),
    ]
    node = np.cumsum([groups, groups, len(lines), len(texts)])
    a, b = (
        np.concatenate([one for one, _ in links]),
        np.concatenate([other + base for (_, other), base in zip(links, node, strict=False)]),
    )
    family = components(int(node[-1]), a, b)[:groups]

    pools: list[np.ndarray] = []
    for lang in range(len(corpus.languages)):
        mine = texts[corpus.text_lang[texts] == lang]
        mine = np.sort(mine[np.unique(key[mine], return_index=True)[1]])
        if most and len(mine) > most:
            draw = seeds.bits(seed, "mine.pool", mine)
            mine = np.sort(mine[np.argsort(draw, kind="stable")[:most]])
        pools.append(mine)
    return Pools(pools, [family[corpus.text_group[one]] for one in pools], [key[one] for one in pools], family, key)


def quotas(corpus: ParallelCorpus, lines: Lines, pools: Pools, mine: MineSettings) -> np.ndarray:
    """(lines, languages) negatives wanted; `any` has the whole number in every language, from which the best are taken.

    A share that is no whole number is rounded down or up from line to line, by systematic sampling at evenly spread
    places, so that the mean over lines is the share.

    Raises:
        InputError: a language that the corpus lacks, or too few passages.
    """
    sizes = np.array([len(texts) for texts in pools.texts])
    speaking = np.flatnonzero(sizes)
    shares = np.zeros((len(lines), len(sizes)))
    rule = mine.negative_languages
    if isinstance(rule, Mapping):
        for code, share in rule.items():
            if code not in corpus.languages:
                raise InputError(
                    f"negative_languages: the corpus has no passage in {code!r}{nearest(code, corpus.languages)}"
                )
            if not sizes[corpus.languages.index(code)]:
                raise InputError(f"negative_languages: the corpus has no passage in {code!r}")
            shares[:, corpus.languages.index(code)] = share
    elif rule == "own":
        shares[np.arange(len(lines)), lines.lang] = 1
    else:
        shares[:, speaking] = 1
        if rule == "others":
            if len(speaking) < 2:
                raise InputError(
                    f"negative_languages: others: all passages are in one language, {corpus.languages[speaking[0]]}"
                )
            shares[np.arange(len(lines)), lines.lang] = 0
    wanted = shares > 0
    if rule == "any":
        counts = wanted * mine.negatives
        _check(corpus, mine, sizes.sum(), mine.negatives, "")
        return counts
    bounds = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1) * mine.negatives
    bounds[:, -1] = mine.negatives  # not a digit less
    # Lines with the same shares take consecutive places of the sequence.
    kind = lines.lang if rule in ("own", "others") else np.zeros(len(lines), np.int64)
    order = np.argsort(kind, kind="stable")
    place = np.empty(len(lines), np.int64)
    place[order] = np.arange(len(lines)) - np.searchsorted(kind[order], kind[order])
    start = seeds.spread(float(seeds.uniform(mine.seed, "mine.quota")), place)
    edges = np.floor(bounds + start[:, None] + 1e-9)
    counts = np.diff(edges, axis=1, prepend=np.floor(start + 1e-9)[:, None]).astype(np.int64) * wanted
    for lang in np.flatnonzero(counts.any(axis=0)).tolist():
        if rule != "own" or sizes[lang] == sizes.max():
            _check(corpus, mine, sizes[lang], int(counts[:, lang].max()), f" in {corpus.languages[lang]}")
    return counts


def _check(corpus: ParallelCorpus, mine: MineSettings, size: int, wanted: int, where: str) -> None:
    """Raise InputError where no line can have its negatives: the positive is one of the passages."""
    if size - 1 < wanted + mine.skip:
        skipped = f" after {mine.skip} that are skipped" if mine.skip else ""
        raise InputError(
            f"negatives: {wanted} of each row{where} are wanted{skipped}, but the corpus has {size} different "
            f"passages{where}, the positive"
            " among them; ask for fewer, or add passages"
        )
