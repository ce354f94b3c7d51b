"""Commands that inspect data and recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import RecipeName, Settings, at_home, data_app, recipes_app


@data_app.command("inspect")
def data_inspect(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files or folders of training data.", callback=at_home)
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--eval",
            help="Evaluation data: report how much of it occurs in the training data. Can be given several times.",
            callback=at_home,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat a record that cannot be used as an error.")] = False,
) -> None:
    """Show the format, languages, counts, parallel coverage, duplicates and leakage of data."""
    import json

    from triglot.corpus.inspect import inspect_paths, render

    report = inspect_paths(paths, against or [], strict=strict)
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else render(report))


@recipes_app.command("ls")
def recipes_ls() -> None:
    """List the recipes that come with Triglot."""
    from triglot import recipes

    for name in recipes.names():
        typer.echo(f"{name:14s}  {recipes.summary(recipes.find(name))}")


@recipes_app.command("show")
def recipes_show(
    recipe: RecipeName,
    settings: Settings = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print every setting, including defaults and what KEY=VALUE overrides.")
    ] = False,
) -> None:
    """Print a recipe."""
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
    """Copy a recipe, as a start for one of your own."""
    from triglot import recipes

    typer.echo(recipes.copy(recipe, target))
