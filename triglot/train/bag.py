"""Training a static encoder: only the rows of a batch's tokens are touched.

A dense gradient of 65,536 rows would cost more than the rest of the step. The unique rows are gathered into a small
leaf, the sum over tokens and its gradient run on that, and those rows alone are updated by row-wise Adagrad (Duchi et
al. 2011, one accumulator a row, as in the embedding tables of recommender systems).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from triglot.encoder.static import StaticEncoder
from triglot.ragged import Ragged
from triglot.train.distributed import World
from triglot.train.network import typical_norm
from triglot.train.rows import gathered, summed


class Bag:
    """The trainable form of a `StaticEncoder`.

    Args:
        encoder: where the rows start; its own array is left as it is.
        device: of the rows.
    """

    needs_strings = False
    mixed = False
    attention = ""

    def __init__(self, encoder: StaticEncoder, device: torch.device | str = "cpu"):
        self._encoder = encoder
        self.device = torch.device(device)
        self.rows = torch.from_numpy(encoder.embeddings.copy()).to(self.device)  # (vocab, dim)
        # The output is normalised, so only lengths relative to one another matter; with a mean of 1, a learning rate is
        # a share of a row.
        self.rows /= self.rows.norm(dim=1).mean().clamp_min(1e-12)
        self.squares = torch.zeros(len(self.rows), device=self.device)  # (vocab,) sum of mean squared gradients
        self._gradients: list[tuple[Tensor, Tensor]] = []  # (ids, gradient of their rows), as `.grad` of a parameter

    def tokenize(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """As the encoder tokenises."""
        return self._encoder.tokenize(texts)

    def prepare(self, texts: Ragged, sides: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Off the training thread: (unique ids, place of each token among them, first token of each text)."""
        unique, place = np.unique(texts.flat, return_inverse=True)
        return torch.from_numpy(unique.astype(np.int64)), torch.from_numpy(place), torch.from_numpy(texts.offsets[:-1])

    def attend(self, precision: object, world: object, before: object = "") -> str:
        """A bag has no attention."""
        return ""

    def foresee(self, texts: object, folder: object, autocast: object) -> str:
        """A bag keeps nothing."""
        return ""

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self.rows.shape[1]

    def ball(self, prepared: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """What a shift may look like: (texts, dim) ones, and (texts,) the norm that a size of 1 stands for.

        Shifts of n token rows with a joint norm of r move their sum by sqrt(n) r at most, and the sum is all that a bag
        shows of them.
        """
        _, place, starts = prepared
        lengths = torch.diff(starts, append=torch.tensor([len(place)])).to(self.device)
        return torch.ones(len(starts), self.dim, device=self.device), typical_norm(self.rows) * lengths.clamp_min(
            1
        ).sqrt()

    def embed(self, prepared: tuple[Tensor, Tensor, Tensor], shift: Tensor | None = None) -> Tensor:
        """(texts, dim) unit vectors; gradients reach the rows where torch records them. A text without tokens is zero.

        Args:
            prepared: from `prepare`.
            shift: (texts, dim) added to the sum of each text's rows.
        """
        unique, place, starts = (part.to(self.device) for part in prepared)
        leaf = gathered(self.rows, unique, self._gradients)  # (unique, dim)
        sums = nn.functional.embedding_bag(place, leaf, starts, mode="sum")
        return nn.functional.normalize(sums if shift is None else sums + shift, dim=1)

    def tokens(self, prepared: tuple[Tensor, Tensor, Tensor]) -> int:
        """Tokens in a prepared batch."""
        return len(prepared[1])

    def update(self, lr: float, clip: float, world: World) -> float:
        """Apply the gradients of all backward passes since the last update, summed over ranks.

        Returns:
            the norm of the gradient before clipping.
        """
        parts, self._gradients = self._gradients, []
        ids, grads = summed(parts, world)
        norm = float(torch.linalg.vector_norm(grads))
        if clip and norm > clip:
            grads *= clip / norm
        squares = self.squares[ids] + grads.square().mean(1)
        self.squares[ids] = squares
        self.rows.index_add_(0, ids, grads / (squares.sqrt() + 1e-12)[:, None], alpha=-lr)
        return norm

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, as tensors."""
        return {"rows": self.rows, "squares": self.squares}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up a saved state."""
        self.rows, self.squares = state["rows"].to(self.device), state["squares"].to(self.device)

    def encoder(self) -> StaticEncoder:
        """The encoder as it is now (the rows are copied)."""
        return self._encoder.with_rows(self.rows.cpu().numpy().copy())

    def finished(self) -> StaticEncoder:
        """The encoder, trained."""
        return self.encoder()
