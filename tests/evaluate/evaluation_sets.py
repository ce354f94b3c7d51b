"""Small retrieval sets for the tests of the evaluator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from triglot.corpus.retrieval import Absent, RetrievalSet, Texts


def make_set(
    query_lang: Sequence[int],
    passage_lang: Sequence[int],
    judgements: Sequence[tuple[int, int, int]],
    *,
    languages: int = 3,
    parallel: bool = True,
    passage_ids: Sequence[str] | None = None,
    texts: tuple[Sequence[str], Sequence[str]] | None = None,
    absent: Sequence[tuple[int, int, int]] = (),
    same: Sequence[tuple[int, int]] | None = None,
) -> RetrievalSet:
    """A set by hand: languages by number, judgements as (query, passage, grade), those of absent passages as (query,
    language, grade)."""

    def side(prefix: str, lang: Sequence[int], ids: Sequence[str] | None, text: Sequence[str] | None) -> Texts:
        ids = list(ids or [f"{prefix}{i}" for i in range(len(lang))])
        numbers = np.arange(len(lang), dtype=np.int32)
        return Texts(ids, list(text or ids), np.array(lang, np.int16), numbers, numbers // 3)

    query_text, passage_text = texts or (None, None)
    return RetrievalSet(
        "toy",
        tuple(["de", "el", "en", "th"][:languages]),
        side("q", query_lang, None, query_text),
        side("p", passage_lang, passage_ids, passage_text),
        np.array(judgements, np.int64).reshape(-1, 3),
        parallel=parallel,
        candidate_text="sentence",
        licence="CC0",
        absent=Absent(*np.array(absent, np.int64).reshape(-1, 3).T, [f"gone{i}" for i in range(len(absent))]),
        same=None if same is None else np.array(same, np.int64).reshape(-1, 2),
    )


@st.composite
def scored_sets(draw: st.DrawFn) -> tuple[RetrievalSet, np.ndarray]:
    """A set with ragged judgements, perhaps languages without passages, and scores with heavy ties, (queries,
    passages)."""
    languages = draw(st.integers(1, 4))
    lang = st.integers(0, languages - 1)
    query_lang = draw(st.lists(lang, min_size=1, max_size=6))
    passage_lang = draw(st.lists(lang, min_size=1, max_size=20))
    pair = st.tuples(st.integers(0, len(query_lang) - 1), st.integers(0, len(passage_lang) - 1))
    pairs = draw(st.lists(pair, min_size=1, max_size=30, unique=True))
    grades = draw(st.lists(st.integers(0, 2), min_size=len(pairs), max_size=len(pairs)))
    grades[0] = 1
    judgements = [(q, p, g) for (q, p), g in zip(pairs, grades)]
    levels = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.integers(0, levels, (len(query_lang), len(passage_lang))).astype(np.float32) - 2
    return make_set(query_lang, passage_lang, judgements, languages=languages), scores
