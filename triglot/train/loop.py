"""The one training loop: planned batch -> vectors -> loss -> update, with chunked gradients and exact resume."""

from __future__ import annotations

import functools
import math
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triglot import seeds
from triglot.ahead import ahead
from triglot.batches import RunPlan, rank_slice
from triglot.corpus.parallel import ParallelCorpus
from triglot.encoder import precision
from triglot.files import InputError
from triglot.losses import LossSettings
from triglot.robust import METHODS, RobustSettings, perturbed_step
from triglot.settings import plain
from triglot.train import checkpoint
from triglot.train.distributed import World, join
from triglot.train.feed import Batch, Feed
from triglot.train.further import check_languages
from triglot.train.log import RunLog
from triglot.train.model import Model
from triglot.train.objective import Objective
from triglot.train.passes import Passes
from triglot.train.settings import TrainSettings
from triglot.train.teacher import Teachers

HARD = "refresh.groups"  # in a checkpoint
NEGATIVE = -1  # stands for the source, in counts of (source, query language, passage language)


@dataclass(frozen=True)
class Renewal:
    """Hard negatives that are mined while training goes on.

    Attributes:
        every: steps from one mining to the next; 0 mines once, before the first step.
        find: (encoder as it is, step) -> (rows, n) groups, -1 for none. Called on the first process alone.
        width: that n.
        settings: what they are mined with; a checkpoint of others is an error.
    """

    every: int
    find: Callable[[Any, int], np.ndarray]
    width: int
    settings: Mapping[str, Any]

    def steps(self, total: int) -> list[int]:
        """Steps before which is mined."""
        return list(range(0, total, self.every)) if self.every else [0]


@dataclass(frozen=True)
class _Ready:
    """A batch on its way to the loop: this rank's texts in chunks, and which texts of the whole batch may be
    shifted."""

    batch: Batch
    chunks: list[tuple[Any, slice]]
    rows: np.ndarray


def _mined(renewal: Renewal, model: Model, step: int, rows: int, world: World) -> Tensor:
    """(rows, n) groups that the first process finds, on all of them: on another machine the last digits of vectors may
    differ."""
    groups = torch.zeros(rows, renewal.width, dtype=torch.int32)
    if world.rank == 0:
        groups = torch.from_numpy(np.ascontiguousarray(renewal.find(model.encoder(), step), np.int32))
    return world.sum(groups.to(model.device)).cpu() if world.size > 1 else groups


def _ready(
    model: Model,
    feed: Feed,
    plan: RunPlan,
    step: int,
    *,
    loss: LossSettings,
    train: TrainSettings,
    robust: RobustSettings,
    world: World,
) -> _Ready:
    batch = feed.batch(plan[step], train.negatives, train.negative_languages, loss.translations)
    rows = np.zeros(len(batch), bool)
    if METHODS[robust.method].shifts:
        rows = np.ones(len(batch), bool) if robust.side == "both" else batch.sides == (robust.side == "passage")
    mine = np.arange(len(batch))[rank_slice(len(batch), world.rank, world.size)]
    # A chunk holds texts that may be shifted, or others. `cuts` are the places where one ends and the next begins.
    cuts = {0, len(mine), *(np.flatnonzero(np.diff(rows[mine])) + 1).tolist()}
    edges = sorted(
        cuts
        if not train.chunk
        else {place for a, b in pairwise(sorted(cuts)) for place in range(a, b, train.chunk)} | cuts
    )
    chunks = []
    for start, stop in pairwise(edges):
        part = mine[start:stop]
        texts = [batch.strings[i] for i in part] if batch.strings is not None else batch.texts.take(part)  # type: ignore[union-attr]
        chunks.append((model.prepare(texts, batch.sides[part]), slice(start, stop)))
    return _Ready(batch, chunks, rows)


