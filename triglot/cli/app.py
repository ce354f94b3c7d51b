"""The typer apps, the options that several commands share, and how a command talks and ends."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from triglot.files import InputError, expand
from triglot.language_tags import wanted
from triglot.ranges import check_number

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


class NamesMeasures(TyperCommand):
    """A command whose help names the measures in place of `{measures}`: they are loaded when the help is asked for, and not before."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from triglot.report.tables import measure_names

        for option in self.params:
            if text := getattr(option, "help", None):
                option.help = text.replace("{measures}", ", ".join(measure_names()))  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def at_home(given: Any) -> Any:
    """Typer's callback of whatever holds a path: `~` becomes the home folder, as `triglot.files.expand` does it."""
    if isinstance(given, list | tuple):
        return [at_home(one) for one in given]
    return type(given)(expand(str(given))) if isinstance(given, str | Path) else given


def within(kind: Any) -> Callable[..., Any]:
    """Typer's callback of an option that is a number: out of its range, the option, the number and the range are named."""

    def check(param: typer.CallbackParam, value: float | None) -> Any:
        if value is not None:
            check_number(param.opts[0], value, kind)
        return value

    return check


Out = Annotated[Path, typer.Option("--out", help="Folder for the results.", callback=at_home)]
Force = Annotated[
    bool, typer.Option("--force", help="Replace what another command wrote there, or this one for another model; never anything else.")
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Settings that replace the recipe's: batches.kind=xy", callback=at_home),
]
RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a name from `triglot recipes ls`.", callback=at_home)]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A model or run folder, or a hub name.", callback=at_home)]
ListsFolder = Annotated[str, typer.Option("--lists", help="Folder of word lists.", callback=at_home)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Warnings and errors only.")]


def listen(quiet: bool) -> bool:
    """Progress and logs go to stderr. Returns whether to show progress."""
    import logging

    quiet = quiet or os.environ.get("RANK", "0") != "0"  # under torchrun one process speaks
    logger = logging.getLogger("triglot")
    logger.handlers = [logging.StreamHandler(sys.stderr)]
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    return not quiet


def one_line(text: str) -> str:
    """Text for one line of a terminal: line breaks and control characters are spaces."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def words(text: str) -> list[str]:
    return [part for part in text.replace(",", " ").split() if part]


def codes(text: str) -> list[str]:
    """Languages parted by commas, in the spelling that readers give them."""
    return wanted(words(text)) or []


def print_tables(paths: list[Path], report: Path | None = None, *, measure: str = "map", reference: str = "") -> None:
    from triglot.report import find_arms, tables_of
    from triglot.report.terminal import print_table

    for table in tables_of(find_arms(paths), measure=measure, reference=reference):
        print_table(table, sys.stdout)
    if report:
        typer.echo(f"\nreport: {report}")


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
