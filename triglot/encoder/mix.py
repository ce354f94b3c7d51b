"""A learned mixture of a transformer's layers in front of its pooling.

arXiv 2205.08497 fuses lower layers of mBERT with the last one by an attention module. Here a layer has one learned
weight for all tokens (a scalar mixture, as ELMo's, arXiv 1802.05365): that is `WeightedLayerPooling` of
sentence-transformers, so that the saved model loads there without code of its own. An attention over layers would need
such code.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import WeightedLayerPooling
from torch import nn

from triglot.encoder.layers import layer_count
from triglot.encoder.mixtures import MIXTURES
from triglot.encoder.settings import MixSettings
from triglot.encoder.transformer import TransformerEncoder
from triglot.files import InputError, SettingError


def mixture_of(encoder: TransformerEncoder) -> WeightedLayerPooling | None:
    """The mixture of an encoder, None where its pooling sees the last layer alone."""
    return next((module for module in encoder.model if isinstance(module, WeightedLayerPooling)), None)


def with_mixture(encoder: TransformerEncoder, settings: MixSettings) -> TransformerEncoder:
    """The encoder with a mixture of its layers; one that has a mixture keeps it.

    Args:
        encoder: changed in place.
        settings: which layers, and with which weights they start.

    Raises:
        InputError: its layers cannot be told apart, or do not give their outputs.
        SettingError: names `mix.layer`: there is no such layer.
    """
    if not settings.start or mixture_of(encoder) is not None:
        return encoder
    count = layer_count(encoder)
    if settings.layer >= count:
        raise SettingError("mix.layer", f"{settings.layer}, but the last of the model's layers is {count}")
    transformer = cast(Any, cast(Transformer, encoder.model[0]).auto_model)
    width = int(transformer.config.hidden_size)
    weights = torch.tensor(MIXTURES[settings.start].weights(count + 1 - settings.layer))
    transformer.config.output_hidden_states = True
    mixture = WeightedLayerPooling(
        width, num_hidden_layers=count, layer_start=settings.layer, layer_weights=nn.Parameter(weights)
    )
    ids, mask = encoder.batch(*encoder.tokenize(["a b"], side="passage"), [0])
    with torch.no_grad():
        states = encoder.model[0]({"input_ids": ids.to(encoder.device), "attention_mask": mask.to(encoder.device)})
    found = states.get("all_layer_embeddings") or ()
    if len(found) != count + 1 or any(one.shape[-1] != width for one in found):
        raise InputError(f"{encoder.name}: mix: the layers of this model do not give their outputs")
    encoder.model.insert(1, mixture.to(encoder.device))
    return encoder.with_model(encoder.model)


def shares(encoder: TransformerEncoder) -> list[float]:
    """The weight of each layer in the mixture, summing to 1, the lowest first; empty where there is none."""
    mixture = mixture_of(encoder)
    if mixture is None:
        return []
    weights = mixture.layer_weights.detach().double()
    return [float(one) for one in weights / weights.sum()]
