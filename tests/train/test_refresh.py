"""Hard negatives mined while training goes on: exact resume, chunks, processes, and the languages they are shown in."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.train.conftest import make_corpus
from tests.train.test_loop import same, start, weights
from triglot.batches import BatchSettings, plan_run
from triglot.files import InputError
from triglot.losses import LossSettings
from triglot.mine import RefreshSettings
from triglot.study.refresh import renewal
from triglot.train import Feed, Switching, TrainSettings, run

REFRESH = RefreshSettings(every=4, negatives=3, depth=20, negative_languages="balanced")


def go(encoder, corpus, out, *, refresh=REFRESH, steps=12, validate=None, size=12, **settings):
    """(weights, summary, steps mined before, what was found) of a run that mines."""
    model, feed, plan = start(encoder, corpus, steps=steps, size=size)
    found: list[tuple[int, np.ndarray]] = []
    made = renewal(refresh, settings.setdefault("negatives", 2), feed, seed=7, name="s")
    if made is not None:
        find = made.find
        object.__setattr__(
            made, "find", lambda encoder, step: found.append((step, find(encoder, step))) or found[-1][1]
        )
    train = TrainSettings(
        steps=steps, log_every=1, **{"lr": 0.05, "checkpoint_every": 3, "precision": "fp32"} | settings
    )
    summary = run(
        model, feed, plan, loss=LossSettings(), train=train, seed=7, stage="s", out=out, renewal=made, validate=validate
    )
    return weights(model), summary, found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_resume_is_bitwise_though_the_model_that_mined_is_gone(
    tmp_path, corpus, make_static, make_transformer, kind
) -> None:
    def encoder():
        return make_static() if kind == "static" else make_transformer(dropout=0.1)

    class Stop(Exception):
        pass

    def interrupt(_):
        raise Stop

    lr = {"lr": 0.05 if kind == "static" else 0.01}
    whole, summary, found = go(encoder(), corpus, tmp_path / "whole", **lr)
    assert [step for step, _ in found] == [0, 4, 8]
    # Checkpoints every 3 steps: killed after 7, it goes on from step 6 with what step 4 found, which is not what step 6
    # would find.
    with pytest.raises(Stop):
        go(encoder(), corpus, tmp_path / "broken", validate=interrupt, validate_every=7, **lr)
    again, resumed, more = go(encoder(), corpus, tmp_path / "broken", **lr)
    assert [step for step, _ in more] == [8]
    assert same(whole, again)
    np.testing.assert_array_equal(more[0][1], found[2][1])
    for key in ("texts", "tokens", "counts", "negatives", "missing_negatives"):
        assert resumed[key] == summary[key]
    one, two = (
        [json.loads(x)["loss"] for x in (tmp_path / n / "metrics.jsonl").read_text().splitlines()]
        for n in ("whole", "broken")
    )
    assert one == two


def test_it_mines_with_the_model_as_it_is(tmp_path, corpus, make_static) -> None:
    _, _, found = go(make_static(), corpus, tmp_path / "a", lr=0.3)
    first, second = found[0][1], found[1][1]
    assert first.shape == (len(corpus), 3)
    assert (first != second).any()
    _, _, once = go(
        make_static(),
        corpus,
        tmp_path / "b",
        lr=0.3,
        refresh=RefreshSettings(every=0, depth=20, negative_languages="balanced"),
    )
    assert [step for step, _ in once] == [0]
    assert once[0][1].shape == (len(corpus), 2)  # as many as are shown


def test_negatives_change_training_and_are_counted(tmp_path, corpus, make_static) -> None:
    plain, none, _ = go(make_static(), corpus, tmp_path / "plain", refresh=RefreshSettings(), negatives=0)
    mined, some, _ = go(make_static(), corpus, tmp_path / "mined", negative_languages="balanced")
    assert not same(plain, mined)
    assert "negatives" not in none
    shown = sum(some["negatives"].values())
    assert some["texts"] == none["texts"] + shown
    assert shown + some["missing_negatives"] == 2 * sum(n for *_, n in some["counts"])
    assert max(some["negatives"].values()) < 1.3 * min(some["negatives"].values())


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_chunked_gradients_with_mined_negatives_are_the_whole_batch_s(
    tmp_path, corpus, make_static, make_transformer, kind
) -> None:
    states = []
    for chunk in (0, 5):
        encoder = make_static() if kind == "static" else make_transformer()
        refresh = RefreshSettings(every=2, negatives=2, depth=20)
        states.append(go(encoder, corpus, tmp_path / str(chunk), refresh=refresh, steps=4, chunk=chunk, lr=0.001)[0])
    for key in states[0]:
        torch.testing.assert_close(states[0][key], states[1][key], rtol=1e-4, atol=1e-5)


def test_other_mining_does_not_resume(tmp_path, corpus, make_static) -> None:
    go(make_static(), corpus, tmp_path, steps=4)
    with pytest.raises(InputError, match="made with refresh="):
        go(
            make_static(),
            corpus,
            tmp_path,
            steps=4,
            refresh=RefreshSettings(every=2, negatives=3, depth=20, negative_languages="balanced"),
        )


def test_two_processes_share_what_the_first_finds(server, tmp_path, make_static) -> None:
    make_static().save(tmp_path / "model")
    for processes, name in ((1, "one"), (2, "two")):
        done = server.run([tmp_path / "model", tmp_path / name], call="tests.train.jobs:mined", processes=processes)
        assert done.code == 0, done.output
    logs = [
        [json.loads(line)["loss"] for line in (tmp_path / n / "metrics.jsonl").read_text().splitlines()]
        for n in ("one", "two")
    ]
    np.testing.assert_allclose(logs[0], logs[1], rtol=2e-4, atol=1e-5)
    one, two, other = (
        load_file(tmp_path / n) for n in ("one/end.safetensors", "two/end.safetensors", "two/end-1.safetensors")
    )
    for key in one:
        torch.testing.assert_close(one[key], two[key], rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(other[key], two[key], rtol=0, atol=0)


def shown(feed: Feed, steps: int, negatives: int, languages: str):
    """(step, batch) of a plan; rows in English alone are used where they are code-switched."""
    plan = plan_run(
        feed.rows(),
        BatchSettings(kind="hybrid", size=15),
        steps=steps,
        seed=1,
        weights=[1.0, float(bool(feed.coverage()))],
    )
    return [(step, feed.batch(step, negatives, languages)) for step in plan]


def test_languages_of_negatives() -> None:
    corpus = make_corpus(negatives=True)
    lists = {lang: [("river", "x")] for lang in ("de", "es")}
    feed = Feed(corpus, switching={"english": Switching("en", lists)}, tokenize=None, seed=2)
    for languages in ("own", "others", "balanced"):
        counts: Counter[int] = Counter()
        for step, batch in shown(feed, 20, 2, languages):
            own = np.repeat(step.passage_lang[:, 0], 2)
            assert len(batch.negative_lang) == 2 * len(step)
            assert batch.missing == 0
            if languages == "own":
                assert (batch.negative_lang == own).all()
            if languages == "others":
                assert (batch.negative_lang != own).all()
            counts.update(batch.negative_lang.tolist())
            if languages == "balanced":
                assert np.ptp(np.bincount(batch.negative_lang, minlength=3)) <= 3
        assert min(counts.values()) > 0.8 * max(counts.values())


def test_a_text_in_one_language_is_shown_in_it_or_missing() -> None:
    corpus = make_corpus(negatives=True)
    feed = Feed(corpus, tokenize=None, seed=2)  # no code-switching: the second source is in English alone
    step = plan_run(feed.rows(), BatchSettings(kind="xx-mixed", size=15), steps=1, seed=1, weights=[1.0, 0.0])[0]
    english = np.flatnonzero(corpus.source == corpus.sources.index("english"))
    groups = np.full((len(corpus), 2), corpus.passage[english[0]])
    other = feed.with_negatives(groups)
    for languages in ("own", "others", "balanced"):
        batch = other.batch(step, 2, languages)
        possible = {
            "own": step.passage_lang[:, 0] == 1,
            "others": step.passage_lang[:, 0] != 1,
            "balanced": step.query_lang >= 0,
        }
        assert len(batch.negative_lang) == 2 * possible[languages].sum()
        assert batch.missing == 2 * (~possible[languages]).sum()
        assert (batch.negative_lang == 1).all()
        assert {batch.strings[i] for i in range(2 * len(step), len(batch))} <= {
            corpus.texts[int(corpus.text_of[groups[0, 0], 1])].as_py()
        }


def test_rows_with_more_negatives_show_others_each_epoch() -> None:
    corpus = make_corpus()
    feed = Feed(corpus, tokenize=None, seed=2)
    rows = np.arange(len(corpus))[:, None]
    feed = feed.with_negatives(np.where(rows < 60, corpus.passage[(rows + np.arange(1, 6)) % 60], -1))
    seen: dict[int, dict[int, list[str]]] = {}
    for step, batch in shown(feed, 30, 2, "balanced"):
        if step.source == 0:
            extra = batch.passage_family[len(step) :].reshape(-1, 2)
            for row, pair in zip(step.rows.tolist(), extra.tolist(), strict=True):
                seen.setdefault(row, {})[step.epoch] = pair
    family = corpus.family
    for row, epochs in seen.items():
        ring = [int(family[corpus.passage[(row + j) % 60]]) for j in range(1, 6)]
        for epoch, pair in epochs.items():
            assert set(pair) == {ring[2 * epoch % 5], ring[(2 * epoch + 1) % 5]}
    assert max(len(epochs) for epochs in seen.values()) > 2
