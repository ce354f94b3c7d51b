"""A transformer while it is trained: sub-batches by length, rows of the table, dropout, attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.words import WORDS
from triglot.train import network
from triglot.train.distributed import World
from triglot.train.network import Network, Prepared

TEXTS = [" ".join(WORDS["en"][:n]) for n in (2, 9, 1, 12, 3, 11, 2)]
SIDES = np.array([0, 1, 0, 1, 0, 1, 0])


def in_one(prepared: Prepared) -> Prepared:
    return replace(prepared, parts=[torch.arange(len(prepared.lengths))])


@pytest.mark.parametrize("in_a_row", [False, True])
def test_sub_batches_have_the_vectors_and_gradients_of_one_batch(make_transformer, monkeypatch, in_a_row) -> None:
    apart, joined = (Network(make_transformer(), weight_decay=0.01) for _ in range(2))
    monkeypatch.setitem(network._OVERHEAD, "cpu", 3)
    monkeypatch.setattr(network, "_OVERHEAD_PACKED", 3)
    assert apart._rows_of_tokens is not None
    joined._rows_of_tokens = None
    if not in_a_row:
        apart._rows_of_tokens = None
    prepared = apart.prepare(TEXTS, SIDES)
    assert len(prepared.parts) > 1
    shift = 0.1 * torch.randn(len(TEXTS), prepared.input_ids.shape[1], 16)
    weight = torch.randn(len(TEXTS), apart.dim)
    found = []
    for model, one in ((apart, prepared), (joined, in_one(prepared))):
        own = shift.clone().requires_grad_()
        for given in (None, own):
            vectors = model.embed(one, given)
            (vectors * weight).sum().backward()
            found.append(vectors.detach())
        found.append(own.grad)
        model.update(0.01, 0.5, World())
    for a, b in zip(found[:3], found[3:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    for (name, a), b in zip(apart.module.state_dict().items(), joined.module.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5, msg=name)
    encoder = apart.encoder()
    with torch.no_grad():
        expected = encoder.forward(**encoder.features(TEXTS, SIDES))
    torch.testing.assert_close(apart.embed(prepared).detach(), expected, rtol=1e-4, atol=1e-6)


def test_only_rows_of_tokens_move_and_padding_stays(make_transformer) -> None:
    model = Network(make_transformer(), weight_decay=0.1)
    before = model._table.weight.detach().clone()
    prepared = model.prepare(TEXTS, SIDES)
    for _ in range(2):
        (model.embed(prepared) * torch.randn(len(TEXTS), model.dim)).sum().backward()
        assert model._table.weight.grad is None
        model.update(0.01, 1.0, World())
    moved = (model._table.weight.detach() != before).any(1).nonzero()[:, 0].tolist()
    tokens = set(prepared.input_ids[prepared.attention_mask.bool()].tolist())
    assert set(moved) == tokens
    assert model._table.padding_idx not in tokens


def test_the_rows_get_the_gradient_that_the_whole_table_would(make_transformer) -> None:
    encoder = make_transformer()
    model = Network(make_transformer(), weight_decay=0.1)
    weight = torch.randn(len(TEXTS), model.dim)
    (model.embed(model.prepare(TEXTS, SIDES)) * weight).sum().backward()
    ((ids, gradient),) = model._gradients
    (encoder.forward(**encoder.features(TEXTS, SIDES)) * weight).sum().backward()
    dense = encoder.input_embeddings.weight.grad
    torch.testing.assert_close(gradient, dense[ids], rtol=1e-4, atol=1e-6)
    assert float(dense.abs().sum()) == pytest.approx(float(gradient.abs().sum()), rel=1e-4)


def test_dropout_is_the_models_own_or_what_is_asked_for(make_transformer) -> None:
    def apart(dropout):
        model = Network(make_transformer(dropout=0.3), weight_decay=0.0, dropout=dropout)
        prepared = model.prepare(TEXTS, SIDES)
        torch.manual_seed(0)
        with torch.no_grad():
            return float((model.embed(prepared) - model.embed(prepared)).norm())

    assert apart(0.0) == 0.0
    assert 0 < apart(0.01) < apart(None)
