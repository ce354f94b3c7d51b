"""One run: the only place where settings become data, encoders, training and results. Asked again, a run goes on where it stopped."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from triglot.augment.apply import Augmenter
from triglot.batches import plan_run
from triglot.classify.judge import evaluate_task
from triglot.encoder import init_encoder, load_encoder
from triglot.encoder.card import Card, add_scores
from triglot.encoder.static import StaticEncoder
from triglot.encoder.tokenizer import word_counts
from triglot.evaluate import Evaluation, write_results
from triglot.evaluate.results import versions
from triglot.evaluate.retrievers import Dense, evaluate
from triglot.files import InputError, atomic_folder, read_json
from triglot.measures.result import Result
from triglot.memory import check_fits
from triglot.outputs import resolve
from triglot.recipe import Recipe, Stage, alignment_recipe, single
from triglot.sealed import checksum
from triglot.study.attacks import attacked
from triglot.study.data import Data, licences, texts_by_language
from triglot.study.folder import (
    RESULTS,
    claim,
    discard_start,
    is_finished,
    is_trained,
    is_whole,
    origin,
    save_summary,
    seal_start,
    trained,
    writing,
)
from triglot.study.refresh import renewal
from triglot.train import checkpoint
from triglot.train import run as train_loop
from triglot.train.anchors import anchor
from triglot.train.bag import Bag
from triglot.train.distributed import device, is_main, main_first
from triglot.train.network import Network

log = logging.getLogger("triglot")
FINE_TUNING, ALIGNMENT = "fine-tuning", "alignment"


def make_encoder(recipe: Recipe, folder: Path, data: Data) -> Path:
    """The encoder that training starts from: a fresh one with a tokenizer of all training texts, or the pretrained one.

    Returns:
        `folder`, which now holds the model.
    """
    stages = [recipe.alignment.sources] if recipe.alignment else []
    made = {"seed": recipe.seed, "encoder": recipe.encoder, "languages": recipe.languages, "sources": [*stages, recipe.sources]}
    with main_first():
        if is_main() and not is_whole(folder, made):
            words = None
            if recipe.encoder.kind != "pretrained":
                parts = [data.training(sources, recipe.languages) for sources in (*stages, recipe.sources) if sources]
                log.info("making a tokenizer of %d tokens", recipe.encoder.vocab)
                words = word_counts(texts_by_language(parts))
            encoder = init_encoder(recipe.encoder, words, seed=recipe.seed)
            with atomic_folder(folder) as temporary:
                encoder.save(temporary)
                seal_start(temporary, made)
    return folder


def load(recipe: Recipe, folder: Path, name: str) -> Any:
    """An encoder of this recipe from a folder."""
    settings = (
        replace(recipe.encoder, kind="static") if recipe.encoder.kind == "static" else replace(recipe.encoder, kind="transformer", model="")
    )
    return load_encoder(folder, settings=settings, name=name)


def _train(recipe: Recipe, stage: Stage, name: str, start: Path, out: Path, data: Data, progress: bool) -> None:
    """Train a stage and save the model with the summary of the run."""
    encoder = load(recipe, start, recipe.name)
    training = data.training(stage.sources, recipe.languages)
    if isinstance(encoder, StaticEncoder):
        feed = data.feed(name, training, encoder.tokenize, encoder.tokenizer.to_str(), recipe.seed)
        if stage.anchor:
            lists = {source.label for source in stage.sources if source.format == "wordlist"}
            encoder = encoder.with_rows(anchor(encoder.embeddings, feed, lists, stage.pivot, stage.anchor))
        model = Bag(encoder, device())
    else:
        model = Network(encoder, weight_decay=stage.train.weight_decay, device=device())
        feed = data.feed(name, training, None, "", recipe.seed)
    if stage.augment.active:
        lists = data.lexicon(stage.augment.lists, recipe.languages, stage.augment.half) if stage.augment.needs_lists else None
        pieces = encoder.pieces if isinstance(encoder, StaticEncoder) else None
        feed = feed.with_augmenter(Augmenter(stage.augment, seed=recipe.seed, lexicon=lists, pieces=pieces))
    plan = plan_run(
        feed.rows(),
        stage.batches,
        steps=stage.train.steps,
        seed=recipe.seed,
        weights=training.weights,
        languages=training.corpus.languages,
        names=training.corpus.sources,
    )
    warnings = list(plan.warnings)
    for number, reasons in plan.unusable.items():
        source = training.corpus.sources[number]
        warnings += [f"source {source!r}: {count:,} rows left out: {reason}" for reason, count in reasons.items()]
        warnings += [f"source {source!r}: {plan.cures[number]}"] if plan.cures[number] else []
    for text in warnings:
        log.warning("%s: %s", name, text)
    shown = {training.corpus.sources[number]: round(share, 4) for number, share in plan.shown.items()}
    batch_rows = {"asked": plan.sizes.asked, "mean": round(plan.sizes.mean, 1), "min": plan.sizes.min, "shown": shown}
    _check_fits(stage, plan.sizes.mean, encoder)
    log.info("%s: batches of %.1f rows on average, %d were asked for", name, plan.sizes.mean, plan.sizes.asked)
    for source, share in shown.items():
        if share < 1:
            log.info("%s: an epoch shows %.0f %% of the rows of %s; the others come in later ones, in turn", name, 100 * share, source)
    began = {"start": checksum(origin(start)), "data": training.checksum} if is_main() else {}

    def validate(encoder: Any) -> dict[str, Any]:
        found = evaluate_all(recipe, encoder, data, "validation")
        return {
            key: {
                s: one.summary[s] for s in ("mono", "cross", "multi", "bias", "ranked", "classification", "generalised") if s in one.summary
            }
            for key, one in found.items()
        }

    counted = train_loop(
        model,
        feed,
        plan,
        loss=stage.loss,
        robust=stage.robust,
        train=stage.train,
        renewal=renewal(stage.refresh, stage.train.negatives, feed, seed=recipe.seed, name=name),
        seed=recipe.seed,
        stage=name,
        out=out,
        validate=validate if recipe.validation and stage.train.validate_every else None,
        progress=progress,
        origin=began,
    )
    made = model.encoder()
    threads = counted.pop("threads", 0)
    summary = {
        "stages": {name: {**counted, "batch_rows": batch_rows}},
        "versions": versions(),
        "threads": threads,
        "licences": licences(recipe),
        "parameters": int(made.parameters),
        "coverage": dict(zip(training.switching, feed.coverage().values(), strict=True)),
        "warnings": warnings,
    }
    with main_first():
        if is_main():
            _save(recipe, stage, name, made, out, summary)


def _save(recipe: Recipe, stage: Stage, name: str, encoder: Any, out: Path, summary: dict[str, Any]) -> None:
    before = recipe.alignment.sources if recipe.alignment and name == FINE_TUNING else ()
    own = {source.label: source.licence for source in (*before, *stage.sources)}
    pretrained = recipe.encoder.kind == "pretrained"
    local = pretrained and Path(recipe.encoder.model).expanduser().exists()
    base = recipe.encoder.model if pretrained and not local else ""
    if before:
        begun = "started from the model of the alignment stage"
    elif local:
        begun = f"started from the folder {Path(recipe.encoder.model).name}"
    else:
        begun = "" if base else "started from fresh weights"
    told = [*([begun] if begun else []), *(_told(recipe, stage, key, seen) for key, seen in summary["stages"].items())]
    encoder.save(out / "model", card=Card(languages=recipe.languages, base=base, sources=own, training=told))
    save_summary(out, summary)


def _check_fits(stage: Stage, rows: float, encoder: Any) -> None:
    """Refuse before the first step what certainly does not fit: scores of a batch (with masks and gradient), the optimiser's state."""
    if device().type != "cpu":
        return
    passages = rows * (stage.batches.positives + stage.train.negatives)
    check_fits(10 * rows * passages, f"batches.size: {rows:,.0f} rows of {passages:,.0f} passages")
    if (count := stage.robust.negatives.count) > 0:
        check_fits(8 * count * encoder.dim, f"robust.negatives.count: {count:,} vectors of {encoder.dim:,} dimensions")
    if not isinstance(encoder, StaticEncoder):
        check_fits(12 * int(encoder.parameters), f"training of {int(encoder.parameters):,} parameters")  # gradient and two moments