def _reseed(seed: int, stage: str, step: int, rank: int, chunk: int) -> None:
    """Dropout's numbers come from (seed, stage, step, rank, chunk): every pass of a chunk sees the same mask."""
    torch.manual_seed(int(seeds.bits(seed, f"dropout.{stage}", step, rank, chunk)) & 0x7FFFFFFFFFFFFFFF)


def _generator(seed: int, stage: str, step: int, rank: int, chunk: int, purpose: str) -> torch.Generator:
    """Noise comes from (seed, stage, step, rank, chunk) as well, apart from dropout."""
    return torch.Generator().manual_seed(
        int(seeds.bits(seed, f"{purpose}.{stage}", step, rank, chunk)) & 0x7FFFFFFFFFFFFFFF
    )


@dataclass(frozen=True)
class _Place:
    """Where a step stands: what its random numbers come from."""

    seed: int
    stage: str
    step: int
    world: World


def train_step(
    model: Model,
    ready: _Ready,
    objective: Objective,
    robust: RobustSettings,
    train: TrainSettings,
    at: _Place,
    autocast: Callable[[], Any],
) -> tuple[float, float, dict[str, float]]:
    """One step: (loss, norm of the gradient, parts of the loss by name).

    The loss of the whole batch is taken on every rank from the vectors of all; each rank sends back the gradient of its
    own vectors, and the ranks' weight gradients are summed.
    """
    where = (at.seed, at.stage, at.step, at.world.rank)
    passes = Passes(
        model,
        ready.chunks,
        len(ready.batch),
        ready.rows,
        at.world,
        graph=not train.chunk,
        reseed=lambda chunk: _reseed(*where, chunk),
        autocast=nullcontext if METHODS[robust.method].fine else autocast,
        draw=lambda chunk, purpose: _generator(*where, chunk, purpose),
    )
    terms = objective.on(ready.batch, at.step / max(train.steps, 1))
    outcome = perturbed_step(passes, terms, robust)
    norm = model.update(train.rate(at.step), train.clip, at.world)
    terms.learn(outcome.opening)
    return outcome.loss, norm, outcome.parts | outcome.opening.told


