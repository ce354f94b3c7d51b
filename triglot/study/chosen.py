"""The arms and seeds of a study that are to run: asked before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from triglot.files import InputError, nearest
from triglot.ranges import Seed, check_number
from triglot.recipe import Recipe


def seed_numbers(words: Sequence[str]) -> list[int]:
    """Seeds from the command line. Raises InputError for what is no whole number."""
    for word in words:
        if not word.isdecimal() or len(word) > 20:
            raise InputError(f"--seeds: {word[:60]!r} is not a whole number")
        check_number("--seeds", int(word), Seed)
    return [int(word) for word in words]


def choose(recipe: Recipe, arms: Sequence[str] | None, seeds: Sequence[int] | None) -> tuple[list[str], list[int]]:
    """The arms and seeds to run; by default all of the recipe. Raises InputError for an unknown arm."""
    chosen = list(dict.fromkeys(arms or recipe.arms))
    for arm in chosen:
        if arm not in recipe.arms:
            raise InputError(f"--arms: {recipe.name} has no arm {arm!r}{nearest(arm, recipe.arms)}")
    if not chosen:
        raise InputError(f"{recipe.name}: arms: is missing; a study needs arms (`triglot train` runs a recipe without)")
    return chosen, list(dict.fromkeys(seeds or recipe.seeds))
