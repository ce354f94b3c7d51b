"""Commands that use a model: encode, search, debias."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from triglot.cli import complete
from triglot.cli.app import (
    Cache,
    Columns,
    Command,
    Force,
    Format,
    Json,
    LanguageOfTexts,
    Languages,
    ModelName,
    Passages,
    Quiet,
    TextFile,
    app,
    at_home,
    codes,
    listen,
    one_line,
    print_hit,
    put,
    within,
)
from triglot.cli.computing import computes
from triglot.cli.given import refuse
from triglot.corpus.splitting import ChunkOverlap, ChunkTokens, SplitSettings
from triglot.debias.methods import METHODS
from triglot.encoder.computing import USUAL, Computing
from triglot.files import check_choice
from triglot.language_tags import language
from triglot.ranges import Count, Rank, Seed, Top
from triglot.search.modes import MODES
from triglot.shards.engines import ENGINES
from triglot.shards.settings import DTYPES, SIDES, ShardRows, ShardSettings

_MODES = " | ".join(mode.name for mode in MODES.own)


def _methods(between: str, trait: str = "name") -> str:
    """Names of the methods of debiasing that come with Triglot, or of those with a trait."""
    return between.join(method.name for method in METHODS.own if getattr(method, trait))


@app.command(cls=Command)
@computes
def encode(
    model: ModelName,
    texts: Passages,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="A folder for Parquet shards of vectors, with ids, languages, groups and texts; or a .npy file, row i "
            "is text i.",
            callback=at_home,
        ),
    ],
    side: Annotated[str, typer.Option(help="Encode the texts as query | passage.")] = "passage",
    columns: Columns = None,
    languages: Languages = "",
    lang: LanguageOfTexts = "",
    dtype: Annotated[
        str, typer.Option(help=f"Numbers of the vectors in shards: {' | '.join(DTYPES)}; int8 with a scale each.")
    ] = "fp32",
    shard_rows: Annotated[
        int, typer.Option("--shard-rows", help="Passages of a shard.", callback=within(ShardRows))
    ] = ShardSettings.rows,
    debiased: Annotated[
        bool,
        typer.Option(
            "--debiased",
            help="Write vectors after the model's step for each language; `triglot index` takes those before it.",
        ),
    ] = False,
    chunk_tokens: Annotated[
        int,
        typer.Option(
            "--chunk-tokens",
            help="Tokens at most of a passage, where documents are split.",
            callback=within(ChunkTokens),
        ),
    ] = SplitSettings.tokens,
    chunk_overlap: Annotated[
        int,
        typer.Option(
            "--chunk-overlap",
            help="Tokens at most that a passage repeats of the one before.",
            callback=within(ChunkOverlap),
        ),
    ] = SplitSettings.overlap,
    engine: Annotated[
        str,
        typer.Option(
            help=f"What encodes shards: {' | '.join(row.name for row in ENGINES.own)}, a cluster (RAY_ADDRESS)."
        ),
    ] = "local",
    workers: Annotated[
        int,
        typer.Option(help="Models at work on a cluster; 0 for as many as it has room for.", callback=within(Count)),
    ] = 0,
    as_json: Json = False,
    computing: Computing = USUAL,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Encode texts into vectors: a folder of shards, which can be gone on with and indexed, or one .npy file."""
    progress = listen(quiet)
    from triglot.commands.encode import encode_file, encode_folder, only_of_shards

    which = {"columns": columns or [], "languages": codes(languages)}
    more: dict[str, Any] = {"force": force, "progress": progress, "computing": computing}
    check_choice("--side", side, SIDES)
    settings = ShardSettings(
        dtype=dtype,
        rows=shard_rows,
        side=side,
        language=language(lang) if lang else "",
        languages=tuple(which["languages"]),
        columns=tuple(which["columns"]),
        debiased=debiased,
        split=SplitSettings(chunk_tokens, chunk_overlap),
    )
    if out.suffix == ".npy":
        only_of_shards(settings, engine, workers)
        rows, dim = encode_file(model, texts, out, side=side, lang=lang, **which, **more)
        return put("encode", {"rows": rows, "dim": dim}, out) if as_json else typer.echo(f"{out}: {rows} x {dim}")
    about = encode_folder(model, texts, out, settings, engine=engine, workers=workers, **more)
    told = {name: about[name] for name in ("rows", "dtype", "languages", "told", "fields")}
    if as_json:
        return put("encode", {**told, "dim": about["identity"]["dim"], "shards": len(about["shards"])}, out)
    spoken = ", ".join(f"{code} {count:,}" for code, count in list(about["languages"].items())[:20])
    typer.echo(
        f"{out}: {about['rows']:,} x {about['identity']['dim']} in {about['dtype']}, {len(about['shards'])} shards "
        f"({spoken}; {about['told']:,} languages told by the text)"
    )


