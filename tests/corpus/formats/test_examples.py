"""The example of every format in the documentation is recognised and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import examples
from tools.formats import PAGE
from triglot.benchmark import open_benchmark
from triglot.corpus.formats.registry import TABLE, Format, detect, read_training

ROWS = [row for row in TABLE if not row.built_in]
FILES = {
    "described": "data.yaml",
    "passages": "articles.csv",
    "pairs": "pairs.jsonl",
}  # the path is a file, not a folder


def test_the_page_shows_the_files() -> None:
    text = PAGE.read_text("utf-8")
    assert examples.placed(text) == text, "python -m tools.examples --write"
    assert {path.name for path in examples.FOLDER.iterdir()} == {row.name for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_example_of_a_format_is_read(row: Format) -> None:
    path: Path = examples.FOLDER / row.name / FILES.get(row.name, "")
    assert detect(path) == row.name
    if row.training:
        corpus, tally = read_training(path)
        assert {"de", "en"} & set(corpus.languages)
        assert not tally.left_out
        assert len(corpus) or row.name == "passages"
    if row.tasks:
        opened = open_benchmark(path)
        assert opened.kinds
        assert opened.task is None or len(opened.task.codes) == 2
        if opened.retrieval is not None:
            assert set(opened.retrieval.languages) <= {"de", "en"}