def _told(recipe: Recipe, stage: Stage, name: str, seen: Mapping[str, Any]) -> str:
    """One line of the model card: what a stage was asked for, and what it saw."""
    pairs = sum(count[-1] for count in seen.get("counts", ()))
    rows = seen.get("batch_rows", {})
    loss = f"InfoNCE with temperature {stage.loss.temperature:g}"
    if stage.loss.symmetric:
        loss += f", {stage.loss.symmetric:g} of it from passage to query"
    batches = f"batches {stage.batches.kind} of {rows.get('mean', stage.batches.size):g} rows on average ({stage.batches.size} asked for)"
    counted = f"{seen.get('steps', stage.train.steps):,} steps, {pairs:,} pairs, {seen.get('texts', 0):,} texts"
    return f"{recipe.name}, {name}: {counted}, {batches}, {loss}, learning rate {stage.train.lr:g}, seed {recipe.seed}"


def evaluate_all(recipe: Recipe, encoder: Any, data: Data, which: str, *, ranked: bool | None = None) -> dict[str, Result]:
    """An encoder on the recipe's `validation` or `evaluate` benchmarks; `ranked` as for `evaluate.retrievers.evaluate`."""
    found: dict[str, Result] = {}
    for one in getattr(recipe, which):
        benchmark, task = data.benchmark(one, recipe.languages), data.task(one, recipe.languages)
        if benchmark is not None:
            found[one.name] = evaluate(Dense(encoder), benchmark, ranked=ranked, depth=one.depth, subsets=one.subsets)
        if task is not None:
            found[task.name] = evaluate_task(encoder, task)
    return found


