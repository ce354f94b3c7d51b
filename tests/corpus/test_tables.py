from __future__ import annotations

import gzip
import json
import logging
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triglot.corpus import tables, workbook
from triglot.corpus.description import guess
from triglot.corpus.formats.passages import read_collection
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
    ("name", "content"),
    [
        ("index.csv", ",id,views [30 days]\n0,a,7\n"),
        ("end.csv", "id;views [30 days];\na;7;\n   \n"),
        ("quoted.csv", 'id,"City, Country",views [30 days]\na,"Paris, France",7\n'),
        ("tab.tsv", 'id\t"views [30 days]"\na\t7\n'),
    ],
)
def test_headers_as_exports_have_them(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    (record,) = values(tmp_path / name)
    assert (record.pop("id"), record.pop("views [30 days]")) == ("a", "7")
    assert record in ({}, {"City, Country": "Paris, France"})


def test_columns_that_later_records_have(tmp_path: Path) -> None:
    rows = [{"id": number} for number in range(5)] + [{"id": 5, "key": "k"}, {"id": 6, "key": "l"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert tables.columns_of(tmp_path / "a.jsonl", sample=2) == {"id": [0, 1], "key": ["k"]}


@pytest.mark.parametrize(
    ("value", "text"), [(7.0, "7"), (1.25, "1.25"), (float("nan"), ""), (True, ""), (None, ""), (" a ", "a")]
)
def test_a_cell_as_text(value: object, text: str) -> None:
    assert tables.cell_text(value) == text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b'id,text\n1,x\n2,"y\n3,z\n', r"a\.csv:3: a row that is no CSV"),
        ("a.csv", b"id,text\n1,x,y\n", r"a\.csv:2: 3 cells, but the header has 2"),
        ("a.csv", b"id,id\n1,x\n", r"a\.csv:1: two columns have the same name, 'id'"),
        ("a.csv", b"", r"a\.csv: is empty; a line with the names of the columns"),
        ("a.csv", b'"a ""b""",2\n', r"a\.csv:1: its first line does not name columns"),
        ("a.csv", b"id,text\n1,\xff\n", r"a\.csv:2: not UTF-8"),
        ("a.csv", "id;text\n1;\u00e4\n".encode("cp1252"), r"a\.csv:2: not UTF-8 .*; save it as `CSV UTF-8`"),
        ("a.csv", "id;text\n1;x\n".encode("utf-16")[:-1], r"a\.csv: broken or truncated after line 1"),
        ("a.xlsx", b"PK\x03\x04", r"a\.xlsx: not a workbook that can be read"),
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


def test_exports_of_excel(tmp_path: Path) -> None:
    text = 'Id;Text body\r\n007;"a ""b"", c\r\nd"\r\n'
    for name, content in {
        "bom.csv": b"\xef\xbb\xbf" + text.encode(),
        "sep.csv": b"sep=;\r\n" + text.encode(),
        "little.csv": text.encode("utf-16"),
        "big.csv": b"\xfe\xff" + text.encode("utf-16-be"),
        "unicode.txt.tsv": text.replace(";", "\t").encode("utf-16"),
        "packed.csv.gz": gzip.compress(text.encode("utf-16")),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert values(tmp_path / name) == [{"Id": "007", "Text body": 'a "b", c\nd'}], name


CELL = '<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def write_workbook(path: Path, sheets: dict[str, list[list[str | float]]]) -> None:
    """The least that a workbook is made of."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {}
    for number, rows in enumerate(sheets.values(), 1):
        lines = []
        for row, cells in enumerate(rows, 2):  # the sheet begins in its second row
            made = [
                CELL.format(place=f"{'ABCDEF'[place]}{row}", text=cell)
                if isinstance(cell, str)
                else f'<c r="{"ABCDEF"[place]}{row}"><v>{cell}</v></c>'
                for place, cell in enumerate(cells)
            ]
            lines.append(f'<row r="{row}">{"".join(made)}</row>')
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>'
        )
    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
    parts["xl/workbook.xml"] = f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>'
    kept = "".join(
        f'<Relationship Id="r{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    start = f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
    parts["_rels/.rels"] = f'<Relationships xmlns="{package}/relationships">{start}</Relationships>'
    parts["xl/_rels/workbook.xml.rels"] = f'<Relationships xmlns="{package}/relationships">{kept}</Relationships>'
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0"?>{text}')


def test_a_workbook_is_its_first_sheet_with_rows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("python_calamine")
    sheet = [["id", "lang", "", "text"], [7.0, "de", "x", "Fluss"], ["", "", "", ""], ["b1", "en", "", "river"]]
    write_workbook(tmp_path / "a.xlsx", {"Empty": [], "Articles": sheet, "Notes": [["ours"]]})
    with caplog.at_level(logging.WARNING, "triglot"):
        found = list(tables.records(tmp_path / "a.xlsx"))
    assert [record for _, _, record in found] == [
        {"id": 7.0, "lang": "de", "text": "Fluss"},
        {"id": "b1", "lang": "en", "text": "river"},
    ]
    assert [where for _, where, _ in found] == [f"{tmp_path / 'a.xlsx'}: row {row}" for row in (3, 5)]
    assert tables.cell_text(found[0][2]["id"]) == "7"
    assert "the sheet 'Articles' is read; not read: 'Notes'" in caplog.text
    assert read_collection(tmp_path / "a.xlsx") == (["7", "b1"], ["Fluss", "river"], ["de", "en"])
    (found,) = guess({"a.xlsx": tables.columns_of(tmp_path / "a.xlsx")})
    assert found.first == {"id": "7", "lang": "de", "text": "Fluss"}
    write_workbook(tmp_path / "b.xlsx", {"Empty": []})
    with pytest.raises(InputError, match=r"b\.xlsx: is empty"):
        tables.columns_of(tmp_path / "b.xlsx")
    write_workbook(tmp_path / "c.xlsx", {"Twice": [["id", "id"], ["1", "2"]]})
    with pytest.raises(InputError, match=r"c\.xlsx: row 2: two columns have the same name"):
        tables.columns_of(tmp_path / "c.xlsx")


def test_a_workbook_that_unpacks_to_more_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("python_calamine")
    monkeypatch.setattr(workbook, "_MOST", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 2**21)
    with pytest.raises(InputError, match=r"bomb\.xlsx: more than 1 MiB unpacked"):
        tables.columns_of(tmp_path / "bomb.xlsx")
