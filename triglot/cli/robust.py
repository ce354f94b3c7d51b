"""Commands around robustness: attack."""

from __future__ import annotations

from typing import Annotated

import typer

from triglot.cli.app import ModelName, Out, Quiet, app, listen, print_tables, words


@app.command()
def attack(
    model: ModelName,
    on: Annotated[list[str], typer.Option("--on", metavar="NAME=PATH", help="A benchmark; may be given several times.")],
    out: Out,
    attacks: Annotated[
        list[str] | None,
        typer.Option(
            "--attack", metavar="'KEY=VALUE ...'", help="'kinds=insert,codeswitch rate=0.2 search=worst'; several times. Default: all."
        ),
    ] = None,
    plants: Annotated[
        list[str] | None, typer.Option("--plant", metavar="'KEY=VALUE ...'", help="Plant passages: 'method=greedy targets=100 k=10'.")
    ] = None,
    lists: Annotated[str, typer.Option(help="Folder of word lists, for code-switching.")] = "",
    format: Annotated[str, typer.Option(help="Of the benchmarks; by default told from the names.")] = "",
    candidate_text: Annotated[str, typer.Option(help="sentence | sentence+context | paragraph; by default the reader's.")] = "",
    languages: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    quiet: Quiet = False,
) -> None:
    """Attack a model: noise, code-switching, searched texts, shifted vectors, planted passages."""
    progress = listen(quiet)
    from triglot.attack import Attack
    from triglot.attack.plant import Plant
    from triglot.corpus.formats import detect, read_retrieval
    from triglot.study.attacks import attack_model, parse
    from triglot.study.models import named_paths

    given = {"candidate_text": candidate_text, "languages": words(languages)}
    options = {key: value for key, value in given.items() if value}
    chosen, planted = parse(attacks or [], Attack, "--attack"), parse(plants or [], Plant, "--plant")
    sets = {name: read_retrieval(format or detect(path), path, name=name, **options) for name, path in named_paths(on).items()}
    path = attack_model(model, sets, out, attacks=chosen, plants=planted, lists=lists, progress=progress)
    print_tables([out])
    typer.echo(path)
