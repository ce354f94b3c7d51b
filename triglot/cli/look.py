"""Commands that inspect data and recipes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import (
    Columns,
    Command,
    Force,
    Json,
    Languages,
    Out,
    Quiet,
    RecipeName,
    Settings,
    at_home,
    codes,
    data_app,
    listen,
    put,
    recipes_app,
    within,
)
from triglot.ranges import Seed, Several, Share


@data_app.command("inspect", cls=Command)
def data_inspect(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="DATA...", help="Training data: [FORMAT:]PATH of files or folders.", callback=at_home),
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--on",
            metavar="[NAME=][FORMAT:]PATH",
            help="Evaluation data: report how much of it occurs in the training data. Can be given several times.",
            callback=at_home,
        ),
    ] = None,
    as_json: Json = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat a record that cannot be used as an error.")] = False,
    quiet: Quiet = False,
) -> None:
    """Show the format, languages, counts, parallel coverage, duplicates and leakage of data."""
    listen(quiet)
    from triglot.commands.sources import named_paths
    from triglot.corpus.inspect import inspect_paths, render
    from triglot.report.terminal import print_lines

    report = inspect_paths(paths, list(named_paths(against or []).values()), strict=strict)
    if as_json:
        return put("data inspect", report)
    print_lines(render(report).splitlines(), sys.stdout)


@data_app.command("describe")
def data_describe(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Tables of articles and of clicks: CSV, TSV, JSON lines, JSON, Parquet or a workbook (.xlsx).",
            callback=at_home,
        ),
    ],
    columns: Columns = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Guess what the columns of your own tables are, and print it as YAML to look at and keep."""
    listen(quiet)
    from triglot.commands.data import described, guess_lines

    text, guesses = described(paths, columns or [])
    if as_json:
        from triglot.document import parse_yaml

        return put("data describe", parse_yaml(text, "data.yaml").value)
    typer.echo(text, nl=False)
    if not quiet:
        typer.echo("\n".join(guess_lines(guesses)), err=True)


@data_app.command("prepare")
def data_prepare(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="A description that `triglot data describe` wrote, or the tables themselves.",
            callback=at_home,
        ),
    ],
    out: Out,
    columns: Columns = None,
    languages: Languages = "",
    test_size: Annotated[
        float | None,
        typer.Option(
            help="Share of the clicked articles that is kept for the benchmark; by default 0.2.", callback=within(Share)
        ),
    ] = None,
    min_clicks: Annotated[
        int | None,
        typer.Option(
            help="Clicks from which on a question belongs to an article; by default 1.", callback=within(Several)
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed of the draw.", callback=within(Seed))] = None,
    as_json: Json = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat a row that cannot be used as an error.")] = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Make training pairs and a benchmark of articles and the clicks of a search log."""
    listen(quiet)
    from triglot.commands.data import next_steps, prepare_data
    from triglot.report.terminal import print_lines

    made = prepare_data(
        paths,
        out,
        columns=columns or [],
        languages=codes(languages) or None,
        test_size=test_size,
        min_clicks=min_clicks,
        seed=seed,
        strict=strict,
        force=force,
    )
    if as_json:
        return put("data prepare", made.report, out)
    print_lines(str(made).splitlines(), sys.stdout)
    if not quiet:
        typer.echo("\n".join(["", *next_steps(out)]), err=True)


@recipes_app.command("ls")
def recipes_ls(as_json: Json = False, quiet: Quiet = False) -> None:
    """List the recipes and studies that come with Triglot."""
    listen(quiet)
    from triglot import recipes

    found = {name: recipes.summary(recipes.find(name)) for name in recipes.names()}
    studies = {name: recipes.summary(recipes.find(name, studies=True)) for name in recipes.study_names()}
    if as_json:
        return put("recipes ls", {"recipes": found, "studies": studies})
    for name, summary in found.items():
        typer.echo(f"{name:14s}  {summary}")
    typer.echo("\nstudies, `triglot study NAME --size smoke|cpu|full`:")
    for name, summary in studies.items():
        typer.echo(f"{name:16s}  {summary}")


@recipes_app.command("show")
def recipes_show(
    recipe: RecipeName,
    settings: Settings = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print every setting, including defaults and what KEY=VALUE overrides.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print a recipe."""
    listen(quiet)
    from triglot import recipes

    if resolved or settings or as_json:
        from triglot.recipe import load_recipe, to_yaml

        loaded = load_recipe(recipe, settings or [])
        if as_json:
            return put("recipes show", {"recipe": loaded})
        typer.echo(to_yaml(loaded), nl=False)
    else:
        typer.echo(recipes.find(recipe, studies=True).read_text(encoding="utf-8"), nl=False)


@recipes_app.command("cp")
def recipes_cp(
    recipe: RecipeName,
    target: Annotated[Path, typer.Argument(help="File or folder to copy it to.", callback=at_home)] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Replace a copy that is as it was written; no other file is ever replaced.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Copy a recipe, as a start for one of your own."""
    listen(quiet)
    from triglot import recipes

    place = recipes.copy(recipe, target, force=force)
    if as_json:
        return put("recipes cp", {"recipe": recipe}, place)
    typer.echo(place)