def run(
    model: Model,
    feed: Feed,
    plan: RunPlan,
    *,
    loss: LossSettings,
    train: TrainSettings,
    seed: int,
    stage: str,
    out: Path,
    robust: RobustSettings | None = None,
    validate: Callable[[Any], Mapping[str, Any]] | None = None,
    renewal: Renewal | None = None,
    resume: bool = True,
    progress: bool = False,
    origin: Mapping[str, Any] | None = None,
    teachers: Teachers | None = None,
) -> dict[str, Any]:
    """Train.

    Args:
        model: trained in place.
        feed: the texts.
        plan: which of them when.
        loss: its settings.
        train: settings of the loop.
        seed: of dropout; the plan and the feed have their own.
        stage: names the checkpoints and the lines of the log.
        out: run folder.
        robust: perturbations and adversaries; by default none.
        validate: called with the encoder every `validate_every` steps; its answer is logged.
        renewal: mines hard negatives by the model as it is; what it found is part of a checkpoint.
        resume: go on from the newest checkpoint of the stage, if there is one; the weights are bitwise those of a run
            that never stopped.
        progress: a bar on stderr.
        origin: name -> checksum of what the training starts from (data, model, teachers); a checkpoint of others is an
            error.
        teachers: what teachers say, where terms of the loss ask for it.

    Returns:
        the stage's summary: steps, texts, tokens, effective negatives, seconds, counts of (source, query language,
        passage language); with hard negatives their number by language, and how many rows lacked.

    Raises:
        InputError: a checkpoint of other settings, or a folder that cannot be written.
        FloatingPointError: the loss is no longer a number.
    """
    robust = robust or RobustSettings()
    if train.threads:
        torch.set_num_threads(train.threads)
    world, device = join(), model.device
    train = replace(
        train, precision=precision.chosen(train.precision, device, mixed=model.mixed, key="train.precision")
    )
    settings = _settings(train, loss, robust, plan, renewal, seed) | dict(origin or {})
    check_languages(feed.corpus, loss.translations)
    of_corpus = {"languages": len(feed.corpus.languages), "teachers": teachers, "classes": len(feed.corpus.labels)}
    objective = Objective(loss, robust, dim=model.dim, seed=seed, device=device, **of_corpus)
    first, totals, counts = 0, {"texts": 0, "tokens": 0, "effective_negatives": 0, "seconds": 0.0}, Counter()
    hard: dict[str, Tensor] = {}
    before: Mapping[str, Any] | None = None
    attention = ""
    if train.negatives:
        totals |= {"missing_negatives": 0}
    if resume and (checkpointed := checkpoint.latest(out, stage, settings)):
        state, tensors = checkpointed
        _check_tensors(tensors, model.state() | objective.state(), checkpoint.folder_of(out, stage, state["step"]))
        model.load_state(tensors)
        objective.load_state(tensors)
        hard = {key: tensors[key] for key in tensors if key == HARD}
        first, totals, before = state["step"], state["totals"], state["log"]
        attention = state.get("attention", "sdpa")
        counts.update({tuple(key): n for *key, n in state["counts"]})
    autocast = (
        functools.partial(torch.autocast, device.type, torch.bfloat16) if train.precision == "bf16" else nullcontext
    )
    attention = model.attend(train.precision, world, attention)
    log = RunLog(out, stage, first, train, enabled=world.rank == 0, progress=progress, before=before)

    def save(step: int) -> None:
        if world.rank == 0:
            saved = {
                "settings": settings,
                "totals": totals,
                "counts": [[*key, n] for key, n in sorted(counts.items())],
                "log": log.state(),
                "attention": model.attention,
            }
            checkpoint.save(out, stage, step, model.state() | objective.state() | hard, saved, train.keep)

    def prepared() -> Generator[_Ready, None, None]:
        """Batches from the first step on, mined for where it is due: after the last update before, since the next one
        is asked for then."""
        mined = renewal.steps(train.steps) if renewal else []
        for start, stop in pairwise(sorted({first, *(step for step in mined if step > first), train.steps})):
            if renewal and start in mined:
                hard[HARD] = _mined(renewal, model, start, len(feed.corpus), world)
            shown = feed.with_negatives(hard[HARD].numpy()) if hard else feed
            work = functools.partial(_ready, model, shown, plan, loss=loss, train=train, robust=robust, world=world)
            yield from ahead(work, range(start, stop), depth=4, name="triglot-feed")

    def texts() -> Iterator[Any]:
        """What the model will be shown, from the first step of the run on."""
        work = functools.partial(_ready, model, feed, plan, loss=loss, train=train, robust=robust, world=world)
        return (chunk for step in range(train.steps) for chunk, _ in work(step).chunks)

    clock = time.perf_counter()
    kept = model.foresee(None if renewal else texts, out, autocast)
    batches = prepared()
    try:
        for step, ready in enumerate(batches, first):
            value, norm, parts = train_step(
                model, ready, objective, robust, train, _Place(seed, stage, step, world), autocast
            )
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{stage}, step {step + 1}: the loss is {value}; a lower train.lr or a higher "
                    "loss.temperature may help"
                )
            _count(totals, counts, ready, model, feed, world)
            totals["seconds"] += time.perf_counter() - clock
            clock = time.perf_counter()
            log.step(step + 1, value, train.rate(step), norm, len(ready.batch.query_row), parts)
            if validate and train.validate_every and (step + 1) % train.validate_every == 0:
                log.validation(step + 1, validate(model.encoder()))
                clock = time.perf_counter()
            if train.checkpoint_every and (step + 1) % train.checkpoint_every == 0 and step + 1 < train.steps:
                save(step + 1)
        if first < train.steps:
            save(train.steps)
    finally:
        batches.close()
        log.close()
    told = {"frozen_outputs": kept, "attention": attention}
    return _summary(train, totals, counts, feed.corpus) | {key: line for key, line in told.items() if line}


