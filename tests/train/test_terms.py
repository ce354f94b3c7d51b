"""Runs with several terms: what is descended, exact resume, chunks, several processes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.train.test_loop import same, start, weights
from triglot.encoder import EncoderSettings, init_encoder
from triglot.files import InputError
from triglot.losses import LOSSES, LossSettings
from triglot.losses.terms import ClearTerm, DistillationTerm, JsdTerm, KeepTerm, LakdaTerm, MeanTerm
from triglot.robust import AdversarySettings, NegativesSettings, RobustSettings
from triglot.train import TrainSettings, run, teacher
from triglot.train.distributed import World
from triglot.train.objective import Objective

ALL = (
    DistillationTerm(weight=2.0, weight_end=0.5),
    KeepTerm(weight=0.5, side="query"),
    LakdaTerm(weight=0.3, temperature=0.1),
    JsdTerm(weight=0.3, side="both"),
    ClearTerm(weight=0.5),
    MeanTerm(weight=3.0),
)
LOSS = LossSettings(weight=0.4, weight_end=0.8, terms=ALL)


def taught(encoder, feed, plan, loss, folder, load=None):
    options = {"student": encoder, "load": load or (lambda name: encoder), "made": {}}
    return teacher.prepare(loss, feed.corpus, plan, folder, **options)


USUAL: dict[str, Any] = {"lr": 0.003, "log_every": 1, "precision": "fp32"}  # where digits are compared


def go(encoder, corpus, out, *, loss=LOSS, steps=6, load=None, kind="hybrid", robust=None, positives=1, **train):
    """(model, summary, lines of the log) of a run with a teacher."""
    model, feed, plan = start(encoder, corpus, steps=steps, kind=kind, positives=positives)
    teachers = taught(encoder, feed, plan, loss, out / "teachers", load)
    settings = TrainSettings(
        **{"steps": steps, "lr": 0.003, "log_every": 1, "checkpoint_every": 2, "precision": "fp32", **train}
    )
    options = {"loss": loss, "train": settings, "seed": 7, "stage": "s", "out": out, "teachers": teachers}
    options["origin"] = {"teachers": teachers.checksum} if teachers else {}
    summary = run(model, feed, plan, robust=robust, **options)
    return model, summary, [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(params=["static", "transformer"])
def make(request, make_static, make_transformer):
    return make_static if request.param == "static" else lambda: make_transformer(dropout=0.1)


def test_the_loss_is_the_weighted_sum_of_what_the_log_tells(tmp_path, corpus, make_static) -> None:
    _, _, lines = go(make_static(), corpus, tmp_path)
    names = ["info_nce", "distillation", "keep", "lakda", "jsd", "clear", "mean_matching"]
    for line in lines:
        assert line["loss"] == pytest.approx(sum(line[name] for name in names), abs=1e-4)
        assert all(line[name] > 0 for name in names if name not in ("keep", "mean_matching"))
    assert lines[-1]["keep"] > 0.001
    assert len(lines) == 6


@pytest.mark.parametrize("term", ALL, ids=lambda term: term.name)
def test_what_a_term_alone_descends_goes_down(tmp_path, corpus, make_static, term) -> None:
    """The same batch again and again; its weight is the sum of what the loop sends back."""
    loss = LossSettings(weight=0, terms=(replace(term, weight=1.0, weight_end=None),))
    encoder = make_static()
    model, feed, plan = start(encoder, corpus, steps=1, kind="xy")
    other = encoder.with_rows(np.roll(encoder.embeddings, 1, axis=0))
    teachers = taught(other, feed, plan, loss, tmp_path)
    options = {"dim": model.dim, "languages": 3, "seed": 1, "teachers": teachers}
    objective = Objective(loss, RobustSettings(), **options)
    batch = feed.batch(plan[0], translations=loss.translations)
    prepared, values = model.prepare(batch.texts, batch.sides), []
    for _ in range(6):
        value = objective.on(batch, 0.0).value(model.embed(prepared))
        values.append(float(value.detach()))
        value.backward()
        model.update(0.02, 0.0, World())
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.95 * values[0]


def test_self_distillation_draws_languages_to_the_start_s_english(tmp_path, corpus, make_static) -> None:
    encoder = make_static()
    loss = LossSettings(weight=0, terms=(DistillationTerm(),))
    model, _, _ = go(encoder, corpus, tmp_path, loss=loss, steps=40, lr=0.1)
    parallel = corpus.select(corpus.source == 0)
    en, de = (parallel.text_of[parallel.query, code] for code in (1, 0))
    english, german = (parallel.texts.take(texts).to_pylist() for texts in (en, de))
    teacher_says = encoder.encode(english, side="query")
    before, after = (one.encode(german, side="query") for one in (encoder, model.encoder()))
    near = [(vectors * teacher_says).sum(1).mean() for vectors in (before, after)]
    assert near[1] > near[0] + 0.2


def test_resume_with_a_teacher_is_bitwise(tmp_path, corpus, make) -> None:
    encoder = make()
    whole, summary, lines = go(encoder, corpus, tmp_path / "whole")

    class Stop(Exception):
        pass

    def interrupt(_):
        raise Stop

    model, feed, plan = start(make(), corpus, steps=6)
    teachers = taught(make(), feed, plan, LOSS, tmp_path / "broken" / "teachers")
    settings = TrainSettings(**USUAL, steps=6, checkpoint_every=2, validate_every=5)
    options = {"loss": LOSS, "train": settings, "seed": 7, "stage": "s", "out": tmp_path / "broken"}
    options |= {"teachers": teachers, "origin": {"teachers": teachers.checksum}, "validate": interrupt}
    with pytest.raises(Stop):
        run(model, feed, plan, **options)
    again, resumed, broken = go(make(), corpus, tmp_path / "broken")
    assert same(weights(whole), weights(again))
    assert [line["loss"] for line in broken] == [line["loss"] for line in lines]
    assert resumed["texts"] == summary["texts"]


def test_vectors_of_another_teacher_do_not_go_on(tmp_path, corpus, make_static) -> None:
    encoder = make_static()
    loss = LossSettings(terms=(DistillationTerm(),))
    go(encoder, corpus, tmp_path, loss=loss, steps=2)
    other = encoder.with_rows(encoder.embeddings[::-1].copy())
    model, feed, plan = start(encoder, corpus, steps=2)
    teachers = taught(other, feed, plan, loss, tmp_path / "others")
    options = {"loss": loss, "train": TrainSettings(**USUAL, steps=2), "seed": 7, "stage": "s", "out": tmp_path}
    with pytest.raises(InputError, match="made with teachers="):
        run(model, feed, plan, teachers=teachers, origin={"teachers": teachers.checksum}, **options)


def test_chunks_are_the_whole_batch_s(tmp_path, corpus, make_static, make_transformer) -> None:
    for make in (make_static, make_transformer):
        states = [
            weights(go(make(), corpus, tmp_path / f"{make is make_static}-{chunk}", steps=2, lr=0.001, chunk=chunk)[0])
            for chunk in (0, 5)
        ]
        for key in states[0]:
            torch.testing.assert_close(states[0][key], states[1][key], rtol=1e-4, atol=1e-5)


def test_the_map_into_a_wider_space_is_learned_and_resumed(tmp_path, corpus, words, make_static) -> None:
    wide = init_encoder(EncoderSettings(dim=24, vocab=300), words, seed=9)
    loss = LossSettings(weight=0.5, terms=(DistillationTerm(teacher="wide", projection_lr=0.05),))
    options = {"loss": loss, "load": {"wide": wide}.__getitem__}
    whole, _, lines = go(make_static(), corpus, tmp_path / "whole", steps=8, lr=0.05, **options)
    assert lines[-1]["distillation"] < lines[0]["distillation"]
    assert whole.encoder().dim == 16

    checkpoint = tmp_path / "whole" / "checkpoints" / "s-step-00000008"
    learned = load_file(checkpoint / "state.safetensors")["projection.0.weight"]
    began = np.load(tmp_path / "whole" / "teachers" / "0" / "projection.npy")
    assert learned.shape == (16, 24)
    assert float((learned - torch.from_numpy(began)).abs().max()) > 0.01
    frozen = LossSettings(weight=0.5, terms=(DistillationTerm(teacher="wide", projection_lr=0.0),))
    go(make_static(), corpus, tmp_path / "frozen", steps=2, **{**options, "loss": frozen})
    state = load_file(tmp_path / "frozen" / "checkpoints" / "s-step-00000002" / "state.safetensors")
    began = np.load(tmp_path / "frozen" / "teachers" / "0" / "projection.npy")
    assert torch.equal(state["projection.0.weight"], torch.from_numpy(began))


def test_terms_compose_with_shifts_and_learned_negatives(tmp_path, corpus, make_transformer) -> None:
    robust = RobustSettings(
        method="fgm", negatives=NegativesSettings(count=4), language_adversary=AdversarySettings(weight=0.1, hidden=4)
    )
    _, _, lines = go(make_transformer(), corpus, tmp_path, steps=3, robust=robust)
    assert all(np.isfinite(line["loss"]) and line["adversarial"] > 0 for line in lines)


def test_arms_see_the_same_rows_and_terms_pay_for_further_texts(tmp_path, corpus, make_static) -> None:
    found = {}
    for name, loss in {
        "plain": LossSettings(),
        "distilled": LossSettings(terms=(DistillationTerm(), KeepTerm(), MeanTerm())),
        "lakda": LossSettings(terms=(LakdaTerm(),)),
    }.items():
        found[name] = go(make_static(), corpus, tmp_path / name, loss=loss, steps=4)[1]
    assert found["distilled"]["texts"] == found["plain"]["texts"]
    rows = sum(count[-1] for count in found["plain"]["counts"])
    assert found["lakda"]["texts"] == found["plain"]["texts"] + rows  # each row has a second query
    assert found["plain"]["counts"] == found["distilled"]["counts"] == found["lakda"]["counts"]


def test_answers_in_several_languages_make_a_pool(tmp_path, corpus, make_static) -> None:
    loss = LossSettings(0.1, name="pool")
    _, summary, lines = go(make_static(), corpus, tmp_path, loss=loss, steps=30, lr=0.1, positives=3)
    assert lines[-1]["loss"] < 0.8 * lines[0]["loss"]
    assert {(q, p) for _, q, p, _ in summary["counts"]} == {
        (q, p) for q in ("de", "en", "es") for p in ("de", "en", "es")
    }


def test_a_loss_of_terms_needs_its_teachers() -> None:
    with pytest.raises(ValueError, match="none is given"):
        Objective(LossSettings(terms=(KeepTerm(),)), RobustSettings(), dim=4, languages=2, seed=1)


def test_two_terms_of_one_name_are_told_apart(corpus, make_static, tmp_path) -> None:
    loss = LossSettings(terms=({"name": "info-nce", "temperature": 0.5}, LakdaTerm(), LakdaTerm(temperature=0.2)))
    _, _, lines = go(make_static(), corpus, tmp_path, loss=loss, steps=1)
    assert {"info_nce", "info_nce_2", "lakda", "lakda_2"} <= set(lines[0])


def test_every_term_is_tried_here() -> None:
    tried = {term.name for term in ALL} | {"info-nce", "pool", "self-teaching", "consistency"}
    # Of labelled rows, in test_head.
    tried |= {"classification"}
    assert {row.name for row in LOSSES} == tried


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_two_processes_are_one(server, tmp_path, make_static, make_transformer, kind) -> None:
    (make_static() if kind == "static" else make_transformer()).save(tmp_path / "model")
    for processes, name in ((1, "one"), (2, "two")):
        done = server.run([tmp_path / "model", tmp_path / name], call="tests.train.jobs:terms", processes=processes)
        assert done.code == 0, done.output
    logs = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    for key in ("loss", "distillation", "lakda", "mean_matching"):
        np.testing.assert_allclose(*([line[key] for line in log] for log in logs), rtol=2e-3, atol=1e-5)
    one, two = (load_file(tmp_path / name / "end.safetensors") for name in ("one", "two"))
    for key in one:
        torch.testing.assert_close(one[key], two[key], rtol=1e-2, atol=5e-3)
