"""The typer apps, the options that several commands share, and how a command talks and ends."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from triglot.cli import complete
from triglot.extras import MissingExtra, named
from triglot.files import InputError, expand
from triglot.language_tags import wanted
from triglot.ranges import check_number

if TYPE_CHECKING:
    from triglot.report import Report, Table

app = typer.Typer(
    help="Train, evaluate and search with one multilingual retriever that is not biased towards a language.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes two thirds of the time that --help would need
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Inspect data, and prepare your own.", no_args_is_help=True, rich_markup_mode=None)
recipes_app = typer.Typer(
    help="List, show and copy the recipes that come with Triglot.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(data_app, name="data")
app.add_typer(recipes_app, name="recipes")


# Options that had another name before: command -> old name -> name of today.
RENAMED = {
    "augment": {
        "--half": "--lexicon-split",
        "--translate": "--translation-model",
        "--beams": "--num-beams",
        "--shape": "--output-format",
        "--sample": "--examples",
        "--cache": "--translation-cache",
    },
    "mine": {"--layout": "--output-format"},
    "lists": {"--score": "--min-score", "--most": "--max-translations", "--least": "--min-count"},
    "evaluate": {"--depth": "--top-k"},
    "attack": {"--plant": "--poison"},
    "init": {"--vocab": "--vocab-size"},
    "encode": {"--lang": "--language"},
    "search": {"--lang": "--language", "--top": "--top-k"},
    "debias": {"--texts": "--max-texts"},
    "compare": {"--format": "--output-format"},
    "inspect": {"--eval": "--on"},
}


class Command(TyperCommand):
    """A command that still takes the options that were renamed, with a warning that names the new one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        renamed = RENAMED.get(self.name or "", {})
        end = args.index("--") if "--" in args else len(args)
        for place, word in enumerate(args[:end]):
            old, equals, value = word.partition("=")
            if old in renamed:
                typer.echo(f"triglot: {old} is now called {renamed[old]}", err=True)
                args = [*args[:place], f"{renamed[old]}{equals}{value}", *args[place + 1 :]]
        return super().parse_args(ctx, args)


class NamesMeasures(Command):
    """A command whose help names the measures in place of `{measures}`: they are loaded when the help is asked for, and
    not before."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from triglot.measures import shown

        for option in self.params:
            if text := getattr(option, "help", None):
                option.help = text.replace("{measures}", ", ".join(shown()))  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def at_home(value: Any) -> Any:
    """Typer's callback of whatever holds a path: `~` becomes the home folder, as `triglot.files.expand` does it."""
    if isinstance(value, list | tuple):
        return [at_home(item) for item in value]
    return type(value)(expand(str(value))) if isinstance(value, str | Path) else value


def within(kind: Any) -> Callable[..., Any]:
    """Typer's callback of an option that is a number: out of its range, the option, the number and the range are
    named."""

    def check(param: typer.CallbackParam, value: float | None) -> Any:
        if value is not None:
            check_number(param.opts[0], value, kind)
        return value

    return check


# Arguments and options that several commands share.
Out = Annotated[Path, typer.Option("--out", help="Folder to write the results to.", callback=at_home)]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace what another command wrote there, or this one for another model; nothing else is ever replaced.",
    ),
]
Anew = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Begin anew: remove what an earlier run left in the folder; by default a run goes on where it stopped.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Settings that override the recipe, such as batches.kind=xy.",
        callback=at_home,
        autocompletion=complete.keys,
    ),
]
RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A YAML file, or a name that `triglot recipes ls` lists.",
        callback=at_home,
        autocompletion=complete.recipes,
    ),
]
RecipeOrData = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE|DATA",
        help="A recipe (a YAML file, or a name that `triglot recipes ls` lists); or data, with --model.",
        callback=at_home,
        autocompletion=complete.recipes,
    ),
]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A model folder, a run folder, or a name on the Hugging Face Hub.", callback=at_home
    ),
]
Pairs = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Training pairs: [FORMAT:]PATH, where the format is detected from the file names by default.",
        callback=at_home,
        autocompletion=complete.data,
    ),
]
Benchmarks = Annotated[
    list[str],
    typer.Option(
        "--on",
        metavar="[NAME=][FORMAT:]PATH",
        help="A benchmark: a path, or hub:OWNER/NAME:xx for a data set on the Hub. Can be given several times.",
        callback=at_home,
        autocompletion=complete.data,
    ),
]
TextFile = Annotated[
    str,
    typer.Argument(
        metavar="TEXTS",
        help="A file of texts: JSON lines, JSON, Parquet, CSV, TSV, or .txt with one text per line; or a benchmark, "
        "whose passages are taken.",
        callback=at_home,
    ),
]
Passages = Annotated[
    str,
    typer.Argument(
        metavar="TEXTS",
        help="Texts: a file (JSON lines, JSON, Parquet, CSV, TSV, .txt with one text per line), a folder of tables, "
        "BEIR's or MIRACL's included, a folder of documents (.txt, .md, .rst, .html), which are split, any other "
        "benchmark, or - for stdin.",
        callback=at_home,
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="ROLE=COLUMN,...",
        help="Columns by their roles, such as id=id,text=title+body,language=lang,group=key for articles and "
        "query=q,article=clicked,language=lang for clicks; the rest is guessed. Can be given several times.",
    ),
]
Languages = Annotated[
    str, typer.Option("--languages", help="Read only these languages, a comma-separated list of codes.")
]
LanguageOfTexts = Annotated[
    str,
    typer.Option(
        "--language",
        help="Language of the texts, for a model debiased by language; by default detected for each text.",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="Format of the data; by default detected from the file names.",
        autocompletion=complete.formats,
    ),
]
CandidateText = Annotated[
    str,
    typer.Option(
        "--candidate-text",
        help="What a passage consists of: sentence | sentence+context | paragraph; the default depends on the format.",
    ),
]
ReaderOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="KEY=VALUE", help="Option of the format's reader, such as unit=sentence.", callback=at_home
    ),
]
ListsFolder = Annotated[str, typer.Option("--lists", help="Folder of bilingual word lists.", callback=at_home)]
Cache = Annotated[
    str,
    typer.Option(
        "--cache",
        metavar="DIR|off",
        help="Where the vectors of texts are kept for the next command; by default in the user's cache directory.",
        callback=at_home,
    ),
]


