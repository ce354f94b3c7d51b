"""Commands that make data: augment, mine, lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import Force, ListsFolder, Quiet, app, at_home, codes, listen, within, words
from triglot.ranges import Beams, Count, Half, MostWords, Seed, Several, Share


@app.command()
def augment(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="FORMAT=PATH of pairs that training reads, or a path that tells its format.", callback=at_home
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="With --recipe: settings that replace the recipe's.", callback=at_home),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A .jsonl file, or a folder for x1.jsonl, x2.jsonl, ...", callback=at_home)
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND[,KIND...]", help="typo, insert, codeswitch, synonym, ...; several times.")
    ] = None,
    parts: Annotated[
        list[str] | None, typer.Option("--part", metavar="'KEY=VALUE ...'", help="'kinds=insert,swap rate=0.2 share=0.5'; several times.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Share of the words changed in a text.", callback=within(Share))] = 0.2,
    share: Annotated[float, typer.Option(help="Share of the texts changed in a copy.", callback=within(Share))] = 1.0,
    side: Annotated[str, typer.Option(help="query | passage | both")] = "query",
    into: Annotated[str, typer.Option(help="Languages to translate into, and those that code-switching may use.")] = "",
    mode: Annotated[
        str, typer.Option(help="Of code-switching: multilingual (a language a word) | bilingual (a language a text).")
    ] = "multilingual",
    lists: ListsFolder = "",
    half: Annotated[
        int | None, typer.Option(help="Only this half of the lists, 0 or 1, so that an attack can have the other.", callback=within(Half))
    ] = None,
    recipe: Annotated[str, typer.Option(help="Take the changes from a recipe's key `augment`.", callback=at_home)] = "",
    factor: Annotated[str, typer.Option(help="Sizes as multiples of the source, 1,2,4,8; the larger contain the smaller.")] = "",
    translate: Annotated[
        str, typer.Option(metavar="DIR", help="Folder of a Marian, M2M100, NLLB or mBART model; needs --into.", callback=at_home)
    ] = "",
    translate_side: Annotated[str, typer.Option(help="Whose texts are translated: query | passage | both")] = "both",
    beams: Annotated[int, typer.Option(help="Of the search for translations.", callback=within(Beams))] = 4,
    cache: Annotated[str, typer.Option(metavar="FILE", help="Where translations are kept; by default beside OUT.", callback=at_home)] = "",
    languages: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="Of the format's reader: unit=sentence.", callback=at_home)
    ] = None,
    shape: Annotated[str, typer.Option(help="tevatron | flag | sentence-transformers")] = "tevatron",
    seed: Annotated[int | None, typer.Option(help="Of the draws.", callback=within(Seed))] = None,
    sample: Annotated[
        int | None, typer.Option(help="Only show so many texts of each kind and language, before and after.", callback=within(Count))
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write training pairs with changed copies: typos, code-switching, synonyms, translations."""
    progress = listen(quiet)
    import sys

    from triglot.commands import augment as augmenting

    job = augmenting.job(
        source,
        out,
        {"rate": rate, "share": share, "side": side, "into": codes(into), "mode": mode, "lists": lists, "half": half},
        kinds=kinds or [],
        parts=parts or [],
        recipe=recipe,
        settings=settings or [],
        factor=words(factor),
        languages=codes(languages),
        options=option or [],
        shape=shape,
        seed=seed,
        sample=sample,
        translation={"translate": translate, "translated": translate_side, "beams": beams, "cache": cache} if translate else None,
    )
    told = augmenting.augment(
        job, force=force, progress=progress, stream=sys.stdout if sample is not None else None if quiet else sys.stderr
    )
    for name, one in told.get("files", {}).items():
        typer.echo(f"{out if out and out.name == name else out / name if out else name}: {one['lines']} lines, factor {one['factor']:g}")


@app.command()
def mine(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="FORMAT=PATH of pairs that training reads, or a path that tells its format.", callback=at_home
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="A .jsonl file; what was found is told in FILE.report.json.", callback=at_home)],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="negatives=8 languages=balanced margin=0.1 skip=5 depth=200 sampling=random ..."),
    ] = None,
    model: Annotated[str, typer.Option(help="A model or run folder, a hub name, bm25 or random.", callback=at_home)] = "",
    layout: Annotated[str, typer.Option(help="pairs | flag (FlagEmbedding) | sentence-transformers")] = "pairs",
    languages: Annotated[str, typer.Option(help="Read only these, parted by commas.")] = "",
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="Of the format's reader: unit=sentence.", callback=at_home)
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write training pairs with hard negatives: passages that a model or BM25 takes for answers."""
    progress = listen(quiet)
    from triglot.commands.mine import mine_source, settings_of
    from triglot.settings import key_values

    chosen = settings_of(settings or [], model)
    more = {"model": model, "layout": layout, "languages": codes(languages), "options": key_values(option or [])}
    told = mine_source(source, out, chosen, force=force, progress=progress, **more)
    typer.echo(f"{out}: {told['written']} lines, {told['negatives']} negatives")


@app.command()
def lists(
    paths: Annotated[
        list[str], typer.Argument(metavar="DATA...", help="Translations, or anything else in several languages.", callback=at_home)
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the lists, xx-yy.txt.", callback=at_home)],
    pivot: Annotated[str, typer.Option(help="The language that all lists go through.")] = "en",
    languages: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    score: Annotated[
        float, typer.Option(help="How sure an entry must be, 0 to 1: higher is more precise and knows fewer words.", callback=within(Share))
    ] = 0.1,
    most: Annotated[int, typer.Option(help="Translations of a word.", callback=within(MostWords))] = 3,
    least: Annotated[int, typer.Option(help="Pairs of sentences that a word must occur in.", callback=within(Several))] = 2,
    against: Annotated[str, typer.Option(help="Folder of known lists: print how far they agree.", callback=at_home)] = "",
    format: Annotated[str, typer.Option(help="Of the data; by default told from the names.")] = "",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Learn word lists from translations, for code-switching and synonyms."""
    listen(quiet)
    from triglot.augment.learn import LearnSettings
    from triglot.commands.lists import lists_from, verdict_lines

    settings = LearnSettings(score=score, most=most, least=least)
    verdicts = lists_from(paths, out, settings, pivot=pivot, languages=codes(languages), format=format, against=against, force=force)
    for line in verdict_lines(verdicts) if verdicts else ():
        typer.echo(line)
    typer.echo(out)
