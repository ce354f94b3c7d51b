"""Attention and products as a CPU computes them fast in training: the same numbers, texts in one row, and choices."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from tests.train.test_network import SIDES, TEXTS
from triglot.train import kernels as kernels_module
from triglot.train.distributed import World
from triglot.train.kernels import Block, Unpacked, chosen, kernels
from triglot.train.network import Network
from triglot.train.packed import rows_of

CPU = torch.device("cpu")
sdpa = nn.functional.scaled_dot_product_attention
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)[:, None, None]


def parts(*shape: int, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    torch.manual_seed(3)
    return [torch.randn(shape).to(dtype).requires_grad_() for _ in range(3)]


def naive(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Written out, text by text and head by head."""
    made = torch.zeros_like(query)
    for text in range(len(query)):
        known = mask[text, 0, 0].nonzero()[:, 0]
        for head in range(query.shape[1]):
            scores = query[text, head] @ key[text, head, known].T / query.shape[-1] ** 0.5
            made[text, head] = scores.softmax(-1) @ value[text, head, known]
    return made


@pytest.mark.parametrize("mask", [MASK, torch.zeros(2, 1, 1, 5).masked_fill(~MASK, -1e30)])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_attention_is_that_written_out(attention: str, mask: torch.Tensor) -> None:
    given, found = parts(2, 3, 5, 4), []
    for one in (True, False):
        if one:
            with kernels(CPU, attention):
                made = sdpa(*given, attn_mask=mask)
        else:
            made = naive(*given, MASK)
        found.append([made.detach(), *torch.autograd.grad((made * torch.arange(4.0)).sum(), given)])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("attention", "near"), [("sdpa", 0.0), ("eager", 0.03)])
def test_attention_within_an_autocast(attention: str, near: float) -> None:
    """Torch's is computed in float32; products in bfloat16 are near it, forth and back."""
    half = parts(2, 3, 5, 4, dtype=torch.bfloat16)
    wide = [one.detach().float().requires_grad_() for one in half]
    with torch.autocast("cpu", torch.bfloat16), kernels(CPU, attention):
        found = sdpa(*half, attn_mask=MASK)
    expected = sdpa(*wide, attn_mask=MASK)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected.bfloat16().float(), atol=near, rtol=near)
    for a, b in zip(
        torch.autograd.grad(found.float().square().sum(), half),
        torch.autograd.grad(expected.square().sum(), wide),
        strict=True,
    ):
        torch.testing.assert_close(a.float(), b, atol=0.05, rtol=0.05)


def test_inputs_of_several_layers_are_rounded_once_to_what_autocast_rounds_them(monkeypatch) -> None:
    torch.manual_seed(1)
    layers, inputs = [nn.Linear(6, 4) for _ in range(3)], torch.randn(2, 5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        expected = [layer(inputs) for layer in layers]
        seen = []
        once = kernels_module._Kernels._once
        monkeypatch.setattr(
            kernels_module._Kernels, "_once", lambda self, one: seen.append(once(self, one)) or seen[-1]
        )
        with kernels(CPU):
            found = [layer(inputs) for layer in layers]
    assert len({id(one) for one in seen}) == 1
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


def test_what_is_no_attention_of_a_text_to_itself_is_found_out() -> None:
    query, key, value = parts(1, 2, 6, 4)
    with kernels(CPU, blocks=[Block(2, 3, None)]):
        for options in ({"attn_mask": torch.ones(6, 6, dtype=torch.bool)}, {"is_causal": True}):
            with pytest.raises(Unpacked):
                sdpa(query, key, value, **options)
        made = sdpa(query, key, value)
    apart = [sdpa(*(one[:, :, at : at + 3] for one in (query, key, value))) for at in (0, 3)]
    torch.testing.assert_close(made, torch.cat(apart, 2))


SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}


