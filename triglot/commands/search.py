"""`triglot search`: exact search in a file of passages."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from triglot.commands.encode import in_language
from triglot.commands.models import load_model
from triglot.encoder.computing import USUAL, Computing
from triglot.files import InputError

log = logging.getLogger("triglot")


@dataclass(frozen=True)
class Hit:
    """A passage that was found."""

    rank: int
    score: float
    id: str
    text: str


def search(
    model: str,
    path: str,
    queries: Sequence[str],
    *,
    k: int = 10,
    lang: str = "",
    progress: bool = False,
    computing: Computing = USUAL,
) -> list[list[Hit]]:
    """Exact search: the k passages of a file that the model's own similarity puts first, for each query; all of them
    where k is more.

    Raises:
        InputError: a query is empty or the model has no vector for it, k is below 1, or the model or file cannot be
            read.
    """
    from triglot.corpus.formats.passages import read_passages
    from triglot.topk import top_k, within

    for number, query in enumerate(queries, 1):
        if not query.strip() or any(0xD800 <= ord(character) < 0xE000 for character in query):
            raise InputError(f"QUERY: number {number} is {'no text in UTF-8' if query.strip() else 'empty'}")
    if k < 1:
        raise InputError(f"-k: {k} is below 1")
    encoder = load_model(model, computing=computing)
    ids, texts = read_passages(path)
    k = within(k, len(texts), len(queries))
    vectors = encoder.encode(list(queries), side="query")
    for query, known in zip(queries, vectors.any(axis=1).tolist(), strict=True):
        if not known:
            raise InputError(
                f"QUERY: {encoder.name} knows nothing of {query!r:.60}: its vector is zero, and every passage is "
                "as far away"
            )
    passages = in_language(encoder, lang).encode(texts, side="passage", progress=progress)
    scores, index = top_k(vectors, passages, k)
    return [
        [Hit(rank, float(score), ids[i], texts[i]) for rank, (score, i) in enumerate(zip(row, places, strict=True), 1)]
        for row, places in zip(scores, index.tolist(), strict=True)
    ]
