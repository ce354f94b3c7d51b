"""Commands around robustness: attack."""

from __future__ import annotations

from typing import Annotated

import typer

from triglot.cli.app import (
    Benchmarks,
    Cache,
    CandidateText,
    Command,
    Force,
    Format,
    Json,
    Languages,
    ListsFolder,
    ModelName,
    Out,
    Quiet,
    app,
    codes,
    listen,
    print_results,
    put,
)
from triglot.cli.computing import computes
from triglot.encoder.computing import USUAL, Computing
from triglot.files import read_json


@app.command(cls=Command)
@computes
def attack(
    model: ModelName,
    on: Benchmarks,
    out: Out,
    attacks: Annotated[
        list[str] | None,
        typer.Option(
            "--attack",
            metavar="'KEY=VALUE ...'",
            help="An attack on the questions, such as 'kinds=insert,codeswitch rate=0.2 search=worst'. "
            "Can be given several times; by default the standard suite: typos, code-switching (with --lists), "
            "lost diacritics, casing, the worst of eight draws.",
        ),
    ] = None,
    plants: Annotated[
        list[str] | None,
        typer.Option(
            "--poison",
            metavar="'KEY=VALUE ...'",
            help="Corpus poisoning: passages to add to the corpus, such as 'method=greedy targets=100 k=10'.",
        ),
    ] = None,
    lists: ListsFolder = "",
    format: Format = "",
    candidate_text: CandidateText = "",
    languages: Languages = "",
    cache: Cache = "",
    as_json: Json = False,
    computing: Computing = USUAL,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Attack a model: noise, code-switching, searched texts, perturbed embeddings, corpus poisoning."""
    progress = listen(quiet)
    from triglot.attack import AttackSettings
    from triglot.attack.poison import PoisonSettings
    from triglot.commands.attack import attack_model
    from triglot.commands.sources import named_paths
    from triglot.commands.words import parse

    reader = {"candidate_text": candidate_text, "languages": codes(languages)}
    path = attack_model(
        model,
        named_paths(on),
        out,
        attacks=parse(attacks or [], AttackSettings, "--attack"),
        plants=parse(plants or [], PoisonSettings, "--poison"),
        lists=lists,
        format=format,
        options={key: value for key, value in reader.items() if value},
        cache=cache,
        computing=computing,
        force=force,
        progress=progress,
    )
    if as_json:
        return put("attack", read_json(path), out)
    print_results(out)
    typer.echo(path)
