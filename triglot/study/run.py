"""One run, from its recipe to its results. Asked again, it goes on where it stopped.

The data are opened once, at the top; everything below gets plain values: `stage` trains, `judge` evaluates, `folder`
knows how far it got.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from triglot.encoder import init_encoder
from triglot.encoder.tokenizer import word_counts
from triglot.files import InputError, atomic_folder, read_json
from triglot.outputs import resolve
from triglot.recipe import Recipe, alignment_recipe, single
from triglot.sealed import discard
from triglot.study.anew import begin_anew
from triglot.study.data import Data
from triglot.study.folder import (
    DATA,
    MADE,
    RECIPE,
    RESULTS,
    beyond_start,
    check_data,
    claim,
    discard_start,
    is_finished,
    is_trained,
    is_whole,
    seal_start,
    trained,
    writing,
)
from triglot.study.inputs import Inputs, Training, texts_by_language
from triglot.study.judge import judge
from triglot.study.stage import ALIGNMENT, FINE_TUNING, TEACHERS, load, train_stage
from triglot.train import checkpoint, teacher
from triglot.train.distributed import is_main, main_first

log = logging.getLogger("triglot")


def run(recipe: Recipe, out: str | Path, *, force: bool = False, progress: bool = False) -> dict[str, Any]:
    """Both stages and the evaluation in one folder; `alignment/` inside holds the first stage.

    Args:
        recipe: without arms, or with arms that are passed over.
        out: run folder; a run of the same settings goes on where it stopped.
        force: begin anew: remove what another run has left in the folder.
        progress: show bars.

    Returns:
        the content of `results.json`.
    """
    if recipe.of:
        raise InputError(f"{recipe.name}: of: belongs to an arm (arms.NAME.of), which `triglot study` makes")
    out = resolve(out, "folder")
    recipe = single(recipe, recipe.seed)
    data = Data(recipe.data, recipe.made, out / MADE)
    with writing(out):
        if force:
            data.check_places(recipe)
            begin_anew(out, RECIPE, (place for _, place in data.places(recipe)))
        if recipe.made and not is_finished(out):
            with main_first():
                data.make_all()
        if is_main() and not is_finished(out):
            data.check(recipe)
        claim(recipe, out)
        if is_main():
            _same_data(recipe, out, data)
        inputs = open_inputs(data, recipe, out)
        if not is_trained(out):
            start = make_encoder(recipe, out / "init", data)
            if recipe.alignment:
                first = replace(alignment_recipe(recipe, recipe.seed), evaluate=())
                start = align(
                    first, start, out / ALIGNMENT, replace(inputs, evaluate=(), lexicons={}), progress=progress
                )
            fine_tune(recipe, start, out, inputs, model=recipe.name, progress=progress)
        if is_main():
            discard_start(out / "init")
        finish(recipe, out, inputs, recipe.name)
    return read_json(out / RESULTS) if is_main() else {}


def _same_data(recipe: Recipe, out: Path, data: Data) -> None:
    """Note the data of a run that has trained nothing yet, check those of any other. Raises InputError for other
    data."""
    if not beyond_start(out):
        discard(out, [DATA])
    elif not (out / DATA).is_file():
        if data.places(recipe):
            log.info("%s: was begun before data were noted; whether they have changed since is unknown", out)
        return
    check_data(out, data.named_places([recipe]))


def open_inputs(data: Data, recipe: Recipe, out: Path) -> Inputs:
    """What is still to be read for the run of a folder: nothing for a finished one, no training data for a trained
    one."""
    return data.inputs(recipe, training=not is_trained(out), evaluation=is_main() and not is_finished(out))


def make_encoder(recipe: Recipe, folder: Path, data: Data) -> Path:
    """The encoder that training starts from: a fresh one with a tokenizer of all training texts, or the pretrained one.

    Returns:
        `folder`, which now holds the model.
    """
    stages = [recipe.alignment.sources] if recipe.alignment else []
    made: dict[str, Any] = {
        "seed": recipe.seed,
        "encoder": recipe.encoder,
        "languages": recipe.languages,
        "sources": [*stages, recipe.sources],
    }
    with main_first():
        parts: list[Training] = []
        if is_main() and recipe.encoder.kind != "pretrained":
            parts = [data.training(sources, recipe.languages) for sources in (*stages, recipe.sources) if sources]
            made["texts"] = [part.checksum for part in parts]
        if is_main() and not is_whole(folder, made):
            words = None
            if "texts" in made:
                log.info("making a tokenizer of %d tokens", recipe.encoder.vocab)
                words = word_counts(texts_by_language(parts))
            encoder = init_encoder(recipe.encoder, words, seed=recipe.seed)
            with atomic_folder(folder) as temporary:
                encoder.save(temporary)
                seal_start(temporary, made)
    return folder


def align(recipe: Recipe, start: Path, out: Path, inputs: Inputs, *, progress: bool = False) -> Path:
    """The alignment stage. Returns the folder of its model."""
    assert recipe.alignment is not None
    claim(recipe, out)
    if not is_trained(out):
        assert inputs.alignment is not None
        train_stage(
            recipe,
            recipe.alignment,
            ALIGNMENT,
            start,
            inputs.alignment,
            out,
            validation=inputs.validation,
            kept=inputs.kept,
            progress=progress,
        )
    finish(recipe, out, inputs, ALIGNMENT)
    return trained(out) if is_main() else out / "model"


def fine_tune(recipe: Recipe, start: Path, out: Path, inputs: Inputs, *, model: str, progress: bool = False) -> Path:
    """The fine-tuning stage and its evaluation. Returns the folder of the model.

    Args:
        recipe: of one arm and seed.
        start: the model to start from: fresh, or aligned.
        out: run folder.
        inputs: of the run.
        model: name in the results.
        progress: show a bar.
    """
    claim(recipe, out)
    if not recipe.sources:
        raise InputError(f"{recipe.name}: sources: is missing; fine-tuning needs at least one")
    if not is_trained(out):
        assert inputs.fine_tuning is not None
        train_stage(
            recipe,
            recipe,
            FINE_TUNING,
            start,
            inputs.fine_tuning,
            out,
            validation=inputs.validation,
            kept=inputs.kept,
            progress=progress,
        )
    finish(recipe, out, inputs, model)
    return out / "model"


def finish(recipe: Recipe, out: Path, inputs: Inputs, model: str) -> None:
    """Evaluate the saved model, unless it was, and remove what training went on from."""
    if not is_main():
        return
    for stage in (FINE_TUNING, ALIGNMENT):
        checkpoint.clear(out, stage)
        teacher.clear(out / TEACHERS / stage)
    if not is_finished(out):
        judge(
            load(recipe.encoder, trained(out), model),
            inputs,
            recipe.attacks,
            out,
            model=model,
            title=recipe.name or model,
            encoding=recipe.encoding,
        )
