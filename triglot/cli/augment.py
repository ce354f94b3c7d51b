"""Commands that make data: augment, mine, lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import (
    Command,
    Force,
    Format,
    Json,
    Languages,
    ListsFolder,
    Pairs,
    Quiet,
    ReaderOptions,
    app,
    at_home,
    codes,
    listen,
    put,
    within,
    words,
)
from triglot.cli.computing import computes
from triglot.cli.given import refuse
from triglot.encoder.computing import USUAL, Computing
from triglot.ranges import Beams, Count, Half, MostWords, Seed, Several, Share

SIDES = "query | passage | both"
OF_KINDS = ("rate", "share", "mode")  # parameters that go with --kind alone
OF_CHANGES = ("side", "lists", "lexicon_split")  # and those that go with --part too
LAYOUTS = "tevatron | flag (FlagEmbedding) | sentence-transformers"


@app.command(cls=Command)
def augment(
    context: typer.Context,
    source: Pairs,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="With --recipe: settings that override the recipe.", callback=at_home),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The .jsonl file to write, or a folder for x1.jsonl, x2.jsonl, ...", callback=at_home
        ),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="KIND[,KIND...]",
            help="Kind of change: typo, insert, codeswitch, synonym, ... Can be given several times.",
        ),
    ] = None,
    parts: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            metavar="'KEY=VALUE ...'",
            help="Kinds with settings of their own, such as 'kinds=insert,swap rate=0.2 share=0.5'. Can be given "
            "several times.",
        ),
    ] = None,
    rate: Annotated[float, typer.Option(help="Share of the words to change in a text.", callback=within(Share))] = 0.2,
    share: Annotated[float, typer.Option(help="Share of the texts to change in a copy.", callback=within(Share))] = 1.0,
    side: Annotated[str, typer.Option(help=f"Whose texts are changed: {SIDES}.")] = "query",
    into: Annotated[
        str,
        typer.Option(
            help="Languages to translate into, and those that code-switching may use, a comma-separated list of codes."
        ),
    ] = "",
    mode: Annotated[
        str,
        typer.Option(
            help="How code-switching chooses languages: multilingual (one per word) | bilingual (one per text)."
        ),
    ] = "multilingual",
    lists: ListsFolder = "",
    lexicon_split: Annotated[
        int | None,
        typer.Option(
            "--lexicon-split",
            help="Use only this half of the word lists, 0 or 1, so that an attack can use the other half.",
            callback=within(Half),
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="Take the changes from the key `augment` of a recipe.", callback=at_home)
    ] = "",
    factor: Annotated[
        str,
        typer.Option(
            help="Sizes to write, as multiples of the source, such as 1,2,4,8; larger files contain the smaller ones."
        ),
    ] = "",
    translation_model: Annotated[
        str,
        typer.Option(
            "--translation-model",
            metavar="DIR",
            help="Folder of a Marian, M2M100, NLLB or mBART model to translate with; needs --into.",
            callback=at_home,
        ),
    ] = "",
    translate_side: Annotated[str, typer.Option(help=f"Whose texts are translated: {SIDES}.")] = "both",
    num_beams: Annotated[
        int, typer.Option("--num-beams", help="Number of beams when translating.", callback=within(Beams))
    ] = 4,
    cache: Annotated[
        str,
        typer.Option(
            "--translation-cache",
            metavar="FILE",
            help="File that keeps the translations; by default beside the output.",
            callback=at_home,
        ),
    ] = "",
    languages: Languages = "",
    option: ReaderOptions = None,
    output_format: Annotated[
        str, typer.Option("--output-format", help=f"Format of the output: {LAYOUTS}.")
    ] = "tevatron",
    seed: Annotated[
        int | None, typer.Option(help="Random seed; by default the recipe's, or 1.", callback=within(Seed))
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            "--examples",
            help="Write nothing, and show this many texts of each kind and language before and after the change.",
            callback=within(Count),
        ),
    ] = None,
    as_json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write training pairs with changed copies: typos, code-switching, synonyms, translations."""
    progress = listen(quiet)
    import io
    import sys

    from triglot.commands import augment as augmenting

    languages_too = () if translation_model else ("into",)
    if recipe:
        refuse(
            context,
            (*OF_KINDS, *OF_CHANGES, *languages_too),
            "goes with --kind; the recipe's key `augment` has its own",
        )
    elif not kinds:
        refuse(context, (*OF_KINDS, *languages_too), f"goes with --kind{'; a --part has its own' if parts else ''}")
    if not translation_model:
        refuse(context, ("translate_side", "num_beams", "cache"), "goes with --translation-model")
    translation = {"translate": translation_model, "translated": translate_side, "beams": num_beams, "cache": cache}
    job = augmenting.job(
        source,
        out,
        {
            "rate": rate,
            "share": share,
            "side": side,
            "into": codes(into),
            "mode": mode,
            "lists": lists,
            "half": lexicon_split,
        },
        kinds=kinds or [],
        parts=parts or [],
        recipe=recipe,
        settings=settings or [],
        factor=words(factor),
        languages=codes(languages),
        options=option or [],
        output_format=output_format,
        seed=seed,
        sample=sample,
        translation=translation if translation_model else None,
    )
    examples_to = None if quiet else sys.stderr
    if sample is not None:
        examples_to = io.StringIO() if as_json else sys.stdout
    report = augmenting.augment(job, force=force, progress=progress, stream=examples_to)
    if as_json:
        shown = {"examples": examples_to.getvalue().splitlines()} if isinstance(examples_to, io.StringIO) else {}
        return put("augment", {**report, **shown}, out)
    for name, file in report.get("files", {}).items():
        path = out if out is None or out.name == name else out / name
        typer.echo(f"{path}: {file['lines']} lines, factor {file['factor']:g}")


