"""Terms that hold rankings together, against plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.losses.scenes import kl, scene, shares, unit
from triglot.losses.agreement import clear, consistency, jensen_shannon, jsd, lakda, self_teaching
from triglot.losses.terms import AgreementTerm, ClearTerm, JsdTerm, LakdaTerm, Translation

QUERY, PASSAGE, PIVOT = Translation("query"), Translation("passage"), Translation("passage", "en")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def translated(rng: np.random.Generator, *rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(rows, dtype=torch.long), unit(rng, len(rows))


def test_lakda_is_the_divergence_of_the_translation_s_ranking_from_the_query_s(rng) -> None:
    rows, other = translated(rng, 0, 2, 3)
    batch = scene(rng, translations={QUERY: (rows, other)})
    q, p, ignored = batch.queries[rows].numpy(), batch.passages.numpy(), batch.ignored[rows].numpy()
    assert ignored.any()
    expected = kl(shares(other.numpy() @ p.T, ignored), shares(q @ p.T, ignored))
    assert lakda(batch, LakdaTerm()).item() == pytest.approx(expected, rel=1e-4)
    warm = kl(shares(other.numpy() @ p.T / 0.1, ignored), shares(q @ p.T / 0.1, ignored))
    assert lakda(batch, LakdaTerm(temperature=None)).item() == pytest.approx(warm, rel=1e-4)


@pytest.mark.parametrize("side", ["query", "passage", "both"])
@pytest.mark.parametrize("over", ["scores", "dimensions"])
def test_jsd_is_that_of_texts_and_their_translations(rng, side, over) -> None:
    found = {QUERY: translated(rng, 0, 1, 4), PASSAGE: translated(rng, 1, 2)}
    batch = scene(rng, translations=found)
    q, p, ignored = batch.queries.numpy(), batch.passages.numpy(), batch.ignored.numpy()
    expected = []
    for need, own, others, mask in ((QUERY, q, p, ignored), (PASSAGE, p, q, ignored.T)):
        if side not in (need.side, "both"):
            continue
        rows, other = (tensor.numpy() for tensor in found[need])
        nothing = np.zeros((len(rows), 6), bool)
        a, b = (
            shares(v @ others.T / 0.1, mask[rows]) if over == "scores" else shares(v / 0.1, nothing)
            for v in (own[rows], other)
        )
        expected.append((kl(a, (a + b) / 2) + kl(b, (a + b) / 2)) / 2)
    assert jsd(batch, JsdTerm(side=side, over=over)).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_clear_is_the_reverse_ranking_and_how_far_the_two_directions_agree(rng) -> None:
    """By hand over rows 0, 1 and 3, which have a passage in the pivot language and a translated query."""
    (rows_d, d), (rows_q, t) = translated(rng, 0, 1, 2, 3), translated(rng, 0, 1, 3, 4)
    batch = scene(rng, translations={PIVOT: (rows_d, d), QUERY: (rows_q, t)})
    q, d3, t3 = batch.queries[[0, 1, 3]].numpy(), d[[0, 1, 3]].numpy(), t[[0, 1, 2]].numpy()
    same = np.zeros((3, 3), bool)
    same[0, 1] = same[1, 0] = True  # one family
    reverse, forward = shares(d3 @ t3.T / 0.1, same), shares(q @ d3.T / 0.1, same)
    expected = 0.4 * -np.log(np.diag(reverse)).mean() + 0.2 * kl(reverse, forward)
    assert clear(batch, ClearTerm()).item() == pytest.approx(expected, rel=1e-4)


def test_views_are_drawn_to_their_queries(rng) -> None:
    views, of = unit(rng, 3), torch.tensor([0, 0, 4])
    batch = scene(rng, views=views, view_of=of)
    ignored, p = batch.ignored[of].numpy(), batch.passages.numpy()
    a, b = (shares(v.numpy() @ p.T / 0.2, ignored) for v in (batch.queries[of], views))
    settings = AgreementTerm("self-teaching", temperature=0.2)
    assert self_teaching(batch, settings).item() == pytest.approx(kl(a, b), rel=1e-4)
    assert consistency(batch, settings).item() == pytest.approx((kl(a, b) + kl(b, a)) / 2, rel=1e-4)


def test_jensen_shannon_is_symmetric_bounded_and_nothing_for_equals(rng) -> None:
    p, q = (torch.from_numpy(rng.standard_normal((4, 7)) * 9).log_softmax(1) for _ in range(2))
    assert jensen_shannon(p, q).item() == pytest.approx(jensen_shannon(q, p).item())
    assert 0 < jensen_shannon(p, q).item() < np.log(2)
    assert jensen_shannon(p, p).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("function", "settings", "needs"),
    [
        (lakda, LakdaTerm(), (QUERY,)),
        (jsd, JsdTerm(side="both"), (QUERY, PASSAGE)),
        (jsd, JsdTerm(over="dimensions"), (QUERY,)),
        (clear, ClearTerm(), (PIVOT, QUERY)),
    ],
)
def test_gradients_reach_both_sides_and_are_right(rng, function, settings, needs) -> None:
    """Finite differences in float32 (scores are taken in float32), loosely."""
    base = scene(rng, translations={need: translated(rng, 0, 1, 3) for need in needs})
    assert settings.translations == needs

    def value(queries, passages, *others):
        found = {need: (base.translations[need][0], other) for need, other in zip(needs, others, strict=True)}
        return function(replace(base, queries=queries, passages=passages, translations=found), settings)

    inputs = [base.queries, base.passages, *(base.translations[need][1] for need in needs)]
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    gradients = torch.autograd.grad(value(*inputs), inputs, allow_unused=True, materialize_grads=True)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert sum(float(gradient.norm()) > 0 for gradient in gradients) >= 2
    assert torch.autograd.gradcheck(value, inputs, eps=1e-3, atol=5e-3, rtol=1e-2)


@pytest.mark.parametrize(
    ("function", "settings"),
    [(lakda, LakdaTerm()), (jsd, JsdTerm()), (clear, ClearTerm()), (self_teaching, AgreementTerm("self-teaching"))],
)
def test_where_no_row_has_a_translation_there_is_nothing(rng, function, settings) -> None:
    nothing = torch.zeros(0, dtype=torch.long), torch.zeros(0, 6, dtype=torch.float64)
    queries = unit(rng, 5).requires_grad_()
    batch = scene(rng, queries=queries, translations=dict.fromkeys(settings.translations, nothing))
    value = function(batch, settings)
    assert value.item() == 0
    assert torch.autograd.grad(value, queries)[0].abs().sum() == 0
