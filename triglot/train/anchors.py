"""A closed-form start for the alignment of a static encoder: words begin where their translations are.

Fresh rows are nearly orthogonal, so a text and its translation begin as strangers. Each token of another language is
moved towards the mean of the pivot-language words that word lists give for the words it occurs in; tokens that the
pivot language itself uses stay, so that words remain distinguishable. One sparse product; contrastive training goes on
from there.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from triglot.files import InputError, nearest
from triglot.ragged import Ragged
from triglot.train.feed import Feed

OWN = 50  # a token that the pivot's texts hold this often is one of the pivot's own


def bag_matrix(bags: Ragged, vocab: int) -> sparse.csr_array:
    """(bags, vocab) float32: how often each token occurs in each bag."""
    matrix = sparse.csr_array((np.ones(len(bags.flat), np.float32), bags.flat, bags.offsets), shape=(len(bags), vocab))
    matrix.sum_duplicates()
    return matrix


def anchored(rows: np.ndarray, pivot: Ragged, other: Ragged, fixed: np.ndarray, strength: float) -> np.ndarray:
    """Rows of which those of other languages' tokens lie near the pivot's.

    Args:
        rows: (vocab, dim) float32.
        pivot: tokens of each word list entry's pivot side.
        other: tokens of its other side, in the same order.
        fixed: (vocab,) bool, tokens that keep their row.
        strength: 0 keeps every row, 1 puts a token right at the mean of its translations. Lengths stay as they were.

    Returns:
        (vocab, dim) float32, a new array.

    Raises:
        InputError: a strength outside [0, 1].
    """
    if not 0 <= strength <= 1:
        raise InputError(f"anchor: {strength} is not between 0 and 1")
    vocab = len(rows)
    words = bag_matrix(pivot, vocab) @ rows  # (entries, dim)
    words /= np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1e-12)
    share = sparse.diags_array(1 / np.maximum(other.lengths, 1).astype(np.float32))
    mean = (share @ bag_matrix(other, vocab)).T @ words  # (vocab, dim)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    moved = (length[:, 0] > 0) & ~fixed
    target = mean[moved] / length[moved] * np.linalg.norm(rows[moved], axis=1, keepdims=True)
    result = rows.astype(np.float32, copy=True)
    result[moved] = strength * target + (1 - strength) * rows[moved]
    return result


def anchor(rows: np.ndarray, feed: Feed, sources: set[str], pivot: str, strength: float) -> np.ndarray:
    """`anchored` with the word lists among a feed's sources.

    Args:
        rows: (vocab, dim) float32.
        feed: tokenised.
        sources: names of the word lists (`muse`, or its parts `muse/de-en`).
        pivot: language whose words stay.
        strength: see `anchored`.

    Raises:
        InputError: no row of these sources has a text in the pivot language.
    """
    corpus = feed.corpus
    if pivot not in corpus.languages:
        raise InputError(f"alignment.pivot: no text in {pivot!r}{nearest(pivot, corpus.languages)}")
    code = corpus.languages.index(pivot)
    chosen = [i for i, name in enumerate(corpus.sources) if name.partition("/")[0] in sources]
    entries = corpus.text_of[corpus.query[np.isin(corpus.source, chosen)]]  # (entries, languages)
    entries = entries[entries[:, code] >= 0]
    entry, lang = np.nonzero(entries >= 0)
    entry, lang = entry[lang != code], lang[lang != code]
    if not len(entry):
        raise InputError(f"alignment.anchor: no word list with {pivot!r}")
    tokens = feed.tokens
    own = np.bincount(tokens.take(np.flatnonzero(corpus.text_lang == code)).flat, minlength=len(rows)) >= OWN
    return anchored(rows, tokens.take(entries[entry, code]), tokens.take(entries[entry, lang]), own, strength)
