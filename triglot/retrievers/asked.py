"""What the retrievers share: a searcher of an index, and what they say of a hit."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from triglot.search.modes import MODES
from triglot.search.ranking import Hit
from triglot.search.searcher import Answer, Searcher, SearchSettings

log = logging.getLogger("triglot")
_said: set[str] = set()


def searcher_of(place: str, model: str = "") -> Searcher:
    """The searcher of an index.

    Args:
        place: a folder, or an address of a vector database.
        model: where its model is, if not where the index was made.

    Raises:
        InputError: see `triglot.commands.index.open_searched`.
    """
    from triglot.commands.index import open_searched

    index, encoder = open_searched(place, model=model)
    return Searcher(encoder, index)


def asked(searcher: Searcher, question: str, settings: SearchSettings, lang: str) -> Answer:
    """The answer to a question; what was asked for and not done is logged, once."""
    answer = searcher.search(question, settings, lang=lang)
    for note in answer.notes:
        if note not in _said:
            _said.add(note)
            log.warning("%s", note)
    return answer


def score_of(hit: Hit, mode: str) -> float:
    """What a hit is ranked by: its calibrated score, or in `any` the model's own."""
    return hit.calibrated if MODES[mode].fair else hit.score


def metadata_of(hit: Hit) -> dict[str, Any]:
    """The passage's metadata, and what the search knows of it under names that begin with `triglot_`."""
    known: Mapping[str, Any] = {
        "id": hit.id,
        "lang": hit.lang,
        "group": hit.group,
        "rank": hit.rank,
        "score": hit.score,
        "calibrated": hit.calibrated,
        "rank_in_language": hit.rank_in_language,
        "also": [{"id": other.id, "lang": other.lang, "text": other.text} for other in hit.also],
    }
    return {**hit.fields, **{f"triglot_{name}": value for name, value in known.items()}}
