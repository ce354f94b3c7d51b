"""Commands that make data: augment, lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import Quiet, app, listen, words


@app.command()
def augment(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="FORMAT=PATH of pairs that training reads, or a path that tells its format.")
    ],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="With --recipe: settings that replace the recipe's.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="A .jsonl file, or a folder for x1.jsonl, x2.jsonl, ...")] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND[,KIND...]", help="typo, insert, codeswitch, synonym, ...; several times.")
    ] = None,
    parts: Annotated[
        list[str] | None, typer.Option("--part", metavar="'KEY=VALUE ...'", help="'kinds=insert,swap rate=0.2 share=0.5'; several times.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Share of the words changed in a text.")] = 0.2,
    share: Annotated[float, typer.Option(help="Share of the texts changed in a copy.")] = 1.0,
    side: Annotated[str, typer.Option(help="query | passage | both")] = "query",
    into: Annotated[str, typer.Option(help="Languages that code-switching may use; by default all others.")] = "",
    mode: Annotated[
        str, typer.Option(help="Of code-switching: multilingual (a language a word) | bilingual (a language a text).")
    ] = "multilingual",
    lists: Annotated[str, typer.Option(help="Folder of word lists, for codeswitch and synonym.")] = "",
    half: Annotated[int | None, typer.Option(help="Only this half of the lists, 0 or 1, so that an attack can have the other.")] = None,
    recipe: Annotated[str, typer.Option(help="Take the changes from a recipe's key `augment`.")] = "",
    factor: Annotated[str, typer.Option(help="Sizes as multiples of the source; the larger contain the smaller.")] = "2",
    languages: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="Of the format's reader: unit=sentence.")
    ] = None,
    shape: Annotated[str, typer.Option(help="tevatron | flag | sentence-transformers")] = "tevatron",
    seed: Annotated[int | None, typer.Option(help="Of the draws.")] = None,
    sample: Annotated[int | None, typer.Option(help="Only show so many texts of each kind and language, before and after.")] = None,
    quiet: Quiet = False,
) -> None:
    """Write training pairs with changed copies: typos, code-switching, synonyms, translations."""
    progress = listen(quiet)
    import sys

    from triglot.study import augmenting

    job = augmenting.job(
        source,
        out,
        {"rate": rate, "share": share, "side": side, "into": words(into), "mode": mode, "lists": lists, "half": half},
        kinds=kinds or [],
        parts=parts or [],
        recipe=recipe,
        settings=settings or [],
        factor=words(factor),
        languages=words(languages),
        options=option or [],
        shape=shape,
        seed=seed,
        sample=sample,
    )
    told = augmenting.augment(job, progress=progress, stream=sys.stdout if sample is not None else None if quiet else sys.stderr)
    for name, one in told.get("files", {}).items():
        typer.echo(f"{out if out and out.name == name else out / name if out else name}: {one['lines']} lines, factor {one['factor']:g}")


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
