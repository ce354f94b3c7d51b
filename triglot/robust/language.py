"""A discriminator of languages behind a reversed gradient (Ganin and Lempitsky 2015; for retrieval arXiv
2404.14339)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from triglot import seeds
from triglot.robust.settings import AdversarySettings


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vectors: Tensor, weight: float) -> Tensor:  # type: ignore[override]
        ctx.weight = weight
        return vectors.view_as(vectors)

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        return -ctx.weight * gradient, None


class LanguageAdversary:
    """Learns to tell the language of a text's vector; the encoder gets its gradient with the sign turned.

    Args:
        settings: weight, ramp and size.
        dim: of the vectors.
        languages: of the corpus.
        seed: of the start.
        device: of the discriminator.
    """

    def __init__(
        self, settings: AdversarySettings, *, dim: int, languages: int, seed: int, device: torch.device | str = "cpu"
    ):
        self.settings = settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seeds.bits(seed, "language adversary")) & 0x7FFFFFFFFFFFFFFF)
            self.network = nn.Sequential(
                nn.Linear(dim, settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, languages)
            ).to(device)
        self._parameters = list(self.network.parameters())
        self._optimizer = torch.optim.AdamW(self._parameters, lr=settings.lr)

    def weight(self, done: float) -> float:
        """The reversed gradient's weight when a share `done` of the steps is over."""
        if self.settings.ramp == 0:
            return self.settings.weight
        return self.settings.weight * (2 / (1 + math.exp(-10 * min(done / self.settings.ramp, 1.0))) - 1)

    def loss(self, vectors: Tensor, language: Tensor, done: float) -> tuple[Tensor, float]:
        """Cross-entropy of the discriminator, through the reversal, and the share of texts whose language it tells.

        Args:
            vectors: (texts, dim) unit vectors; scaled by sqrt(dim), so that the first layer sees entries of size 1.
            language: (texts,) codes.
            done: share of the steps that are over.
        """
        logits = self.network(_Reversed.apply(vectors, self.weight(done)) * vectors.shape[1] ** 0.5)
        accuracy = float((logits.detach().argmax(1) == language).float().mean())
        return nn.functional.cross_entropy(logits, language), accuracy

    def update(self, gradients: list[Tensor]) -> None:
        """One step of the discriminator down its own loss."""
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Of the discriminator."""
        return self._parameters

    def state(self) -> dict[str, Tensor]:
        """Weights and moments, for a checkpoint."""
        tensors = {f"network.{name}": value.detach().clone() for name, value in self.network.state_dict().items()}
        for number, parameter in enumerate(self._parameters):
            tensors |= {
                f"adam.{number}.{key}": value.clone() for key, value in self._optimizer.state.get(parameter, {}).items()
            }
        return tensors

    def load_state(self, state: dict[str, Tensor]) -> None:
        """From a checkpoint."""
        self.network.load_state_dict(
            {key.removeprefix("network."): v for key, v in state.items() if key.startswith("network.")}
        )
        for number, parameter in enumerate(self._parameters):
            mine = {key.split(".", 2)[2]: value for key, value in state.items() if key.startswith(f"adam.{number}.")}
            moments = {
                key: value.clone() if key == "step" else value.clone().to(parameter.device)
                for key, value in mine.items()
            }
            if moments:
                self._optimizer.state[parameter] = moments
