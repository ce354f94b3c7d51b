"""Commands that train: demo, init, train, study."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import (
    Anew,
    Command,
    Force,
    Format,
    Json,
    Out,
    Quiet,
    RecipeOrData,
    Settings,
    app,
    at_home,
    listen,
    print_report,
    print_results,
    put,
    within,
)
from triglot.cli.computing import TrainingDevice
from triglot.cli.given import refuse
from triglot.files import InputError, read_json
from triglot.ranges import Count, Dim, Heads, Seed, Vocab


@app.command()
def demo(
    settings: Settings = None,
    out: Out = Path("runs/demo"),
    as_json: Json = False,
    device: TrainingDevice = "",
    force: Anew = False,
    quiet: Quiet = False,
) -> None:
    """Train and compare three models on the built-in corpus, then search with one of them and index its passages."""
    progress = listen(quiet)
    from triglot.recipe import load_recipe

    recipe = load_recipe("demo", settings or [])
    from triglot.commands.demo import examples, first_screen, index_of
    from triglot.study.arms import study

    if not quiet:
        typer.echo("\n".join([*first_screen(recipe, out), ""]), err=True)

    command = " ".join(["triglot", "demo", *(settings or []), "--out", str(out)])
    report = study(recipe, out, command=command, force=force, progress=progress)
    arm = list(recipe.arms)[-1]
    model = out / "arms" / arm / f"seed-{recipe.seeds[0]}" / "model"
    found = examples(model, recipe)
    place = index_of(model, recipe, out)
    if as_json:
        return put("demo", {**read_json(out / "report.json"), "searches": found, "index": str(place)}, out)
    print_report(report)
    typer.echo(f"\nSearches with {arm}, question and answer in different languages:")
    for example in found:
        gloss = f"\n      ({example.gloss})" if example.gloss else ""
        verdict = "right" if example.right else "wrong"
        typer.echo(f"\n  {example.question_lang}  {example.question}{gloss}")
        typer.echo(f"  {example.passage_lang}  {example.passage}\n      score {example.score:.3f}, {verdict}")
    typer.echo(f"\nindex: {place}\nSearch it on a page, at http://127.0.0.1:8000/:\n  triglot serve {place}")


NamedTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--texts",
        metavar="[NAME=][FORMAT:]PATH",
        help="With --from: plain texts to learn the vectors of. Can be given several times.",
        callback=at_home,
    ),
]
NamedParallel = Annotated[
    list[str] | None,
    typer.Option(
        "--parallel",
        metavar="[NAME=][FORMAT:]PATH",
        help="With --from: translations to learn the vectors of. Can be given several times.",
        callback=at_home,
    ),
]
OF_FRESH = ("kind", "dim", "vocab", "heads", "format")
OF_SMALLER = ("trim", "texts", "parallel", "on", "steps", "held_out", "reference")


@app.command(cls=Command)
def init(
    context: typer.Context,
    out: Out,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DATA...",
            help="Training data to build the tokenizer from; `atlas` is the built-in corpus. With --from: KEY=VALUE "
            "settings of the training, such as train.lr=1e-4.",
            callback=at_home,
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Make a smaller model of this one: a model folder, a run folder, or a name on the Hugging Face Hub.",
            callback=at_home,
        ),
    ] = "",
    kind: Annotated[str, typer.Option(help="Kind of encoder: static | transformer.")] = "static",
    dim: Annotated[int, typer.Option(help="Dimensions of the vectors.", callback=within(Dim))] = 512,
    vocab: Annotated[
        int, typer.Option("--vocab-size", help="Number of tokens in the vocabulary.", callback=within(Vocab))
    ] = 65536,
    layers: Annotated[
        str,
        typer.Option(
            help="Number of layers of a transformer, 4 for a fresh one. With --from: how many to keep, which (1,3,5), "
            "or every-second."
        ),
    ] = "",
    heads: Annotated[int, typer.Option(help="Number of attention heads of a transformer.", callback=within(Heads))] = 4,
    trim: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="With --from: keep only the tokens of these texts and of those learned from. Can be given several "
            "times.",
            callback=at_home,
        ),
    ] = None,
    texts: NamedTexts = None,
    parallel: NamedParallel = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on",
            metavar="[NAME=][FORMAT:]PATH",
            help="With --from: a benchmark to compare both models on. Can be given several times.",
            callback=at_home,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="With --from: training steps; 0 only cuts. By default 300.", callback=within(Count)),
    ] = None,
    held_out: Annotated[
        int,
        typer.Option(
            "--held-out",
            help="With --from: first lines of each of the texts to measure on instead of learning from.",
            callback=within(Count),
        ),
    ] = 100,
    reference: Annotated[
        str, typer.Option(help="With --from: draw translations to the vectors of this language too.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Random seed for the initial weights.", callback=within(Seed))] = 1,
    format: Format = "",
    as_json: Json = False,
    device: TrainingDevice = "",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Create an untrained encoder, with a tokenizer built from the texts of a corpus; or a smaller model of a trained
    one."""
    progress = listen(quiet)
    from triglot.commands.init import fresh_encoder, layers_of_fresh
    from triglot.commands.sources import named_paths

    if model:
        refuse(context, OF_FRESH, "is of a fresh encoder; --from takes what the model has")
    else:
        refuse(context, OF_SMALLER, "goes with --from MODEL")
    if model:
        from triglot.commands.smaller import KEPT, Cut, smaller_model

        cut = Cut(
            layers=layers,
            trim=trim or (),
            texts=named_paths(texts or [], "--texts"),
            parallel=named_paths(parallel or [], "--parallel"),
            on=named_paths(on or []),
            steps=steps,
            held_out=held_out,
            reference=reference,
            settings=paths or (),
            seed=seed,
        )
        told = smaller_model(model, out, cut, force=force, progress=progress)
        if as_json:
            return put("init", read_json(out / KEPT), out)
        typer.echo("\n".join([*told, str(out)]))
        return None
    if not paths:
        raise InputError("Missing argument 'DATA...', training data to build the tokenizer from")
    settings = {"kind": kind, "dim": dim, "vocab": vocab, "layers": layers_of_fresh(layers), "heads": heads}
    made = fresh_encoder(paths, out, settings, format=format, seed=seed, force=force)
    if as_json:
        return put("init", {**settings, "seed": seed}, made)
    typer.echo(made)


