"""Learned negatives and the language adversary: formulas, what they do to training, and that a stopped run goes on with
them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.train.test_loop import same, start, weights
from triglot.files import InputError
from triglot.losses import LossSettings, divergence, info_nce, log_shares
from triglot.robust import AdversarySettings, LanguageAdversary, LearnedNegatives, NegativesSettings, RobustSettings
from triglot.train import TrainSettings, run


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), dim=1)


@pytest.mark.slow
@pytest.mark.parametrize("per_language", [False, True])
def test_negatives_climb_the_loss_that_the_encoder_descends(per_language: bool) -> None:
    settings = NegativesSettings(count=6, per_language=per_language, temperature=0.1, lr=0.5, momentum=0.0)
    bank = LearnedNegatives(settings, dim=8, languages=2, seed=1)
    queries, passages, lang = unit(10, 8, seed=1), unit(10, 8, seed=2), torch.arange(10) % 2
    positive, none = torch.eye(10, dtype=torch.bool), torch.zeros(10, 10, dtype=torch.bool)
    losses = []
    for _ in range(8):
        learned = bank.scores(queries, lang, 0.1)
        losses.append(float(info_nce(queries, passages, positive, none, LossSettings(temperature=0.1), learned)))
        bank.ascend(queries, lang, queries @ passages.T)
    assert losses == sorted(losses)
    assert losses[-1] > losses[0] + 0.1
    torch.testing.assert_close(bank.bank.norm(dim=1), torch.ones(6))
    if per_language:
        scores = bank.scores(queries, lang, 0.1)
        assert (torch.isfinite(scores) == (lang[:, None] == torch.arange(6)[None, :] % 2)).all()


def test_the_closed_form_is_the_gradient_of_a_softmax_over_bank_and_batch() -> None:
    t = 0.2
    bank = LearnedNegatives(NegativesSettings(count=4, temperature=t, lr=1.0, momentum=0.0), dim=6, languages=1, seed=3)
    queries, passages = unit(5, 6, seed=4), unit(7, 6, seed=5)
    # Any length: the gradient with respect to the unit vector has none along it.
    free = (2.5 * bank.bank.clone()).requires_grad_()
    negatives = torch.nn.functional.normalize(free, dim=1)
    scores = torch.cat([queries @ passages.T, queries @ negatives.T], 1) / t
    # The part of the loss that the bank has a hand in: log of the sum over everything.
    torch.logsumexp(scores, 1).mean().backward()
    before = bank.bank.clone()
    bank.ascend(queries, torch.zeros(5, dtype=torch.long), queries @ passages.T)
    expected = torch.nn.functional.normalize(before + 2.5 * free.grad, dim=1)
    torch.testing.assert_close(bank.bank, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_reversed_gradient_hides_what_the_discriminator_sees() -> None:
    """Vectors move so that a discriminator trained on them can no longer tell their language."""
    lang = torch.arange(120) % 3
    vectors = torch.randn(120, 12, generator=torch.Generator().manual_seed(0)) + 2 * torch.nn.functional.one_hot(
        lang, 12
    )
    adversary = LanguageAdversary(
        AdversarySettings(weight=1.0, ramp=0.0, hidden=16, lr=0.01), dim=12, languages=3, seed=1
    )
    accuracies = []
    for step in range(400):
        leaf = vectors.clone().requires_grad_()
        value, accuracy = adversary.loss(leaf, lang, 0.0)
        gradient, *own = torch.autograd.grad(value, [leaf, *adversary.parameters])
        adversary.update(list(own))
        accuracies.append(accuracy)
        if step >= 150:  # the discriminator has learned by then
            vectors = vectors - 2.0 * gradient
    assert accuracies[149] > 0.95
    assert np.mean(accuracies[-20:]) < 0.75


@pytest.mark.slow
def test_the_ramp_goes_from_nothing_to_the_whole_weight() -> None:
    adversary = LanguageAdversary(AdversarySettings(weight=0.5, ramp=0.4), dim=4, languages=2, seed=1)
    rising = [adversary.weight(done) for done in (0.0, 0.1, 0.2, 0.4, 1.0)]
    assert rising[0] == 0
    assert rising == sorted(rising)
    assert rising[-1] == pytest.approx(0.5, abs=1e-3)
    assert rising[3] == rising[4]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_a_stopped_run_goes_on_with_bank_and_discriminator(
    tmp_path, corpus, make_static, make_transformer, kind: str
) -> None:
    robust = RobustSettings(
        method="pgd",
        side="query",
        negatives=NegativesSettings(count=5, lr=0.1),
        language_adversary=AdversarySettings(weight=0.3, hidden=8),
    )
    train = TrainSettings(steps=8, lr=0.01, log_every=1, checkpoint_every=3)
    options = {"loss": LossSettings(), "robust": robust, "seed": 7, "stage": "s"}

    def fresh():
        return start(make_static() if kind == "static" else make_transformer(dropout=0.1), corpus, steps=8)

    whole, feed, plan = fresh()
    run(whole, feed, plan, train=train, out=tmp_path / "whole", **options)

    class Stop(Exception):
        pass

    def interrupt(_):
        raise Stop

    broken, feed, plan = fresh()
    with pytest.raises(Stop):
        dying = TrainSettings(steps=8, lr=0.01, log_every=1, checkpoint_every=3, validate_every=5)
        run(broken, feed, plan, train=dying, out=tmp_path / "broken", validate=interrupt, **options)
    again, feed, plan = fresh()
    run(again, feed, plan, train=train, out=tmp_path / "broken", **options)
    assert same(weights(whole), weights(again))
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert all(0 <= line["language_accuracy"] <= 1 and line["language_loss"] > 0 for line in lines)


@pytest.mark.slow
def test_other_robust_settings_do_not_resume(tmp_path, corpus, make_static) -> None:
    for robust, fits in ((RobustSettings(method="fgm"), True), (RobustSettings(method="fgm", eps=0.7), False)):
        model, feed, plan = start(make_static(), corpus, steps=2)
        arguments = {
            "loss": LossSettings(),
            "robust": robust,
            "train": TrainSettings(steps=2),
            "seed": 7,
            "stage": "s",
            "out": tmp_path,
        }
        if fits:
            run(model, feed, plan, **arguments)
        else:
            with pytest.raises(InputError, match="robust"):
                run(model, feed, plan, **arguments)


def test_divergence_is_that_of_the_definition_and_passes_over_ignored_pairs() -> None:
    a, b, passages = unit(4, 6, seed=1), unit(4, 6, seed=2), unit(5, 6, seed=3)
    ignored = torch.zeros(4, 5, dtype=torch.bool)
    ignored[0, 1] = ignored[2, 4] = True
    p, q = (log_shares(x, passages, ignored, 0.1) for x in (a, b))
    expected = []
    for row in range(4):
        keep = ~ignored[row]
        one, two = (torch.log_softmax((x[row] @ passages.T / 0.1)[keep], 0) for x in (a, b))
        expected.append(float((one.exp() * (one - two)).sum()))
    assert float(divergence(p, q)) == pytest.approx(np.mean(expected), rel=1e-5)
    assert float(divergence(p, p)) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RobustSettings(method="fgn"), r"^method: 'fgn' is unknown"),
        (lambda: RobustSettings(side="queries"), r"^side: 'queries' is unknown"),
        (lambda: RobustSettings(eps=0), r"^eps: 0 is not a positive number"),
        (lambda: RobustSettings(steps=0), r"^steps: 0 is below 1"),
        (lambda: RobustSettings(weight=-1), r"^weight: -1 is negative"),
        (lambda: NegativesSettings(count=-1), r"^count"),
        (lambda: NegativesSettings(momentum=1.0), r"^momentum"),
        (lambda: NegativesSettings(temperature=0), r"^temperature"),
        (lambda: AdversarySettings(weight=-0.1), r"^weight"),
        (lambda: AdversarySettings(ramp=2), r"^ramp"),
        (lambda: AdversarySettings(hidden=0), r"^hidden"),
        (lambda: LossSettings(self_teaching=-1), r"^self_teaching"),
    ],
)
def test_bad_settings(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_the_adversary_is_a_cross_entropy_whose_gradient_is_turned() -> None:
    """Written out text by text in float64."""
    settings = AdversarySettings(weight=0.4, ramp=0.5, hidden=5)
    adversary = LanguageAdversary(settings, dim=6, languages=3, seed=2)
    vectors, lang = unit(7, 6, seed=9).requires_grad_(), torch.arange(7) % 3
    value, accuracy = adversary.loss(vectors, lang, 0.25)
    gradient, *own = torch.autograd.grad(value, [vectors, *adversary.parameters])
    wide = vectors.detach().double().requires_grad_()
    parameters = [part.detach().double().requires_grad_() for part in adversary.parameters]
    losses, right = [], 0
    for vector, code in zip(wide, lang.tolist(), strict=True):
        layer = (parameters[0] @ (vector * 6**0.5) + parameters[1]).clamp_min(0)
        logits = parameters[2] @ layer + parameters[3]
        losses.append(torch.logsumexp(logits, 0) - logits[code])
        right += int(logits.argmax()) == code
    expected = torch.stack(losses).mean()
    expected.backward()
    assert float(value.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert accuracy == pytest.approx(right / 7)
    weight = 0.4 * (2 / (1 + np.exp(-10 * 0.5)) - 1)
    torch.testing.assert_close(gradient.double(), -weight * wide.grad, rtol=1e-4, atol=1e-7)
    for part, found in zip(parameters, own, strict=True):
        torch.testing.assert_close(found.double(), part.grad, rtol=1e-4, atol=1e-7)
