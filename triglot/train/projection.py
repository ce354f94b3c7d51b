"""A linear map from the vectors of the model that is trained into a teacher's space, used in training only."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class Projection:
    """The map, and its own AdamW.

    Args:
        start: (dim, teacher's dim).
        lr: learning rate; 0 keeps the start.
        device: of the map.
    """

    def __init__(self, start: np.ndarray, *, lr: float, device: Any = "cpu"):
        self.weight = torch.from_numpy(start.astype(np.float32)).to(device).requires_grad_()
        self._optimizer = torch.optim.AdamW([self.weight], lr=lr, weight_decay=0.0)

    def update(self, gradient: Tensor) -> None:
        """One step down."""
        self.weight.grad = gradient
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """The map and its moments, for a checkpoint."""
        moments = self._optimizer.state.get(self.weight, {})
        return {"weight": self.weight.detach().clone()} | {
            f"adam.{key}": value.clone() for key, value in moments.items()
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """From a checkpoint."""
        with torch.no_grad():
            self.weight.copy_(state["weight"])
        moments = {key.removeprefix("adam."): value for key, value in state.items() if key.startswith("adam.")}
        if moments:
            self._optimizer.state[self.weight] = {
                key: value.clone() if key == "step" else value.clone().to(self.weight.device)
                for key, value in moments.items()
            }
