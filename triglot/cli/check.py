"""The command that checks a model for language bias."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from triglot.cli import complete
from triglot.cli.app import (
    Cache,
    Force,
    Json,
    Languages,
    Quiet,
    app,
    at_home,
    codes,
    listen,
    put,
    within,
)
from triglot.cli.computing import computes
from triglot.cli.given import refuse
from triglot.encoder.computing import USUAL, Computing
from triglot.ranges import Count, Seed
from triglot.search.modes import MODES

_MODES = " | ".join(mode.name for mode in MODES.own)


@app.command()
@computes
def check(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|INDEX",
            help="A model folder, a run folder, or a name on the Hugging Face Hub; or the folder of an index.",
            callback=at_home,
        ),
    ],
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on",
            metavar="[NAME=][FORMAT:]PATH",
            help="A benchmark: a path, or hub:OWNER/NAME:xx for a data set on the Hub. Can be given several times.",
            callback=at_home,
        ),
    ] = None,
    parallel: Annotated[
        str, typer.Option(help="Translations without judgements: line-aligned files, or pairs.", callback=at_home)
    ] = "",
    texts: Annotated[
        str,
        typer.Option(
            help="A collection of your own in several languages, without labels: CSV, JSONL, Parquet, ...",
            callback=at_home,
        ),
    ] = "",
    questions: Annotated[
        str, typer.Option(help="Questions to ask of --texts; by default drawn from the texts.", callback=at_home)
    ] = "",
    mode: Annotated[
        str, typer.Option(help=f"How an index is served, which the limits are for: {_MODES}; fair by default.")
    ] = "",
    model_name: Annotated[
        str,
        typer.Option("--model", help="The model of an index, where it is no longer in its place.", callback=at_home),
    ] = "",
    languages: Languages = "",
    sample: Annotated[
        int, typer.Option(help="Approximate number of texts to sample from the pool.", callback=within(Count))
    ] = 4000,
    full: Annotated[bool, typer.Option("--full", help="Use all texts and questions instead of a sample.")] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE=VALUE",
            help="Exit with status 1 if a measure is past this value. Can be given several times.",
            autocompletion=complete.limits,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write check.json and check.html to.", callback=at_home)
    ] = None,
    as_json: Json = False,
    seed: Annotated[int, typer.Option(help="Random seed of the sample.", callback=within(Seed))] = 1,
    cache: Cache = "",
    computing: Computing = USUAL,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Report in plain words how much a model, or the answers of an index, prefer some languages, and what would reduce
    it."""
    progress = listen(quiet)
    from triglot.check.settings import CheckSettings
    from triglot.commands.check import as_json as to_json
    from triglot.commands.check import check_model, limits_of
    from triglot.commands.sources import named_paths
    from triglot.index.places import is_index
    from triglot.report.terminal import print_lines

    amounts = {"passages": 0, "queries": 0} if full else {"passages": sample}
    settings = CheckSettings(**amounts, seed=seed)
    limits = limits_of(limit or [])
    more: dict[str, Any] = {
        "questions": questions,
        "languages": codes(languages),
        "settings": settings,
        "limits": limits,
        "computing": computing,
        "force": force,
    }
    if is_index(model):
        refuse(context, ("on", "parallel", "texts", "cache"), f"goes with a model, and {model} is an index")
        from triglot.commands.check_index import check_index

        reports = check_index(model, out, mode=mode, model=model_name, **more)
    else:
        refuse(context, ("mode", "model_name"), f"goes with an index, and {model} is none")
        given = {"on": named_paths(on or []), "parallel": parallel, "texts": texts, "cache": cache}
        reports = check_model(model, out, **given, progress=progress, **more)
    if as_json:
        put("check", to_json(model, reports, first=is_index(model)), out)
    else:
        for report in reports:
            questions_asked, passages = (report.check.counts[key] for key in ("queries", "passages"))
            lines = [f"{report.check.name} ({questions_asked:,} questions, {passages:,} texts)"]
            print_lines([*lines, *(f"  {sentence}" for sentence in report.verdict.sentences)], sys.stdout)
            if report.verdict.mend:
                typer.echo(f"  Mend it: {report.verdict.mend}")
            print_lines([f"  Note: {note}" for note in report.check.notes], sys.stdout)
    if out:
        typer.echo(f"report: {out / 'check.html'}", err=True)
    past = [line for report in reports for line in report.past]
    for line in past:
        typer.echo(f"triglot: {line}", err=True)
    if past:
        raise typer.Exit(1)
