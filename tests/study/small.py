"""A recipe small enough to be run in a test."""

from __future__ import annotations

from pathlib import Path

from triglot.recipe import Recipe, load_recipe

TEXT = """languages: [de, en, th]
encoder: {dim: 16, vocab: 400}
sources: [{format: atlas}]
batches: {size: 16}
train: {steps: 6, log_every: 3, lr: 0.05}
evaluate: [{name: atlas, format: atlas}]
arms:"""


def small_recipe(folder: Path, arms: str, more: str = "") -> Recipe:
    """A recipe on the built-in corpus with these arms (YAML lines), read from a file in `folder`."""
    path = folder / "recipe.yaml"
    path.write_text(f"{TEXT}{arms}{more}", encoding="utf-8")
    return load_recipe(str(path))
