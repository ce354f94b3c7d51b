"""Tables in terminals of three widths: whole figures, on lines that fit."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.report.synthetic import write_study
from triglot.report import compare, find_arms, terminal
from triglot.report.tables import Table, cell_text, number
from triglot.report.terminal import print_lines, wrapped


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return compare(find_arms([write_study(tmp_path_factory.mktemp("terminal") / "study", seeds=(1,))]), "toy")


def printed(table: Table, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    def console(**options) -> Console:
        return Console(**options, force_terminal=width > 0, width=width or None, color_system=None)

    monkeypatch.setattr(terminal, "Console", console)
    out = io.StringIO()
    terminal.print_table(table, out)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", [30, 60, 80, 120, 0])
def test_no_figure_is_cut_or_broken(table: Table, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(table, width, monkeypatch)
    assert not width or max(map(cell_len, lines)) <= max(width, 44)  # one cell with its interval and title takes 44
    text = "\n".join(lines)
    for row in table.rows:
        assert row.name in text
        for cell, column in zip(row.cells, table.columns, strict=True):
            if cell is not None:
                assert column.title in text
                assert number(cell.value, column) in text
                assert (
                    width == 60
                    or cell_text(cell, column) in text
                    or cell_text(cell, column, with_interval=False) in text
                )


def test_two_models_keep_their_intervals_at_eighty_columns(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    two = Table(table.benchmark, table.columns, table.rows[-2:], table.reference)
    lines = printed(two, 80, monkeypatch)
    assert lines[1].split() == ["x-y", "hybrid"]
    assert sum("[" in line for line in lines) == len(table.columns)
    assert lines[2].startswith("Monolingual mAP")


def test_a_pipe_gets_one_line_a_model(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(table, 0, monkeypatch)
    assert [line.split()[0] for line in lines[2 : 2 + len(table.rows)]] == [row.name for row in table.rows]


def test_a_few_parts_keep_the_intervals_and_what_is_left_out_is_said(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n".join(printed(table, 80, monkeypatch))
    assert text.count("bm25") == 3  # parts
    assert "Intervals do not fit" not in text
    wide = Table(table.benchmark, table.columns * 3, tuple(replace(row, cells=row.cells * 3) for row in table.rows))
    lines = printed(wide, 80, monkeypatch)
    assert "[" not in "".join(lines)
    assert "Intervals do not fit in 80 columns" in " ".join(lines)
    assert max(map(cell_len, lines)) <= 80


def test_sentences_break_between_words_and_stay_whole_in_a_pipe() -> None:
    line = "  Note: 97 % of 13,033 passages are in ไทย and 中文"
    for width in (20, 30, 48):
        found = wrapped(line, width)
        assert " ".join(part.strip() for part in found) == line.strip()
        assert found[0].startswith("  Note: ")
        assert all(part.startswith("    ") for part in found[1:])
        assert not any(part.strip().startswith("%") for part in found)
    assert wrapped(line, 0) == [line]
    out = io.StringIO()
    print_lines([line * 4], out)
    assert out.getvalue() == f"{line * 4}\n"
