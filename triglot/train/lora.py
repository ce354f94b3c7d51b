"""Adapters of low rank (LoRA, Hu et al. 2021, arXiv 2106.09685) in a transformer while it is trained, made by peft.

All weights of the model stay as they are, and each adapted linear layer adds B A x * alpha / rank to its output. At the
end that is added to the weights, so that what is saved is a model like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from triglot import seeds
from triglot.encoder.layers import layers_of
from triglot.encoder.settings import LoraSettings
from triglot.extras import named
from triglot.files import SettingError, nearest


class Adapters:
    """The adapters of a model, which is changed in place.

    Args:
        model: a Hugging Face transformer.
        settings: rank, alpha and which linear layers.
        frozen: layers without adapters.
        seed: of the adapters' first weights; B is 0, so the model begins as it is.

    Raises:
        SettingError: names no linear layer that is there, or the layers of the model are not known.
        MissingExtra: peft is not installed.
    """

    def __init__(self, model: nn.Module, settings: LoraSettings, *, frozen: Sequence[nn.Module] = (), seed: int = 0):
        with named():
            from peft import LoraConfig, inject_adapter_in_model
        self._model = model
        self.names = _linear(model, settings.modules, frozen)
        config = LoraConfig(
            r=settings.rank, lora_alpha=cast(Any, settings.scale), target_modules=list(self.names), bias="none"
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(seeds.bits(seed, "lora")) >> 1)
            inject_adapter_in_model(config, model)

    def merge(self) -> None:
        """Add the adapters to the weights, and remove them: modules and names are those of before."""
        for name in self.names:
            adapted: Any = self._model.get_submodule(name)
            adapted.merge()
            above, _, last = name.rpartition(".")
            setattr(self._model.get_submodule(above), last, adapted.get_base_layer())
        if hasattr(self._model, "peft_config"):
            del self._model.peft_config


def _linear(model: nn.Module, wanted: Sequence[str], frozen: Sequence[nn.Module]) -> tuple[str, ...]:
    """Names of the linear layers that get an adapter. Raises SettingError for a wish that is none of them."""
    located = layers_of(model, getattr(model, "config", None))
    if located is None:
        kind = getattr(getattr(model, "config", None), "model_type", "this")
        raise SettingError("lora", f"the layers of a {kind} model are not known")
    path, layers = located
    names = [
        f"{path}.{place}.{name}"
        for place, layer in enumerate(layers)
        if layer not in frozen
        for name, module in layer.named_modules()
        if type(module) is nn.Linear
    ]
    for one in wanted:
        if not any(_is(name, one) for name in names):
            ends = {name.removeprefix(f"{path}.").partition(".")[2] for name in names}
            known = sorted(ends | {name.rpartition(".")[2] for name in ends})
            raise SettingError("lora.modules", f"no linear layer {one!r}{nearest(one, known)}")
    names = [name for name in names if not wanted or any(_is(name, one) for one in wanted)]
    if not names:
        raise SettingError("lora", "no linear layer that is not frozen")
    return tuple(names)


def _is(name: str, wanted: str) -> bool:
    return f".{name}".endswith(f".{wanted}")
