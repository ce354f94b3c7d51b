"""Commands that measure: evaluate, compare."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from triglot.cli import complete
from triglot.cli.app import (
    Benchmarks,
    Cache,
    CandidateText,
    Command,
    Force,
    Json,
    Languages,
    ListsFolder,
    NamesMeasures,
    Out,
    OutputFormat,
    Quiet,
    app,
    at_home,
    codes,
    listen,
    print_results,
    print_tables,
    put,
    within,
)
from triglot.cli.computing import computes
from triglot.corpus.formats.registry import formats_for
from triglot.encoder.computing import USUAL, Computing
from triglot.files import read_json
from triglot.ranges import Depth


@app.command(cls=Command)
@computes
def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model folder, a run folder, a name on the Hugging Face Hub, bm25, bm25-translated, "
            "a TREC run file, or embeddings made elsewhere.",
            callback=at_home,
        ),
    ],
    on: Benchmarks,
    out: Out,
    format: Annotated[
        str,
        typer.Option(
            help=f"Format of the benchmarks: {formats_for(['retrieval', 'classification'])}; by default detected from "
            "the file names.",
            autocompletion=complete.formats,
        ),
    ] = "",
    candidate_text: CandidateText = "",
    languages: Languages = "",
    lists: ListsFolder = "",
    split: Annotated[
        str,
        typer.Option(
            help="Split of the topics and judgements, such as dev or test; the default depends on the format."
        ),
    ] = "",
    corpus: Annotated[
        str,
        typer.Option(
            help="Path of the passages of TREC topics, where they are not beside the topics.", callback=at_home
        ),
    ] = "",
    classify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Setting of the classification heads for nli and stance, such as pairs=hybrid or "
            "train_languages=[en]. "
            "Can be given several times.",
            callback=at_home,
        ),
    ] = None,
    encoding: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Setting of how a model's texts are scored, such as name=lrm (semb | iso | aoc | lrm) or window=64. "
            "Can be given several times.",
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", help="Number of passages that a run keeps for each query.", callback=within(Depth))
    ] = 1000,
    similarity: Annotated[
        str, typer.Option(help="Similarity of embeddings made elsewhere: dot | cosine; dot by default.")
    ] = "",
    subset: Annotated[
        list[str] | None,
        typer.Option(
            help="Report the pool of these languages as well, a comma-separated list of codes. Can be given several "
            "times."
        ),
    ] = None,
    save_run: Annotated[
        bool, typer.Option("--save-run", help="Write the run and the judgements of every benchmark as TREC files.")
    ] = False,
    cache: Cache = "",
    as_json: Json = False,
    computing: Computing = USUAL,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate a model in the monolingual, cross-lingual and multilingual settings, with its language bias."""
    progress = listen(quiet)
    from triglot.commands.evaluate import evaluate_model
    from triglot.commands.sources import named_paths
    from triglot.document import key_values

    reader = {"candidate_text": candidate_text, "languages": codes(languages), "split": split, "corpus": corpus}
    path = evaluate_model(
        model,
        named_paths(on),
        out,
        format=format,
        options={key: value for key, value in reader.items() if value},
        lists=lists,
        depth=top_k,
        save_run=save_run,
        similarity=similarity,
        classify=key_values(classify or []),
        encoding=key_values(encoding or []),
        subsets=[codes(languages_of_pool) for languages_of_pool in subset or []],
        cache=cache,
        computing=computing,
        force=force,
        progress=progress,
    )
    if as_json:
        return put("evaluate", read_json(path), out)
    print_results(out)
    typer.echo(path)


@app.command(cls=NamesMeasures)
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run, arm or study folders.", callback=at_home)],
    measure: Annotated[
        str,
        typer.Option(
            help="Measure that the tables show; `bias` is all measures of language bias: {measures}.",
            autocompletion=complete.measures,
        ),
    ] = "map",
    reference: Annotated[
        str, typer.Option(help="Arm that the others are compared with; by default the first one that was trained.")
    ] = "",
    output: OutputFormat = "table",
    report: Annotated[
        Path | None, typer.Option(help="Folder to write report.html, report.md and report.json to.", callback=at_home)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="SVG file to draw mAP and the language of the first passages into.", callback=at_home),
    ] = None,
    mteb: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write results to as MTEB does, results/MODEL/REVISION/TASK.json.", callback=at_home
        ),
    ] = None,
    as_json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Say what changed from one model to another for whom, and compare any number of runs with intervals."""
    listen(quiet)
    from triglot import outputs
    from triglot.report import changes_of, check_format, find_arms, render, tables_of, write_mteb, write_report
    from triglot.report.plain import table_to_json

    check_format(output)
    arms = find_arms(runs)
    reference = reference or (arms[0].name if len(arms) == 2 else "")  # before, and after it
    with outputs.folder(report, "compare", inputs=runs, force=force) if report else nullcontext() as place:
        command = " ".join(["triglot", "compare", *map(str, runs)])
        tables = []
        if not place or measure != "map":  # the tables of mAP are those of the report
            tables = tables_of(arms, measure=measure, reference=reference)
        if place:
            written = write_report(arms, place, title="Comparison", command=command, reference=reference)
            tables = tables or written.tables
        if as_json:
            found = {table.benchmark: table_to_json(table) for table in tables}
            changes = {name: told.sentences for name, told in changes_of(arms).items()}
            put("compare", {"changes": changes, "tables": found}, report)
        elif output == "table":
            from triglot.report.terminal import width_of

            for told in changes_of(arms).values():
                typer.echo("\n".join([*told.lines(width_of(sys.stdout) or 80), ""]))
            print_tables(tables)
        else:
            typer.echo(render(arms, output, tables=tables), nl=False)
    if picture:
        from triglot.commands.picture import draw

        draw(arms, picture, inputs=runs, force=force)
        typer.echo(picture, err=True)
    if report:
        typer.echo(report / "report.html", err=True)
    if mteb:
        typer.echo(f"{len(write_mteb(arms, mteb, force=force))} files of results below {mteb}", err=True)
