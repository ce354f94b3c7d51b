"""One stage of training: from a model to start from and the data of the stage to a saved model with the summary of its
run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from triglot.augment.apply import Augmenter
from triglot.batches import RunPlan, plan_run
from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder import load_encoder
from triglot.encoder.build import model_folder
from triglot.encoder.card import Card
from triglot.encoder.mix import shares, with_mixture
from triglot.encoder.protocol import Encoder, SavedEncoder
from triglot.encoder.settings import EncoderSettings
from triglot.encoder.static import StaticEncoder
from triglot.encoder.transformer import TransformerEncoder
from triglot.encoder.trim import Trimmed, restored, trimmed
from triglot.evaluate.results import versions
from triglot.files import InputError, SettingError
from triglot.losses import LOSSES, LossSettings
from triglot.memory import check_fits
from triglot.recipe import Recipe, Stage
from triglot.sealed import checksum
from triglot.study.folder import origin, save_summary
from triglot.study.inputs import Benchmarks, Training, texts_by_language
from triglot.study.judge import evaluate_all
from triglot.study.refresh import renewal
from triglot.train import teacher
from triglot.train.anchors import anchor
from triglot.train.bag import Bag
from triglot.train.distributed import device, is_main, main_first
from triglot.train.feed import Feed
from triglot.train.loop import run as train_loop
from triglot.train.network import Network
from triglot.train.reallocate import reallocated
from triglot.train.shortfalls import shortfalls

log = logging.getLogger("triglot")
FINE_TUNING, ALIGNMENT = "fine-tuning", "alignment"
TEACHERS = "teachers"  # in a run folder, while it is trained
VALIDATED = ("mono", "cross", "multi", "bias", "ranked", "classification", "generalised")  # of a summary, in the log


def load(settings: EncoderSettings, folder: Path, name: str) -> Any:
    """An encoder that was begun with these settings, from a folder."""
    if settings.kind == "static":
        return load_encoder(folder, settings=settings, name=name)
    begun: dict[str, Any] = {"model": "", "trim": False, "keep_layers": None}
    return load_encoder(folder, settings=replace(settings, kind="transformer", **begun), name=name)


def train_stage(
    recipe: Recipe,
    stage: Stage,
    name: str,
    start: Path,
    training: Training,
    out: Path,
    *,
    validation: Benchmarks,
    kept: Sequence[str] = (),
    progress: bool,
) -> None:
    """Train a stage and save the model with the summary of the run.

    Args:
        recipe: of the run.
        stage: of it: the alignment, or the recipe itself, which is the fine-tuning.
        name: of the stage.
        start: the model to start from.
        training: its data.
        out: run folder.
        validation: benchmarks that are measured while training goes on.
        kept: texts whose tokens a trimmed vocabulary keeps, beside those of training and validation.
        progress: show a bar.
    """
    encoder, trimming = load(recipe.encoder, start, recipe.name), None
    feed = _feed(stage, training, encoder, recipe.seed)
    if stage.lexicon_init:
        if not isinstance(encoder, StaticEncoder):
            raise InputError(f"lexicon_init: goes with static encoders, whose rows are words; not {encoder.name}")
        lists = {source.label for source in stage.sources if source.format == "wordlist"}
        encoder = encoder.with_rows(anchor(encoder.embeddings, feed, lists, stage.pivot, stage.lexicon_init))
    if stage.joint_align.threshold:
        if not isinstance(encoder, StaticEncoder):
            raise InputError(
                f"joint_align: goes with static encoders, whose rows are their vectors; not {encoder.name}"
            )
        encoder = encoder.with_rows(reallocated(encoder.embeddings, feed, stage.joint_align))
    if isinstance(encoder, StaticEncoder):
        for key, asked in (
            ("trim", recipe.encoder.trim),
            ("freeze", recipe.encoder.freeze),
            ("lora", recipe.encoder.lora.rank),
        ):
            if asked:
                raise InputError(f"encoder.{key}: goes with transformers; {recipe.encoder.model} is a static encoder")
        if stage.mix.start:
            raise InputError(f"mix: goes with transformers; {encoder.name} is a static encoder")
        model = Bag(encoder, device())
    else:
        encoder = with_mixture(encoder, stage.mix)
        if recipe.encoder.trim:
            trimming, encoder = _trimmed(encoder, training, validation, kept)
        model = _network(recipe, stage, encoder)
    corpus = training.corpus
    plan = plan_run(
        feed.rows(),
        stage.batches,
        steps=stage.train.steps,
        seed=recipe.seed,
        weights=training.weights,
        languages=corpus.languages,
        names=corpus.sources,
    )
    views = stage.augment.active and stage.augment.mode == "view"
    warnings = [
        *training.notes,
        *warnings_of(plan, corpus.sources),
        *shortfalls(stage.loss, feed, stage.batches, views=views),
    ]
    for text in warnings:
        log.warning("%s: %s", name, text)
    _check_fits(stage, plan.sizes.mean, encoder)
    shown = {corpus.sources[number]: round(share, 4) for number, share in plan.shown.items()}
    batch_rows = {"asked": plan.sizes.asked, "mean": round(plan.sizes.mean, 1), "min": plan.sizes.min, "shown": shown}
    log.info("%s: batches of %.1f rows on average, %d were asked for", name, plan.sizes.mean, plan.sizes.asked)
    for source, share in shown.items():
        if share < 1:
            log.info(
                "%s: an epoch shows %.0f %% of the rows of %s; the others come in later ones, in turn",
                name,
                100 * share,
                source,
            )

    def validate(encoder: Encoder) -> dict[str, Any]:
        results = evaluate_all(encoder, validation)
        return {
            key: {part: one.summary[part] for part in VALIDATED if part in one.summary} for key, one in results.items()
        }

    origins: dict[str, Any] = {}
    if is_main():
        origins = {"start": checksum(origin(start)), "data": training.checksum}
    teachers = teacher.prepare(
        stage.loss,
        corpus,
        plan,
        out / TEACHERS / name,
        student=encoder,
        load=_load_teacher,
        made={**origins, "teachers": _teacher_files(stage.loss)} if is_main() else {},
        progress=progress,
    )
    if teachers and is_main():
        origins["teachers"] = teachers.checksum
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
        validate=validate if validation and stage.train.validate_every else None,
        progress=progress,
        origin=origins,
        teachers=teachers,
    )
    trained = {"trained": model.trained} if isinstance(model, Network) else {}
    finished = model.finished()
    if trimming is not None and (recipe.encoder.restore or name == ALIGNMENT):  # the next stage has other texts
        finished = restored(trimming, with_mixture(load(recipe.encoder, start, recipe.name), stage.mix))
    threads = counted.pop("threads", 0)
    mixed = shares(finished) if isinstance(finished, TransformerEncoder) else []
    summary = {
        "stages": {name: {**counted, "batch_rows": batch_rows}},
        "versions": versions(),
        "threads": threads,
        "licences": licences(recipe),
        "parameters": int(finished.parameters),
        **trained,
        **({"layers": [round(one, 4) for one in mixed]} if mixed else {}),
        **({"trimmed": {"tokens": len(trimming.kept), "of": trimming.whole}} if trimming is not None else {}),
        "coverage": dict(zip(training.switching, feed.coverage().values(), strict=True)),
        "warnings": warnings,
    }
    with main_first():
        if is_main():
            _save(recipe, stage, name, finished, out, summary)


def _load_teacher(name: str) -> Encoder:
    """The model of a teacher. Raises InputError that names the setting."""
    try:
        return load_encoder(name)
    except InputError as error:
        raise InputError(f"loss.terms: teacher: {error}") from None


def _teacher_files(loss: LossSettings) -> dict[str, str]:
    """Checksums of the models of teachers, by their names; that of the start is known."""
    names = sorted({target.teacher for target in loss.targets} - {""})
    return {name: checksum(origin(model_folder(name))) for name in names}


def _network(recipe: Recipe, stage: Stage, encoder: Any) -> Network:
    """The trainable form of a transformer; what is not trained of it is said."""
    settings = recipe.encoder
    options: dict[str, Any] = {
        "dropout": settings.dropout,
        "freeze": settings.freeze,
        "lora": settings.lora,
        "attention": settings.attention,
        "seed": recipe.seed,
        "mix_rate": stage.mix.rate,
    }
    try:
        model = Network(encoder, weight_decay=stage.train.weight_decay, device=device(), **options)
    except SettingError as error:
        raise SettingError(f"encoder.{error.key}", error.what) from None
    if settings.freeze or settings.lora.rank:
        log.info("%s: %s numbers are trained", encoder.name, f"{model.trained:,}")
    return model


def _trimmed(
    encoder: Any, training: Training, validation: Benchmarks, kept: Sequence[str]
) -> tuple[Trimmed, TransformerEncoder]:
    """The encoder with the tokens of the texts of training and validation alone, and of those that are kept beside."""
    texts = {*kept} | {text for column in texts_by_language([training]).values() for text in column}
    for _, opened in validation:
        if isinstance(opened.retrieval, RetrievalSet):
            texts.update(opened.retrieval.queries.texts, opened.retrieval.passages.texts)
        else:
            log.warning("encoder.trim: texts of %s are not read for it; some may have other tokens", opened.name)
    trimming = trimmed(encoder, sorted(texts))
    log.info("encoder.trim: %d of %d tokens, those of %d texts", len(trimming.kept), trimming.whole, len(texts))
    return trimming, trimming.encoder


def _feed(stage: Stage, training: Training, encoder: Any, seed: int) -> Feed:
    """The texts of a stage: as tokens for a static encoder, with the noise that the stage asks for."""
    static = isinstance(encoder, StaticEncoder)
    feed = (
        training.feed(encoder.tokenize, encoder.tokenizer.to_str(), seed) if static else training.feed(None, "", seed)
    )
    if not stage.augment.active:
        return feed
    pieces = encoder.pieces if static else None
    return feed.with_augmenter(Augmenter(stage.augment, seed=seed, lexicon=training.lexicon, pieces=pieces))


def warnings_of(plan: RunPlan, sources: Sequence[str]) -> list[str]:
    """What the plan warns of, and the rows that it leaves out."""
    warnings = list(plan.warnings)
    for number, reasons in plan.unusable.items():
        cure = f"; {plan.cures[number]}" if plan.cures[number] else ""
        warnings += [
            f"source {sources[number]!r}: {count:,} rows left out: {reason}{cure}" for reason, count in reasons.items()
        ]
    return warnings


def _save(recipe: Recipe, stage: Stage, name: str, encoder: SavedEncoder, out: Path, summary: dict[str, Any]) -> None:
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
    training = [
        *([begun] if begun else []),
        *(_told(recipe, stage, key, seen) for key, seen in summary["stages"].items()),
    ]
    encoder.save(out / "model", card=Card(languages=recipe.languages, base=base, sources=own, training=training))
    save_summary(out, summary)


def _check_fits(stage: Stage, rows: float, encoder: SavedEncoder) -> None:
    """Refuse before the first step what certainly does not fit: scores of a batch (with masks and gradient), the
    optimiser's state."""
    if device().type != "cpu":
        return
    passages = rows * (stage.batches.positives + stage.train.negatives)
    check_fits(10 * rows * passages, f"batches.size: {rows:,.0f} rows of {passages:,.0f} passages")
    if (count := stage.robust.negatives.count) > 0:
        check_fits(8 * count * encoder.dim, f"robust.negatives.count: {count:,} vectors of {encoder.dim:,} dimensions")
    if not isinstance(encoder, StaticEncoder):
        # Gradient and two moments.
        check_fits(12 * int(encoder.parameters), f"training of {int(encoder.parameters):,} parameters")


