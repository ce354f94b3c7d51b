"""The encoder trained on labelled pairs: the term and its gradients against a naive loop in float64, also of the head,
whatever the adversarial method; rows without labels beside them; a run that was stopped."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.robust.test_perturb import Step, settings_of
from tests.train.conftest import make_corpus
from tests.train.test_loop import same, start, weights
from triglot.batches import BatchSettings
from triglot.corpus.parallel import ParallelCorpus
from triglot.files import InputError
from triglot.losses import LossSettings
from triglot.losses.terms import ClassificationTerm
from triglot.robust import AdversarySettings, RobustSettings, perturbed_step
from triglot.train import TrainSettings, run
from triglot.train.objective import Objective
from triglot.train.shortfalls import shortfalls

LABELS = ("entailment", "neutral", "contradiction")
ALONE = LossSettings(weight=0.0, terms=({"name": "classification", "lr": 0.01},))


@pytest.fixture(scope="module")
def labelled() -> ParallelCorpus:
    """Rows of the source `parallel` have labels."""
    plain = make_corpus(24)
    label = np.where(plain.source == 0, np.arange(len(plain)) % 3, -1).astype(np.int8)
    return replace(plain, label=label, labels=LABELS)


def objective_of(step: Step, loss: LossSettings) -> Objective:
    return Objective(loss, RobustSettings(), dim=step.model.dim, languages=3, seed=1, classes=3)


def naive(u: torch.Tensor, v: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
    """Log probabilities, entry by entry."""
    rows = []
    for a, b in zip(u, v, strict=True):
        size = len(a) ** 0.5
        made = [*(a * size), *(b * size), *((a - b) * size).abs(), *(a * size * b * size)]
        layer = torch.stack(made)
        for number in range(0, len(parameters), 2):
            layer = layer if number == 0 else layer.tanh()
            layer = parameters[number].T @ layer + parameters[number + 1]
        rows.append(layer - torch.logsumexp(layer, 0))
    return torch.stack(rows)


@pytest.mark.parametrize("hidden", [0, 5])
def test_the_term_is_a_cross_entropy_of_pairs(labelled, make_static, hidden: int) -> None:
    step = Step(make_static(), labelled, RobustSettings())
    loss = LossSettings(weight=0.0, terms=({"name": "classification", "weight": 2.0, "hidden": hidden},))
    objective = objective_of(step, loss)
    assert objective.head is not None
    terms = objective.on(step.batch, 0.0)
    assert step.batch.classified
    rows = len(step.batch.query_row)
    vectors = torch.nn.functional.normalize(
        torch.randn(len(step.batch), step.model.dim, generator=torch.Generator().manual_seed(0)), dim=1
    ).requires_grad_()
    own = [part.detach().double().requires_grad_() for part in objective.head.parameters]
    wide = vectors.detach().double().requires_grad_()
    log_p = naive(wide[:rows], wide[rows : 2 * rows], own)
    expected = -2 * log_p[torch.arange(rows), torch.from_numpy(step.batch.label.astype(np.int64))].mean()
    expected.backward()
    found = terms.value(vectors)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    (gradient,) = torch.autograd.grad(found, vectors)
    torch.testing.assert_close(gradient.double(), wide.grad, rtol=1e-4, atol=1e-6)
    for number, part in enumerate(own):
        torch.testing.assert_close(terms._of_head.sums[number].double(), part.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["none", "fgm", "pgd", "freelb", "smooth", "smart", "r3f"])
def test_the_head_descends_what_the_encoder_descends(labelled, make_static, method: str) -> None:
    """Its gradient is that of the step's whole loss, by differences of the loss in its own parameters."""
    step = Step(make_static(), labelled, settings_of(method, "both"))
    assert len(step.passes(True).perturbed) == len(step.chunks)

    def outcome(moved: tuple[int, int, float] | None = None):
        objective = objective_of(step, ALONE)
        assert objective.head is not None
        if moved is not None:
            objective.head.parameters[moved[0]].data.view(-1)[moved[1]] += moved[2]
        terms = objective.on(step.batch, 0.0)
        value, own = replayed(step, terms)
        return value, own

    def replayed(step: Step, terms):
        done = perturbed_step(step.passes(True), terms, step.robust)
        step.model._gradients = []
        return done.loss, {key: value.clone() for key, value in terms._of_head.sums.items()}

    if method in (
        "fgm",
        "pgd",
        "freelb",
        "smart",
    ):  # the shifts move with the head: what counts is that it has a gradient
        _, own = outcome()
        assert all(bool(one.isfinite().all()) for one in own.values())
        assert float(own[0].abs().max()) > 0
        return
    _, own = outcome()
    for entry in (0, 7, 40):
        up, _ = outcome((0, entry, 1e-2))
        down, _ = outcome((0, entry, -1e-2))
        assert float(own[0].reshape(-1)[entry]) == pytest.approx((up - down) / 2e-2, rel=0.03, abs=2e-4)


