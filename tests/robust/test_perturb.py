"""Each method against a naive loop in float64, and what must not change it: padding, chunks, processes, precision."""

from __future__ import annotations

import copy
import itertools
import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.train.test_loop import start
from triglot.losses import LossSettings
from triglot.robust import METHODS, RobustSettings, perturbed_step
from triglot.train import TrainSettings, run
from triglot.train.bag import Bag
from triglot.train.distributed import World
from triglot.train.objective import Objective
from triglot.train.passes import Passes

LOSS = LossSettings(temperature=0.1)
CASES = [(method, side) for method in METHODS.names() if method != "none" for side in ("query", "both")]
SIZES = {"smart": {"eps": 1e-3, "step_size": 1e-2}, "r3f": {"eps": 1e-2}}


def settings_of(method: str, side: str) -> RobustSettings:
    return RobustSettings(method=method, side=side, **SIZES.get(method, {"eps": 0.6, "step_size": 0.4, "steps": 3}))


class Step:
    """One batch, ready for passes over it, in chunks of `chunk` texts (0: by side)."""

    def __init__(self, encoder, corpus, robust: RobustSettings, chunk: int = 0):
        kind = "static" if encoder.kind == "static" else "transformer"
        self.model, feed, plan = start(encoder, corpus, size=6)
        self.batch = feed.batch(plan[0])
        self.robust = robust
        size = len(self.batch)
        self.rows = np.ones(size, bool) if robust.side == "both" else self.batch.sides == (robust.side == "passage")
        queries = len(self.batch.query_row)
        cuts = [0, queries, size]
        if chunk:
            cuts = sorted({*cuts, *range(0, queries, chunk), *range(queries, size, chunk)})
        self.chunks = []
        for a, b in itertools.pairwise(cuts):
            part = np.arange(a, b)
            texts = self.batch.texts.take(part) if kind == "static" else [self.batch.strings[i] for i in part]
            self.chunks.append((self.model.prepare(texts, self.batch.sides[part]), slice(a, b)))
        self.noise: dict[tuple[int, str], torch.Tensor] = {}

    def draw(self, chunk: int, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(100 + chunk)

    def passes(self, graph: bool) -> Passes:
        return Passes(
            self.model,
            self.chunks,
            len(self.batch),
            self.rows,
            World(),
            graph=graph,
            reseed=lambda chunk: torch.manual_seed(chunk),
            autocast=nullcontext,
            draw=self.draw,
        )

    def gradients(self, graph: bool = True) -> tuple[float, dict[str, torch.Tensor]]:
        """(loss, weight gradients) of the method."""
        terms = Objective(LOSS, RobustSettings(), dim=self.model.dim, languages=3, seed=1).on(self.batch, 0.0)
        done = perturbed_step(self.passes(graph), terms, self.robust)
        return done.loss, take_gradients(self.model)


def take_gradients(model) -> dict[str, torch.Tensor]:
    if isinstance(model, Bag):
        dense = torch.zeros_like(model.rows)
        for ids, gradient in model._gradients:
            dense.index_add_(0, ids, gradient)
        model._gradients = []
        return {"rows": dense}
    found = {name: p.grad.clone() for name, p in model.module.named_parameters() if p.grad is not None}
    model.module.zero_grad(set_to_none=True)
    name, table = next((n, p) for n, p in model.module.named_parameters() if p is model._table.weight)
    found[name] = torch.zeros_like(table)  # its rows are gathered
    for ids, gradient in model._gradients:
        found[name].index_add_(0, ids, gradient)
    model._gradients = []
    return found


class Naive:
    """The same methods written out over one graph in float64, with a shift for each text."""

    def __init__(self, step: Step):
        self.step = step
        self.model = step.model
        if isinstance(self.model, Bag):
            self.weights = {"rows": self.model.rows.double().requires_grad_()}
        else:
            self.module = copy.deepcopy(self.model.module).double()
            self.weights = {name: p for name, p in self.module.named_parameters() if p.requires_grad}
        self.terms = Objective(LOSS, RobustSettings(), dim=self.model.dim, languages=3, seed=1).on(step.batch, 0.0)

    def vectors(self, shifts: dict[int, torch.Tensor]) -> torch.Tensor:
        made = []
        for number, (prepared, _) in enumerate(self.step.chunks):
            shift = shifts.get(number)
            if isinstance(self.model, Bag):
                unique, place, starts = prepared
                sums = []
                for a, b in zip(starts.tolist(), [*starts.tolist()[1:], len(place)], strict=True):
                    sums.append(self.weights["rows"][unique[place[a:b]]].sum(0))
                total = torch.stack(sums)
                made.append(nn.functional.normalize(total if shift is None else total + shift, dim=1))
            else:
                embeddings = self.module[0].auto_model.get_input_embeddings()
                mask = prepared.attention_mask[:, :, None]
                hook = embeddings.register_forward_hook(
                    lambda m, a, out, s=shift, k=mask: out if s is None else out + s * k
                )
                torch.manual_seed(number)
                features = self.module({"input_ids": prepared.input_ids, "attention_mask": prepared.attention_mask})
                made.append(nn.functional.normalize(features["sentence_embedding"], dim=1))
                hook.remove()
        return torch.cat(made)

    def value(self, vectors: torch.Tensor) -> torch.Tensor:
        queries, passages, _, positive, ignored = self.terms._parts(vectors)
        scores = queries @ passages.T / LOSS.temperature
        total = []
        for q, p in positive.nonzero().tolist():
            others = [scores[q, j] for j in range(len(passages)) if not positive[q, j] and not ignored[q, j]]
            total.append(torch.logsumexp(torch.stack([scores[q, p], *others]), 0) - scores[q, p])
        return torch.stack(total).mean()

    def divergence(self, clean: torch.Tensor, noisy: torch.Tensor) -> torch.Tensor:
        total = []
        for q in range(self.terms._queries):
            keep = ~self.terms._parts(clean)[4][q]
            p, r = (
                torch.log_softmax((self.terms._parts(v)[0][q] @ self.terms._parts(v)[1].T / LOSS.temperature)[keep], 0)
                for v in (clean, noisy)
            )
            total.append((p.exp() * (p - r)).sum() + (r.exp() * (r - p)).sum())
        return torch.stack(total).mean()

    def ball(self, number: int):
        mask, unit = self.model.ball(self.step.chunks[number][0])
        return mask.double(), unit.double()

    def noise(self, number: int) -> torch.Tensor:
        mask, _ = self.model.ball(self.step.chunks[number][0])
        return (torch.rand(mask.shape, generator=self.step.draw(number, "")) * 2 - 1).double() * mask

    def each(self, function) -> dict[int, torch.Tensor]:
        """A shift a text, by a function of (text's gradient or noise, mask, unit), put together again by chunk."""
        return {
            n: torch.stack(
                [
                    function(n, i)
                    for i in range(len(self.step.chunks[n][0][2] if isinstance(self.model, Bag) else self.ball(n)[0]))
                ]
            )
            for n in self.shifted
        }

    def gradients(self) -> tuple[float, dict[str, torch.Tensor]]:
        robust, step = self.step.robust, self.step
        self.shifted = [n for n, (_, where) in enumerate(step.chunks) if step.rows[where].any()]
        zero = {n: torch.zeros_like(self.ball(n)[0]).requires_grad_() for n in self.shifted}

        def ascent(loss, shifts):
            return dict(
                zip(
                    self.shifted,
                    torch.autograd.grad(loss, [shifts[n] for n in self.shifted], retain_graph=True),
                    strict=True,
                )
            )

        def along(gradient, size):
            return self.each(lambda n, i: gradient[n][i] / gradient[n][i].norm() * size * self.ball(n)[1][i])

        def inside(shifts, eps):
            def one(n, i):
                limit = eps * self.ball(n)[1][i]
                return shifts[n][i] * min(1.0, float(limit.detach() / shifts[n][i].detach().norm().clamp_min(1e-30)))

            return {n: s.detach().requires_grad_() for n, s in self.each(one).items()}

        if robust.method in ("fgm", "pgd"):
            clean = self.value(self.vectors(zero))
            shifts, gradient = zero, ascent(clean, zero)
            for _ in range(1 if robust.method == "fgm" else robust.steps):
                size = robust.eps if robust.method == "fgm" else robust.step_size
                moved = along(gradient, size)
                shifts = inside({n: shifts[n].detach() + moved[n] for n in self.shifted}, robust.eps)
                adversarial = self.value(self.vectors(shifts))
                gradient = ascent(adversarial, shifts)
            total = clean + robust.weight * adversarial
        elif robust.method == "smooth":  # every draw of this test is the same
            shifts = self.each(
                lambda n, i: self.noise(n)[i] / self.noise(n)[i].norm() * robust.eps * self.ball(n)[1][i]
            )
            total = self.value(self.vectors(shifts))
        elif robust.method == "freelb":
            shifts = {}
            for n in self.shifted:
                mask, unit = self.ball(n)
                size = mask.flatten(1).sum(1).sqrt()
                shape = (-1, *[1] * (mask.ndim - 1))
                shifts[n] = (self.noise(n) / size.reshape(shape) * (robust.eps * unit).reshape(shape)).requires_grad_()
            total = torch.zeros((), dtype=torch.float64)
            for _ in range(robust.steps):
                loss = self.value(self.vectors(shifts)) / robust.steps
                moved = along(ascent(loss, shifts), robust.step_size)
                total = total + loss
                shifts = inside({n: shifts[n].detach() + moved[n] for n in self.shifted}, robust.eps)
        else:
            start = {}
            for n in self.shifted:
                mask, unit = self.ball(n)
                scale = (robust.eps * unit / mask.shape[-1] ** 0.5).reshape(-1, *[1] * (mask.ndim - 1))
                start[n] = (self.noise(n) * scale).requires_grad_()
            clean = self.vectors({})
            if robust.method == "smart":
                gradient = ascent(self.divergence(clean.detach(), self.mixed(clean.detach(), start)), start)
                moved = {}
                for n in self.shifted:
                    mask, unit = self.ball(n)
                    scale = (robust.step_size * unit / mask.shape[-1] ** 0.5).reshape(-1, *[1] * (mask.ndim - 1))
                    largest = gradient[n].flatten(1).abs().amax(1).reshape(scale.shape)
                    moved[n] = (start[n].detach() + gradient[n] / largest * scale * mask).requires_grad_()
                start = moved
            total = self.value(clean) + robust.weight * self.divergence(clean, self.mixed(clean, start))
        found = torch.autograd.grad(total, list(self.weights.values()), allow_unused=True)
        return float(total.detach()), {name: g for name, g in zip(self.weights, found, strict=True) if g is not None}

    def mixed(self, clean, shifts):
        rows = torch.from_numpy(self.step.rows)[:, None]
        return torch.where(rows, self.vectors(shifts), clean)


@pytest.fixture(params=["static", "transformer"])
def encoder(request, make_static, make_transformer):
    return make_static() if request.param == "static" else make_transformer()


def close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], *, rtol: float = 2e-3) -> None:
    for name in b:
        if name not in a:
            assert float(b[name].abs().max()) < 1e-9, name
            continue
        scale = float(b[name].abs().max())
        torch.testing.assert_close(
            a[name].double(),
            b[name].double(),
            rtol=rtol,
            atol=max(rtol * scale, 1e-7),
            msg=lambda m, n=name: f"{n}: {m}",
        )


