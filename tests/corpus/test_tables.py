from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triglot.corpus import tables
from triglot.files import InputError

ROWS = [{"Id": "007", "Text body": 'a "b", c\nd'}, {"Id": "8", "Text body": "e;f\tg"}]


def values(path: Path) -> list[dict]:
    return [record for _, _, record in tables.records(path)]


def test_all_kinds_of_tables_give_the_same_rows(tmp_path: Path) -> None:
    quoted = [[row["Id"], '"' + row["Text body"].replace('"', '""') + '"'] for row in ROWS]
    for name, delimiter in (("a.csv", ","), ("b.csv", ";"), ("c.csv", "|"), ("d.tsv", "\t"), ("e.csv", "\t")):
        lines = [delimiter.join(line) for line in (["Id", "Text body"], *quoted)]
        (tmp_path / name).write_text("\ufeff" + "\n".join(lines) + "\n", "utf-8")
        assert values(tmp_path / name) == ROWS, name
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    (tmp_path / "b.json").write_text(json.dumps(ROWS), "utf-8")
    with gzip.open(tmp_path / "c.ndjson.gz", "wt", encoding="utf-8") as handle:
        handle.write((tmp_path / "a.jsonl").read_text("utf-8"))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "d.parquet")
    for name in ("a.jsonl", "b.json", "c.ndjson.gz", "d.parquet"):
        assert values(tmp_path / name) == ROWS, name
    assert tables.columns_of(tmp_path / "a.csv", sample=1) == {"Id": ["007"], "Text body": ['a "b", c\nd']}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b'id,text\n1,x\n2,"y\n3,z\n', r"a\.csv:3: a row that is no CSV"),
        ("a.csv", b"id,text\n1,x,y\n", r"a\.csv:2: 3 cells, but the header has 2"),
        ("a.csv", b"id,id\n1,x\n", r"a\.csv:1: two columns have the same name, 'id'"),
        ("a.csv", b"", r"a\.csv: is empty; a line with the names of the columns"),
        ("a.csv", b'"a ""b""",2\n', r"a\.csv:1: its first line does not name columns"),
        ("a.csv", b"id,text\n1,\xff\n", r"a\.csv:2: not UTF-8"),
        ("a.xlsx", b"PK\x03\x04", r"a\.xlsx: a workbook; save the sheet as `CSV UTF-8`"),
        ("a.txt", b"x\n", r"a\.txt: the name does not tell what it is \(\.parquet, "),
        ("a.csv", b"id,text\n", r"a\.csv: has no rows"),
        ("a.jsonl", b"[1]\n", r"a\.jsonl:1: an object was expected"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        tables.columns_of(tmp_path / name)


def test_a_file_that_is_not_there_has_a_near_name(tmp_path: Path) -> None:
    (tmp_path / "articles.csv").write_text("id,text\n", "utf-8")
    with pytest.raises(InputError, match=r"article\.csv: no such file; did you mean 'articles\.csv'"):
        tables.columns_of(tmp_path / "article.csv")
