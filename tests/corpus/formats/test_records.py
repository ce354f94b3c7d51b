"""Passages with what stands beside them in their file: groups, and metadata to filter by."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triglot.corpus.formats.records import read_records
from triglot.files import InputError

_ROWS = [
    {"id": "a", "text": "one", "lang": "en", "group": "1", "year": 2020, "open": True, "score": 1, "tags": ["x"]},
    {"id": "b", "text": "zwei", "lang": "de", "year": 2021, "open": False, "score": 0.5, "tags": []},
    {"id": "c", "text": "trois", "lang": "fr", "group": None, "year": None, "mixed": "4"},
    {"id": "d", "text": "four", "lang": "en", "group": 7, "mixed": 4},
]


def _lines(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_columns_beside_the_text_keep_their_types(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="triglot")
    found = read_records(_lines(tmp_path / "p.jsonl", _ROWS))
    assert (found.ids, found.texts) == (["a", "b", "c", "d"], ["one", "zwei", "trois", "four"])
    assert (found.langs, found.groups) == (["en", "de", "fr", "en"], ["1", "", "", "7"])
    assert found.fields == {
        "year": [2020, 2021, None, None],
        "open": [True, False, None, None],
        "score": [1, 0.5, None, None],
    }
    assert "kept beside them: year, open, score" in caplog.text
    assert "not kept, as no filter could use it: tags, mixed" in caplog.text


def test_cells_become_numbers_where_all_are(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "id,text,year,price,zip,Free Text\n1,one,2020,1.5,01234,x\n2,two,,2.0,5,\n3,three,-7,0.25,6,z\n",
        encoding="utf-8",
    )
    assert read_records(path).fields == {
        "year": [2020, None, -7],
        "price": [1.5, 2.0, 0.25],
        "zip": ["01234", "5", "6"],  # a leading zero is no number
        "Free_Text": ["x", None, "z"],
    }


def test_parquet_is_read_as_json_lines_are(tmp_path: Path) -> None:
    rows = [{key: row[key] for key in ("id", "text", "lang", "year")} for row in _ROWS[:3]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    assert read_records(tmp_path / "p.parquet") == read_records(_lines(tmp_path / "p.jsonl", rows))


def test_html_that_is_taken_out_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="triglot")
    rows = [{"id": "a", "text": "<p>One &amp; <b>two</b></p>"}, {"id": "b", "text": "three < four"}]
    assert read_records(_lines(tmp_path / "p.jsonl", rows)).texts == ["One & two", "three < four"]
    assert "HTML in 1 texts, tags and entities taken out" in caplog.text


def test_lines_without_columns_have_texts_alone(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("one\n\ntwo\n", encoding="utf-8")
    (tmp_path / "p.tsv").write_text("a\tone\nb\ttwo\n", encoding="utf-8")
    for name, ids in (("p.txt", ["1", "3"]), ("p.tsv", ["a", "b"])):
        found = read_records(tmp_path / name)
        assert (found.ids, found.texts, found.groups, found.fields) == (ids, ["one", "two"], ["", ""], {})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a", "text": "one"}, {"id": "b", "text": " "}], r"p\.jsonl:2: an empty text"),
        ([{"id": "a", "text": "one"}, {"id": "a", "text": "two"}], r"p\.jsonl:2: the id 'a' occurred before"),
        ([{"id": "a", "year": 1}], r"p\.jsonl:1: no text: the object has id, year"),
        ([], r"p\.jsonl: no text in it"),
    ],
)
def test_bad_records_are_named(tmp_path: Path, rows: list[dict], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_records(_lines(tmp_path / "p.jsonl", rows))
