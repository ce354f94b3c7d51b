"""What a process of its own does in tests of the loop: `Server.run([...], call="tests.train.jobs:train")`.

Each leaves its weights in `end.safetensors`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.train import test_loop, test_refresh, test_terms
from tests.train.conftest import make_corpus
from triglot.encoder import load_encoder
from triglot.losses import LossSettings
from triglot.robust import AdversarySettings, NegativesSettings, RobustSettings
from triglot.train import TrainSettings, bag, run
from triglot.train.distributed import is_main


def _save(state: dict[str, Tensor], path: Path) -> None:
    save_file({key: value.contiguous() for key, value in state.items()}, path)


def train(model_path: str, out: str, method: str) -> None:
    """Thirty steps with a method of robust training; with any but none, learned negatives and an adversary too."""
    learned = {
        "negatives": NegativesSettings(count=6, lr=0.1),
        "language_adversary": AdversarySettings(weight=0.1, hidden=8),
    }
    robust = RobustSettings(method=method, **({} if method == "none" else learned))
    model, feed, plan = test_loop.start(load_encoder(model_path), make_corpus(), steps=30)
    train = TrainSettings(steps=30, lr=0.003, log_every=1, checkpoint_every=5, precision="fp32")
    run(model, feed, plan, loss=LossSettings(), robust=robust, train=train, seed=3, stage="s", out=Path(out))
    if is_main():
        _save(model.state(), Path(out) / "end.safetensors")


def mined(model_path: str, out: str) -> None:
    """A run that mines; each rank saves its weights."""
    state, _, found = test_refresh.go(load_encoder(model_path), make_corpus(), Path(out), lr=0.003)
    assert len(found) == (3 if is_main() else 0), found
    _save(state, Path(out) / ("end.safetensors" if is_main() else "end-1.safetensors"))


def terms(model_path: str, out: str) -> None:
    """A run with further terms of the loss."""
    model, _, _ = test_terms.go(load_encoder(model_path), make_corpus(), Path(out), steps=10)
    if is_main():
        _save(model.state(), Path(out) / "end.safetensors")


def gradients(model_path: str, out: str, chunk: str) -> None:
    """One step; the gradient of the whole batch, as the model is about to take it."""
    found: dict[str, Tensor] = {}
    plain_norm, plain_sum = torch.nn.utils.clip_grad_norm_, bag.summed

    def norm(tensors, most):
        found.update({f"dense{number}": one.grad.clone() for number, one in enumerate(tensors) if one.grad is not None})
        return plain_norm(tensors, most)

    def of_rows(parts, world):
        ids, grads = plain_sum(parts, world)
        found.update({"ids": ids.clone(), "rows": grads.clone()})
        return ids, grads

    torch.nn.utils.clip_grad_norm_ = norm
    bag.summed = of_rows
    model, feed, plan = test_loop.start(load_encoder(model_path), make_corpus(), steps=1)
    train = TrainSettings(steps=1, lr=0.003, chunk=int(chunk), precision="fp32")
    run(model, feed, plan, loss=LossSettings(), train=train, seed=3, stage="s", out=Path(out))
    if is_main():
        _save(found, Path(out) / "gradients.safetensors")
