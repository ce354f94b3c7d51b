"""Localised relevance matching (arXiv 2112.11031): a passage is cut into overlapping windows, each is encoded by
itself, and the passage scores what its best windows score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.once import encode_once
from triglot.encoder.protocol import inner_of
from triglot.evaluate.counts import ScoreBlock
from triglot.evaluate.encodings import EncodingSettings
from triglot.evaluate.evaluator import similarity_notes
from triglot.files import InputError
from triglot.memory import check_fits


def windows(text: str, spans: Sequence[tuple[int, int]], window: int, stride: int) -> list[str]:
    """Pieces of a text; the last one ends with it, and each begins and ends with a token.

    Args:
        text: any.
        spans: of its tokens, in their order.
        window: tokens of a piece.
        stride: tokens between the starts of two.

    Returns:
        at least one piece; the text itself where it has no more tokens than a window.
    """
    if len(spans) <= window:
        return [text]
    starts = list(range(0, len(spans) - window, stride))
    starts.append(len(spans) - window)
    return [text[spans[start][0] : spans[start + window - 1][1]] for start in starts]


def pieces_of(encoder: Any, texts: Sequence[str], window: int, stride: int) -> list[list[str]]:
    """Windows of texts, by the tokens of an encoder. Raises InputError for an encoder without a tokenizer."""
    tokenizer = getattr(inner_of(encoder), "tokenizer", None)
    if tokenizer is None or not hasattr(tokenizer, "encode_batch"):
        raise InputError(f"encoding lrm: {getattr(encoder, 'name', type(encoder).__name__)} has no tokenizer to cut by")
    bare = type(tokenizer).from_str(tokenizer.to_str())
    bare.no_truncation()
    bare.no_padding()
    found = bare.encode_batch(list(texts), add_special_tokens=False)
    return [
        windows(text, [span for span in one.offsets if span[0] < span[1]], window, stride)
        for text, one in zip(texts, found, strict=True)
    ]


def window_scores(
    encoder: Any, benchmark: RetrievalSet, settings: EncodingSettings
) -> tuple[ScoreBlock, tuple[str, ...]]:
    """Scores of queries with passages by their windows, and what to say of them."""
    inner = inner_of(encoder)
    window = min(settings.window, inner.room("passage")) if hasattr(inner, "room") else settings.window
    stride = min(settings.stride, window)
    cut = pieces_of(encoder, benchmark.passages.texts, window, stride)
    many = np.array([len(pieces) for pieces in cut], np.int64)
    starts = np.cumsum(many) - many
    codes = benchmark.languages
    langs = [codes[code] for code in np.repeat(benchmark.passages.lang, many).tolist()]
    made = encode_once(encoder, [piece for pieces in cut for piece in pieces], "passage", langs=langs)
    queries = encode_once(
        encoder, benchmark.queries.texts, "query", langs=[codes[code] for code in benchmark.queries.lang.tolist()]
    )

    def score(rows: np.ndarray) -> np.ndarray:
        check_fits(4.0 * len(rows) * len(made), f"scores of {len(rows):,} queries with {len(made):,} windows")
        by_window = queries[rows] @ made.T  # (rows, windows)
        if settings.best == 1:
            return np.maximum.reduceat(by_window, starts, axis=1)
        out = np.empty((len(rows), len(many)), np.float32)
        for passage, (start, number) in enumerate(zip(starts.tolist(), many.tolist(), strict=True)):
            part = by_window[:, start : start + number]
            kept = min(settings.best, number)
            out[:, passage] = np.partition(part, number - kept, axis=1)[:, number - kept :].mean(1)
        return out

    note = (
        f"localised relevance matching: windows of {window} tokens every {stride}, the best "
        f"{settings.best if settings.best > 1 else 'one'}; {len(made):,} windows of {len(many):,} passages"
    )
    if window < settings.window:
        note += f"; the model reads no more of a passage, so windows of {settings.window} were not to be had"
    return score, (note, *similarity_notes(encoder))
