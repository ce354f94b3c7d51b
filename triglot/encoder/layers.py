"""The layers of a transformer: where they are, and a model that keeps some of them alone.

A model of half the layers takes half the time. Which ones are left out matters little once it was drawn to the vectors
of the whole one for a while (DistilBERT, arXiv 1910.01108); until then it is of little use.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from sentence_transformers.base.modules import Transformer
from torch import nn

from triglot.encoder.static import SIDES
from triglot.encoder.transformer import TransformerEncoder, quiet
from triglot.files import InputError, SettingError

_TEXTS = ("a", "A longer text of some words, so that every layer has more than one token to look at.")


def layers_of(model: nn.Module, config: Any) -> tuple[str, nn.ModuleList] | None:
    """Where the layers of a Hugging Face transformer are, and the layers; None where they cannot be told apart."""
    count = getattr(config, "num_hidden_layers", None)
    lists = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.ModuleList) and len(m) == count]
    return lists[0] if lists else None


def spread(count: int, layers: int) -> list[int]:
    """`count` of `layers`, evenly spread, first and last among them; one alone is the last. Counted from 1."""
    if count == 1:
        return [layers]
    return [1 + (place * (layers - 1) + (count - 1) // 2) // (count - 1) for place in range(count)]


def every_second(layers: int) -> list[int]:
    """The last of `layers`, and every second one below it. Counted from 1."""
    return list(range(2 - layers % 2, layers + 1, 2))


def chosen_layers(asked: int | Sequence[int], layers: int) -> list[int]:
    """The layers that a setting asks for, counted from 1.

    Args:
        asked: how many, evenly spread; or which.
        layers: how many there are.

    Raises:
        SettingError: names `keep_layers`: more or others than there are, or not in their order.
    """
    if isinstance(asked, int):
        if asked > layers:
            raise SettingError("keep_layers", f"{asked} layers, but the model has {layers}")
        return spread(asked, layers)
    kept = [int(one) for one in asked]
    if not kept:
        raise SettingError("keep_layers", "no layer is named")
    if kept != sorted(set(kept)):
        raise SettingError("keep_layers", f"{kept}: each layer once, from the lowest to the highest, is wanted")
    if kept[-1] > layers or kept[0] < 1:
        raise SettingError("keep_layers", f"layer {kept[-1]}, but the model has the layers 1 to {layers}")
    return kept


def layer_count(encoder: TransformerEncoder) -> int:
    """How many layers an encoder has. Raises InputError where they cannot be told apart."""
    transformer = cast(Any, cast(Transformer, encoder.model[0]).auto_model)
    located = layers_of(transformer, transformer.config)
    if located is None:
        raise InputError(f"{encoder.name}: the layers of a {transformer.config.model_type} model are not known")
    return len(located[1])


def with_layers(encoder: TransformerEncoder, kept: Sequence[int]) -> TransformerEncoder:
    """The encoder with some of its layers alone.

    Args:
        encoder: changed in place.
        kept: which, counted from 1, as `chosen_layers` gives them.

    Raises:
        InputError: its layers cannot be told apart, or a model that is loaded with so many layers is another one (its
            layers differ by their place, say).
    """
    transformer = cast(Any, cast(Transformer, encoder.model[0]).auto_model)
    count = layer_count(encoder)
    path, layers = cast(tuple[str, nn.ModuleList], layers_of(transformer, transformer.config))
    above, _, name = path.rpartition(".")
    setattr(transformer.get_submodule(above), name, nn.ModuleList([layers[one - 1] for one in kept]))
    config = transformer.config
    for key, value in list(vars(config).items()):
        if isinstance(value, list | tuple) and len(value) == count:  # one entry a layer: its kind of attention, say
            setattr(config, key, type(value)(value[one - 1] for one in kept))
    config.num_hidden_layers = len(kept)
    _check(encoder, transformer)
    return encoder


def _check(encoder: TransformerEncoder, transformer: Any) -> None:
    """Raise InputError where a model made of the configuration, with these weights, computes something else."""
    ids, mask = encoder.batch(*encoder.tokenize(_TEXTS, side=SIDES[1]), range(len(_TEXTS)))
    ids, mask = ids.to(encoder.device), mask.to(encoder.device)
    training = transformer.training
    why = ""
    try:
        with quiet(), torch.random.fork_rng(devices=[]), torch.inference_mode():
            again = type(transformer)(copy.deepcopy(transformer.config)).to(encoder.device)
            again.load_state_dict(transformer.state_dict())
            own, other = (
                one.eval()(input_ids=ids, attention_mask=mask).last_hidden_state for one in (transformer, again)
            )
        if not torch.allclose(own[mask.bool()], other[mask.bool()], atol=1e-4):
            why = "they differ by their place"
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        why = str(error).splitlines()[0]
    finally:
        transformer.train(training)
    if why:
        raise InputError(
            f"{encoder.name}: layers of a {transformer.config.model_type} model cannot be left out ({why})"
        )
