"""Texts of a step in one row of tokens, so that products see all of them at once, and attention each text alone.

Sub-batches of like length then share everything but attention: there are many of them, with little padding, and none
costs a product of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from triglot.train.kernels import Block, Unpacked, kernels

_PROBE = 24  # tokens of the longer text that is tried
_NEAR = 1e-4  # numbers of a unit vector


class Rows:
    """The layers of a transformer over one row of tokens.

    Args:
        model: a `SentenceTransformer`.
        offset: position of the first token of a text.
    """

    def __init__(self, model: nn.Module, offset: int):
        self._model = cast(Any, model)
        self._layers = self._model[0].auto_model
        self._types = "token_type_ids" in inspect.signature(self._layers.forward).parameters
        self._offset = offset

    def __call__(self, ids: Tensor, blocks: list[Block], attention: str) -> list[Tensor]:
        """Vectors of the texts of each block, (texts, dim).

        Args:
            ids: (tokens,) of all blocks, padding included.
            blocks: how they lie in it.
            attention: see `kernels`.

        Raises:
            Unpacked: see there.
        """
        places = torch.cat([torch.arange(one.tokens).repeat(one.texts) for one in blocks]) + self._offset
        given: dict[str, Any] = {"input_ids": ids[None], "position_ids": places[None]}
        if self._types:
            given["token_type_ids"] = torch.zeros_like(ids)[None]
        with kernels(ids.device, attention, blocks):
            out = self._layers(**given, return_dict=True)
        row = out.last_hidden_state[0]  # (tokens, width)
        made, start = [], 0
        for texts, tokens, mask in blocks:
            end = start + texts * tokens
            shown = torch.ones(texts, tokens, dtype=torch.int64) if mask is None else mask[:, 0, 0].long()
            features: dict[str, Any] = {
                "token_embeddings": row[start:end].view(texts, tokens, -1),
                "attention_mask": shown,
            }
            if states := out.get("hidden_states"):  # for a mixture of layers
                features["all_layer_embeddings"] = [one[0, start:end].view(texts, tokens, -1) for one in states]
            for module in list(self._model)[1:]:
                features = module(features)
            made.append(features["sentence_embedding"])
            start = end
        return made


def rows_of(model: nn.Module, ids: Tensor) -> Rows | None:
    """The model over rows, where it gives the vectors that it gives for batches; else None.

    Args:
        model: a `SentenceTransformer`, on a CPU, whose layers compute as they do in use (no dropout).
        ids: some token ids to try it with.
    """
    layers = cast(Any, model)[0].auto_model
    if "position_ids" not in inspect.signature(layers.forward).parameters:
        return None
    if getattr(layers.config, "_attn_implementation", "") != "sdpa":
        return None
    text = ids[:_PROBE].repeat(-(-_PROBE // max(len(ids), 1)))[:_PROBE]
    pad = int(getattr(layers.config, "pad_token_id", None) or 0)
    short = torch.cat([text[-5:], torch.full((2,), pad)])
    batch, mask = torch.stack([text[:7], short]), torch.ones(2, 7, dtype=torch.int64)
    mask[1, 5:] = 0
    blocks = [Block(1, _PROBE, None), Block(2, 7, mask.bool()[:, None, None])]
    with torch.no_grad(), _still(model):
        features = [{"input_ids": text[None], "attention_mask": torch.ones_like(text)[None]}]
        features.append({"input_ids": batch, "attention_mask": mask})
        wanted = torch.cat([cast(Any, model)(dict(one))["sentence_embedding"] for one in features])
        # Positions begin at 0, or after that of padding (RoBERTa).
        for offset in (0, pad + 1):
            rows = Rows(model, offset)
            try:
                found = torch.cat(rows(torch.cat([text, batch.reshape(-1)]), blocks, "sdpa"))
            except (Unpacked, RuntimeError, LookupError, TypeError, ValueError, AttributeError):
                continue
            if torch.allclose(found, wanted, atol=_NEAR, rtol=0):
                return rows
    return None


@contextmanager
def _still(model: nn.Module) -> Iterator[None]:
    """No dropout within the block."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