def _quiet(ctx: typer.Context, value: bool) -> bool:
    """`-q` of the command, or of the words before it: `triglot -q train`."""
    above: Any = ctx.parent
    return value or bool(above and above.params.get("quiet"))


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Show warnings and errors only; before the command or after it.", callback=_quiet
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of text; logs stay on stderr.")]
OutputFormat = Annotated[
    str,
    typer.Option(
        "--output-format",
        help="Output format: table | markdown | csv | latex | json.",
        autocompletion=complete.output_formats,
    ),
]


class Root(TyperGroup):
    """All commands, with `-v` before or after any of them."""

    verbose = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        kept = [word for word in args[:end] if word not in ("-v", "--verbose")]
        Root.verbose = len(kept) < end
        return super().parse_args(ctx, [*kept, *args[end:]])

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands with the whole of their first sentence."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(400)) for name, one in commands.items() if one])


def _version(asked: bool) -> None:
    if asked:
        from triglot import __version__

        typer.echo(f"triglot {__version__}")
        raise typer.Exit


@app.callback(cls=Root)
def _everywhere(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show details too; before the command or after it.")
    ] = False,
) -> None:
    """Train, evaluate and search with one multilingual retriever that is not biased towards a language."""


@data_app.callback()
def _of_data(quiet: Quiet = False) -> None:
    """Inspect data, and prepare your own."""


@recipes_app.callback()
def _of_recipes(quiet: Quiet = False) -> None:
    """List, show and copy the recipes that come with Triglot."""


def put(command: str, value: Mapping[str, Any], out: Path | str | None = None) -> None:
    """What `--json` prints, the same shape for every command: one object with `command`, with `out` where something was
    written, and beside them what the command found, under the keys of the file that it writes."""
    import json

    from triglot.settings import plain

    head: dict[str, Any] = {"command": command} | ({"out": str(out)} if out else {})
    typer.echo(json.dumps(head | plain(value), indent=1, ensure_ascii=False, default=str))


def listen(quiet: bool) -> bool:
    """Progress and logs go to stderr. Returns whether to show progress."""
    import logging

    quiet = quiet or os.environ.get("RANK", "0") != "0"  # under torchrun one process speaks
    logger = logging.getLogger("triglot")
    logger.handlers = [logging.StreamHandler(sys.stderr)]
    loud = logging.DEBUG if Root.verbose else logging.INFO
    logger.setLevel(logging.WARNING if quiet else loud)
    logger.propagate = False
    return not quiet


def one_line(text: str) -> str:
    """Text for one line of a terminal: line breaks and control characters are spaces."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def print_hit(line: str) -> None:
    """A hit on one line: in a terminal as much of it as there is room for, else all of it."""
    from triglot.grid import cut

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    typer.echo(cut(line.replace("\t", "  "), width) if width else line)


def words(text: str) -> list[str]:
    return [part for part in text.replace(",", " ").split() if part]


def codes(text: str) -> list[str]:
    """Language codes of a comma-separated list, in the spelling that readers give them."""
    return wanted(words(text)) or []


def print_tables(tables: Iterable[Table]) -> None:
    from triglot.report.terminal import print_table

    for table in tables:
        print_table(table, sys.stdout)


def print_results(folder: Path) -> None:
    """The tables of a run folder."""
    from triglot.report import find_arms, tables_of

    print_tables(tables_of(find_arms([folder])))


def print_report(report: Report | None) -> None:
    """The tables of a report that was written, and where it is; nothing where another process wrote it."""
    if report is not None:
        print_tables(report.tables)
        typer.echo(f"\nreport: {report.path}")


def main() -> None:
    """Exit status 0 when all was done, 2 for bad arguments or input, 130 for Ctrl-C."""
    # Threads that wait by spinning lose nine tenths of their speed as soon as another process wants a core. Set before
    # torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with named():
            app(prog_name="triglot")
    except (InputError, MissingExtra) as error:
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
