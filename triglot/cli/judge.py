"""Commands that measure: evaluate, compare."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import Force, ListsFolder, NamesMeasures, Out, Quiet, app, at_home, codes, listen, print_tables, within
from triglot.corpus.formats.registry import formats_for
from triglot.ranges import Depth


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model or run folder, a hub name, bm25, bm25-translated, a TREC run, or embeddings.", callback=at_home
        ),
    ],
    on: Annotated[
        list[str],
        typer.Option("--on", metavar="NAME=PATH", help="A benchmark, a path or hub:OWNER/NAME:xx; several times.", callback=at_home),
    ],
    out: Out,
    format: Annotated[str, typer.Option(help=f"{formats_for(['retrieval', 'classification'])}; by default told from the names.")] = "",
    candidate_text: Annotated[str, typer.Option(help="sentence | sentence+context | paragraph; by default the reader's.")] = "",
    languages: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    lists: ListsFolder = "",
    split: Annotated[str, typer.Option(help="Of topics and judgements: dev, test; by default the reader's.")] = "",
    corpus: Annotated[str, typer.Option(help="Where the passages of TREC topics are, if not beside them.", callback=at_home)] = "",
    classify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="How heads for nli and stance are trained: pairs=hybrid, train_languages=[en].", callback=at_home
        ),
    ] = None,
    depth: Annotated[int, typer.Option(help="Passages a query in top-k runs.", callback=within(Depth))] = 1000,
    similarity: Annotated[str, typer.Option(help="Of embeddings made elsewhere: dot | cosine; by default dot.")] = "",
    subset: Annotated[
        list[str] | None, typer.Option(help="Report the pool of these languages alone as well, de,en; several times.")
    ] = None,
    save_run: Annotated[bool, typer.Option("--save-run", help="Write NAME.run.gz and NAME.qrels.gz of every benchmark.")] = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate a model in the three settings, with language bias; streamed corpora by top-k runs."""
    progress = listen(quiet)
    from triglot.commands.evaluate import evaluate_model
    from triglot.commands.sources import named_paths
    from triglot.settings import key_values

    given = {"candidate_text": candidate_text, "languages": codes(languages), "split": split, "corpus": corpus}
    options = {key: value for key, value in given.items() if value}
    more = {"format": format, "options": options, "lists": lists, "depth": depth, "save_run": save_run, "force": force}
    more |= {"similarity": similarity}
    more |= {"classify": key_values(classify or []), "subsets": [codes(one) for one in subset or []]}
    path = evaluate_model(model, named_paths(on), out, **more, progress=progress)
    print_tables([out])
    typer.echo(path)


@app.command(cls=NamesMeasures)
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run, arm or study folders.", callback=at_home)],
    measure: Annotated[
        str,
        typer.Option(help="What the tables show; `bias` is all measures of language bias: {measures}."),
    ] = "map",
    reference: Annotated[str, typer.Option(help="The arm that the others are compared with; by default the first trained one.")] = "",
    output: Annotated[str, typer.Option("--format", help="table | markdown | csv | latex | json")] = "table",
    report: Annotated[
        Path | None, typer.Option(help="Write report.html, report.md and report.json into this folder.", callback=at_home)
    ] = None,
    mteb: Annotated[
        Path | None, typer.Option(help="Write results/MODEL/REVISION/TASK.json, as MTEB does, into this folder.", callback=at_home)
    ] = None,
    force: Force = False,
) -> None:
    """Print runs side by side, with intervals, and what differs from the reference."""
    from triglot import outputs
    from triglot.report import find_arms, render, write_mteb, write_report

    arms = find_arms(runs)
    with outputs.folder(report, "compare", inputs=runs, force=force) if report else nullcontext() as place:
        if output == "table":
            print_tables(runs, measure=measure, reference=reference)
        else:
            typer.echo(render(arms, output, measure=measure, reference=reference), nl=False)
        if place:
            command = " ".join(["triglot", "compare", *map(str, runs)])
            write_report(arms, place, title="Comparison", command=command, reference=reference)
    if report:
        typer.echo(report / "report.html", err=True)
    if mteb:
        typer.echo(f"{len(write_mteb(arms, mteb, force=force))} files of results below {mteb}", err=True)
