"""Joint alignment of a static encoder with reallocation of its vocabulary (Wang et al. 2020, arXiv 1910.04708).

Joint training (the stage before) gives one table for all languages. Its tokens are then told apart: one that is nearly
always used in one language is private to it, the others are shared. The private rows of each language are turned, as a
whole, to where the pivot's texts of the same meaning lie; shared rows stay. The paper has two languages and a word as a
unit; here a language counts against all the others, and a unit is a token, so that the table needs no language to be
known when a text is encoded.
"""

from __future__ import annotations

import logging

import numpy as np

from triglot.files import InputError, nearest
from triglot.train.anchors import bag_matrix
from triglot.train.feed import Feed
from triglot.train.maps import MAPS
from triglot.train.settings import JointAlignSettings

log = logging.getLogger("triglot")
SHARED = -1


def owners(counts: np.ndarray, threshold: float) -> np.ndarray:
    """(vocab,) the language that each token is private to, `SHARED` for the others and for tokens that nothing uses.

    Args:
        counts: (languages, vocab) how often the texts of each language have a token. A language with more text counts
            no more: what is compared are shares of its tokens.
        threshold: least share of a token's use, over all languages, that one of them must have.
    """
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    total = share.sum(0)
    most = share.argmax(0)
    private = (total > 0) & (share.max(0) >= threshold * total)
    return np.where(private, most, SHARED)


def rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(dim, dim) the orthogonal map W that makes source @ W nearest to target (Procrustes, Schönemann 1966)."""
    left, _, right = np.linalg.svd(source.T.astype(np.float64) @ target.astype(np.float64))
    return left @ right


def ridge(source: np.ndarray, target: np.ndarray, penalty: float = 0.1) -> np.ndarray:
    """(dim, dim) the map W of least |source @ W - target|^2 / n + penalty / dim * |W|^2."""
    source, target = source.astype(np.float64), target.astype(np.float64)
    gram = source.T @ source / len(source) + penalty / source.shape[1] * np.eye(source.shape[1])
    return np.linalg.solve(gram, source.T @ target / len(source))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def reallocated(rows: np.ndarray, feed: Feed, settings: JointAlignSettings) -> np.ndarray:
    """The table with the private rows of every language but the pivot turned towards it.

    Args:
        rows: (vocab, dim) float32.
        feed: the texts of a stage, tokenised.
        settings: what is private, and which language stays.

    Returns:
        (vocab, dim) float32, a new array. Lengths of rows stay as they were.

    Raises:
        InputError: no text in the pivot language.
    """
    corpus = feed.corpus
    if settings.pivot not in corpus.languages:
        raise InputError(f"joint_align.pivot: no text in {settings.pivot!r}{nearest(settings.pivot, corpus.languages)}")
    pivot, vocab = corpus.languages.index(settings.pivot), len(rows)
    counts = np.stack(
        [
            np.bincount(feed.tokens.take(np.flatnonzero(corpus.text_lang == code)).flat, minlength=vocab)
            for code in range(len(corpus.languages))
        ]
    )
    owner = owners(counts, settings.threshold)
    made = rows.astype(np.float32, copy=True)
    told = []
    for code, name in enumerate(corpus.languages):
        private = owner == code
        both = np.flatnonzero((corpus.text_of[:, code] >= 0) & (corpus.text_of[:, pivot] >= 0))
        if code == pivot or not private.any():
            continue
        own = bag_matrix(feed.tokens.take(corpus.text_of[both, code]), vocab) @ (rows * private[:, None])
        theirs = bag_matrix(feed.tokens.take(corpus.text_of[both, pivot]), vocab) @ rows
        seen = np.linalg.norm(own, axis=1) > 0
        if int(seen.sum()) < settings.least:
            told.append(f"{name} as it was ({int(seen.sum())} texts beside one in {settings.pivot})")
            continue
        turned = rows[private] @ MAPS[settings.map].fit(_unit(own[seen]), _unit(theirs[seen]))
        length = np.linalg.norm(rows[private], axis=1, keepdims=True)
        made[private] = (_unit(turned) * length).astype(np.float32)
        told.append(f"{name} {int(private.sum()):,}")
    shared = int(((owner == SHARED) & (counts.sum(0) > 0)).sum())
    log.info("joint_align: private tokens turned to %s: %s; %s shared", settings.pivot, ", ".join(told), f"{shared:,}")
    return made
