"""Commands that measure: evaluate, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import Out, Quiet, app, listen, print_tables, words


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model or run folder, a hub name, bm25 or bm25-translated.")],
    on: Annotated[list[str], typer.Option("--on", metavar="NAME=PATH", help="A benchmark; may be given several times.")],
    out: Out,
    format: Annotated[str, typer.Option(help="squad | mlqa | bitext | beir | atlas; by default told from the names.")] = "",
    candidate_text: Annotated[str, typer.Option(help="sentence | sentence+context | paragraph; by default the reader's.")] = "",
    languages: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    lists: Annotated[str, typer.Option(help="Folder of word lists, for bm25-translated.")] = "",
    quiet: Quiet = False,
) -> None:
    """Evaluate a model in the three settings, with language bias."""
    progress = listen(quiet)
    from triglot.study.models import evaluate_model, named_paths

    given = {"candidate_text": candidate_text, "languages": words(languages)}
    options = {key: value for key, value in given.items() if value}
    path = evaluate_model(model, named_paths(on), out, format=format, options=options, lists=lists, progress=progress)
    print_tables([out])
    typer.echo(path)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run, arm or study folders.")],
    measure: Annotated[str, typer.Option(help="map | map@20 | mrr | r@1 | r@10 | hit@1")] = "map",
    reference: Annotated[str, typer.Option(help="The arm that the others are compared with; by default the first trained one.")] = "",
    output: Annotated[str, typer.Option("--format", help="table | markdown | csv | latex | json")] = "table",
    report: Annotated[Path | None, typer.Option(help="Write report.html, report.md and report.json into this folder.")] = None,
) -> None:
    """Print runs side by side, with intervals and paired differences."""
    from triglot.report import find_arms, render, write_report

    if output == "table":
        print_tables(runs, measure=measure, reference=reference)
    else:
        typer.echo(render(find_arms(runs), output, measure=measure, reference=reference), nl=False)
    if report:
        command = " ".join(["triglot", "compare", *map(str, runs)])
        typer.echo(write_report(find_arms(runs), report, title="Comparison", command=command, reference=reference), err=True)
