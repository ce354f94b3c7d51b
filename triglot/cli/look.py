"""Commands that look into data and recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import RecipeName, Settings, at_home, data_app, recipes_app


@data_app.command("inspect")
def data_inspect(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or folders of training data.", callback=at_home)],
    against: Annotated[
        list[str] | None, typer.Option("--eval", help="Evaluation data: what of it occurs in the training data?", callback=at_home)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A record that cannot be used is an error.")] = False,
) -> None:
    """Tell format, languages, counts, parallel coverage, duplicates and leakage."""
    import json

    from triglot.corpus.inspect import inspect_paths, render

    found = inspect_paths(paths, against or [], strict=strict)
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else render(found))


@recipes_app.command("ls")
def recipes_ls() -> None:
    """List them."""
    from triglot import recipes

    for name in recipes.names():
        typer.echo(f"{name:14s}  {recipes.summary(recipes.find(name))}")


@recipes_app.command("show")
def recipes_show(
    recipe: RecipeName,
    settings: Settings = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Every setting, with defaults and with what KEY=VALUE changes.")] = False,
) -> None:
    """Print one."""
    from triglot import recipes

    if resolved or settings:
        from triglot.recipe import load_recipe, to_yaml

        typer.echo(to_yaml(load_recipe(recipe, settings or [])), nl=False)
    else:
        typer.echo(recipes.find(recipe).read_text(encoding="utf-8"), nl=False)


@recipes_app.command("cp")
def recipes_cp(
    recipe: RecipeName,
    target: Annotated[Path, typer.Argument(help="File or folder to copy it to.", callback=at_home)] = Path(),
) -> None:
    """Copy one, to change it."""
    from triglot import recipes

    typer.echo(recipes.copy(recipe, target))