@pytest.mark.parametrize(
    ("made", "offset"),
    [
        (lambda: BertModel(BertConfig(**SMALL)), 0),
        (lambda: RobertaModel(RobertaConfig(**SMALL, pad_token_id=1, max_position_embeddings=40)), 2),
        # Each token sees those before it alone.
        (lambda: BertModel(BertConfig(**SMALL, is_decoder=True)), None),
        (lambda: BertModel(BertConfig(**SMALL, attn_implementation="eager")), None),
    ],
)
def test_which_models_take_texts_in_one_row(made, offset: int | None) -> None:
    torch.manual_seed(2)
    layers = made().eval()

    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.auto_model = layers

        def forward(self, features: dict) -> dict:
            return features | {"token_embeddings": self.auto_model(**features).last_hidden_state}

    class Mean(nn.Module):
        def forward(self, features: dict) -> dict:
            mask = features["attention_mask"][:, :, None]
            means = (features["token_embeddings"] * mask).sum(1) / mask.sum(1)
            return features | {"sentence_embedding": nn.functional.normalize(means, dim=1)}

    rows = rows_of(nn.Sequential(First(), Mean()), torch.arange(5, 20))
    assert (None if rows is None else rows._offset) == offset


def test_which_attention_is_taken(monkeypatch) -> None:
    assert chosen("eager", CPU, "fp32", 2, 4)[0] == "eager"
    assert chosen("auto", CPU, "fp32", 2, 4) == ("sdpa", "sdpa (not timed: fp32 on cpu)")
    assert chosen("auto", torch.device("meta"), "bf16", 2, 4)[0] == "sdpa"
    assert chosen("eager", torch.device("meta"), "fp32", 2, 4)[1] == "sdpa (eager is for CPUs, not for meta)"
    for taken, name in (({"sdpa": 2.0, "eager": 1.0}, "eager"), ({"sdpa": 1.1, "eager": 1.0}, "sdpa")):
        monkeypatch.setattr(kernels_module, "_timed", lambda way, *_, taken=taken: taken[way])
        assert chosen("auto", CPU, "bf16", 2, 4)[0] == name
    assert "sdpa 1100.0 ms, eager 1000.0 ms" in chosen("auto", CPU, "bf16", 2, 4)[1]


def test_a_clock_decides_within_a_process_once() -> None:
    name, told = chosen("auto", CPU, "bf16", 2, 4)
    assert told.startswith(f"{name} (timed: sdpa ")
    assert chosen("auto", CPU, "bf16", 2, 4) == (name, told)


def test_a_run_that_goes_on_keeps_its_attention(make_transformer, monkeypatch) -> None:
    monkeypatch.setattr(kernels_module, "_timed", lambda way, *_: {"sdpa": 2.0, "eager": 1.0}[way])
    model = Network(make_transformer(), weight_decay=0.0)
    assert (model.attend("bf16", World(), before="sdpa"), model.attention) == ("sdpa, as before", "sdpa")
    assert model.attend("bf16", World()).startswith("eager (timed")
    two = SimpleNamespace(size=2, rank=1, sum=lambda said: said + 0)  # the first process chose otherwise
    model.attend("bf16", two)  # type: ignore[arg-type]
    assert model.attention == "sdpa"
    asked = Network(make_transformer(), weight_decay=0.0, attention="eager")
    assert asked.attend("fp32", World(), before="sdpa") == "eager, as asked"


def test_eager_attention_and_torchs_train_to_the_same_weights(make_transformer) -> None:
    weight, states = torch.randn(len(TEXTS), 16, generator=torch.Generator().manual_seed(0)), []
    for attention in ("sdpa", "eager"):
        model = Network(make_transformer(), weight_decay=0.01, attention=attention)
        model.attend("fp32", World())
        for _ in range(3):
            (model.embed(model.prepare(TEXTS, SIDES)) * weight[:, : model.dim]).sum().backward()
            model.update(0.01, 1.0, World())
        states.append(model.module.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], atol=2e-4, rtol=1e-3, msg=name)
