"""What an attacker can see: a model that encodes, the passages' vectors, and how far a query's answers lie ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.once import encode_once
from triglot.encoder.protocol import Encoder
from triglot.topk import top_k


class Attackable(Protocol):
    """What a search of attacks needs: texts that it changes, and how far each is from a wrong outcome.

    Attributes:
        encoder: that is asked.
        queries: (texts, dim) vectors of the unchanged texts.
        side: as what the encoder takes them.
    """

    encoder: Any
    queries: np.ndarray
    side: str

    @property
    def texts(self) -> list[str]:
        """The unchanged texts."""
        ...

    @property
    def langs(self) -> list[str]:
        """Their languages."""
        ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of changed texts."""
        ...

    def margins(self, vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
        """(n,) margin of each vector as a form of the text with that index; at or below 0 the attack has succeeded."""
        ...

    def graph(self, vectors: Any, query: np.ndarray) -> Any:
        """The same of torch tensors, with a gradient."""
        ...


class Target:
    """A model under attack on one benchmark.

    The margin of a query is the mean score of its relevant passages less the highest score of any other. Others are
    looked for among the `depth` that the unchanged query ranks highest: a bound from above that costs no search.

    Args:
        encoder: with `encode(texts, side=...)`.
        benchmark: queries, passages and judgements.
        queries, passages: vectors of the unchanged texts.
        depth: passages beside the relevant ones that a margin looks at.
    """

    def __init__(
        self, encoder: Encoder, benchmark: RetrievalSet, queries: np.ndarray, passages: np.ndarray, *, depth: int = 50
    ):
        self.encoder, self.benchmark, self.side = encoder, benchmark, "query"
        self.queries, self.passages = queries, passages
        judged = benchmark.judgements[benchmark.judgements[:, 2] > 0]
        judged = judged[np.argsort(judged[:, 0], kind="stable")]
        count = np.bincount(judged[:, 0], minlength=len(queries))
        most = int(count.max(initial=0))
        slot = np.arange(len(judged)) - np.repeat(np.cumsum(count) - count, count)
        self.relevant = np.full((len(queries), most), -1, np.int64)  # (queries, most), -1 for none
        self.relevant[judged[:, 0], slot] = judged[:, 1]
        _, best = top_k(queries, passages, min(depth + most, len(passages)))
        # what the highest of no scores counts as: -1 of cosines
        self.lowest = -max(
            1.0, float(np.linalg.norm(queries, axis=1).max(initial=0) * np.linalg.norm(passages, axis=1).max(initial=0))
        )
        known = (best[:, :, None] == self.relevant[:, None, :]).any(2)
        itself = benchmark.itself  # no passage that the query competes with
        known |= np.isin(
            best + np.arange(len(best))[:, None] * len(passages), itself[:, 0] * len(passages) + itself[:, 1]
        )
        order = np.argsort(known, axis=1, kind="stable")[:, :depth]  # relevant ones last
        self.others = np.where(np.take_along_axis(known, order, 1), -1, np.take_along_axis(best, order, 1))

    @property
    def texts(self) -> list[str]:
        """The unchanged queries."""
        return self.benchmark.queries.texts

    @property
    def langs(self) -> list[str]:
        """Their languages."""
        return [self.benchmark.languages[code] for code in self.benchmark.queries.lang.tolist()]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Query vectors, each different text encoded once."""
        return encode_once(self.encoder, texts, "query", keep=False)

    def margins(self, vectors: np.ndarray, query: np.ndarray, *, rows: int = 1024) -> np.ndarray:
        """(n,) margin of each vector as a form of the query with that index."""
        result = np.empty(len(query), np.float32)
        for start in range(0, len(query), rows):
            here = slice(start, start + rows)
            result[here] = self._mean(vectors[here], self.relevant[query[here]]) - self._max(
                vectors[here], self.others[query[here]]
            )
        return result

    def graph(self, vectors: Any, query: np.ndarray) -> Any:
        """As `margins`, of torch tensors, with a gradient."""
        import torch

        passages = torch.from_numpy(self.passages).to(vectors.device)
        relevant, others = (torch.from_numpy(at[query]).to(vectors.device) for at in (self.relevant, self.others))
        scores = torch.einsum("nd,nkd->nk", vectors, passages[relevant.clamp_min(0)])
        good = (scores * (relevant >= 0)).sum(1) / (relevant >= 0).sum(1).clamp_min(1)
        bad = torch.einsum("nd,nkd->nk", vectors, passages[others.clamp_min(0)])
        return good - bad.masked_fill(others < 0, self.lowest).amax(1)

    def _scores(self, vectors: np.ndarray, places: np.ndarray) -> np.ndarray:
        return np.matmul(self.passages[np.maximum(places, 0)], vectors[:, :, None])[:, :, 0]

    def _mean(self, vectors: np.ndarray, places: np.ndarray) -> np.ndarray:
        there = places >= 0
        return (self._scores(vectors, places) * there).sum(1) / np.maximum(there.sum(1), 1)

    def _max(self, vectors: np.ndarray, places: np.ndarray) -> np.ndarray:
        return np.where(places >= 0, self._scores(vectors, places), -np.inf).max(1, initial=self.lowest)
