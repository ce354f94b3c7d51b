"""Learned negatives (AdCo, Hu et al. 2021, arXiv 2011.08435): a bank of vectors that ascends the loss that the encoder
descends."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from triglot import seeds
from triglot.robust.settings import NegativesSettings


class LearnedNegatives:
    """The bank, and its closed-form step.

    Args:
        settings: how many, and how they move.
        dim: of the vectors.
        languages: of the corpus; one bank each where the settings say so.
        seed: of the start, which is uniform on the sphere.
        device: of the bank.
    """

    def __init__(
        self, settings: NegativesSettings, *, dim: int, languages: int, seed: int, device: torch.device | str = "cpu"
    ):
        self.settings = settings
        start = seeds.generator(seed, "learned negatives").standard_normal((settings.count, dim)).astype(np.float32)
        # (count, dim), unit length after each step
        self.bank = nn.functional.normalize(torch.from_numpy(start), dim=1).to(device)
        self.velocity = torch.zeros_like(self.bank)
        # (count,) language
        self.owner = torch.arange(settings.count, device=device) % languages if settings.per_language else None

    def scores(self, queries: Tensor, query_lang: Tensor, temperature: float) -> Tensor:
        """(queries, count) scores over the loss's temperature, -inf for a query of another language; gradients reach
        the queries alone."""
        scores = queries @ self.bank.T / temperature
        return (
            scores if self.owner is None else scores.masked_fill(query_lang[:, None] != self.owner[None, :], -torch.inf)
        )

    def ascend(self, queries: Tensor, query_lang: Tensor, in_batch: Tensor) -> None:
        """One step of the bank up the loss.

        With p(n|q) = softmax over the in-batch passages and the bank at the negatives' own temperature t, the gradient
        of the loss with respect to n is that of its unit vector, (1/t) [mean p(n|q) q - mean p(n|q) (q.n) n].

        Args:
            queries: (queries, dim), no gradients.
            query_lang: (queries,).
            in_batch: (queries, passages) scores, not divided by a temperature; -inf where a pair does not count.
        """
        t, lr = self.settings.temperature, self.settings.lr
        own = self.scores(queries, query_lang, t)
        share = torch.softmax(torch.cat([in_batch / t, own], dim=1), dim=1)[:, in_batch.shape[1] :]  # (queries, count)
        pull = share.T @ queries / len(queries)  # (count, dim)
        along = (share * (queries @ self.bank.T)).mean(0)[:, None] * self.bank
        self.velocity = self.settings.momentum * self.velocity + (pull - along) / t
        self.bank = nn.functional.normalize(self.bank + lr * self.velocity, dim=1)

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return {"bank": self.bank, "velocity": self.velocity}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """From a checkpoint."""
        self.bank, self.velocity = state["bank"].to(self.bank.device), state["velocity"].to(self.bank.device)
