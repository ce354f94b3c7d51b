"""A report is worked out once: the terminal prints its tables, and each per-query file is read once for a benchmark."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.command import triglot as command
from triglot.report import find_arms, resampling, tables_of, write_report

Read = Counter[str]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """How often each per-query file was read."""
    found: Read = Counter()
    real = resampling.read_per_query

    def counted(path: Path):
        found[str(path)] += 1
        return real(path)

    monkeypatch.setattr(resampling, "read_per_query", counted)
    return found


@pytest.mark.slow
def test_a_report_has_the_tables_that_would_be_made_again(study: Path, tmp_path: Path, read: Read) -> None:
    arms = find_arms([study])
    report = write_report(arms, tmp_path / "report", title="x")
    assert set(read.values()) == {1}
    assert len(read) == sum(len(arm.runs) for arm in arms)
    assert report.tables == tables_of(arms)
    assert os.fspath(report) == str(tmp_path / "report" / "report.html")


@pytest.mark.slow
def test_compare_works_its_report_out_once(study: Path, tmp_path: Path, read: Read) -> None:
    done = command("compare", study, "--report", tmp_path / "report", "--output-format", "csv")
    assert done.code == 0, done.err
    assert "toy,x-y,3,multi,map," in done.out
    assert set(read.values()) == {1}


def test_nothing_is_written_where_the_form_or_the_measure_is_unknown(study: Path, tmp_path: Path) -> None:
    for options in (["--output-format", "cvs"], ["--measure", "mapp"]):
        done = command("compare", study, "--report", tmp_path / "report", *options)
        assert done.code == 2
        assert "did you mean" in done.err
        assert not (tmp_path / "report" / "report.html").exists()
