"""`triglot data describe` and `triglot data prepare`."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pandas as pd
import pytest

from tests import help_centre
from tests.command import triglot
from triglot.commands.data import prepare_data
from triglot.corpus.formats.registry import read_training


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(help_centre.write(tmp_path / "here"))
    return Path()


def test_from_tables_to_pairs_and_a_benchmark(here: Path) -> None:
    done = triglot("data", "describe", "articles.csv", "searchlog.csv")
    assert done.code == 0, done.err
    assert (
        "articles.csv: articles: text from title+body, id, language from locale, group from translation_key" in done.err
    )
    assert "articles.csv: not read: views" in done.err
    Path("data.yaml").write_text(done.out, "utf-8")
    done = triglot("data", "prepare", "data.yaml", "--out", "prepared")
    assert done.code == 0, done.err
    assert "leakage: none of the benchmark's" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert "triglot train prepared --model MODEL" in done.err
    report = json.loads(Path("prepared/prepared.json").read_text("utf-8"))
    assert report["questions"]["train"] == len(read_training("prepared")[0])
    assert report["articles"]["test"] == 10
    again = json.loads(triglot("data", "prepare", "data.yaml", "--out", "prepared", "--json", "-q").out)
    assert (again.pop("command"), again.pop("out")) == ("data prepare", "prepared")
    assert again == {key: value for key, value in report.items() if key != "record"}


def test_other_settings_and_told_columns(here: Path) -> None:
    words = [
        "--columns",
        "text=body,language=locale",
        "--test-size",
        "0.5",
        "--min-clicks",
        "2",
        "--languages",
        "de,en",
    ]
    done = triglot("data", "prepare", "articles.jsonl", "searchlog.jsonl", *words, "--out", "prepared", "--json")
    assert done.code == 0, done.err
    assert "text from body" in done.err
    report = json.loads(done.out)
    assert list(report["languages"]) == ["de", "en"]
    assert report["description"]["min_clicks"] == 2
    assert report["articles"]["test"] == report["articles"]["train"] or report["left_out"]
    done = triglot("data", "prepare", "articles.csv", "searchlog.csv", "--test-size", "2", "--out", "x")
    assert (done.code, "--test-size: 2.0 is not between 0 and 1" in done.err) == (2, True)


def test_tables_in_memory_are_prepared_like_files(here: Path) -> None:
    articles, log = help_centre.rows()
    files = prepare_data(["articles.csv", "searchlog.csv"], "files").report
    frames = [pd.DataFrame(articles), datasets.Dataset.from_list(log)]
    made = prepare_data(frames, "frames")
    for key in ("read", "questions", "articles", "languages", "leakage"):
        assert made.report[key] == files[key]
    assert Path("frames/train.jsonl").read_bytes() == Path("files/train.jsonl").read_bytes()
    assert "leakage: none" in repr(made)


def test_what_does_not_go_together_is_said(here: Path) -> None:
    Path("data.yaml").write_text(triglot("data", "describe", "articles.csv", "searchlog.csv").out, "utf-8")
    for words, message in (
        (["data.yaml", "articles.csv"], "data.yaml: a description stands alone"),
        (["data.yaml", "--columns", "id=id"], "--columns: data.yaml says what the columns are"),
        (["article.csv"], "article.csv: no such file; did you mean 'articles.csv'?"),
        (["searchlog.csv"], "no table of articles among these"),
    ):
        done = triglot("data", "prepare", *words, "--out", "prepared")
        assert (done.code, message in done.err) == (2, True), done.err
    Path("prepared").mkdir()
    Path("prepared/mine.txt").write_text("precious", "utf-8")
    assert triglot("data", "prepare", "data.yaml", "--out", "prepared", "--force").code == 2
