"""Commands around robustness: attack."""

from __future__ import annotations

from typing import Annotated

import typer

from triglot.cli.app import Force, ListsFolder, ModelName, Out, Quiet, app, at_home, codes, listen, print_tables


@app.command()
def attack(
    model: ModelName,
    on: Annotated[list[str], typer.Option("--on", metavar="NAME=PATH", help="A benchmark; may be given several times.", callback=at_home)],
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
    lists: ListsFolder = "",
    format: Annotated[str, typer.Option(help="Of the benchmarks; by default told from the names.")] = "",
    candidate_text: Annotated[str, typer.Option(help="sentence | sentence+context | paragraph; by default the reader's.")] = "",
    languages: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Attack a model: noise, code-switching, searched texts, shifted vectors, planted passages."""
    progress = listen(quiet)
    from triglot.attack import Attack
    from triglot.attack.plant import Plant
    from triglot.commands.attack import attack_model
    from triglot.commands.sources import named_paths
    from triglot.commands.words import parse

    given = {"candidate_text": candidate_text, "languages": codes(languages)}
    options = {key: value for key, value in given.items() if value}
    chosen, planted = parse(attacks or [], Attack, "--attack"), parse(plants or [], Plant, "--plant")
    more = {"attacks": chosen, "plants": planted, "lists": lists, "format": format, "options": options}
    path = attack_model(model, named_paths(on), out, **more, force=force, progress=progress)
    print_tables([out])
    typer.echo(path)
