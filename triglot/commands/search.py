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
    lang: str = ""


def search(
    model: str,
    path: str,
    queries: Sequence[str],
    *,
    k: int = 10,
    lang: str = "",
    columns: Sequence[str] = (),
    languages: Sequence[str] = (),
    vectors: str = "",
    progress: bool = False,
    computing: Computing = USUAL,
) -> list[list[Hit]]:
    """Exact search: the k passages that the model's own similarity puts first, for each query; all of them where k is
    more.

    Args:
        model: a model folder, a run folder or a hub name.
        path: where the passages are, see `triglot.commands.texts.read_texts`.
        queries: what is searched for.
        k: passages for each query.
        lang: of the passages, for a model that encodes by language.
        columns: of the passages, see `read_texts`.
        languages: search only in these.
        vectors: of the passages, prepared by `triglot encode`; empty to encode them.
        progress: show bars.
        computing: how the model computes.

    Raises:
        InputError: a query is empty or the model has no vector for it, k is below 1, or the model, the passages or
            their vectors cannot be read.
    """
    from triglot.commands.texts import read_prepared, read_texts
    from triglot.topk import top_k, within

    for number, query in enumerate(queries, 1):
        if not query.strip() or any(0xD800 <= ord(character) < 0xE000 for character in query):
            raise InputError(f"QUERY: number {number} is {'no text in UTF-8' if query.strip() else 'empty'}")
    if k < 1:
        raise InputError(f"-k: {k} is below 1")
    found = read_texts(path, columns=columns, languages=languages)
    encoder = load_model(model, computing=computing)
    k = within(k, len(found.texts), len(queries))
    asked = encoder.encode(list(queries), side="query")
    for query, known in zip(queries, asked.any(axis=1).tolist(), strict=True):
        if not known:
            raise InputError(
                f"QUERY: {encoder.name} knows nothing of {query!r:.60}: its vector is zero, and every passage is "
                "as far away"
            )
    speaking = in_language(encoder, lang)
    if vectors:
        passages = read_prepared(vectors, found.ids, asked.shape[1])
    else:
        passages = speaking.encode(found.texts, side="passage", progress=progress)
    scores, index = top_k(asked, passages, k)
    return [
        [
            Hit(rank, float(score), found.ids[i], found.texts[i], found.langs[i])
            for rank, (score, i) in enumerate(zip(row, places, strict=True), 1)
        ]
        for row, places in zip(scores, index.tolist(), strict=True)
    ]
