"""Commands that use a model: encode, search, debias."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import Force, ModelName, Quiet, app, at_home, codes, listen, one_line, within
from triglot.language_tags import language
from triglot.ranges import Count, Rank, Seed, Top


@app.command()
def encode(
    model: ModelName,
    texts: Annotated[
        str, typer.Argument(metavar="TEXTS", help="JSONL, JSON, Parquet, CSV, TSV, or a .txt of one text a line.", callback=at_home)
    ],
    out: Annotated[Path, typer.Option("--out", help="A .npy file; row i is text i.", callback=at_home)],
    side: Annotated[str, typer.Option(help="query | passage")] = "passage",
    lang: Annotated[str, typer.Option(help="Language of the texts, for a model debiased by language; by default told from each.")] = "",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Encode texts into unit vectors."""
    progress = listen(quiet)
    from triglot.commands.encode import encode_file

    rows, dim = encode_file(model, texts, out, side=side, lang=lang, force=force, progress=progress)
    typer.echo(f"{out}: {rows} x {dim}")


@app.command()
def search(
    model: ModelName,
    passages: Annotated[
        str, typer.Argument(metavar="PASSAGES", help="JSONL, JSON, Parquet, CSV, TSV, or a .txt of one text a line.", callback=at_home)
    ],
    queries: Annotated[list[str], typer.Argument(metavar="QUERY...", help="What to search for.")],
    k: Annotated[int, typer.Option("-k", "--top", help="Passages a query.", callback=within(Top))] = 10,
    lang: Annotated[str, typer.Option(help="Language of the passages, for a model debiased by language; by default told from each.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    quiet: Quiet = False,
) -> None:
    """Search in a file of passages, exactly."""
    progress = listen(quiet)
    import json
    from dataclasses import asdict

    from triglot.commands.search import search as find

    for query, hits in zip(queries, find(model, passages, queries, k=k, lang=lang, progress=progress), strict=True):
        if not as_json:
            typer.echo(query)
        for hit in hits:
            line = json.dumps({"query": query, **asdict(hit)}, ensure_ascii=False)
            typer.echo(line if as_json else f"{hit.rank:4d}  {hit.score:7.4f}  {one_line(hit.id)}\t{one_line(hit.text)}")


@app.command()
def debias(
    model: ModelName,
    texts: Annotated[
        str, typer.Argument(metavar="DATA", help="Training data in several languages; its texts are the sample.", callback=at_home)
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new model.", callback=at_home)],
    method: Annotated[str, typer.Option(help="centre | lir | lsar | shift")] = "lsar",
    rank: Annotated[int, typer.Option(help="Directions that lir and lsar remove; 0: their default.", callback=within(Rank))] = 0,
    sample: Annotated[int, typer.Option("--texts", help="Texts of each language at most.", callback=within(Count))] = 10_000,
    pivot: Annotated[str, typer.Option(help="Language whose vectors `shift` leaves as they are.")] = "en",
    held_out: Annotated[
        list[str] | None,
        typer.Option("--held-out", metavar="NAME=PATH", help="A benchmark whose texts must not be used.", callback=at_home),
    ] = None,
    format: Annotated[str, typer.Option(help="Of the data; by default told from the files.")] = "",
    languages: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    seed: Annotated[int, typer.Option(help="Of the sample.", callback=within(Seed))] = 1,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Take the language out of a model's vectors, without training."""
    progress = listen(quiet)
    from triglot.commands.debias import debias_model
    from triglot.commands.sources import named_paths

    line = debias_model(
        model,
        texts,
        out,
        {"method": method, "rank": rank, "texts": sample, "pivot": language(pivot)},
        format=format,
        languages=codes(languages),
        held_out=named_paths(held_out or [], "--held-out"),
        seed=seed,
        force=force,
        progress=progress,
    )
    typer.echo(f"{out}: {line}")