def _told(recipe: Recipe, stage: Stage, name: str, seen: Mapping[str, Any]) -> str:
    """One line of the model card: what a stage was asked for, and what it saw."""
    pairs = sum(count[-1] for count in seen.get("counts", ()))
    rows = seen.get("batch_rows", {})
    loss = _told_loss(stage.loss)
    batches = (
        f"batches {stage.batches.kind} of {rows.get('mean', stage.batches.size):g} rows on average "
        f"({stage.batches.size} asked for)"
    )
    counted = f"{seen.get('steps', stage.train.steps):,} steps, {pairs:,} pairs, {seen.get('texts', 0):,} texts"
    return f"{recipe.name}, {name}: {counted}, {batches}, {loss}, learning rate {stage.train.lr:g}, seed {recipe.seed}"


def _told_loss(loss: LossSettings) -> str:
    """The loss in words."""
    parts = []
    if loss.weight or loss.weight_end:
        loss_text = f"{LOSSES[loss.name].title} with temperature {loss.temperature:g}"
        loss_text += f", {loss.symmetric:g} of it from passage to query" if loss.symmetric else ""
        parts.append((loss, loss_text))
    parts += [(term, LOSSES[term.name].title) for term in loss.beside]
    if len(parts) == 1 and (loss.weight, loss.weight_end) == (1.0, None):
        return parts[0][1]
    return " + ".join(
        f"{one.weight:g} {f'to {one.weight_end:g} ' if one.weight_end is not None else ''}x {loss_text}"
        for one, loss_text in parts
    )


def licences(recipe: Recipe) -> dict[str, str]:
    """Label of each source, word list and benchmark -> its licence as the recipe states it."""
    sources = [*(recipe.alignment.sources if recipe.alignment else ()), *recipe.sources]
    return {source.label: source.licence for source in sources} | {
        one.name: one.licence for one in recipe.validation if one.licence
    }
