"""`--dry-run`: what a run would read, what it would cost, and what is missing, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from triglot.batches import plan_run, rows_of
from triglot.corpus.retrieval import RetrievalSet
from triglot.recipe import Recipe, Stage, arm_recipe, single, to_yaml
from triglot.study.data import Data
from triglot.study.folder import MADE
from triglot.study.makers import drawn_alone
from triglot.study.stage import warnings_of


def dry_run(recipe: Recipe, *, arms: Sequence[str] = (), seeds: Sequence[int] = ()) -> tuple[list[str], bool]:
    """The lines of a dry run, and whether everything that the run needs is there.

    Args:
        recipe: of a run, or with `arms` of a study.
        arms: of the study; empty for a run.
        seeds: of the study.
    """
    with TemporaryDirectory() as folder:  # what a study makes is made there, and forgotten
        return _dry(recipe, arms, seeds, Data(recipe.data, drawn_alone(recipe.made), Path(folder) / MADE))


def _dry(recipe: Recipe, arms: Sequence[str], seeds: Sequence[int], data: Data) -> tuple[list[str], bool]:
    runs = [arm_recipe(recipe, arm, recipe.seeds[0]) for arm in arms] or [single(recipe, recipe.seed)]
    places = list(dict.fromkeys(place for one in (recipe, *runs) for place in data.places(one)))
    lines = ["files"]
    lines += [f"  {'there  ' if place.exists() else 'MISSING'}  {what}: {place}" for what, place in places]
    if recipe.encoder.model and not any(what == "encoder.model" for what, _ in places):
        lines.append(f"  hub      encoder.model: {recipe.encoder.model}")
    complete = all(place.exists() for _, place in places)
    if complete:
        lines += ["", "cost", *_cost(recipe, runs, data, arms, max(len(seeds), 1))]
    lines += ["", "settings", *(f"  {line}" for line in to_yaml(recipe).splitlines())]
    return lines, complete


def _cost(recipe: Recipe, runs: Sequence[Recipe], data: Data, arms: Sequence[str], seeds: int) -> list[str]:
    lines = []
    if len(runs) * seeds > 1:
        lines.append(f"  {len(runs) * seeds:,} runs: {len(runs)} arms with {seeds} seeds")
    if recipe.alignment:
        lines += _stage(recipe, recipe.alignment, data, "alignment")
    for arm, one in zip(arms or [""], runs, strict=True):
        if not one.of and one.sources:
            lines += _stage(one, one, data, arm or "training")
    for asked, opened in data.benchmarks((*recipe.validation, *recipe.evaluate), recipe.languages):
        if isinstance(opened.retrieval, RetrievalSet):
            queries, passages = len(opened.retrieval.queries), len(opened.retrieval.passages)
            lines.append(f"  benchmark {asked.name}: {queries:,} questions, {passages:,} passages to encode")
        elif opened.retrieval is not None:
            topics = sum(len(part.topics) for part in opened.retrieval.parts.values())
            lines.append(f"  benchmark {asked.name}: {topics:,} questions; passages are streamed")
        if opened.task is not None:
            items, codes = len(opened.task.test), len(opened.task.codes)
            lines.append(f"  benchmark {opened.task.name}: {items:,} items to classify in {codes} languages")
    return lines


def _stage(recipe: Recipe, stage: Stage, data: Data, name: str) -> list[str]:
    """Pairs, batches and texts of a stage, and what it leaves out."""
    training = data.stage(stage, recipe.languages)
    corpus, batches = training.corpus, stage.batches
    lines = [f"  {name}: {len(corpus):,} pairs in {', '.join(corpus.languages)}"]
    if training.switching:
        return [*lines, f"  {name}: {stage.train.steps:,} batches of {batches.size:,} rows (code-switched texts)"]
    plan = plan_run(
        rows_of(corpus),
        batches,
        steps=stage.train.steps,
        seed=recipe.seed,
        weights=training.weights,
        languages=corpus.languages,
        names=corpus.sources,
    )
    texts = round(stage.train.steps * plan.sizes.mean * (1 + batches.positives + stage.train.negatives))
    lines.append(
        f"  {name}: {stage.train.steps:,} batches of {plan.sizes.mean:,.0f} rows, {texts:,} texts, "
        f"{stage.train.steps / max(sum(plan.epochs.values()), 1):.1f} epochs"
    )
    return [*lines, *(f"  {name}: {line}" for line in warnings_of(plan, corpus.sources))]
