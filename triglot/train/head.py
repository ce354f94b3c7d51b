"""The head that classifies pairs while their encoder is trained; it is thrown away afterwards, since evaluation trains
its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from triglot import seeds
from triglot.losses.terms import ClassificationTerm


class _Tapped(torch.autograd.Function):
    """x @ weight + bias whose gradients with respect to weight and bias go to a function, whoever asks for which."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, tell: Callable[[Tensor, Tensor], None]) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x, weight)
        ctx.tell = tell
        return x @ weight + bias

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        x, weight = ctx.saved_tensors
        ctx.tell(x.T @ gradient, gradient.sum(0))
        return gradient @ weight.T, None, None, None


class Gathered:
    """Gradients of a head in one step: one sum a parameter."""

    def __init__(self) -> None:
        self.sums: dict[int, Tensor] = {}

    def add_layer(self, number: int, of_weight: Tensor, of_bias: Tensor) -> None:
        """One more part of the gradients of a layer, whose weight has this number."""
        for place, gradient in ((number, of_weight.detach()), (number + 1, of_bias.detach())):
            before = self.sums.get(place)
            self.sums[place] = gradient if before is None else before + gradient


class PairHead:
    """Layers over the features of a pair, and their own AdamW.

    An adversarial step takes gradients of several losses with respect to vectors. Whichever of them the encoder
    descends, the head descends as well: it tells its gradients on the way.

    Args:
        settings: width of a hidden layer, learning rate and weight decay.
        dim: of the vectors.
        classes: how many.
        seed: of the start.
        device: of the weights.
    """

    def __init__(
        self, settings: ClassificationTerm, *, dim: int, classes: int, seed: int, device: torch.device | str = "cpu"
    ):
        widths = [4 * dim, *([settings.hidden] if settings.hidden else []), classes]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seeds.bits(seed, "classification head")) & 0x7FFFFFFFFFFFFFFF)
            layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
        # (inputs, outputs), bias, and so on
        self.parameters = [
            part.detach().clone(memory_format=torch.contiguous_format).to(device).requires_grad_()
            for layer in layers
            for part in (layer.weight.T, layer.bias)
        ]
        self._optimizer = torch.optim.AdamW(self.parameters, lr=settings.lr, weight_decay=settings.decay)

    def on(self, gathered: Gathered | None) -> Callable[[Tensor], Tensor]:
        """Features -> (pairs, classes) logits. When a gradient of them is taken, those of the head go to `gathered`;
        None leaves them."""

        def logits(x: Tensor) -> Tensor:
            for number in range(0, len(self.parameters), 2):
                weight, bias = (part.detach() for part in self.parameters[number : number + 2])
                x = x if number == 0 else x.tanh()
                if gathered is None:
                    x = x @ weight + bias
                    continue

                x = _Tapped.apply(x, weight, bias, partial(gathered.add_layer, number))  # type: ignore[assignment]
            return x

        return logits

    def update(self, gathered: Gathered) -> None:
        """One step down the gradients that were gathered; none where there were none."""
        if not gathered.sums:
            return
        for number, parameter in enumerate(self.parameters):
            parameter.grad = gathered.sums[number]
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Weights and moments, for a checkpoint."""
        tensors = {f"layer.{number}": part.detach().clone().contiguous() for number, part in enumerate(self.parameters)}
        for number, part in enumerate(self.parameters):
            moments: dict[str, Any] = self._optimizer.state.get(part, {})
            tensors |= {f"adam.{number}.{key}": value.clone().contiguous() for key, value in moments.items()}
        return tensors

    def load_state(self, state: dict[str, Tensor]) -> None:
        """From a checkpoint."""
        for number, part in enumerate(self.parameters):
            with torch.no_grad():
                part.copy_(state[f"layer.{number}"])
            begin = f"adam.{number}."
            moments = {key.removeprefix(begin): value for key, value in state.items() if key.startswith(begin)}
            if moments:
                self._optimizer.state[part] = {
                    key: value.clone() if key == "step" else value.clone().to(part.device)
                    for key, value in moments.items()
                }