@app.command(cls=Command)
@computes
def mine(
    source: Pairs,
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="The .jsonl file to write; FILE.report.json beside it holds statistics.", callback=at_home
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Settings of the search for negatives, such as negatives=8 negative_languages=balanced margin=0.1 "
            "skip=5.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="Model to search with: a model folder, a run folder, a name on the Hugging Face Hub, bm25 or random.",
            callback=at_home,
        ),
    ] = "",
    output_format: Annotated[
        str, typer.Option("--output-format", help=f"Format of the output: {LAYOUTS}.")
    ] = "tevatron",
    languages: Languages = "",
    option: ReaderOptions = None,
    as_json: Json = False,
    computing: Computing = USUAL,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write training pairs with hard negatives: passages that a model or BM25 mistakes for answers."""
    progress = listen(quiet)
    from triglot.commands.mine import mine_source, settings_of
    from triglot.document import key_values

    report = mine_source(
        source,
        out,
        settings_of(settings or [], model),
        model=model,
        output_format=output_format,
        languages=codes(languages),
        options=key_values(option or []),
        computing=computing,
        force=force,
        progress=progress,
    )
    if as_json:
        return put("mine", report, out)
    typer.echo(f"{out}: {report['written']} lines, {report['negatives']} negatives")


@app.command(cls=Command)
def lists(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...", help="Translations, or any other training data in several languages.", callback=at_home
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder to write the word lists to, as xx-yy.txt.", callback=at_home)
    ],
    pivot: Annotated[str, typer.Option(help="Language that is one side of every list.")] = "en",
    languages: Languages = "",
    min_score: Annotated[
        float,
        typer.Option(
            "--min-score",
            help="Minimum confidence of an entry, from 0 to 1; a higher one gives fewer but more precise entries.",
            callback=within(Share),
        ),
    ] = 0.1,
    max_translations: Annotated[
        int,
        typer.Option(
            "--max-translations", help="Maximum number of translations of a word.", callback=within(MostWords)
        ),
    ] = 3,
    min_count: Annotated[
        int,
        typer.Option(
            "--min-count", help="Minimum number of sentence pairs that a word occurs in.", callback=within(Several)
        ),
    ] = 2,
    against: Annotated[
        str,
        typer.Option(
            help="Folder of reference lists: print how far the learned ones agree with them.", callback=at_home
        ),
    ] = "",
    format: Format = "",
    as_json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Learn bilingual word lists from translations, for code-switching and synonyms."""
    listen(quiet)
    from triglot.augment.learn import LearnSettings
    from triglot.commands.lists import lists_from, verdict_lines

    settings = LearnSettings(min_score=min_score, max_translations=max_translations, min_count=min_count)
    verdicts = lists_from(
        paths, out, settings, pivot=pivot, languages=codes(languages), format=format, against=against, force=force
    )
    if as_json:
        return put("lists", {"against": {"-".join(pair): one for pair, one in verdicts.items()}}, out)
    for line in verdict_lines(verdicts) if verdicts else ():
        typer.echo(line)
    typer.echo(out)
