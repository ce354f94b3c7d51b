"""What the training loop asks of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from triglot.encoder.protocol import SavedEncoder
from triglot.train.distributed import World


class Model(Protocol):
    """The trainable form of an encoder: `Bag` of a static one, `Network` of a transformer.

    The model owns the device: every tensor of a step is made there, or moved there before it meets another.

    Attributes:
        needs_strings: whether texts are prepared from strings; else from token ids.
        mixed: whether products of matrices are most of the work, so that bfloat16 makes it faster.
        device: of the weights.
        attention: how it is computed; empty where there is none.
    """

    needs_strings: bool
    mixed: bool
    device: torch.device
    attention: str

    @property
    def dim(self) -> int:
        """Of the vectors."""
        ...

    def prepare(self, texts: Any, sides: np.ndarray) -> Any:
        """Texts as `embed` takes them; called off the training thread, and on the CPU.

        Args:
            texts: `Ragged` token ids, or strings where `needs_strings`.
            sides: (texts,) bool, True for a passage.
        """
        ...

    def attend(self, precision: str, world: World, before: str = "") -> str:
        """Settle how attention is computed, where there is any: as before, if a run goes on; one line that says so, or
        nothing."""
        ...

    def foresee(self, texts: Callable[[], Iterator[Any]] | None, folder: Path, autocast: Callable[[], Any]) -> str:
        """Told before the first step what `embed` will be given, to keep what never changes; one line that says what
        was done, or nothing."""
        ...

    def embed(self, prepared: Any, shift: Tensor | None = None) -> Tensor:
        """(texts, dim) unit vectors, with a gradient where torch records one.

        Args:
            prepared: from `prepare`.
            shift: added to the token embeddings, in the shape of the mask of `ball`.
        """
        ...

    def ball(self, prepared: Any) -> tuple[Tensor, Tensor]:
        """What a shift may look like: a mask in its shape, and (texts,) the norm that a size of 1 stands for."""
        ...

    def tokens(self, prepared: Any) -> int:
        """Tokens in prepared texts."""
        ...

    def update(self, lr: float, clip: float, world: World) -> float:
        """Apply the gradients since the last update, summed over ranks. Returns their norm before clipping."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs."""
        ...

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Load a saved state."""
        ...

    def encoder(self) -> SavedEncoder:
        """The encoder as it is now."""
        ...

    def finished(self) -> SavedEncoder:
        """The encoder without what was for training alone; the model is not trained further."""
        ...