@pytest.mark.parametrize(("method", "side"), CASES)
def test_gradients_are_those_of_a_naive_loop_in_float64(encoder, corpus, method: str, side: str) -> None:
    step = Step(encoder, corpus, settings_of(method, side))
    value, found = step.gradients()
    expected_value, expected = Naive(step).gradients()
    assert value == pytest.approx(expected_value, rel=1e-4)
    close(found, expected)


@pytest.mark.parametrize(("method", "side"), CASES)
def test_chunks_without_a_graph_give_the_gradients_of_the_same_chunks_with_one(
    encoder, corpus, method: str, side: str
) -> None:
    robust = settings_of(method, side)
    if method in ("fgm", "pgd"):  # without noise, chunks of any size give the same
        close(
            Step(encoder, corpus, robust, chunk=4).gradients(graph=False)[1],
            Step(encoder, corpus, robust).gradients()[1],
            rtol=1e-3,
        )
    value, found = Step(encoder, corpus, robust, chunk=4).gradients(graph=False)
    expected_value, expected = Step(encoder, corpus, robust, chunk=4).gradients(graph=True)
    assert value == pytest.approx(expected_value, rel=1e-6)
    close(found, expected, rtol=1e-5)


@pytest.mark.parametrize("method", ["fgm", "pgd"])
def test_padding_changes_nothing(make_transformer, corpus, method: str) -> None:
    encoder = make_transformer()
    step, padded = (Step(encoder, corpus, settings_of(method, "both")) for _ in range(2))
    wider = {}
    for number, (prepared, where) in enumerate(padded.chunks):
        for key in ("input_ids", "attention_mask", "place"):
            wider[key] = nn.functional.pad(getattr(prepared, key), (0, 7))
        padded.chunks[number] = replace(prepared, **wider, lengths=prepared.lengths + 7), where
    (value, found), (other, same) = step.gradients(), padded.gradients()
    assert value == pytest.approx(other, rel=1e-5)
    close(found, same, rtol=1e-3)