def test_only_the_last_step_of_an_ascent_counts_for_the_head(labelled, make_static) -> None:
    step = Step(make_static(), labelled, RobustSettings(method="pgd", eps=0.6, step_size=0.4, steps=3))
    objective = objective_of(step, ALONE)
    terms = objective.on(step.batch, 0.0)
    seen: list[bool] = []
    kept = terms.value

    def value(vectors, *, descend=True):
        seen.append(descend)
        return kept(vectors, descend=descend)

    terms.value = value  # type: ignore[method-assign]
    perturbed_step(step.passes(True), terms, step.robust)
    step.model._gradients = []
    assert seen == [False, False, True]


def test_divergence_is_over_classes(labelled, make_static) -> None:
    step = Step(make_static(), labelled, RobustSettings())
    objective = objective_of(step, ALONE)
    assert objective.head is not None
    terms = objective.on(step.batch, 0.0)
    rows, own = len(step.batch.query_row), [part.detach().double() for part in objective.head.parameters]
    one, two = (
        torch.nn.functional.normalize(
            torch.randn(len(step.batch), step.model.dim, generator=torch.Generator().manual_seed(n)), dim=1
        )
        for n in (1, 2)
    )
    p, q = (naive(v.double()[:rows], v.double()[rows : 2 * rows], own) for v in (one, two))
    expected = ((p.exp() - q.exp()) * (p - q)).sum(1).mean()
    assert float(terms.divergence(one, two).detach()) == pytest.approx(float(expected), rel=1e-4)


def test_labelled_rows_are_not_ranked_and_others_are(tmp_path, labelled, make_static) -> None:
    both = LossSettings(terms=({"name": "classification"},))
    model, feed, plan = start(make_static(), labelled, size=6, steps=8)
    summary = run(
        model, feed, plan, loss=both, train=TrainSettings(steps=8, log_every=1), seed=7, stage="s", out=tmp_path
    )
    kinds = {bool(feed.batch(plan[step]).classified) for step in range(8)}
    assert kinds == {True, False}
    objective = Objective(both, RobustSettings(), dim=model.dim, languages=3, seed=1, classes=3)
    for step in range(8):
        batch = feed.batch(plan[step])
        vectors = torch.nn.functional.normalize(torch.randn(len(batch), model.dim), dim=1)
        named = objective.on(batch, 0.0).named(vectors)
        assert ("info_nce" in named) != batch.classified
        assert bool(named["classification"].detach() > 0) == batch.classified
    assert summary["steps"] == 8


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_it_learns_and_a_stopped_run_goes_on(tmp_path, labelled, make_static, make_transformer, kind: str) -> None:
    robust = RobustSettings(method="r3f", eps=1e-2, language_adversary=AdversarySettings(weight=0.1, hidden=4))
    corpus = labelled.select(labelled.label >= 0)
    train = {"steps": 6, "lr": 0.01, "log_every": 1, "checkpoint_every": 3}

    def fresh():
        return start(make_static() if kind == "static" else make_transformer(), corpus, size=6, steps=6)

    class Stop(Exception):
        pass

    def interrupt(_):
        raise Stop

    made = {}
    for name in ("whole", "broken"):
        model, feed, plan = fresh()
        options = {"loss": ALONE, "robust": robust, "seed": 7, "stage": "s", "out": tmp_path / name}
        if name == "broken":
            with pytest.raises(Stop):
                dying = TrainSettings(**train, validate_every=4)
                run(model, feed, plan, train=dying, validate=interrupt, **options)
            model, feed, plan = fresh()
        run(model, feed, plan, train=TrainSettings(**train), **options)
        made[name] = weights(model)
    assert same(made["whole"], made["broken"])


def test_what_would_teach_nothing_is_said(labelled, make_static) -> None:
    _, feed, _ = start(make_static(), labelled, size=6)
    batches = BatchSettings(kind="hybrid", size=6)
    with pytest.raises(InputError, match=r"parallel: its rows have labels.*classification"):
        shortfalls(LossSettings(), feed, batches, views=False)
    (line,) = shortfalls(LossSettings(terms=({"name": "classification"},)), feed, batches, views=False)
    assert "24 rows have labels" in line
    _, bare, _ = start(make_static(), make_corpus(24), size=6)
    (line,) = shortfalls(ALONE, bare, batches, views=False)
    assert "no source has labels" in line
    with pytest.raises(InputError, match="two terms classify"):
        objective = LossSettings(weight=0.0, terms=(ClassificationTerm(), ClassificationTerm()))
        Objective(objective, RobustSettings(), dim=4, languages=2, seed=1, classes=3)
    assert copy.copy(labelled).select(np.array([1, 3])).label.tolist() == [1, 0]
