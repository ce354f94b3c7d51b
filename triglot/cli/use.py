"""Commands that use a model: encode, search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import ModelName, Quiet, app, listen


@app.command()
def encode(
    model: ModelName,
    texts: Annotated[str, typer.Argument(metavar="TEXTS", help="JSONL, TSV (id, text) or one text a line.")],
    out: Annotated[Path, typer.Option("--out", help="A .npy file; row i is text i.")],
    side: Annotated[str, typer.Option(help="query | passage")] = "passage",
    quiet: Quiet = False,
) -> None:
    """Encode texts into unit vectors."""
    progress = listen(quiet)
    from triglot.study.models import encode_file

    rows, dim = encode_file(model, texts, out, side=side, progress=progress)
    typer.echo(f"{out}: {rows} x {dim}")


@app.command()
def search(
    model: ModelName,
    passages: Annotated[str, typer.Argument(metavar="PASSAGES", help="JSONL, TSV (id, text) or one text a line.")],
    queries: Annotated[list[str], typer.Argument(metavar="QUERY...", help="What to search for.")],
    k: Annotated[int, typer.Option("-k", "--top", help="Passages a query.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    quiet: Quiet = False,
) -> None:
    """Search in a file of passages, exactly."""
    progress = listen(quiet)
    import json
    from dataclasses import asdict

    from triglot.study.models import search as find

    for query, hits in zip(queries, find(model, passages, queries, k=k, progress=progress), strict=True):
        if not as_json:
            typer.echo(query)
        for hit in hits:
            line = json.dumps({"query": query, **asdict(hit)}, ensure_ascii=False)
            typer.echo(line if as_json else f"{hit.rank:4d}  {hit.score:7.4f}  {hit.id}\t{hit.text}")
