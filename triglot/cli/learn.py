"""Commands that train: demo, init, train, study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import (
    Command,
    Force,
    Format,
    Out,
    Quiet,
    RecipeName,
    Settings,
    app,
    at_home,
    listen,
    print_report,
    print_results,
    within,
    words,
)
from triglot.ranges import Dim, Heads, Layers, Seed, Vocab


@app.command()
def demo(settings: Settings = None, out: Out = Path("runs/demo"), quiet: Quiet = False) -> None:
    """Train and compare three models on the built-in corpus, then search with one of them."""
    progress = listen(quiet)
    from triglot.commands.demo import examples
    from triglot.recipe import load_recipe
    from triglot.study.arms import study

    recipe = load_recipe("demo", settings or [])
    command = " ".join(["triglot", "demo", *(settings or []), "--out", str(out)])
    report = study(recipe, out, command=command, progress=progress)
    print_report(report)
    arm = list(recipe.arms)[-1]
    typer.echo(f"\nSearches with {arm}, question and answer in different languages:")
    for example in examples(out / "arms" / arm / f"seed-{recipe.seeds[0]}" / "model", recipe):
        gloss = f"\n      ({example.gloss})" if example.gloss else ""
        verdict = "right" if example.right else "wrong"
        typer.echo(f"\n  {example.question_lang}  {example.question}{gloss}")
        typer.echo(f"  {example.passage_lang}  {example.passage}\n      score {example.score:.3f}, {verdict}")


@app.command(cls=Command)
def init(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Training data to build the tokenizer from; `atlas` is the built-in corpus.",
            callback=at_home,
        ),
    ],
    out: Out,
    kind: Annotated[str, typer.Option(help="Kind of encoder: static | transformer.")] = "static",
    dim: Annotated[int, typer.Option(help="Dimensions of the vectors.", callback=within(Dim))] = 512,
    vocab: Annotated[
        int, typer.Option("--vocab-size", help="Number of tokens in the vocabulary.", callback=within(Vocab))
    ] = 65536,
    layers: Annotated[int, typer.Option(help="Number of layers of a transformer.", callback=within(Layers))] = 4,
    heads: Annotated[int, typer.Option(help="Number of attention heads of a transformer.", callback=within(Heads))] = 4,
    seed: Annotated[int, typer.Option(help="Random seed for the initial weights.", callback=within(Seed))] = 1,
    format: Format = "",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Create an untrained encoder, with a tokenizer built from the texts of a corpus."""
    listen(quiet)
    from triglot.commands.init import fresh_encoder

    settings = {"kind": kind, "dim": dim, "vocab": vocab, "layers": layers, "heads": heads}
    typer.echo(fresh_encoder(paths, out, settings, format=format, seed=seed, force=force))


@app.command()
def train(recipe: RecipeName, out: Out, settings: Settings = None, quiet: Quiet = False) -> None:
    """Train and evaluate one model. Started again, it resumes where it stopped."""
    progress = listen(quiet)
    from triglot.recipe import load_recipe
    from triglot.study.run import run

    results = run(load_recipe(recipe, settings or []), out, progress=progress)
    if results.get("benchmarks"):
        print_results(out)
    if results:
        typer.echo(out / "model")


@app.command()
def study(
    recipe: RecipeName,
    out: Out,
    settings: Settings = None,
    arms: Annotated[str, typer.Option(help="Run only these arms, a comma-separated list of names.")] = "",
    seeds: Annotated[str, typer.Option(help="Run only these seeds, a comma-separated list of numbers.")] = "",
    quiet: Quiet = False,
) -> None:
    """Run every arm of a recipe with every seed and write a report. Started again, it resumes where it stopped."""
    progress = listen(quiet)
    from triglot.recipe import load_recipe
    from triglot.study.arms import seed_numbers
    from triglot.study.arms import study as run_study

    command = " ".join(["triglot", "study", recipe, *(settings or []), "--out", str(out)])
    loaded = load_recipe(recipe, settings or [])
    report = run_study(
        loaded, out, arms=words(arms), seeds=seed_numbers(words(seeds)), command=command, progress=progress
    )
    print_report(report)
