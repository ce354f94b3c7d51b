"""`triglot search`: in an index, or exact search in a file of passages."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from triglot.commands.encode import in_language
from triglot.commands.models import load_model
from triglot.encoder.computing import USUAL, Computing
from triglot.files import InputError

if TYPE_CHECKING:
    from triglot.search.searcher import Answer

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


# --- in an index

_OPTIONS = {
    "mode": "--mode",
    "languages": "--accept-language",
    "quotas": "--quota",
    "where": "--filter",
    "hybrid": "--hybrid",
    "model": "--model",
}


def check_plain(place: str, given: Mapping[str, Any]) -> None:
    """Raises InputError for a search in a file that has options of an index."""
    for name, value in given.items():
        if value:
            raise InputError(f"{_OPTIONS[name]}: goes with an index, and {place} is none; `triglot index` makes one")


def answers(
    place: str,
    questions: Sequence[str],
    asked: Mapping[str, Any],
    *,
    k: int = 10,
    lang: str = "",
    model: str = "",
    computing: Computing = USUAL,
) -> list[Answer]:
    """The answers of an index to questions.

    Args:
        place: the index.
        questions: one or more.
        asked: of `triglot.search.SearchSettings`, but for `k`.
        k: hits.
        lang: of the questions, "" to tell it by each.
        model: where it is, if not where the index was made.
        computing: on which device, and so on.

    Raises:
        InputError: no question; as `open_searched` and `Searcher.search_all`.
    """
    from triglot.commands.index import open_searched
    from triglot.search.searcher import Searcher, SearchSettings

    if not questions:
        raise InputError("Missing argument 'QUERY...': give questions, or --queries FILE")
    settings = SearchSettings(k=k, **asked)
    index, encoder = open_searched(place, model=model, computing=computing)
    found = Searcher(encoder, index).search_all(questions, settings, langs=[lang] * len(questions))
    for note in dict.fromkeys(note for answer in found for note in answer.notes):
        log.warning("%s: %s", place, note)
    return found


def lines(answer: Answer, as_json: bool) -> Iterator[str]:
    """An answer as JSON lines, one a hit; or as lines to read, with the translations of a folded hit below it."""
    if as_json:
        for hit in answer.hits:
            about = {"query": answer.question, "query_lang": answer.lang, **asdict(hit)}
            yield json.dumps(about, ensure_ascii=False, allow_nan=False)
        return
    yield f"{answer.question}  [{answer.lang or 'language not known'}{', told by the text' if answer.detected else ''}]"
    for hit in answer.hits:
        yield (
            f"{hit.rank:4d}  {hit.lang:7s} {hit.score:7.4f} {hit.calibrated:+6.2f}  {hit.rank_in_language or '-':>3} "
            f" {hit.id}\t{hit.text}"
        )
        for other in hit.also:
            yield f"      {other.lang:7s} {'':20s} {other.id}\t{other.text}"
