"""Training a transformer (any torch module with a `forward(input_ids, attention_mask) -> unit vectors`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from triglot.train.distributed import World

if TYPE_CHECKING:
    from triglot.encoder.transformer import TransformerEncoder


def typical_norm(table: Tensor) -> Tensor:
    """Root mean square norm of the rows of a table of token embeddings, over an even sample of some 4,096 of them.

    Every process and chunk gets the same number, whichever texts it holds.
    """
    return table[:: max(len(table) // 4096, 1)].float().square().sum(1).mean().sqrt()


class Network:
    """The trainable form of a `TransformerEncoder`: AdamW, weight decay on matrices only.

    Args:
        encoder: trained in place.
        weight_decay: of AdamW, for parameters of two and more dimensions.
        device: of the weights.
    """

    needs_strings = True

    def __init__(self, encoder: TransformerEncoder, *, weight_decay: float, device: torch.device | str = "cpu"):
        self._encoder = encoder
        self.module = encoder.module.to(device)
        self.device = torch.device(device)
        named = [(name, p) for name, p in self.module.named_parameters() if p.requires_grad]
        self._parameters = [p for _, p in named]
        self._names = [name for name, _ in named]
        groups = [
            {"params": [p for p in self._parameters if p.ndim >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self._parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self._fused = self.device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=0.0, fused=self._fused)
        self.module.train()

    def prepare(self, texts: Sequence[str], sides: np.ndarray) -> dict[str, Tensor]:
        """Off the training thread: padded ids and mask, (texts, length) each."""
        return self._encoder.features(texts, sides)

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self._encoder.dim

    def ball(self, prepared: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What a shift may look like: (texts, length, width) ones on tokens, and (texts,) the norm that a size of 1
        stands for."""
        table = cast(Tensor, self._encoder.input_embeddings.weight).detach()
        mask = prepared["attention_mask"].to(self.device)
        return mask[:, :, None].float().expand(-1, -1, table.shape[1]), typical_norm(table).expand(len(mask))

    def embed(self, prepared: dict[str, Tensor], shift: Tensor | None = None) -> Tensor:
        """(texts, dim) unit vectors.

        Args:
            prepared: from `prepare`.
            shift: (texts, length, width) added to the token embeddings; what it says of padding is passed over.
        """
        features = {key: value.to(self.device) for key, value in prepared.items()}
        if shift is None:
            return self._encoder.forward(**features)
        added = shift * features["attention_mask"][:, :, None]

        def shifted(module: torch.nn.Module, args: Any, output: Tensor) -> Tensor:
            return output + added.to(output.dtype)

        hook = self._encoder.input_embeddings.register_forward_hook(shifted)
        try:
            return self._encoder.forward(**features)
        finally:
            hook.remove()

    def tokens(self, prepared: dict[str, Tensor]) -> int:
        """Tokens in a prepared batch, padding left out."""
        return int(prepared["attention_mask"].sum())

    def update(self, lr: float, clip: float, world: World) -> float:
        """Apply the gradients, summed over ranks. Returns their norm before clipping."""
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self._parameters]
        if world.size > 1:
            joined = world.sum(torch.cat([g.reshape(-1) for g in grads]))
            for p, part in zip(self._parameters, joined.split([p.numel() for p in self._parameters]), strict=True):
                p.grad = part.reshape(p.shape)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, clip or float("inf"))
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def state(self) -> dict[str, Tensor]:
        """Weights, buffers and moments, as tensors."""
        state = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        for name, parameter in zip(self._names, self._parameters, strict=True):
            for key, value in self.optimizer.state.get(parameter, {}).items():
                state[f"adam.{key}.{name}"] = value
        # Tied weights share memory, which safetensors refuses.
        return {key: value.detach().clone().contiguous() for key, value in state.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up a saved state."""
        self.module.load_state_dict({k.removeprefix("module."): v for k, v in state.items() if k.startswith("module.")})
        for name, parameter in zip(self._names, self._parameters, strict=True):
            moments = {
                k: state[f"adam.{k}.{name}"] for k in ("step", "exp_avg", "exp_avg_sq") if f"adam.{k}.{name}" in state
            }
            if moments:  # the fused AdamW counts its steps beside the weights
                self.optimizer.state[parameter] = {
                    k: v.clone().to(parameter.device) for k, v in moments.items() if k != "step"
                }
                self.optimizer.state[parameter]["step"] = (
                    moments["step"].clone().to(parameter.device if self._fused else "cpu")
                )

    def encoder(self) -> TransformerEncoder:
        """The encoder that is being trained."""
        return self._encoder
