"""Commands of an index: index, serve."""

from __future__ import annotations

from typing import Annotated

import typer

from triglot.cli.app import Cache, Command, Force, Json, Quiet, app, at_home, codes, listen, put, within
from triglot.cli.computing import computes
from triglot.cli.given import refuse
from triglot.debias.methods import METHODS
from triglot.encoder.computing import USUAL, Computing
from triglot.index.settings import KINDS
from triglot.ranges import Port, Share

OF_MAKING = ("kind", "recall", "debias", "strength", "words")  # parameters that say how an index is built
OF_PASSAGES = ("add", "languages", "cache", "device", "batch_size", "precision", "backend")


@app.command(cls=Command)
@computes
def index(
    context: typer.Context,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="PLACE",
            help="Folder of the index, or a collection of a vector database: milvus://HOST:PORT/NAME, "
            "qdrant://HOST:PORT/NAME, with +https, or +file:PATH/NAME for the embedded ones.",
            callback=at_home,
        ),
    ],
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="A model or run folder, or a hub name.", callback=at_home)
    ] = "",
    passages: Annotated[
        str,
        typer.Argument(
            metavar="[PASSAGES]",
            help="A file of passages: JSON lines, JSON, Parquet, CSV, TSV, or .txt with one passage per line; columns "
            "beside id, text, lang and group are kept to filter by.",
            callback=at_home,
        ),
    ] = "",
    add: Annotated[
        bool, typer.Option("--add", help="Add the passages to the index that is there; the same id is replaced.")
    ] = False,
    delete: Annotated[
        str, typer.Option(metavar="FILE", help="Delete the passages whose ids a file names.", callback=at_home)
    ] = "",
    compact: Annotated[
        bool, typer.Option("--compact", help="Write the index anew, without what was deleted or replaced.")
    ] = False,
    propose_groups: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Write passages that may be translations of one another to a file of JSON lines, for review.",
            callback=at_home,
        ),
    ] = "",
    accept_groups: Annotated[
        str, typer.Option(metavar="FILE", help="Make groups of the pairs in a file.", callback=at_home)
    ] = "",
    kind: Annotated[str, typer.Option(help=f"Kind of index: {' | '.join(KINDS)}; auto chooses by size.")] = "auto",
    recall: Annotated[
        float,
        typer.Option(help="Share of the exact first ten that an approximate index must find.", callback=within(Share)),
    ] = 0.95,
    debias: Annotated[
        str,
        typer.Option(
            help="Fit this method on the passages, for a model without a step of its own: "
            f"{' | '.join(method.name for method in METHODS.own if not method.pairs)}."
        ),
    ] = "",
    strength: Annotated[
        float,
        typer.Option(
            help="How much of the debiasing to apply; vectors are kept as they were too.", callback=within(Share)
        ),
    ] = 1.0,
    words: Annotated[bool, typer.Option(help="Keep words as well, for hybrid search.")] = True,
    languages: Annotated[
        str, typer.Option("--languages", help="Languages to choose from where a passage names none.")
    ] = "",
    cache: Cache = "",
    as_json: Json = False,
    computing: Computing = USUAL,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Build an index to search in; add and delete passages; find translations."""
    progress = listen(quiet)
    from triglot.commands import index as work
    from triglot.files import InputError
    from triglot.index.places import open_index
    from triglot.index.settings import IndexSettings

    asked = [
        name
        for name, told in (
            ("PASSAGES", passages),
            ("--delete", delete),
            ("--compact", compact),
            ("--propose-groups", propose_groups),
            ("--accept-groups", accept_groups),
        )
        if told
    ]
    if len(asked) != 1 or bool(model) != bool(passages):
        raise InputError(
            "index: give MODEL PASSAGES --out FOLDER, with --add to add to it; or --out FOLDER with one of --delete, "
            f"--compact, --propose-groups, --accept-groups; given: {', '.join(asked) or 'none of them'}"
        )
    if add or not passages:
        refuse(context, OF_MAKING, "belongs to the making of an index; the one that is there stays as it was built")
    if add or not (passages or propose_groups):
        refuse(context, ["force"], "replaces an index or a file of proposals; nothing is replaced here")
    if not passages:
        refuse(context, OF_PASSAGES, "goes with MODEL PASSAGES")
    done = ""
    if passages:
        settings = IndexSettings(kind=kind, recall=recall, strength=strength, lexical=words)  # type: ignore[arg-type]
        more = {
            "add": add,
            "cache": cache,
            "force": force,
            "progress": progress,
            "debias": debias,
            "computing": computing,
        }
        work.make_index(model, passages, out, settings, languages=codes(languages), **more)
    elif delete:
        gone, named = work.delete_passages(out, delete)
        done = f"{out}: {gone} of {named} passages deleted"
    elif propose_groups:
        count = work.propose_groups(out, propose_groups, force=force)
        done = f"{propose_groups}: {count} pairs to look through; --accept-groups takes what is left of them"
    elif accept_groups:
        done = f"{out}: {work.accept_groups(out, accept_groups)} passages have another group"
    else:
        open_index(out).compact()
    stats = open_index(out, verify=False).stats()
    if as_json:
        return put("index", stats, out)
    if done:
        typer.echo(done)
    typer.echo(f"{out}: {work.in_words(stats)}")


@app.command(cls=Command)
@computes
def serve(
    place: Annotated[
        str,
        typer.Argument(
            metavar="[INDEX]",
            help="The index to serve: a folder, or an address as `index --out` takes it.",
            callback=at_home,
        ),
    ] = "",
    host: Annotated[str, typer.Option(help="Address to listen at; by default this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at; 0 for any that is free.", callback=within(Port))] = 8000,
    tokens: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="File with the SHA-256 of each token that may write; without it nobody may.",
            callback=at_home,
        ),
    ] = "",
    new_token: Annotated[
        str,
        typer.Option(metavar="FILE", help="Make a token, print it, add its hash to a file, and end.", callback=at_home),
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Limits of the service, such as rate=200 (requests of a client a second), seconds=10, body=1000000.",
        ),
    ] = None,
    reranker: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder of a cross-encoder that /rerank goes by; without it the vectors of the index's model do.",
            callback=at_home,
        ),
    ] = "",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name by which requests may call the service, beside localhost.")
    ] = None,
    log_queries: Annotated[
        bool, typer.Option("--log-queries", help="Write the texts of questions into the log.")
    ] = False,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Serve the Model Context Protocol on stdin and stdout, and no HTTP.")
    ] = False,
    model_name: Annotated[
        str,
        typer.Option("--model", help="The model of the index, where it is no longer in its place.", callback=at_home),
    ] = "",
    computing: Computing = USUAL,
    quiet: Quiet = False,
) -> None:
    """Serve an index over HTTP: a search page, search, embeddings, rerank, documents, bias, metrics."""
    listen(quiet)
    from triglot.commands import index as work
    from triglot.document import Document, key_values
    from triglot.files import InputError
    from triglot.search.searcher import Searcher
    from triglot.serve.settings import ServeSettings
    from triglot.serve.tokens import Tokens, make_token
    from triglot.settings import build

    if new_token:
        return typer.echo(make_token(new_token))
    if not place:
        raise InputError("Missing argument 'INDEX': give the folder of an index, or an address")
    unused = {"--tokens": tokens, "--reranker": reranker, "KEY=VALUE": settings, "--log-queries": log_queries}
    if mcp and any(unused.values()):
        raise InputError(f"--mcp: serves no HTTP; leave out {', '.join(name for name, told in unused.items() if told)}")
    read = Tokens.read(tokens) if tokens else Tokens()
    names = (*ServeSettings().hosts, *(allow_host or ()), *([] if host in ("0.0.0.0", "::") else [host]))
    told = {"hosts": list(names), **key_values(settings or [])} | ({"log_queries": True} if log_queries else {})
    allowed = build(ServeSettings, Document(told, "serve"))
    score = None
    if reranker:
        from triglot.commands.models import load_cross_encoder

        score = load_cross_encoder(reranker, computing)
    index, encoder = work.open_searched(place, model=model_name, computing=computing)
    searcher = Searcher(encoder, index)
    if mcp:
        from triglot.serve.agents import create_server

        return create_server(searcher).run("stdio")
    from triglot.serve.run import serve as run

    name = work.name_of(place)
    run(searcher, allowed, host=host, port=port, tokens=read, reranker=score, name=name, quiet=quiet)
