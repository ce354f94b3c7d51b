"""Every option that is a number has a range, and says so before any work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
from typer.models import OptionInfo

from tests.command import triglot
from triglot.cli import app


def number_options() -> Iterator[tuple[str, str]]:
    """(command, option) of the whole command line."""
    for command in app.registered_commands:
        for name, hint in get_type_hints(command.callback, include_extras=True).items():
            kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
            if {int, float} & {kind, *get_args(kind)}:
                given = [
                    one
                    for note in notes
                    if isinstance(note, OptionInfo)
                    for one in (note.default, *(note.param_decls or ()))
                ]
                yield (
                    command.name or command.callback.__name__,
                    given[0] if given and isinstance(given[0], str) else f"--{name}",
                )


OPTIONS = sorted(number_options())
POSITIONAL = {
    "attack": ["m"],
    "augment": ["x"],
    "check": ["m"],
    "debias": ["m", "d"],
    "encode": ["m", "t"],
    "evaluate": ["m"],
    "index": ["m", "p"],
    "init": ["x"],
    "lists": ["x"],
    "mine": ["x"],
    "search": ["m", "p", "q"],
    "serve": ["i"],
    "study": ["hybrid-ratio"],
}
NEEDED = {"attack": ["--on", "x=y"], "evaluate": ["--on", "x=y"]}


def test_the_options_are_found() -> None:
    assert {
        ("search", "-k"),
        ("evaluate", "--top-k"),
        ("augment", "--num-beams"),
        ("debias", "--rank"),
        ("init", "--seed"),
    } <= set(OPTIONS)


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_a_number_out_of_its_range_is_named(command: str, option: str) -> None:
    words = [command, *POSITIONAL[command], *NEEDED.get(command, [])]
    words += ["--out", "nowhere"] if command not in ("search", "serve") else []
    for value in ("1000000000000", "-1", "9" * 5000):
        done = triglot(*words, f"{option}{'=' if option.startswith('--') else ''}{value}")
        assert done.code == 2, (value, done.err)
        assert option.lstrip("-") in done.err
        assert "Traceback" not in done.err
    said = triglot(*words, option, "1000000000000").err
    assert any(part in said for part in ("is wanted", "neither 0 nor 1")), said
