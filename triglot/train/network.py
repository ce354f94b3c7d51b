"""Training a transformer (any torch module with a `forward(input_ids, attention_mask) -> unit vectors`).

What a step costs on a processor is products of matrices, and little else may cost anything: texts of a step are
embedded in sub-batches of like length, and in the table of token embeddings (which has more numbers than all layers
together in multilingual models) only the rows of a step's tokens are touched, and frozen layers are asked once a text.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from triglot.encoder.mix import mixture_of
from triglot.files import SettingError
from triglot.train.distributed import World
from triglot.train.frozen import Outputs
from triglot.train.frozen import freeze as frozen_layers
from triglot.train.kernels import Block, Unpacked, chosen, kernels
from triglot.train.lengths import by_length
from triglot.train.lora import Adapters
from triglot.train.packed import Rows, rows_of
from triglot.train.rows import RowAdam, gathered, summed

if TYPE_CHECKING:
    from triglot.encoder.settings import LoraSettings
    from triglot.encoder.transformer import TransformerEncoder

log = logging.getLogger("triglot")
_ROWS = "rows."  # of the optimiser of the table, in a checkpoint
# What one more sub-batch costs, in tokens: its calls, and products too small for the device.
_OVERHEAD = {"cpu": 64}
_OVERHEAD_PACKED = 12  # where sub-batches have attention of their own alone
_OVERHEAD_ELSEWHERE = 4096
_PROBE = ["A text of some words, so that each token has others to look at; and of some more, since one is few."]


def typical_norm(table: Tensor) -> Tensor:
    """Root mean square norm of the rows of a table of token embeddings, over an even sample of some 4,096 of them.

    Every process and chunk gets the same number, whichever texts it holds.
    """
    return table[:: max(len(table) // 4096, 1)].float().square().sum(1).mean().sqrt()


@dataclass(frozen=True)
class Prepared:
    """Texts as `Network.embed` takes them.

    Attributes:
        input_ids, attention_mask: (texts, longest) int64.
        parts: texts of each sub-batch.
        unique: (unique,) token ids of the texts.
        place: (texts, longest) of each token among these.
        lengths: (texts,) tokens of each.
    """

    input_ids: Tensor
    attention_mask: Tensor
    parts: list[Tensor]
    unique: Tensor
    place: Tensor
    lengths: Tensor


class Network:
    """The trainable form of a `TransformerEncoder`: AdamW, weight decay on matrices only.

    The table of token embeddings is trained by the rows of each step (`RowAdam`), where it is a plain `nn.Embedding`;
    one of another kind is a parameter like any other.

    Args:
        encoder: trained in place.
        weight_decay: of AdamW, for parameters of two and more dimensions.
        device: of the weights.
        dropout: of all layers; None for what the model says.
        freeze: the embeddings ("embeddings"), or with them a number of the lowest layers, are left as they are; "" for
            none. What frozen layers make of a text is kept where it never changes (`foresee`).
        lora: adapters that are trained in place of the weights; None or a rank of 0 for none.
        seed: of their first weights.
        mix_rate: factor on the learning rate for the weights of a mixture of layers.
        attention: `auto`, `sdpa` or `eager`; see `attend`.

    Raises:
        SettingError: `freeze` asks for more layers than there are, nothing would be left to train, or `lora` names no
            linear layer.
    """

    needs_strings = True
    mixed = True

    def __init__(
        self,
        encoder: TransformerEncoder,
        *,
        weight_decay: float,
        device: torch.device | str = "cpu",
        dropout: float | None = None,
        freeze: int | str = "",
        lora: LoraSettings | None = None,
        seed: int = 0,
        mix_rate: float = 1.0,
        attention: str = "auto",
    ):
        self._encoder = encoder
        self.module = encoder.module.to(device)
        self.device = torch.device(device)
        self._outputs: Outputs | None = None
        self._still = dropout == 0
        self._asked, self.attention = attention, "sdpa"
        self._rows_of_tokens: Rows | None = None
        self._before = [(p, p.requires_grad) for p in self.module.parameters()]
        transformer = cast(Any, encoder.model[0]).auto_model
        frozen: list[nn.Module] = []
        if freeze != "":
            frozen = frozen_layers(transformer, transformer.config, freeze)
            if frozen:
                self._outputs = Outputs(frozen, transformer.config.hidden_size)
            if not any(p.requires_grad for p in self.module.parameters()):
                raise SettingError("freeze", f"{freeze} leaves nothing to train")
        self._adapters: Adapters | None = None
        if lora is not None and lora.rank:
            self._adapters = Adapters(transformer, lora, frozen=frozen, seed=seed)
        table = encoder.input_embeddings
        self._table: nn.Embedding | None = (
            table if type(table) is nn.Embedding and table.weight.requires_grad and table.max_norm is None else None
        )
        self._row_optimizer: RowAdam | None = None
        rows = None
        if self._table is not None:
            rows = self._table.weight
            self._row_optimizer = RowAdam(rows.detach(), weight_decay=weight_decay)
        self._gradients: list[tuple[Tensor, Tensor]] = []
        named = [(name, p) for name, p in self.module.named_parameters() if p.requires_grad and p is not rows]
        self._parameters = [p for _, p in named]
        self._names = [name for name, _ in named]
        mixture = mixture_of(encoder)
        mixing = None if mixture is None else mixture.layer_weights
        groups = [
            {"params": [p for p in self._parameters if p.ndim >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self._parameters if p.ndim < 2 and p is not mixing], "weight_decay": 0.0},
            {"params": [p for p in self._parameters if p is mixing], "weight_decay": 0.0, "rate": mix_rate},
        ]
        self._fused = self.device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=0.0, fused=self._fused)
        self._begin(dropout)
        if self.device.type == "cpu":
            self._rows_of_tokens = rows_of(self.module, torch.from_numpy(encoder.tokenize(_PROBE, side="passage")[0]))

    def _begin(self, dropout: float | None) -> None:
        """Set the layers to training. Without dropout they compute as they do in use, in every architecture."""
        if dropout == 0:
            self.module.eval()
            return
        self.module.train()
        if dropout is None:
            return
        for module in self.module.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
            for name, value in list(vars(module).items()):  # of attention that is one function
                if "dropout" in name and isinstance(value, float):
                    setattr(module, name, dropout)

    def prepare(self, texts: Sequence[str], sides: np.ndarray) -> Prepared:
        """Off the training thread: padded ids and mask, and what goes together."""
        features = self._encoder.features(texts, sides)
        ids, mask = features["input_ids"], features["attention_mask"]
        lengths = mask.sum(1)
        overhead = _OVERHEAD_PACKED if self._rows_of_tokens else _OVERHEAD.get(self.device.type, _OVERHEAD_ELSEWHERE)
        unique, place = torch.unique(ids, return_inverse=True)
        parts = [torch.from_numpy(part) for part in by_length(lengths.numpy(), overhead)]
        return Prepared(ids, mask, parts, unique, place, lengths)

    def attend(self, precision: str, world: World, before: str = "") -> str:
        """Settle how attention is computed, the same on every rank and in a run that goes on.

        Args:
            precision: of training.
            world: the processes; the first one chooses.
            before: what a checkpoint was made with.

        Returns:
            one line that says what is taken, and why.
        """
        config = cast(Any, self._encoder.model[0]).auto_model.config
        heads = int(getattr(config, "num_attention_heads", 0) or 1)
        width = max(int(getattr(config, "hidden_size", heads)) // heads, 1)
        if before and self._asked == "auto":
            self.attention = before
            return f"{before}, as before"
        self.attention, told = chosen(self._asked, self.device, precision, heads, width)
        if "not timed" not in told:
            log.info("attention: %s", told)
        if world.size > 1:
            said = torch.tensor([float(world.rank == 0 and self.attention == "eager")], device=self.device)
            self.attention = "eager" if float(world.sum(said)) else "sdpa"
        return told

    def foresee(self, texts: Callable[[], Iterator[Prepared]] | None, folder: Path, autocast: Callable[[], Any]) -> str:
        """Keep what frozen layers make of texts that will be shown.

        Vectors are those of a model that makes it anew each time, to the last digits of the precision.

        Args:
            texts: -> all that will be shown, each as often as it is; None where that is not known ahead.
            folder: for a file, where much is kept.
            autocast: context of the forward pass.

        Returns:
            one line that says what was done; empty where no layer is frozen.
        """
        if self._outputs is None:
            return ""
        if texts is None:
            return "not kept: negatives that are mined on the way are not known ahead"
        if not self._still:
            return "not kept: dropout changes them (encoder.dropout=0 would not)"
        shown_ids = (
            ids[:n] for one in texts() for ids, n in zip(one.input_ids.numpy(), one.lengths.tolist(), strict=True)
        )
        with torch.no_grad(), autocast(), kernels(self.device, self.attention):
            summary = self._outputs.keep(shown_ids, self._lower, folder)
        if not self._outputs.known:
            return summary
        if not self._outputs_hold(self._outputs.known[:2], autocast):
            self._outputs.forget()
            return "not kept: the layers of this model depend on more than the layer below"
        return summary

    def _outputs_hold(self, texts: Sequence[np.ndarray], autocast: Callable[[], Any]) -> bool:
        """Whether kept outputs give the vectors of some texts."""
        ids, mask = self._padded(texts)
        where = ids.to(self.device), mask.to(self.device)
        with torch.no_grad(), autocast(), kernels(self.device, self.attention):
            try:
                with self._below(ids, mask.sum(1), None):
                    short = self._encoder.forward(*where)
            except (IndexError, TypeError, ValueError, AttributeError):  # a layer hands on more than its output
                return False
            return torch.allclose(self._encoder.forward(*where).float(), short.float(), atol=0.02)

    def _padded(self, texts: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
        """(texts, longest) ids and mask."""
        lengths = np.array([len(ids) for ids in texts])
        return self._encoder.batch(np.concatenate(texts), np.concatenate([[0], np.cumsum(lengths)]), range(len(texts)))

    def _lower(self, texts: list[np.ndarray]) -> Tensor:
        """(texts, longest, width) outputs of the frozen layers."""
        assert self._outputs is not None
        ids, mask = self._padded(texts)
        return self._outputs.capture(lambda: self._encoder.forward(ids.to(self.device), mask.to(self.device)))

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self._encoder.dim

    def ball(self, prepared: Prepared) -> tuple[Tensor, Tensor]:
        """What a shift may look like: (texts, length, width) ones on tokens, and (texts,) the norm that a size of 1
        stands for."""
        table = cast(Tensor, self._encoder.input_embeddings.weight).detach()
        mask = prepared.attention_mask.to(self.device)
        return mask[:, :, None].float().expand(-1, -1, table.shape[1]), typical_norm(table).expand(len(mask))

    def embed(self, prepared: Prepared, shift: Tensor | None = None) -> Tensor:
        """(texts, dim) unit vectors, embedded in sub-batches of like length.

        Args:
            prepared: from `prepare`.
            shift: (texts, length, width) added to the token embeddings; what it says of padding is passed over.
        """
        if not prepared.parts:
            return torch.zeros(0, self.dim, device=self.device)
        leaf = self._leaf(prepared)
        made = self._in_a_row(prepared, leaf, shift) if self._rows_of_tokens else None
        if made is None:
            made = self._apart(prepared, leaf, shift)
        order = torch.cat(prepared.parts)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        return torch.cat(made)[back.to(self.device)]

    def _in_a_row(
        self, prepared: Prepared, leaf: tuple[Tensor, int | None] | None, shift: Tensor | None
    ) -> list[Tensor] | None:
        """Vectors of each sub-batch, all in one row of tokens; None where the model turns out not to allow it."""
        assert self._rows_of_tokens is not None
        blocks, ids, places, hidden, shifts = [], [], [], [], []
        for part in prepared.parts:
            lengths = prepared.lengths[part]
            width = int(lengths.max())
            mask = prepared.attention_mask[part, :width].bool()[:, None, None]
            blocks.append(Block(len(part), width, None if int(lengths.min()) == width else mask))
            own = prepared.input_ids[part, :width]
            ids.append(own.reshape(-1))
            places.append(prepared.place[part, :width].reshape(-1))
            if shift is not None:
                shifts.append((shift[part, :width] * prepared.attention_mask[part, :width, None]).flatten(0, 1))
            elif self._outputs is not None:
                hidden.append(self._outputs.of(own, lengths))
        known = [one.reshape(-1, one.shape[-1]) for one in hidden if one is not None]
        below = nullcontext()
        if self._outputs is not None and len(known) == len(blocks):
            below = self._outputs.skipped(torch.cat(known)[None])
        try:
            with self._embedded(leaf, torch.cat(places)[None], torch.cat(shifts)[None] if shifts else None), below:
                return self._rows_of_tokens(torch.cat(ids), blocks, self.attention)
        except Unpacked:
            self._rows_of_tokens = None
            return None

    def _apart(self, prepared: Prepared, leaf: tuple[Tensor, int | None] | None, shift: Tensor | None) -> list[Tensor]:
        """Vectors of each sub-batch, one after the other."""
        made = []
        with kernels(self.device, self.attention):
            for part in prepared.parts:
                width = int(prepared.lengths[part].max())
                mask = prepared.attention_mask[part, :width].to(self.device)
                added = None if shift is None else shift[part.to(shift.device), :width] * mask[:, :, None]
                ids = prepared.input_ids[part, :width]
                with (
                    self._embedded(leaf, prepared.place[part, :width], added),
                    self._below(ids, prepared.lengths[part], added),
                ):
                    made.append(self._encoder.forward(ids.to(self.device), mask))
        return made

    def _leaf(self, prepared: Prepared) -> tuple[Tensor, int | None] | None:
        """The rows of the texts' tokens, which their gradient will reach, and which of them is of padding."""
        if self._table is None or not torch.is_grad_enabled():
            return None
        leaf = gathered(self._table.weight.detach(), prepared.unique.to(self.device), self._gradients)
        pad = self._table.padding_idx
        padding = [] if pad is None else (prepared.unique == pad).nonzero()[:, 0].tolist()
        return leaf, padding[0] if padding else None

    @contextmanager
    def _embedded(self, leaf: tuple[Tensor, int | None] | None, place: Tensor, added: Tensor | None) -> Iterator[None]:
        """Token embeddings come from gathered rows, and have something added to them, within the block."""

        def replaced(module: nn.Module, args: Any, output: Tensor) -> Tensor:
            if leaf is not None:
                output = nn.functional.embedding(place.to(self.device), leaf[0], padding_idx=leaf[1])
            return output if added is None else output + added.to(output.dtype)

        if leaf is None and added is None:
            yield
            return
        hook = self._encoder.input_embeddings.register_forward_hook(replaced)
        try:
            yield
        finally:
            hook.remove()

    def _below(self, ids: Tensor, lengths: Tensor, added: Tensor | None) -> Any:
        """Frozen layers are passed over within the block, where their outputs are kept."""
        hidden = None if self._outputs is None or added is not None else self._outputs.of(ids, lengths)
        if self._outputs is None or hidden is None:
            return nullcontext()
        return self._outputs.skipped(hidden.to(self.device))

    def tokens(self, prepared: Prepared) -> int:
        """Tokens in a prepared batch, padding left out."""
        return int(prepared.lengths.sum())

    def update(self, lr: float, clip: float, world: World) -> float:
        """Apply the gradients, summed over ranks. Returns their norm before clipping."""
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self._parameters]
        if world.size > 1:
            joined = world.sum(torch.cat([g.reshape(-1) for g in grads]))
            for p, part in zip(self._parameters, joined.split([p.numel() for p in self._parameters]), strict=True):
                p.grad = part.reshape(p.shape)
        ids, rows = self._row_gradient(world)
        norm = torch.nn.utils.clip_grad_norm_([*self._parameters, *rows], clip or float("inf"))
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group.get("rate", 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self._row_optimizer is not None and ids is not None:
            self._row_optimizer.step(ids, cast(Tensor, rows[0].grad), lr)
        return float(norm)

    def _row_gradient(self, world: World) -> tuple[Tensor | None, list[Tensor]]:
        """Ids of the rows of the step, and a tensor with their gradient, if there are any."""
        parts, self._gradients = self._gradients, []
        if self._table is None:
            return None, []
        width = self._table.weight.shape[1]
        none = (torch.zeros(0, dtype=torch.int64, device=self.device), torch.zeros(0, width, device=self.device))
        ids, grads = summed(parts or [none], world)
        real = (ids != self._encoder.pad) | (grads != 0).any(1)  # how much padding there is depends on the sub-batches
        ids, grads = ids[real], grads[real]
        rows = torch.empty_like(grads)
        rows.grad = grads
        return ids, [rows]

    def state(self) -> dict[str, Tensor]:
        """Weights, buffers and moments, as tensors."""
        state = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        for name, parameter in zip(self._names, self._parameters, strict=True):
            for key, value in self.optimizer.state.get(parameter, {}).items():
                state[f"adam.{key}.{name}"] = value
        if self._row_optimizer is not None and len((rows := self._row_optimizer.state())["ids"]):
            state |= {_ROWS + key: value for key, value in rows.items()}
        # Tied weights share memory, which safetensors refuses.
        return {key: value.detach().clone().contiguous() for key, value in state.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up a saved state."""
        self.module.load_state_dict({k.removeprefix("module."): v for k, v in state.items() if k.startswith("module.")})
        rows = {key.removeprefix(_ROWS): value for key, value in state.items() if key.startswith(_ROWS)}
        if self._row_optimizer is not None and rows:
            self._row_optimizer.load_state(rows)
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

    def finished(self) -> TransformerEncoder:
        """The encoder with nothing frozen and adapters in its weights; not to be trained further."""
        if self._adapters is not None:
            self._adapters.merge()
            self._adapters = None
        for parameter, learned in self._before:
            parameter.requires_grad_(learned)
        return self._encoder

    @property
    def trained(self) -> int:
        """Numbers that are trained."""
        rows = 0 if self._table is None else self._table.weight.numel()
        return rows + sum(p.numel() for p in self._parameters)
