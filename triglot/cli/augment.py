"""Commands that make data: lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import Quiet, app, listen, words


@app.command()
def lists(
    paths: Annotated[list[str], typer.Argument(metavar="DATA...", help="Translations, or anything else in several languages.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the lists, xx-yy.txt.")],
    pivot: Annotated[str, typer.Option(help="The language that all lists go through.")] = "en",
    languages: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    score: Annotated[float, typer.Option(help="How sure an entry must be, 0 to 1: higher is more precise and knows fewer words.")] = 0.1,
    most: Annotated[int, typer.Option(help="Translations of a word.")] = 3,
    least: Annotated[int, typer.Option(help="Pairs of sentences that a word must occur in.")] = 2,
    against: Annotated[str, typer.Option(help="Folder of known lists: print how far they agree.")] = "",
    format: Annotated[str, typer.Option(help="Of the data; by default told from the names.")] = "",
    quiet: Quiet = False,
) -> None:
    """Learn word lists from translations, for code-switching and synonyms."""
    listen(quiet)
    from triglot.augment.learn import LearnSettings
    from triglot.study.wordlists import lists_from, verdict_lines

    settings = LearnSettings(score=score, most=most, least=least)
    verdicts = lists_from(paths, out, settings, pivot=pivot, languages=words(languages), format=format, against=against)
    for line in verdict_lines(verdicts) if verdicts else ():
        typer.echo(line)
    typer.echo(out)
