"""What commands print in terminals of three widths, as snapshots: lines that fit, and whole figures.

`TRIGLOT_SCREENS=write pytest tests/test_screens.py` writes the snapshots anew; look at what differs before you keep it.
"""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.command import triglot
from tests.report.synthetic import write_attacked, write_run, write_study
from tests.test_extras import write_vectors
from tests.writing import inputs
from triglot import cli

SCREENS = Path(__file__).parent / "screens"
WIDTHS = (60, 80, 120)
FIGURE = re.compile(r"(?<![\w.,@-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w@-])")
LONG = re.compile(r"^  Mend it: |^\S*/\S+$")  # a command and a path are one line, to be copied


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def shown(words: list[str], width: int) -> str:
    """What a command prints in a terminal, without its bold and italics."""
    screen, status = Screen(), None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["triglot", *words])
        patch.setattr(sys, "stdout", screen)
        patch.setattr(sys, "stderr", io.StringIO())
        for name, value in {"TERM": "xterm", "COLUMNS": str(width), "LINES": "40", "NO_COLOR": "1"}.items():
            patch.setenv(name, value)
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            patch.delenv(name, raising=False)
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code
    assert not status
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study, two runs, vectors, a model and texts."""
    root = inputs(tmp_path_factory.mktemp("screens"))
    write_study(root / "study", seeds=(1, 2))
    write_attacked(root / "attacked")
    write_run(root / "before", "x-x", trained=False)
    write_run(root / "after", "hybrid", trained=False)
    (root / "vectors").mkdir()
    write_vectors(root / "vectors")
    rows = [f"{code},{a} {b}" for code, known in WORDS.items() for a in known.split() for b in known.split()]
    (root / "texts.csv").write_text("\n".join(["lang,text", *rows]) + "\n", "utf-8")
    more = "and more words than one line of a terminal has room for, which go on after its end, wherever that may be"
    long = [f"{code}|{word} {more}" for code, known in WORDS.items() for word in known.split()]
    (root / "long.csv").write_text("\n".join(["lang|text", *long]) + "\n", "utf-8")
    return root


WORDS = {
    "de": "Fluss Berg Stadt König Winter Brot Stein Pferd",
    "en": "river mountain city king winter bread stone horse",
}
COMMANDS = {
    "compare": "compare before after",
    "study": "compare study",
    "bias": "compare study --measure bias",
    "recall": "compare study --measure r@10",
    "attack": "compare attacked",
    "dry": "train demo --dry-run",
    "check": "check model --texts texts.csv -q",
    "inspect": "data inspect squad -q",
    "search": "search model long.csv river Fluss -k 2 -q",
    "evaluate": "evaluate vectors --on atlas=atlas --languages de,en --out evaluated --force -q",
}

CHANGING = ("dry",)  # it lists all settings, of which every version has others


def figures(text: str) -> set[str]:
    """The figures of a text, as they are written."""
    return set(FIGURE.findall(text))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_screens_are_as_wide_as_the_terminal_and_break_no_figure(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)  # paths are as long on every machine
    words = COMMANDS[name].split()
    wide = triglot(*words)
    assert wide.code == 0, wide.err
    kept = figures(re.sub(r"\[[^]\n]*\]", "", wide.out))
    for width in WIDTHS:
        text = "".join(f"{line.rstrip()}\n" for line in shown(words, width).splitlines())
        for line in text.splitlines():
            assert cell_len(line) <= width or LONG.match(line), f"{width}: {line}"
        assert figures(text) <= figures(wide.out) | {str(width)}, width
        assert kept <= figures(text), width
        if name in CHANGING:
            continue
        kept_text = SCREENS / f"{name}-{width}.txt"
        if os.environ.get("TRIGLOT_SCREENS") == "write":
            kept_text.write_text(text, encoding="utf-8")
        assert text == kept_text.read_text(encoding="utf-8"), f"{name} at {width} columns"


def test_the_screens_hold_sixty_figures() -> None:
    kept = [name for name in COMMANDS if name not in CHANGING]
    for width in WIDTHS:
        assert sum(len(figures((SCREENS / f"{name}-{width}.txt").read_text("utf-8"))) for name in kept) >= 60


def test_a_broken_figure_would_be_seen() -> None:
    assert figures("13,033 [12,461, 13,561]  .5 0.25 x-x2 r@10 71 %") == {"13,033", "12,461", "13,561", "0.25", "71"}
    assert not figures("13,0\n33") <= figures("13,033")
