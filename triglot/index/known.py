"""The model of an index is known again by its vectors of a few texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triglot.files import InputError

_ALIKE = 0.999  # cosine of a model's vectors with those of the model that the index was made with


@dataclass(frozen=True)
class Known:
    """What an index keeps of its model.

    Attributes:
        place: of the index, for messages.
        model: where the model was found.
        similarity: by which it compares.
        dim: of its vectors.
        probe: (texts, dim) its vectors of a few texts; None where none were kept.
    """

    place: str
    model: str
    similarity: str
    dim: int
    probe: np.ndarray | None

    def check(self, probe: np.ndarray, similarity: str, name: str) -> None:
        """Raises InputError where a model is another one, see `triglot.index.protocol.Index.check_model`."""
        if probe.shape[1] != self.dim:
            raise InputError(
                f"{name}: has vectors of {probe.shape[1]} dimensions, the index {self.place} of {self.dim}"
            )
        if similarity != self.similarity:
            raise InputError(f"{name}: compares by {similarity}, the index by {self.similarity}")
        if self.probe is None:
            return
        kept = self.probe
        alike = kept.shape == probe.shape
        if alike:
            lengths = np.linalg.norm(kept, axis=1) * np.linalg.norm(probe, axis=1)
            near = (kept * probe).sum(axis=1) >= _ALIKE * lengths
            alike = bool(near.all() and (kept.any(axis=1) == probe.any(axis=1)).all())
        if not alike:
            raise InputError(
                f"{name}: is not the model that {self.place} was made with ({self.model}): its vectors differ"
            )