TrainedModel = Annotated[
    str,
    typer.Option(
        "--model",
        help="What to train: a model folder, a name on the Hugging Face Hub, or static | transformer for a fresh one.",
        callback=at_home,
    ),
]
More = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="[NAME=][FORMAT:]PATH",
        help="A benchmark to evaluate on, in place of that of the data. Can be given several times.",
        callback=at_home,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be read, what it costs and what is missing; run nothing.")
]


def print_dry(command: str, lines: list[str], complete: bool, as_json: bool) -> None:
    if as_json:
        put(command, {"dry_run": lines, "complete": complete})
    else:
        from triglot.report.terminal import print_lines

        print_lines(lines, sys.stdout)
    if not complete:
        typer.echo("triglot: something is missing, see above", err=True)
        raise typer.Exit(2)


@app.command("init-recipe")
def init_recipe(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A description of tables, a folder that `triglot data prepare` wrote, or any training data.",
            callback=at_home,
        ),
    ],
    model: TrainedModel = "static",
    on: More = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print a recipe for your own data, with settings that suit the kind of model and comments on what to change."""
    listen(quiet)
    from triglot.commands.sources import named_paths
    from triglot.commands.starter import recipe_text

    words = ["triglot", "init-recipe", data, "--model", model, *(word for one in on or [] for word in ("--on", one))]
    benchmarks = named_paths(on) if on else None
    text = recipe_text(data, model, on=benchmarks, command=" ".join(words))
    if as_json:
        from triglot.document import parse_yaml

        return put("init-recipe", {"recipe": parse_yaml(text, "recipe").value})
    typer.echo(text, nl=False)


@app.command()
def train(
    recipe: RecipeOrData,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write the results to.", callback=at_home)] = None,
    settings: Settings = None,
    model: TrainedModel = "",
    on: More = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    device: TrainingDevice = "",
    force: Anew = False,
    quiet: Quiet = False,
) -> None:
    """Train and evaluate one model. Started again, it resumes where it stopped."""
    progress = listen(quiet)
    from triglot.commands.ready import check_places
    from triglot.commands.sources import named_paths
    from triglot.commands.starter import is_data, starter
    from triglot.recipe import load_recipe

    if is_data(recipe):
        loaded = starter(recipe, model, settings or [], named_paths(on) if on else None)
    elif model or on:
        word = "--model" if model else "--on"
        key = "encoder.model and encoder.kind" if model else "evaluate"
        raise InputError(f"{word}: goes with data, and {recipe} is a recipe, which says it itself ({key})")
    else:
        loaded = load_recipe(recipe, settings or [])
    if dry_run:
        from triglot.commands.dry import dry_run as dry

        return print_dry("train", *dry(loaded), as_json)
    if out is None:
        raise InputError("Missing option '--out', the folder to write the run to")
    check_places(loaded, out)
    from triglot.study.run import run

    results = run(loaded, out, force=force, progress=progress)
    if as_json:
        return put("train", {**results, "model": str(out / "model")}, out) if results else None
    if results.get("benchmarks"):
        print_results(out)
    if results:
        typer.echo(out / "model")
