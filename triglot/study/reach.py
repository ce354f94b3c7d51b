"""`--check`: whether every name that a study speaks of can be reached, and what it turned out to be. Nothing is
trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from triglot.corpus.hub import PREFIX
from triglot.encoder.build import model_folder
from triglot.files import InputError
from triglot.recipe import Recipe, arm_recipe
from triglot.study.data import Data


def reach(recipe: Recipe, arms: Sequence[str]) -> tuple[list[str], bool]:
    """Look for every model, file and name of the hub.

    Args:
        recipe: of the study.
        arms: that were chosen.

    Returns:
        a line for each, and whether all were reached.
    """
    runs = [recipe, *(arm_recipe(recipe, arm, recipe.seeds[0]) for arm in arms)]
    lines, whole = [], True
    for what, name in _models(runs):
        told, there = _model(name)
        lines.append(f"{'reached' if there else 'MISSING'}  {what}: {name}{told}")
        whole &= there
    for what, place in dict.fromkeys(place for one in runs for place in Data(one.data).places(one)):
        if what == "encoder.model":
            continue
        there = place.exists()
        lines.append(f"{'reached' if there else 'MISSING'}  {what}: {place}")
        whole &= there
    for what, name in _of_hub(runs):
        problem = _hub(name)
        lines.append(f"{'MISSING' if problem else 'reached'}  {what}: {name}{f' ({problem})' if problem else ''}")
        whole &= not problem
    several = len(arms) * len(recipe.seeds)
    lines.append(f"settings: {len(arms)} arms with {len(recipe.seeds)} seeds, {several} runs, each checked")
    return lines, whole


def _models(runs: Sequence[Recipe]) -> dict[tuple[str, str], None]:
    found: dict[tuple[str, str], None] = {}
    for one in runs:
        if one.encoder.model:
            found["encoder.model", one.encoder.model] = None
        for stage in (one, one.alignment):
            for target in stage.loss.targets if stage else ():
                if target.teacher:
                    found["teacher", target.teacher] = None
    return found


def _model(name: str) -> tuple[str, bool]:
    """What a model is, from its configuration, and whether it can be reached."""
    from triglot.files import read_json

    try:
        folder = Path(model_folder(name))
    except (InputError, OSError) as error:
        return f" ({str(error).splitlines()[0][:160]})", False
    config = folder / "config.json"
    if not config.is_file():
        return "", True
    facts = read_json(config)
    keys = ("model_type", "num_hidden_layers", "hidden_size", "vocab_size")
    told = ", ".join(f"{key} {facts[key]}" for key in keys if key in facts)
    return f" ({told})", True


def _of_hub(runs: Sequence[Recipe]) -> dict[tuple[str, str], None]:
    found: dict[tuple[str, str], None] = {}
    for one in runs:
        stages = [one.alignment, one] if one.alignment else [one]
        for source in (source for stage in stages for source in stage.sources):
            if source.path.startswith(PREFIX):
                found[f"source {source.label!r}", source.path] = None
        for benchmark in (*one.validation, *one.evaluate):
            if benchmark.path.startswith(PREFIX):
                found[f"benchmark {benchmark.name!r}", benchmark.path] = None
    return found


def _hub(name: str) -> str:
    """Why a data set of the hub cannot be reached; empty where it can."""
    from triglot.corpus.hub import local

    try:
        local(name, passages=False)
    except (InputError, ImportError, OSError) as error:
        return str(error).splitlines()[0][:160]
    return ""
