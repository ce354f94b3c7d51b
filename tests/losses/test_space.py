"""Terms about where vectors lie, against plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.losses.scenes import scene, unit
from triglot.losses.space import distillation, mean_matching
from triglot.losses.terms import DistillationTerm, KeepTerm, MeanTerm


@pytest.mark.parametrize("side", ["query", "passage", "both"])
def test_distillation_is_the_mean_cosine_distance_of_each_side(side) -> None:
    rng = np.random.default_rng(0)
    own, teacher = unit(rng, 7), unit(rng, 7)
    passage = np.array([0, 0, 0, 0, 0, 1, 1], bool)
    settings = DistillationTerm(side=side)
    batch = scene(rng, targets={settings.target: (own, 3 * teacher, torch.from_numpy(passage))})
    far = 1 - (own * teacher).sum(1).numpy()
    expected = {"query": far[:5].mean(), "passage": far[5:].mean()}
    expected["both"] = (expected["query"] + expected["passage"]) / 2
    assert distillation(batch, settings).item() == pytest.approx(expected[side], rel=1e-5)


def test_distillation_of_no_text_is_nothing() -> None:
    rng, settings = np.random.default_rng(0), KeepTerm(side="passage")
    found = unit(rng, 3), unit(rng, 3), torch.zeros(3, dtype=torch.bool)
    assert distillation(scene(rng, targets={settings.target: found}), settings).item() == 0


def test_mean_matching_is_the_variance_of_the_languages_means() -> None:
    rng = np.random.default_rng(1)
    vectors = unit(rng, 12)
    passage = np.repeat([False, True], 6)
    language = np.array([0, 0, 1, 1, 2, 1, 0, 0, 0, 2, 2, 2])  # language 2 has one query alone
    settings = MeanTerm(least=2)
    batch = scene(rng, vectors=vectors, passage=torch.from_numpy(passage), language=torch.from_numpy(language))
    by_side = []
    for side in (False, True):
        kept = [c for c in range(3) if ((language == c) & (passage == side)).sum() >= 2]
        means = np.stack([vectors.numpy()[(language == c) & (passage == side)].mean(0) for c in kept])
        by_side.append(np.mean(((means - means.mean(0)) ** 2).sum(1)))
    assert mean_matching(batch, settings).item() == pytest.approx(np.mean(by_side), rel=1e-5)
    assert mean_matching(batch, replace(settings, side="passage")).item() == pytest.approx(by_side[1], rel=1e-5)
    one = replace(batch, language=torch.zeros(12, dtype=torch.long))
    assert mean_matching(one, settings).item() == 0


def test_gradients() -> None:
    rng = np.random.default_rng(2)
    passage = torch.from_numpy(np.repeat([False, True], 4))
    batch = scene(rng, passage=passage, language=torch.arange(8) % 2)
    vectors, teacher = unit(rng, 8).requires_grad_(), unit(rng, 8)
    settings = DistillationTerm()

    def both(values):
        found = replace(batch, vectors=values.float(), targets={settings.target: (values.float(), teacher, passage)})
        return mean_matching(found, MeanTerm()) + distillation(found, settings)

    assert torch.autograd.gradcheck(both, vectors, eps=1e-2, atol=1e-3, rtol=1e-2)