def _settings(
    train: TrainSettings, loss: LossSettings, robust: RobustSettings, plan: RunPlan, renewal: Renewal | None, seed: int
) -> dict[str, Any]:
    """What a checkpoint must share with a run that goes on from it; later settings at their defaults are left out, so
    old ones hold."""
    later = {"every_row": False, "alpha_end": None, "bitext": "kind"}
    batches = {
        key: value
        for key, value in asdict(plan.batches).items()
        if key != "allow_small" and (key not in later or value != later[key])
    }
    since = {"name": LossSettings.name, "weight": 1.0, "weight_end": None, "terms": []}
    terms = {key: value for key, value in plain(loss).items() if key not in since or value != since[key]}
    settings = {"seed": seed, "threads": torch.get_num_threads(), "loss": terms, "batches": batches}
    if plan.filled:
        settings["filled"] = plan.filled
    if robust != RobustSettings():
        settings["robust"] = asdict(robust)
    for key in ("steps", "lr", "schedule", "warmup", "weight_decay", "clip", "precision", "chunk", "negatives"):
        settings[key] = getattr(train, key)
    if train.negative_languages != "own":
        settings["negative_languages"] = train.negative_languages
    if renewal:
        settings["refresh"] = {"every": renewal.every, **renewal.settings}
    return settings


def _check_tensors(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], folder: Path) -> None:
    """Raise InputError where a checkpoint lacks a tensor of the model, or has one of another shape; moments may come or
    be absent."""
    for name, tensor in wanted.items():
        has = tensors.get(name)
        if has is None or has.shape != tensor.shape or has.dtype != tensor.dtype:
            what = (
                "is missing"
                if has is None
                else f"is {has.dtype} {list(has.shape)}, not {tensor.dtype} {list(tensor.shape)}"
            )
            raise InputError(f"{folder}: {name} {what}; it was made by another model, choose another folder")


def _summary(train: TrainSettings, totals: dict[str, Any], counts: Counter, corpus: ParallelCorpus) -> dict[str, Any]:
    """What `run` returns."""
    negatives = {corpus.languages[lang]: n for (kind, lang, _), n in sorted(counts.items()) if kind == NEGATIVE}
    shown = {key: n for key, n in counts.items() if key[0] != NEGATIVE}
    named = [[corpus.sources[s], corpus.languages[q], corpus.languages[p], n] for (s, q, p), n in sorted(shown.items())]
    summary = {
        "steps": train.steps,
        **totals,
        "seconds": round(totals["seconds"], 3),
        "counts": named,
        "threads": torch.get_num_threads(),
        "precision": train.precision,
    }
    return summary | ({"negatives": negatives} if train.negatives else {})


def _count(totals: dict[str, Any], counts: Counter, ready: _Ready, model: Model, feed: Feed, world: World) -> None:
    batch = ready.batch
    totals["texts"] += len(batch)
    tokens = sum(model.tokens(prepared) for prepared, _ in ready.chunks)
    totals["tokens"] += int(world.sum(torch.tensor(tokens, device=model.device))) if world.size > 1 else tokens
    if "missing_negatives" in totals:
        totals["missing_negatives"] += batch.missing
        counts.update((NEGATIVE, lang, 0) for lang in batch.negative_lang.tolist())
    same = np.sort(batch.passage_family)
    left, right = np.searchsorted(same, batch.query_family, "left"), np.searchsorted(same, batch.query_family, "right")
    totals["effective_negatives"] += int((len(same) - (right - left)).sum())
    shown = batch.passage_lang >= 0
    pairs = (batch.query_lang[:, None].astype(np.int64) * 64 + batch.passage_lang)[shown]
    values, numbers = np.unique(pairs, return_counts=True)
    counts.update({(batch.source, int(v) // 64, int(v) % 64): int(n) for v, n in zip(values, numbers, strict=True)})
