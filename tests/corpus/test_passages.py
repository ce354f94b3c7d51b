from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from triglot.corpus.passages import read_passages
from triglot.files import InputError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_jsonl_with_ids_titles_and_other_names(tmp_path: Path) -> None:
    lines = '{"_id": "a", "title": "T", "text": "one"}\n\n{"id": 7, "contents": "two"}\n{"passage": "three", "title": ""}\n"four"\n'
    assert read_passages(write(tmp_path / "p.jsonl", lines)) == (["a", "7", "4", "5"], ["T. one", "two", "three", "four"])


def test_tsv_and_plain_lines(tmp_path: Path) -> None:
    assert read_passages(write(tmp_path / "p.tsv", "a\tone\nb\ttwo\tand more\n")) == (["a", "b"], ["one", "two\tand more"])
    assert read_passages(write(tmp_path / "p.txt", "one\n\n  two\n")) == (["1", "3"], ["one", "  two"])


def test_gzip(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "p.tsv.gz", "wt", encoding="utf-8") as handle:
        handle.write("a\tone\n")
    assert read_passages(tmp_path / "p.tsv.gz") == (["a"], ["one"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.tsv", "a\tone\nb two\n", r"p\.tsv:2: no tab"),
        ("p.tsv", "a\tone\na\ttwo\n", r"p\.tsv:2: the id 'a' occurred before, in line 1"),
        ("p.tsv", "a\t \n", r"p\.tsv:1: an empty text"),
        ("p.jsonl", '{"txt": "one"}\n', r"p\.jsonl:1: no text: the object has txt; looked for text, "),
        ("p.jsonl", '{"text": 3}\n', r"p\.jsonl:1: text is not a string"),
        ("p.jsonl", "[1]\n", r"p\.jsonl:1: an object or a string was expected"),
        ("p.jsonl", '{"text": "one"\n', r"p\.jsonl:1: not JSON"),
        ("p.txt", "\n \n", r"p\.txt: no text in it"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_passages(write(tmp_path / name, text))
