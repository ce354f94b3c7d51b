"""The loop: exact resume, chunked gradients, several processes, and that it learns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.killing import Done
from tests.train.conftest import LISTS, make_corpus
from triglot.batches import BatchSettings, plan_run
from triglot.files import InputError
from triglot.losses import LossSettings
from triglot.train import Feed, Switching, TrainSettings, kernels, run
from triglot.train.bag import Bag
from triglot.train.network import Network

TINY = {"log_every": 1, "checkpoint_every": 4}


def start(encoder, corpus, *, kind="hybrid", size=12, steps=12, positives=1, weight_decay=0.01):
    """(model, feed, plan) as the recipe room would make them."""
    model = Bag(encoder) if encoder.kind == "static" else Network(encoder, weight_decay=weight_decay)
    tokenize = None if model.needs_strings else model.tokenize
    feed = Feed(corpus, switching={"english": Switching("en", LISTS)}, tokenize=tokenize, seed=5)
    plan = plan_run(
        feed.rows(),
        BatchSettings(kind=kind, size=size, positives=positives),
        steps=steps,
        seed=5,
        languages=corpus.languages,
    )
    return model, feed, plan


def weights(model) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.state().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("kind", ["static", "sdpa", "eager"])
def test_resume_gives_bitwise_the_weights_of_a_run_that_never_stopped(
    tmp_path, corpus, make_static, make_transformer, monkeypatch, kind
) -> None:
    """The attention that was faster once is kept, whichever is faster now."""
    monkeypatch.setattr(kernels, "_timed", lambda name, *_: 1.0 if name == kind else 2.0)

    def encoder():
        return make_static() if kind == "static" else make_transformer(dropout=0.1)

    train = TrainSettings(steps=12, lr=0.01, **TINY)
    whole, feed, plan = start(encoder(), corpus)
    summary = run(whole, feed, plan, loss=LossSettings(), train=train, seed=7, stage="s", out=tmp_path / "whole")

    class Stop(Exception):
        pass

    def interrupt(_):
        raise Stop

    broken, feed, plan = start(encoder(), corpus)
    with pytest.raises(Stop):
        dying = TrainSettings(steps=12, lr=0.01, validate_every=7, **TINY)
        run(
            broken,
            feed,
            plan,
            loss=LossSettings(),
            train=dying,
            seed=7,
            stage="s",
            out=tmp_path / "broken",
            validate=interrupt,
        )
    monkeypatch.setattr(kernels, "_timed", lambda name, *_: 2.0 if name == kind else 1.0)
    again, feed, plan = start(encoder(), corpus)
    resumed = run(again, feed, plan, loss=LossSettings(), train=train, seed=7, stage="s", out=tmp_path / "broken")
    assert same(weights(whole), weights(again))
    for key in ("texts", "tokens", "effective_negatives", "counts"):
        assert resumed[key] == summary[key]
    one, two = (
        [
            (line["step"], line["loss"])
            for line in map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
        ]
        for name in ("whole", "broken")
    )
    assert one == two
    assert [step for step, _ in two] == list(range(1, 13))


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_chunked_gradients_are_the_whole_batch_s(tmp_path, corpus, make_static, make_transformer, kind) -> None:
    states = []
    for chunk in (0, 5):
        model, feed, plan = start(make_static() if kind == "static" else make_transformer(), corpus, steps=3)
        run(
            model,
            feed,
            plan,
            loss=LossSettings(),
            train=TrainSettings(steps=3, lr=0.001, chunk=chunk, precision="fp32"),
            seed=7,
            stage="s",
            out=tmp_path / str(chunk),
        )
        states.append(weights(model))
    for key in states[0]:
        torch.testing.assert_close(states[0][key], states[1][key], rtol=1e-4, atol=1e-5)  # of a movement of 3e-3


def test_chunks_see_the_same_dropout_in_both_passes(tmp_path, corpus, make_transformer) -> None:
    model, feed, plan = start(make_transformer(dropout=0.3), corpus, steps=1)
    seen: list[torch.Tensor] = []
    embed = model.embed
    model.embed = lambda prepared: seen.append(embed(prepared)) or seen[-1]  # type: ignore[method-assign]
    run(model, feed, plan, loss=LossSettings(), train=TrainSettings(steps=1, chunk=6), seed=7, stage="s", out=tmp_path)
    half = len(seen) // 2
    assert half == 4
    for first, second in zip(seen[:half], seen[half:], strict=True):
        assert torch.equal(first.detach(), second.detach())
    assert not torch.equal(seen[0].detach(), model.embed(next(iter([feed_batch(model, feed, plan)])))[:6].detach())


def feed_batch(model, feed, plan):
    batch = feed.batch(plan[0])
    texts = batch.strings if batch.strings is not None else batch.texts
    return model.prepare(texts, batch.sides)


@pytest.mark.parametrize("kind", ["xx", "xx-mixed", "xy", "independent", "hybrid"])
def test_training_learns(tmp_path, corpus, make_static, kind) -> None:
    model, feed, plan = start(make_static(), corpus, kind=kind, steps=60, size=24)
    run(
        model,
        feed,
        plan,
        loss=LossSettings(),
        train=TrainSettings(steps=60, lr=0.1, **TINY),
        seed=1,
        stage="s",
        out=tmp_path,
    )
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])


def test_hard_negatives_are_columns_and_count(tmp_path, make_static) -> None:
    corpus = make_corpus(negatives=True)
    sums = []
    for negatives in (0, 2):
        model, feed, plan = start(make_static(), corpus, steps=4)
        train = TrainSettings(steps=4, negatives=negatives)
        sums.append(
            run(model, feed, plan, loss=LossSettings(), train=train, seed=1, stage="s", out=tmp_path / str(negatives))
        )
    pairs = sum(n for *_, n in sums[0]["counts"])
    assert sums[0]["texts"] == 2 * pairs
    assert sums[1]["texts"] == 4 * pairs
    assert sums[1]["effective_negatives"] > 2 * sums[0]["effective_negatives"]


def test_several_positives_a_row(tmp_path, corpus, make_static) -> None:
    model, feed, plan = start(make_static(), corpus, kind="xx", steps=20, positives=2)
    summary = run(
        model,
        feed,
        plan,
        loss=LossSettings(symmetric=0.5),
        train=TrainSettings(steps=20),
        seed=1,
        stage="s",
        out=tmp_path,
    )
    assert {(q, p) for _, q, p, _ in summary["counts"]} == {
        (q, p) for q in ("de", "en", "es") for p in ("de", "en", "es")
    }


def test_other_settings_do_not_resume(tmp_path, corpus, make_static) -> None:
    for lr, error in ((0.01, None), (0.02, r"made with lr=0\.01, now lr=0\.02")):
        model, feed, plan = start(make_static(), corpus, steps=2)
        arguments = {
            "loss": LossSettings(),
            "train": TrainSettings(steps=2, lr=lr),
            "seed": 7,
            "stage": "s",
            "out": tmp_path,
        }
        if error is None:
            run(model, feed, plan, **arguments)
        else:
            with pytest.raises(InputError, match=error):
                run(model, feed, plan, **arguments)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path, corpus, make_static) -> None:
    model, feed, plan = start(make_static(), corpus, steps=5)
    model.rows[:] = float("nan")
    with pytest.raises(FloatingPointError, match="step 1: the loss is nan"):
        run(model, feed, plan, loss=LossSettings(), train=TrainSettings(steps=5), seed=7, stage="s", out=tmp_path)


def environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def test_resume_after_kill_9_is_bitwise(server, tmp_path, make_static) -> None:
    make_static().save(tmp_path / "model")
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    def go(out: Path, **how) -> Done:
        return server.run([tmp_path / "model", out, "none"], call="tests.train.jobs:train", under=[out], **how)

    done = go(whole)
    assert done.code == 0, done.output
    assert go(killed, kill_at=len(done.events) // 2).code == -signal.SIGKILL
    assert list(killed.rglob("state.json"))
    assert not (killed / "end.safetensors").exists()
    done = go(killed)
    assert done.code == 0, done.output
    assert same(load_file(whole / "end.safetensors"), load_file(killed / "end.safetensors"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="names of threads are read from /proc")
def test_the_threads_of_the_process_group_end_before_python_does(tmp_path) -> None:
    job = tmp_path / "leave.py"
    job.write_text(
        textwrap.dedent("""
            import torch
            from pathlib import Path
            from triglot.train import distributed

            world = distributed.join()
            torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])
            assert world.sum(torch.ones(1)).item() == 2
            distributed._leave()
            left = [n for n in (p.read_text().strip() for p in Path("/proc/self/task").glob("*/comm")) if "gloo" in n]
            assert not left, left
        """)
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*torchrun, str(job)], check=True, env=environment(), timeout=100)


@pytest.mark.parametrize(
    ("kind", "method"), [("static", "none"), ("transformer", "none"), ("static", "pgd"), ("transformer", "fgm")]
)
def test_two_processes_have_the_loss_and_weights_of_one(
    server, tmp_path, make_static, make_transformer, kind, method
) -> None:
    (make_static() if kind == "static" else make_transformer()).save(tmp_path / "model")
    for processes, name in ((1, "one"), (2, "two")):
        words = [tmp_path / "model", tmp_path / name, method]
        done = server.run(words, call="tests.train.jobs:train", processes=processes)
        assert done.code == 0, done.output
    logs = [
        [json.loads(line)["loss"] for line in (tmp_path / n / "metrics.jsonl").read_text().splitlines()]
        for n in ("one", "two")
    ]
    assert len(logs[0]) == len(logs[1]) == 30
    np.testing.assert_allclose(logs[0], logs[1], rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(logs[0][:5], logs[1][:5], rtol=2e-5)
    one, two = (load_file(tmp_path / n / "end.safetensors") for n in ("one", "two"))
    for key in one:
        torch.testing.assert_close(one[key], two[key], rtol=1e-2, atol=5e-3)


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_gathered_gradients_are_those_of_one_process(server, tmp_path, make_static, make_transformer, kind) -> None:
    """Negatives of all processes count: the gradient of the whole batch, also when it is made in chunks."""
    (make_static() if kind == "static" else make_transformer()).save(tmp_path / "model")
    found = {}
    for processes, chunk in ((1, 0), (2, 0), (2, 4)):
        out = tmp_path / f"{processes}-{chunk}"
        words = [tmp_path / "model", out, chunk]
        done = server.run(words, call="tests.train.jobs:gradients", processes=processes)
        assert done.code == 0, done.output
        found[processes, chunk] = load_file(out / "gradients.safetensors")
    one = found.pop((1, 0))
    assert max(float(part.float().abs().max()) for part in one.values()) > 1e-3
    for several in found.values():
        assert several.keys() == one.keys()
        for name, part in one.items():
            largest = float(part.float().abs().max())
            torch.testing.assert_close(several[name], part, rtol=1e-4, atol=1e-5 * max(largest, 1e-3))
