"""Whether what a run reads is there: asked before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from triglot.recipe import Recipe, arm_recipe, single
from triglot.study.data import Data


def check_places(recipe: Recipe, out: str | Path, arms: Sequence[str] = ()) -> None:
    """Raises InputError, which names every path that is not there, for a run or (with `arms`) a study that is new; one
    that was begun may need its data no more."""
    if Path(out).exists():
        return
    data = Data(recipe.data)
    for one in [arm_recipe(recipe, arm, recipe.seeds[0]) for arm in arms] or [single(recipe, recipe.seed)]:
        data.check_places(one)
