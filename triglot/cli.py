"""The command `triglot`: one function a command, no logic. Heavy imports are inside the functions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from triglot.files import InputError

app = typer.Typer(
    help="Train, measure and search with one multilingual retriever that is not biased towards a language.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes two thirds of the time that --help would need
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Look into data.", no_args_is_help=True, rich_markup_mode=None)
recipes_app = typer.Typer(help="The recipes that come with Triglot.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")
app.add_typer(recipes_app, name="recipes")

Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
Settings = Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings that replace the recipe's: batches.kind=xy")]
RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a name from `triglot recipes ls`.")]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A model or run folder, or a hub name.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Warnings and errors only.")]


def _listen(quiet: bool) -> bool:
    """Progress and logs go to stderr. Returns whether to show progress."""
    import logging

    quiet = quiet or os.environ.get("RANK", "0") != "0"  # under torchrun one process speaks
    logger = logging.getLogger("triglot")
    logger.handlers = [logging.StreamHandler(sys.stderr)]
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    return not quiet


def _words(text: str) -> list[str]:
    return [part for part in text.replace(",", " ").split() if part]


@app.command()
def demo(settings: Settings = None, out: Out = Path("runs/demo"), quiet: Quiet = False) -> None:
    """Train and compare three arms on the built-in corpus."""
    progress = _listen(quiet)
    from triglot.recipe import load_recipe
    from triglot.study import study
    from triglot.study.demo import examples

    recipe = load_recipe("demo", settings or [])
    command = " ".join(["triglot", "demo", *(settings or []), "--out", str(out)])
    report = study(recipe, out, command=command, progress=progress)
    _print_tables([out], report)
    arm = list(recipe.arms)[-1]
    typer.echo(f"\nSearches with {arm}, question and answer in different languages:")
    for one in examples(out / "arms" / arm / f"seed-{recipe.seeds[0]}" / "model", recipe):
        typer.echo(f"\n  {one.question_lang}  {one.question}\n      ({one.gloss})")
        typer.echo(f"  {one.passage_lang}  {one.passage}\n      score {one.score:.3f}, {'right' if one.right else 'wrong'}")


def _print_tables(paths: list[Path], report: Path | None = None, *, measure: str = "map", reference: str = "") -> None:
    from triglot.report import benchmark_names, compare, find_arms
    from triglot.report.terminal import print_table

    arms = find_arms(paths)
    for name in benchmark_names(arms):
        print_table(compare(arms, name, measure=measure, reference=reference), sys.stdout)
    if report:
        typer.echo(f"\nreport: {report}")


@data_app.command("inspect")
def data_inspect(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or folders of training data.")],
    against: Annotated[list[str] | None, typer.Option("--eval", help="Evaluation data: what of it occurs in the training data?")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A record that cannot be used is an error.")] = False,
) -> None:
    """Tell format, languages, counts, parallel coverage, duplicates and leakage."""
    import json

    from triglot.corpus.inspect import inspect_paths, render

    found = inspect_paths(paths, against or [], strict=strict)
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else render(found))


@app.command()
def init(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Training data to make the tokenizer from; `atlas` is built in.")],
    out: Out,
    kind: Annotated[str, typer.Option(help="static | transformer")] = "static",
    dim: Annotated[int, typer.Option(help="Dimensions of the vectors.")] = 512,
    vocab: Annotated[int, typer.Option(help="Tokens.")] = 65536,
    layers: Annotated[int, typer.Option(help="Of a transformer.")] = 4,
    heads: Annotated[int, typer.Option(help="Of a transformer.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the fresh weights.")] = 1,
    format: Annotated[str, typer.Option(help="Of the data; by default told from the names.")] = "",
    quiet: Quiet = False,
) -> None:
    """Make a fresh encoder from the texts of a corpus."""
    _listen(quiet)
    from triglot.study.models import fresh_encoder

    settings = {"kind": kind, "dim": dim, "vocab": vocab, "layers": layers, "heads": heads}
    typer.echo(fresh_encoder(paths, out, settings, format=format, seed=seed))


@app.command()
def train(recipe: RecipeName, out: Out, settings: Settings = None, quiet: Quiet = False) -> None:
    """Train and evaluate one model. Started again, it goes on where it stopped."""
    progress = _listen(quiet)
    from triglot.recipe import load_recipe
    from triglot.study import run

    results = run(load_recipe(recipe, settings or []), out, progress=progress)
    if results.get("benchmarks"):
        _print_tables([out])
    if results:
        typer.echo(out / "model")


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
    progress = _listen(quiet)
    from triglot.study.models import evaluate_model, named_paths

    given = {"candidate_text": candidate_text, "languages": _words(languages)}
    options = {key: value for key, value in given.items() if value}
    path = evaluate_model(model, named_paths(on), out, format=format, options=options, lists=lists, progress=progress)
    _print_tables([out])
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
        _print_tables(runs, measure=measure, reference=reference)
    else:
        typer.echo(render(find_arms(runs), output, measure=measure, reference=reference), nl=False)
    if report:
        command = " ".join(["triglot", "compare", *map(str, runs)])
        typer.echo(write_report(find_arms(runs), report, title="Comparison", command=command, reference=reference), err=True)


@app.command()
def encode(
    model: ModelName,
    texts: Annotated[str, typer.Argument(metavar="TEXTS", help="JSONL, TSV (id, text) or one text a line.")],
    out: Annotated[Path, typer.Option("--out", help="A .npy file; row i is text i.")],
    side: Annotated[str, typer.Option(help="query | passage")] = "passage",
    quiet: Quiet = False,
) -> None:
    """Encode texts into unit vectors."""
    progress = _listen(quiet)
    from triglot.study.models import encode_file

    rows, dim = encode_file(model, texts, out, side=side, progress=progress)
    typer.echo(f"{out}: {rows} x {dim}")


@app.command()
def search(
    model: ModelName,
    passages: Annotated[str, typer.Argument(metavar="PASSAGES", help="JSONL, TSV (id, text) or one text a line.")],
    queries: Annotated[list[str], typer.Argument(metavar="QUERY...", help="What to search for.")],
    k: Annotated[int, typer.Option("-k", "--top", help="Passages a query.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    quiet: Quiet = False,
) -> None:
    """Search in a file of passages, exactly."""
    progress = _listen(quiet)
    import json
    from dataclasses import asdict

    from triglot.study.models import search as find

    for query, hits in zip(queries, find(model, passages, queries, k=k, progress=progress), strict=True):
        if not as_json:
            typer.echo(query)
        for hit in hits:
            line = json.dumps({"query": query, **asdict(hit)}, ensure_ascii=False)
            typer.echo(line if as_json else f"{hit.rank:4d}  {hit.score:7.4f}  {hit.id}\t{hit.text}")


@app.command()
def study(
    recipe: RecipeName,
    out: Out,
    settings: Settings = None,
    arms: Annotated[str, typer.Option(help="Only these arms, parted by commas.")] = "",
    seeds: Annotated[str, typer.Option(help="Only these seeds, parted by commas.")] = "",
    quiet: Quiet = False,
) -> None:
    """Run every arm of a recipe with every seed, and report. Started again, it goes on where it stopped."""
    progress = _listen(quiet)
    from triglot.recipe import load_recipe
    from triglot.study import study as run_study
    from triglot.study.arms import seed_numbers

    command = " ".join(["triglot", "study", recipe, *(settings or []), "--out", str(out)])
    loaded = load_recipe(recipe, settings or [])
    report = run_study(loaded, out, arms=_words(arms), seeds=seed_numbers(_words(seeds)), command=command, progress=progress)
    _print_tables([out], report)


@recipes_app.command("ls")
def recipes_ls() -> None:
    """List them."""
    from triglot import recipes

    for name in recipes.names():
        typer.echo(f"{name:14s}  {recipes.summary(recipes.find(name))}")


@recipes_app.command("show")
def recipes_show(
    recipe: RecipeName,
    settings: Settings = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Every setting, with defaults and with what KEY=VALUE changes.")] = False,
) -> None:
    """Print one."""
    from triglot import recipes

    if resolved or settings:
        from triglot.recipe import load_recipe, to_yaml

        typer.echo(to_yaml(load_recipe(recipe, settings or [])), nl=False)
    else:
        typer.echo(recipes.find(recipe).read_text(encoding="utf-8"), nl=False)


@recipes_app.command("cp")
def recipes_cp(
    recipe: RecipeName,
    target: Annotated[Path, typer.Argument(help="File or folder to copy it to.")] = Path(),
) -> None:
    """Copy one, to change it."""
    from triglot import recipes

    typer.echo(recipes.copy(recipe, target))


def main() -> None:
    """Exit status 0 when all was done, 2 for bad arguments or input, 130 for Ctrl-C."""
    # Threads that wait by spinning lose nine tenths of their speed as soon as another process wants a core. Set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        app()
    except InputError as error:
        print(f"triglot: {error}", file=sys.stderr)
        sys.exit(2)
    except FloatingPointError as error:
        print(f"triglot: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if not error.strerror:
            raise
        print(f"triglot: {error.filename or ''}{': ' if error.filename else ''}{error.strerror}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
