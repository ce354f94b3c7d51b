"""The losses of a step: asking for one changes nothing, and `learn` alone moves what is learned beside the encoder."""

from __future__ import annotations

import pytest
import torch

from tests.train.test_loop import start
from triglot.losses import LossSettings
from triglot.robust import AdversarySettings, NegativesSettings, RobustSettings
from triglot.train.bag import Bag
from triglot.train.objective import Objective

ROBUST = RobustSettings(
    negatives=NegativesSettings(count=6, lr=0.1), language_adversary=AdversarySettings(weight=0.5, ramp=0.0, hidden=4)
)


@pytest.fixture
def step(make_static, corpus):
    """(model, prepared texts, objective, its terms) of a batch."""
    model, feed, plan = start(make_static(), corpus, size=6)
    batch = feed.batch(plan[0])
    objective = Objective(LossSettings(), ROBUST, dim=model.dim, languages=len(corpus.languages), seed=1)
    return model, model.prepare(batch.texts, batch.sides), objective, objective.on(batch, 0.5)


def test_a_loss_is_the_same_however_often_it_is_asked_for(step) -> None:
    model, prepared, objective, terms = step
    vectors = model.embed(prepared).detach().requires_grad_()
    before = {key: value.clone() for key, value in objective.state().items()}
    first, opening = terms.value(vectors), terms.opening(vectors)
    asked = (terms.value(vectors), first, opening.loss, terms.opening(vectors).loss)
    assert len({float(loss.detach()) for loss in asked}) == 1
    plain, with_adversary = (torch.autograd.grad(loss, vectors)[0] for loss in (first, opening.loss))
    assert not torch.equal(plain, with_adversary)  # of value 0, and not without a gradient
    assert all(torch.equal(value, before[key]) for key, value in objective.state().items())


def test_learning_moves_the_adversary_and_the_negatives(step) -> None:
    model, prepared, objective, terms = step
    before = {key: value.clone() for key, value in objective.state().items()}
    opening = terms.opening(model.embed(prepared))
    assert set(opening.told) == {"language_loss", "language_accuracy"}
    terms.learn(opening)
    after = objective.state()
    assert not torch.equal(after["negatives.bank"], before["negatives.bank"])
    assert not torch.equal(after["adversary.network.0.weight"], before["adversary.network.0.weight"])


def test_embedding_leaves_nothing_behind_and_gradients_add_up(step) -> None:
    model, prepared, *_ = step
    assert isinstance(model, Bag)
    for _ in range(3):
        model.embed(prepared)
    assert not model._gradients
    weight = torch.linspace(-1, 1, model.dim)
    once = (model.embed(prepared) * weight).sum()
    once.backward()
    (model.embed(prepared) * weight).sum().backward()
    (ids, gradient), (other, again) = model._gradients
    assert torch.equal(ids, other)
    assert torch.equal(gradient, again)
    assert float(gradient.abs().max()) > 0
