"""Checkpoints are believed only as they were written, and a run that was stopped logs what one that never stopped
logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.train.test_loop import same, start, weights
from triglot.encoder import EncoderSettings, init_encoder
from triglot.files import InputError
from triglot.losses import LossSettings
from triglot.robust import AdversarySettings, RobustSettings
from triglot.train import TrainSettings, checkpoint, run

STEPS = 9
OPTIONS: dict[str, Any] = {
    "loss": LossSettings(),
    "robust": RobustSettings(method="fgm", language_adversary=AdversarySettings(weight=0.1, hidden=4)),
    "seed": 7,
    "stage": "s",
}


class Stop(Exception):
    pass


def train(encoder: Any, corpus: Any, out: Path, *, stop: int = 0, **more: Any) -> Any:
    """A model trained with lines at steps 4, 8 and 9 and checkpoints at 3 and 6 (and at the end); `stop` ends it after
    that step."""

    def halt(_: Any) -> Any:
        raise Stop

    settings = {
        "steps": STEPS,
        "lr": 0.01,
        "log_every": 4,
        "checkpoint_every": 3,
        "keep": 2,
        "validate_every": stop,
    } | more
    model, feed, plan = start(encoder, corpus, steps=STEPS)
    run(model, feed, plan, train=TrainSettings(**settings), out=out, validate=halt if stop else None, **OPTIONS)
    return model


def lines(out: Path) -> list[dict[str, Any]]:
    """The log, without times."""
    found = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "pairs_per_second")} for line in found]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, corpus, make_static) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """Weights and log of a run that never stopped."""
    out = tmp_path_factory.mktemp("whole")
    return weights(train(make_static(), corpus, out)), lines(out)


@pytest.fixture
def stopped(tmp_path, corpus, make_static) -> Path:
    """A run that ended after 7 steps, with checkpoints of 3 and 6."""
    with pytest.raises(Stop):
        train(make_static(), corpus, tmp_path / "run", stop=7)
    assert checkpoint.steps(tmp_path / "run", "s") == [3, 6]
    return tmp_path / "run"


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def _step(path: Path) -> None:
    path.write_text(path.read_text().replace('"step": 6', '"step": 5'))


def _without(path: Path) -> None:
    tensors = load_file(path)
    del tensors["squares"]
    save_file(tensors, path)


DAMAGE: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a flipped byte of a tensor": ("state.safetensors", lambda path: _flip(path, -5)),
    "a flipped byte of the header": ("state.safetensors", lambda path: _flip(path, 12)),
    "half of the tensors": (
        "state.safetensors",
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    ),
    "a tensor less": ("state.safetensors", _without),
    "no tensors": ("state.safetensors", Path.unlink),
    "another step": ("state.json", _step),
    "another loss so far": (
        "state.json",
        lambda path: path.write_text(path.read_text().replace('"losses": [\n', '"losses": [\n1.5,')),
    ),
    "no checksum": ("state.json", lambda path: path.write_text('{"stage": "s", "step": 6}')),
    "a list": ("state.json", lambda path: path.write_text("[]")),
    "nothing": ("state.json", lambda path: path.write_text("")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(stopped, whole, corpus, make_static, caplog, damage) -> None:
    name, change = DAMAGE[damage]
    path = checkpoint.folder_of(stopped, "s", 6) / name
    change(path)
    with caplog.at_level(logging.WARNING, "triglot"):
        again = train(make_static(), corpus, stopped)
    assert "s-step-00000006" in caplog.text
    assert "going on from the checkpoint before" in caplog.text
    assert same(whole[0], weights(again))
    assert lines(stopped) == whole[1]
    assert checkpoint.steps(stopped, "s") == [6, 9]
    assert checkpoint.latest(stopped, "s", {})


def test_without_a_whole_checkpoint_training_starts_anew_and_says_so(
    stopped, whole, corpus, make_static, caplog
) -> None:
    for step in (3, 6):
        _flip(checkpoint.folder_of(stopped, "s", step) / "state.safetensors", -1)
    with caplog.at_level(logging.WARNING, "triglot"):
        again = train(make_static(), corpus, stopped)
    assert "training starts anew" in caplog.text
    assert same(whole[0], weights(again))
    assert lines(stopped) == whole[1]


def test_a_stopped_run_logs_the_same_means(stopped, whole, corpus, make_static) -> None:
    train(make_static(), corpus, stopped)
    assert [line["step"] for line in whole[1]] == [4, 8, 9]
    assert lines(stopped) == whole[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('"step": 4', '"step": 3'), "are not those that were written"),
        (lambda text: "}{\n" + text, "1 lines that cannot be read are dropped"),
        (lambda text: text.replace('"stage": "s"', '"stage": 1'), "lines that cannot be read are dropped"),
        (lambda text: "[" * 100_000 + "\n" + text, "1 lines that cannot be read are dropped"),
        (lambda text: text + '{"stage": "s", "st', ""),
        (lambda text: "", "are not those that were written"),
    ],
)
def test_a_damaged_log_stops_nothing(stopped, whole, corpus, make_static, caplog, change, said) -> None:
    log = stopped / "metrics.jsonl"
    log.write_text(change(log.read_text()))
    with caplog.at_level(logging.WARNING, "triglot"):
        again = train(make_static(), corpus, stopped)
    assert same(whole[0], weights(again))
    assert said in caplog.text
    assert lines(stopped)[-2:] == whole[1][-2:]


def test_another_start_or_other_data_do_not_resume(stopped, corpus, make_static) -> None:
    model, feed, plan = start(make_static(), corpus, steps=STEPS)
    settings = TrainSettings(steps=STEPS, lr=0.01, log_every=4, checkpoint_every=3)
    with pytest.raises(InputError, match="made with data=None, now data=abc"):
        run(model, feed, plan, train=settings, out=stopped, origin={"data": "abc"}, **OPTIONS)


def test_a_checkpoint_of_another_model_is_refused(stopped, corpus, words) -> None:
    encoder = init_encoder(EncoderSettings(dim=8, vocab=300), words, seed=1)
    with pytest.raises(InputError, match=r"rows is torch.float32 \[\d+, 16\], not torch.float32 \[\d+, 8\]"):
        train(encoder, corpus, stopped)


def test_what_others_put_among_the_checkpoints_stays(stopped, corpus, make_static) -> None:
    notes = checkpoint.folder_of(stopped, "s", 3) / "notes.txt"
    notes.write_text("mine")
    train(make_static(), corpus, stopped)
    checkpoint.clear(stopped, "s")
    assert [path for path in (stopped / "checkpoints").rglob("*") if path.is_file()] == [notes]


def test_tensorboard_shows_what_the_log_has(stopped, whole, corpus, make_static) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (stopped / "tensorboard").mkdir()
    (stopped / "tensorboard" / "notes.txt").write_text("mine")
    with pytest.raises(Stop):
        train(make_static(), corpus, stopped, stop=8, tensorboard=True)
    train(make_static(), corpus, stopped, tensorboard=True)
    events = EventAccumulator(str(stopped / "tensorboard"))
    events.Reload()
    for name in ("loss", "language_loss"):
        told = [(event.step, event.value) for event in events.Scalars(f"s/{name}")]
        assert told == [(line["step"], pytest.approx(line[name])) for line in whole[1]]
    assert (stopped / "tensorboard" / "notes.txt").is_file()
