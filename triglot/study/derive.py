"""Models made of trained ones without training: averaged weights, and encoders from which the language was taken."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from triglot.benchmark import Opened
from triglot.corpus.retrieval import RetrievalSet
from triglot.debias.fit import Fitted, average, debias
from triglot.debias.settings import DebiasSettings
from triglot.encoder.card import Card
from triglot.evaluate.results import versions
from triglot.files import InputError
from triglot.recipe import Benchmark, Recipe
from triglot.study.folder import claim, is_trained, save_summary, trained
from triglot.study.inputs import Inputs
from triglot.study.run import finish
from triglot.study.stage import licences, load

log = logging.getLogger("triglot")


def derive(
    recipe: Recipe, bases: Sequence[Path], out: Path, inputs: Inputs, *, model: str, progress: bool = False
) -> Path:
    """An arm made of others, and its evaluation. Returns the folder of the model.

    Args:
        recipe: of this arm and seed.
        bases: run folders of the arms that it is made of.
        out: run folder.
        inputs: of the run.
        model: name in the results.
        progress: show bars.

    Raises:
        InputError: an arm that it is made of has not been trained, or the settings do not fit the data.
    """
    claim(recipe, out)
    if not is_trained(out):
        for name, base in zip(recipe.of, bases, strict=True):
            if not is_trained(base):
                raise InputError(f"{model}: is made of {name}, which is not trained in {base}; run that arm too")
        encoder = average(
            [load(recipe.encoder, trained(base), name) for name, base in zip(recipe.of, bases, strict=True)],
            recipe.of_weights,
        )
        named = [f"{weight:g} x {name}" for weight, name in zip(recipe.of_weights, recipe.of, strict=False)]
        parts = ", ".join(named or recipe.of)
        training = [f"{recipe.name}, {model}: {'mean of ' if len(recipe.of) > 1 else ''}{parts}, seed {recipe.seed}"]
        summary: dict[str, Any] = {"of": list(recipe.of), "of_weights": list(recipe.of_weights), "stages": {}}
        sources = [*(recipe.alignment.sources if recipe.alignment else ()), *recipe.sources]
        own = {source.label: source.licence for source in sources}
        if inputs.fitting:
            source, corpus = inputs.fitting
            held_out = evaluated_texts([*inputs.validation, *inputs.evaluate])
            fitted = debias(encoder, corpus, recipe.debias, seed=recipe.seed, held_out=held_out, progress=progress)
            encoder = fitted.encoder
            summary["debias"] = fit_facts(recipe.debias, fitted, source)
            training.append(fit_line(recipe.debias, fitted, source))
        encoder.save(out / "model", card=Card(languages=recipe.languages, sources=own, training=training))
        facts = {
            "versions": versions(),
            "licences": licences(recipe),
            "parameters": int(encoder.parameters),
            "warnings": [],
        }
        save_summary(out, summary | facts)
    finish(recipe, out, inputs, model)
    return out / "model"


def evaluated_texts(benchmarks: Iterable[tuple[Benchmark, Opened]]) -> set[str]:
    """The texts of the benchmarks that lie in memory, but for passages that answer none of their questions."""
    texts: set[str] = set()
    for _, opened in benchmarks:
        if isinstance(opened.retrieval, RetrievalSet):
            texts |= opened.retrieval.judged_texts
    return texts


def fit_facts(settings: DebiasSettings, fitted: Fitted, source: str) -> Mapping[str, Any]:
    """For summaries."""
    facts = {"method": settings.method, "rank": settings.rank, "source": source, "texts": fitted.texts}
    facts |= {"held_out": fitted.held_out, "strength": fitted.strength, "strengths": fitted.strengths}
    return facts | (
        {"curve": {f"{one:g}": curve_value for one, curve_value in fitted.choice.curve.items()}}
        if fitted.choice
        else {}
    )


def fit_line(settings: DebiasSettings, fitted: Fitted, source: str) -> str:
    """For logs and model cards."""
    listed = ", ".join(f"{code} {count:,}" for code, count in fitted.texts.items())
    held = f"; {fitted.held_out:,} texts passed over because they are evaluated on" if fitted.held_out else ""
    strength = f" at strength {fitted.strength:g}" if fitted.strength != 1 else ""
    if fitted.strengths:
        strength += " (" + ", ".join(f"{code} {value:g}" for code, value in fitted.strengths.items()) + ")"
    if fitted.choice:
        strength += f", chosen on {fitted.choice.groups:,} {fitted.choice.data} held back"
    return f"debiased by {settings.method}{strength}, fitted on {source} ({listed}){held}"
