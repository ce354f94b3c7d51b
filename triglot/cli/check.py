"""The command that tells whether a model prefers languages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import Force, ModelName, Quiet, app, at_home, codes, listen, within
from triglot.ranges import Count, Seed


@app.command()
def check(
    model: ModelName,
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on",
            metavar="NAME=PATH",
            help="A benchmark, a path or hub:OWNER/NAME:xx; several times.",
            callback=at_home,
        ),
    ] = None,
    parallel: Annotated[str, typer.Option(help="Translations without judgements: line-aligned files, or pairs.", callback=at_home)] = "",
    texts: Annotated[
        str,
        typer.Option(
            help="A collection of your own in several languages, without labels: CSV, JSONL, Parquet, ...",
            callback=at_home,
        ),
    ] = "",
    questions: Annotated[str, typer.Option(help="Questions for --texts; by default drawn from them.", callback=at_home)] = "",
    languages: Annotated[str, typer.Option(help="Only these languages, comma-separated.")] = "",
    sample: Annotated[int, typer.Option(help="Texts of the pool that are looked at, about.", callback=within(Count))] = 4000,
    full: Annotated[bool, typer.Option("--full", help="Look at all texts and questions.")] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="MEASURE=VALUE", help="End with status 1 where a measure is past this value; several times."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for check.json and check.html.", callback=at_home)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print check.json instead of the verdict.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the sample.", callback=within(Seed))] = 1,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Tell in plain words how much a model prefers languages, and what would mend it."""
    progress = listen(quiet)
    import json

    from triglot.check.settings import FULL, CheckSettings
    from triglot.commands.check import as_json as to_json
    from triglot.commands.check import check_model
    from triglot.commands.sources import named_paths
    from triglot.settings import key_values

    settings = FULL if full else CheckSettings(passages=sample, seed=seed)
    limits = key_values(limit or [])
    found = check_model(
        model,
        out,
        on=named_paths(on or []),
        parallel=parallel,
        texts=texts,
        questions=questions,
        languages=codes(languages),
        settings=settings,
        limits=limits,
        force=force,
        progress=progress,
    )
    if as_json:
        typer.echo(json.dumps(to_json(model, found), indent=1, ensure_ascii=False))
    else:
        for one in found:
            typer.echo(f"{one.check.name} ({one.check.counts['queries']:,} questions, {one.check.counts['passages']:,} texts)")
            for sentence in one.verdict.sentences:
                typer.echo(f"  {sentence}")
            if one.verdict.mend:
                typer.echo(f"  Mend it: {one.verdict.mend}")
            for note in one.check.notes:
                typer.echo(f"  Note: {note}")
    if out:
        typer.echo(f"report: {out / 'check.html'}", err=True)
    past = [line for one in found for line in one.past]
    for line in past:
        typer.echo(f"triglot: {line}", err=True)
    if past:
        raise typer.Exit(1)