def finish(recipe: Recipe, out: Path, data: Data, model: str) -> None:
    """Validate and evaluate the saved model; `results.json` comes last."""
    if not is_main():
        return
    for stage in (FINE_TUNING, ALIGNMENT):
        checkpoint.clear(out, stage)
    if is_finished(out):
        return
    encoder = load(recipe, trained(out), model)
    if recipe.validation and not (out / "validation" / "results.json").is_file():
        write_results(out / "validation", evaluate_all(recipe, encoder, data, "validation"), model=model)
    if recipe.evaluate:
        log.info("evaluating %s on %s", model, ", ".join(one.name for one in recipe.evaluate))
    found = evaluate_all(recipe, encoder, data, "evaluate", ranked=False if recipe.attacks else None)
    if recipe.attacks:
        whole = {name: one for name, one in found.items() if isinstance(one, Evaluation)}
        for name in found.keys() - whole:
            log.warning("%s is streamed or classified, and not attacked", name)
        sets = {name: one.benchmark for name, one in whole.items()}
        found |= attacked(
            encoder, sets, recipe.attacks, out, lexicon_of=lambda half: data.lexicon(recipe.lists, recipe.languages, half), clean=whole
        )
    add_scores(out / "model", recipe.name or model, {name: one.summary for name, one in found.items() if "+" not in name})
    write_results(out, found, model=model)


def align(recipe: Recipe, start: Path, out: Path, data: Data, *, progress: bool = False) -> Path:
    """The alignment stage. Returns the folder of its model."""
    assert recipe.alignment is not None
    claim(recipe, out)
    if not is_trained(out):
        _train(recipe, recipe.alignment, ALIGNMENT, start, out, data, progress)
    finish(recipe, out, data, ALIGNMENT)
    return trained(out) if is_main() else out / "model"


def fine_tune(recipe: Recipe, start: Path, out: Path, data: Data, *, model: str, progress: bool = False) -> Path:
    """The fine-tuning stage and its evaluation. Returns the folder of the model.

    Args:
        recipe: of one arm and seed.
        start: the model to start from: fresh, or aligned.
        out: run folder.
        data: of the recipe.
        model: name in the results.
        progress: show a bar.
    """
    claim(recipe, out)
    if not recipe.sources:
        raise InputError(f"{recipe.name}: sources: is missing; fine-tuning needs at least one")
    if not is_trained(out):
        _train(
            recipe,
            Stage(recipe.sources, **{key: getattr(recipe, key) for key in ("batches", "augment", "robust", "loss", "train", "refresh")}),
            FINE_TUNING,
            start,
            out,
            data,
            progress,
        )
    finish(recipe, out, data, model)
    return out / "model"


def run(recipe: Recipe, out: str | Path, *, progress: bool = False) -> dict[str, Any]:
    """Both stages and the evaluation in one folder; `alignment/` inside holds the first stage.

    Args:
        recipe: without arms, or with arms that are passed over.
        out: run folder; a run of the same settings goes on where it stopped.
        progress: show bars.

    Returns:
        the content of `results.json`.
    """
    out = resolve(out, "folder")
    recipe = single(recipe, recipe.seed)
    data = Data(recipe.data)
    with writing(out):
        if is_main() and not is_finished(out):
            data.check(recipe)
        claim(recipe, out)
        if not is_trained(out):
            start = make_encoder(recipe, out / "init", data)
            if recipe.alignment:
                first = replace(alignment_recipe(recipe, recipe.seed), evaluate=())
                start = align(first, start, out / "alignment", data, progress=progress)
            fine_tune(recipe, start, out, data, model=recipe.name, progress=progress)
        if is_main():
            discard_start(out / "init")
        finish(recipe, out, data, recipe.name)
    return read_json(out / RESULTS) if is_main() else {}