@pytest.mark.parametrize("method", ["smart", "r3f"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_divergence_of_tiny_noise_is_above_zero(
    tmp_path, make_transformer, corpus, method: str, precision: str
) -> None:
    model, feed, plan = start(make_transformer(), corpus, steps=3)
    robust = RobustSettings(method=method, eps=1e-2, step_size=1e-2)
    train = TrainSettings(steps=3, lr=1e-4, precision=precision, log_every=1)
    run(model, feed, plan, loss=LOSS, robust=robust, train=train, seed=1, stage="s", out=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(line["divergence"] > 0 for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("method", [m for m in METHODS.names() if m != "none"])
@pytest.mark.parametrize("kind", ["xx", "xy", "hybrid"])
def test_training_learns_with_every_method_and_kind(tmp_path, make_static, corpus, method: str, kind: str) -> None:
    model, feed, plan = start(make_static(), corpus, kind=kind, steps=40, size=24)
    robust = replace(settings_of(method, "query"), eps=0.3, step_size=0.2)
    run(
        model,
        feed,
        plan,
        loss=LossSettings(),
        robust=robust,
        train=TrainSettings(steps=40, lr=0.1, log_every=1),
        seed=1,
        stage="s",
        out=tmp_path,
    )
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert np.mean([line["loss"] for line in lines[-8:]]) < 0.8 * np.mean([line["loss"] for line in lines[:4]])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_transformers_train_with_chunks_views_and_a_method_at_once(
    tmp_path, make_transformer, corpus, precision: str
) -> None:
    from triglot.augment.apply import Augmenter
    from triglot.augment.settings import AugmentSettings, Part

    model, feed, plan = start(make_transformer(dropout=0.1), corpus, steps=4)
    feed = feed.with_augmenter(Augmenter(AugmentSettings((Part(("swap",), share=0.5, rate=0.5),), mode="view"), seed=1))
    loss = LossSettings(self_teaching=0.5, consistency=0.5)
    train = TrainSettings(steps=4, lr=1e-3, chunk=5, precision=precision, log_every=1)
    run(
        model,
        feed,
        plan,
        loss=loss,
        robust=settings_of("freelb", "query"),
        train=train,
        seed=1,
        stage="s",
        out=tmp_path,
    )
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(line["self_teaching"] > 0 and line["consistency"] > 0 for line in lines)
    assert all(np.isfinite(line["loss"]) for line in lines)
