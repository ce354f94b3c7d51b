"""What all commands share: the version, silence, and one form of JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests import help_centre
from tests.command import triglot
from triglot import __version__
from triglot.cli import app
from triglot.encoder import EncoderSettings, init_encoder


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """(words, command) of all commands of a group and of the groups inside it."""
    for name, command in getattr(group, "commands", {}).items():
        inner = list(commands(command, *names, name))
        yield from inner or [(" ".join([*names, name]), command)]


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_the_version() -> None:
    done = triglot("--version")
    assert (done.code, done.out) == (0, f"triglot {__version__}\n")


@pytest.mark.parametrize("words", [("-q", "recipes", "ls"), ("recipes", "-q", "ls"), ("recipes", "ls", "--quiet"), ()])
def test_silence_before_or_after_the_command(words: tuple[str, ...]) -> None:
    done = triglot(*(words or ("recipes", "ls")))
    assert done.code == 0
    assert "demo" in done.out
    assert (logging.getLogger("triglot").level == logging.WARNING) == bool(words)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_silent_and_print_json(name: str) -> None:
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    # a service prints nothing but its log
    assert {"-q"} | ({"--json"} if name != "serve" else set()) <= known
    assert ("--force" in known) == (bool({"--out", "--report"} & known) or name == "recipes cp")


@pytest.mark.parametrize("words", [("-v", "recipes", "ls"), ("recipes", "ls", "-v"), ("recipes", "--verbose", "ls")])
def test_details_before_or_after_the_command(words: tuple[str, ...]) -> None:
    assert triglot(*words).code == 0
    assert logging.getLogger("triglot").level == logging.DEBUG
    assert triglot("recipes", "ls").code == 0
    assert logging.getLogger("triglot").level == logging.INFO


@pytest.mark.slow
def test_json_is_one_object_and_alone_on_stdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(help_centre.write(tmp_path / "here"))
    pairs = {code: [*help_centre.ACTIONS[code], *help_centre.THINGS[code]] for code in help_centre.LANGUAGES}
    known = {code: dict.fromkeys(words, 5) for code, words in pairs.items()}
    init_encoder(EncoderSettings(kind="static", dim=8, vocab=200), known, seed=1).save(Path("model"))
    lines = [
        "recipes ls",
        "recipes show demo train.steps=3",
        "recipes cp demo mine.yaml",
        "recipes cp demo mine.yaml --force",
        "data describe articles.csv searchlog.csv",
        "data prepare articles.csv searchlog.csv --out help",
        "data inspect help",
        "init-recipe help",
        "init help --dim 8 --vocab-size 300 --out fresh",
        "train help --model static --dry-run",
        "encode model articles.csv --out v.npy",
        "evaluate bm25 --on help=help --out runs/bm25",
        "evaluate model --on help=help --out runs/model",
        "compare runs/bm25 runs/model",
        "check model --on help=help",
        "mine help/train.jsonl negatives=1 --model random --out mined.jsonl",
        "augment help/train.jsonl --kind swap --out noisy.jsonl",
        "augment help/train.jsonl --kind swap --examples 1",
        "lists help --languages de,en --min-count 2 --out lists",
        "debias model help --method centre --strength 1 --out debiased",
    ]
    for line in lines:
        done = triglot(*line.split(), "--json")
        assert done.code == 0, (line, done.err)
        value = json.loads(done.out)
        assert line.startswith(value["command"]), line
        assert value.get("out", "") in line
        assert len(value) > 1
