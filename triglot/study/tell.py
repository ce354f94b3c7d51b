"""What the report of a study tells beside its tables: question, claims, notes, commands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from triglot.recipe import Recipe
from triglot.report import Arm
from triglot.report.ledger import Evidence, judge
from triglot.report.story import Story
from triglot.study.folder import MADE
from triglot.study.leakage import read_leakage
from triglot.study.makers import facts_of
from triglot.study.named import Named
from triglot.study.parts import Part, commands
from triglot.study.probe import Plan


def story(
    about: Named,
    recipe: Recipe,
    arms: Sequence[Arm],
    out: Path,
    command: str,
    found: Sequence[Sequence[Part]],
    plan: Plan | None,
) -> Story | None:
    """What is told of a study; None for a recipe without a question.

    Args:
        about: the study.
        recipe: of it, with what the command line changed.
        arms: as `find_arms` gives them.
        out: its folder.
        command: that made it.
        found: its parts, in waves.
        plan: what a budget has left out.
    """
    settings = about.settings
    if settings is None:
        return None
    ledger = judge(about.claims, Evidence(arms, read_leakage(out)), out)
    notes = [
        *settings.notes,
        *_started(recipe),
        *(f"{name}: {facts_of(out / MADE / name).get('told', 'made')}" for name in recipe.made),
    ]
    words = shlex.split(command)
    given = words.index("--out") if "--out" in words else len(words)
    return Story(
        about.name,
        about.size,
        settings.question,
        tuple(ledger),
        would_change=settings.would_change,
        notes=tuple(notes),
        axes=settings.axes,
        commands=tuple(commands(words[:given], words[given + 1] if given + 1 < len(words) else out, found))
        if words
        else (),
        left_out=tuple(plan.lines()) if plan else (),
    )


def _started(recipe: Recipe) -> list[str]:
    """Which model the runs start from."""
    encoder = recipe.encoder
    if encoder.kind != "pretrained":
        return [f"Started from fresh weights ({encoder.kind}, {encoder.dim} dimensions)."]
    layers = f", cut to the layers {encoder.keep_layers}" if encoder.keep_layers else ""
    return [f"Started from {Path(encoder.model).name}{layers}."]
