"""Methods of robust training as rows: one of another package is a setting like any other, and a run uses it."""

from __future__ import annotations

import pytest
import torch

from tests.train.test_loop import same, start, weights
from triglot.files import InputError
from triglot.losses import LossSettings
from triglot.robust import METHODS, Method, RobustSettings
from triglot.robust.perturb import Outcome
from triglot.train import TrainSettings, run


def louder(passes, losses, robust) -> Outcome:
    """The loss of passes in which every token embedding is moved by the same small number."""
    shifts = {n: torch.full_like(passes.ball(n)[0], robust.eps).requires_grad_() for n in passes.perturbed}
    moved = passes.run(passes.perturbed, shifts=shifts)
    opening = losses.opening(moved.vectors)
    moved.backward(torch.autograd.grad(opening.loss, moved.vectors)[0], passes.perturbed)
    return Outcome(float(opening.loss.detach()), {"louder": 1.0}, opening)


def test_a_run_uses_a_row_from_outside(tmp_path, make_static, corpus) -> None:
    with pytest.raises(InputError, match="method: 'louder' is unknown"):
        RobustSettings(method="louder")
    METHODS.add(Method("louder", "Louder", "everything is moved", louder))
    try:
        after = []
        for name, robust in (("plain", RobustSettings()), ("louder", RobustSettings(method="louder", eps=0.5))):
            model, feed, plan = start(make_static(), corpus, steps=2, size=6)
            train, out = TrainSettings(steps=2, lr=0.1, log_every=1), tmp_path / name
            run(model, feed, plan, loss=LossSettings(), robust=robust, train=train, seed=1, stage="s", out=out)
            after.append((weights(model), (out / "metrics.jsonl").read_text()))
    finally:
        METHODS.remove("louder")
    (plain, _), (moved, log) = after
    assert not same(plain, moved)
    assert '"louder": 1.0' in log


def test_what_small_noise_needs_is_said_by_its_row() -> None:
    assert [row.name for row in METHODS.own if row.fine] == ["smart", "r3f"]
    assert [row.name for row in METHODS.own if not row.shifts] == ["none"]
