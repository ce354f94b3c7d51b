"""One device for a whole step: the model's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.conftest import LISTS, make_corpus
from tests.train.elsewhere import There, elsewhere
from triglot.augment.apply import Augmenter
from triglot.augment.settings import AugmentSettings, Part
from triglot.batches import BatchSettings, plan_run
from triglot.losses import LossSettings
from triglot.robust import AdversarySettings, NegativesSettings, RobustSettings
from triglot.train import Feed, Switching, TrainSettings, checkpoint, network, run
from triglot.train.bag import Bag
from triglot.train.network import Network

# The stand-in has the name of a device to which torch copies nothing; here it does, as the weights show.
pytestmark = pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
METHODS = ("none", "fgm", "pgd", "freelb", "smart", "r3f")
LEARNED: dict[str, Any] = {
    "negatives": NegativesSettings(count=6, lr=0.1),
    "language_adversary": AdversarySettings(weight=0.1, hidden=4),
}


def train(
    encoder: Any,
    device: Any,
    out: Any,
    robust: RobustSettings,
    *,
    steps: int = 2,
    chunk: int = 0,
    loss: LossSettings | None = None,
) -> Any:
    corpus = make_corpus(negatives=True)
    model = Bag(encoder, device) if encoder.kind == "static" else Network(encoder, weight_decay=0.01, device=device)
    feed = Feed(
        corpus,
        switching={"english": Switching("en", LISTS)},
        tokenize=None if model.needs_strings else model.tokenize,
        seed=5,
    )
    if loss and loss.consistency:
        feed = feed.with_augmenter(Augmenter(AugmentSettings((Part(("swap",), share=1.0),), mode="view"), seed=5))
    plan = plan_run(feed.rows(), BatchSettings(kind="hybrid", size=8), steps=steps, seed=5, languages=corpus.languages)
    train = TrainSettings(
        steps=steps,
        lr=0.01,
        log_every=1,
        checkpoint_every=1,
        keep=0,
        clip=1.0,
        negatives=2,
        chunk=chunk,
        precision="fp32",
    )
    run(
        model,
        feed,
        plan,
        loss=loss or LossSettings(symmetric=0.5),
        robust=robust,
        train=train,
        seed=7,
        stage="s",
        out=out,
    )
    return model


@pytest.fixture(autouse=True)
def like_sub_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are cut by length as on the CPU, for the same last digits."""
    monkeypatch.setattr(network, "_OVERHEAD_ELSEWHERE", network._OVERHEAD["cpu"])


def test_the_device_of_the_test_refuses_what_a_gpu_refuses() -> None:
    with elsewhere() as device:
        here, there = torch.ones(3), torch.ones(3, device=device)
        assert isinstance(there * 2 + torch.tensor(1.0), There)
        assert (there.sum().item(), there.cpu().tolist()) == (3.0, [1.0] * 3)
        for mixed in (
            lambda: here + there,
            lambda: torch.cat([there, here]),
            lambda: torch.where(here > 0, there, there),
        ):
            with pytest.raises(RuntimeError, match="same device"):
                mixed()


def compare(tmp_path: Path, make: Any, device: Any, robust: RobustSettings, **more: Any) -> None:
    """Two steps elsewhere, the second one resumed, give the weights of two steps on the CPU."""
    here = train(make(), "cpu", tmp_path / "here", robust, **more).state()
    train(make(), device, tmp_path / "there", robust, **more)
    shutil.rmtree(checkpoint.folder_of(tmp_path / "there", "s", 2))
    model = train(make(), device, tmp_path / "there", robust, **more)
    assert {value.device.type for value in model.state().values() if value.ndim} == {torch.device(device).type}
    for name, value in here.items():
        torch.testing.assert_close(model.state()[name].cpu(), value, rtol=1e-3, atol=5e-4)  # of 0.02 moved


CASES = [("none", 5), ("fgm", 0), ("pgd", 5), ("freelb", 0), ("freelb", 5), ("smart", 0), ("r3f", 5)]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "chunk"), CASES)
@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_a_step_mixes_no_devices(tmp_path, make_static, make_transformer, kind, method, chunk) -> None:
    robust = RobustSettings(method=method, side="query", **LEARNED)
    with elsewhere() as device:
        compare(tmp_path, make_static if kind == "static" else make_transformer, device, robust, chunk=chunk)


def test_views_mix_no_devices(tmp_path, make_static) -> None:
    with elsewhere() as device:
        compare(
            tmp_path,
            make_static,
            device,
            RobustSettings(**LEARNED),
            loss=LossSettings(consistency=0.1, self_teaching=0.1),
        )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_a_step_on_a_gpu(tmp_path, make_static, make_transformer, kind, method) -> None:
    make = make_static if kind == "static" else make_transformer
    compare(tmp_path, make, "cuda", RobustSettings(method=method, side="query", **LEARNED), chunk=5)