@app.command(cls=Command)
@computes
def search(
    context: typer.Context,
    model: ModelName,
    passages: TextFile = "",
    queries: Annotated[
        list[str] | None, typer.Argument(metavar="[QUERY]...", help="The questions to search for.")
    ] = None,
    queries_file: Annotated[
        str,
        typer.Option(
            "--queries",
            metavar="FILE|-",
            help="File of questions to search for; - reads them from stdin.",
            callback=at_home,
        ),
    ] = "",
    columns: Columns = None,
    languages: Languages = "",
    vectors: Annotated[
        str,
        typer.Option(
            help="Vectors of the texts, prepared by `triglot encode`; by default they are encoded now.",
            callback=at_home,
        ),
    ] = "",
    k: Annotated[
        int, typer.Option("-k", "--top-k", help="Number of passages to show for each query.", callback=within(Top))
    ] = 10,
    lang: LanguageOfTexts = "",
    mode: Annotated[str, typer.Option(help=f"How an index ranks languages: {_MODES}.")] = "",
    accept_language: Annotated[
        str,
        typer.Option(help="Languages that the reader of an index reads, with weights: 'de, en;q=0.5, *;q=0.1'."),
    ] = "",
    quota: Annotated[
        list[str] | None,
        typer.Option(metavar="xx=N", help="Show at most N hits of an index in a language, or in each (*)."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="NAME=VALUE",
            help="Condition on the metadata of an index, such as lang=de,en or year>=2020 or, with a comma in the "
            "value, 'place=\"Paris, France\"'.",
        ),
    ] = None,
    hybrid: Annotated[bool, typer.Option("--hybrid", help="Let words count as well as vectors, in an index.")] = False,
    model_name: Annotated[
        str,
        typer.Option("--model", help="The model of an index, where it is no longer in its place.", callback=at_home),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines: an object for each hit.")] = False,
    computing: Computing = USUAL,
    quiet: Quiet = False,
) -> None:
    """Search an index (INDEX QUERY...), or a file of passages by exact nearest neighbours (MODEL TEXTS QUERY...)."""
    progress = listen(quiet)
    import json
    from dataclasses import asdict

    from triglot.commands.search import answers, check_plain, lines
    from triglot.commands.search import search as find
    from triglot.commands.texts import read_questions
    from triglot.files import InputError
    from triglot.index.places import is_index

    ids, asked = read_questions(queries_file) if queries_file else ([], [])
    given: dict[str, Any] = {
        "mode": mode,
        "languages": accept_language,
        "quotas": tuple(quota or ()),
        "where": tuple(where or ()),
        "hybrid": hybrid,
    }
    if is_index(model):
        of_files = {
            "columns": "an index has its fields from `triglot index`",
            "languages": f"with an index use --filter lang={languages}",
            "vectors": "an index has its own",
        }
        for name, hint in of_files.items():
            refuse(context, [name], f"goes with a file of passages, and {model} is an index; {hint}")
        asked = [*([passages] if passages else []), *(queries or []), *asked]
        ways = {key: value for key, value in given.items() if value}
        for answer in answers(model, asked, ways, k=k, lang=lang, model=model_name, computing=computing):
            for line in lines(answer, as_json):
                if as_json:
                    typer.echo(line)
                else:
                    print_hit(one_line(line.replace("\t", "  ")))
        return
    check_plain(model, {**given, "model": model_name})
    if not passages:
        raise InputError("Missing argument 'TEXTS': give a file of passages, or an index alone")
    ids, asked = [*([""] * len(queries or [])), *ids], [*(queries or []), *asked]
    if not asked:
        raise InputError("Missing argument 'QUERY...': give questions, or --queries FILE")
    more = {
        "columns": columns or [],
        "languages": codes(languages),
        "vectors": vectors,
        "progress": progress,
        "computing": computing,
    }
    found = find(model, passages, asked, k=k, lang=lang, **more)  # type: ignore[arg-type]
    for name, query, hits in zip(ids, asked, found, strict=True):
        if not as_json:
            typer.echo(query)
        for hit in hits:
            about = {"query": query} | ({"query_id": name} if name else {})
            line = json.dumps({**about, **asdict(hit)}, ensure_ascii=False)
            if as_json:
                typer.echo(line)
            else:
                print_hit(f"{hit.rank:4d}  {hit.score:7.4f}  {one_line(hit.id)}\t{one_line(hit.text)}")


@app.command(cls=Command)
@computes
def debias(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="A model or run folder, or a hub name.", callback=at_home)
    ] = "",
    texts: Annotated[
        str,
        typer.Argument(
            metavar="[DATA]",
            help="Training data in several languages, whose texts are the sample to learn from.",
            callback=at_home,
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder to write the new model to; with --vectors, the .npy file.", callback=at_home
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help=f"Debiasing method: {_methods(' | ')}.", autocompletion=complete.methods)
    ] = "lsar",
    strength: Annotated[
        str,
        typer.Option(
            metavar="NUMBER | LANG=NUMBER,... | by-language",
            help="How much of it to apply, 0 to 1, also to single languages (0.8,de=0.5); by default chosen on text "
            "held out from DATA, with by-language for each language.",
        ),
    ] = "",
    sides: Annotated[
        str,
        typer.Option(help=f"Whether queries have offsets of their own ({_methods(', ', 'sides')}): both | passage."),
    ] = "both",
    rank: Annotated[
        int,
        typer.Option(
            help=f"Number of directions that {_methods(' and ', 'ranked')} remove; 0 for the method's default.",
            callback=within(Rank),
        ),
    ] = 0,
    sample: Annotated[
        int,
        typer.Option("--max-texts", help="Maximum number of texts to use for each language.", callback=within(Count)),
    ] = 10_000,
    pivot: Annotated[
        str, typer.Option(help=f"Language whose vectors the methods {_methods(' and ', 'pairs')} leave unchanged.")
    ] = "en",
    held_out: Annotated[
        list[str] | None,
        typer.Option(
            "--held-out",
            metavar="[NAME=][FORMAT:]PATH",
            help="A benchmark whose texts must not be used. Can be given several times.",
            callback=at_home,
        ),
    ] = None,
    format: Format = "",
    vectors: Annotated[
        str,
        typer.Option(
            help="Vectors made elsewhere (.npy) to remove the language from, without a model.", callback=at_home
        ),
    ] = "",
    side: Annotated[str, typer.Option(help="What the vectors are: passage | query.")] = "passage",
    languages: Annotated[
        str,
        typer.Option(
            help="Comma-separated languages to use; with --vectors, a file with one code a line.", callback=at_home
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="Random seed for drawing the texts.", callback=within(Seed))] = 1,
    cache: Cache = "",
    as_json: Json = False,
    computing: Computing = USUAL,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Remove the language from a model's vectors, without training."""
    progress = listen(quiet)
    from triglot.commands.debias import debias_model, debias_vectors, strengths
    from triglot.commands.sources import named_paths
    from triglot.files import InputError

    settings = {
        "method": method,
        "rank": rank,
        "texts": sample,
        "pivot": language(pivot),
        "sides": sides,
        **strengths(strength),
    }
    if out is None or not (vectors or (model and texts)):
        raise InputError("debias: give MODEL DATA --out FOLDER, or --vectors IN.npy --languages FILE --out OUT.npy")
    if vectors:
        computing.refused("--vectors")
        if texts or held_out or not languages:
            raise InputError("--vectors: goes with --languages FILE, and with no DATA and no --held-out")
        line = debias_vectors(vectors, languages, out, settings, model=model, side=side, force=force)
    else:
        line = debias_model(
            model,
            texts,
            out,
            settings,
            format=format,
            languages=codes(languages),
            held_out=named_paths(held_out or [], "--held-out"),
            seed=seed,
            cache=cache,
            computing=computing,
            force=force,
            progress=progress,
        )
    if as_json:
        return put("debias", {"done": line}, out)
    typer.echo(f"{out}: {line}")
