from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot.corpus.formats.passages import read_passages
from triglot.corpus.formats.registry import read_training
from triglot.files import InputError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_jsonl_with_ids_titles_and_other_names(tmp_path: Path) -> None:
    lines = (
        '{"_id": "a", "title": "T", "text": "one"}\n\n{"id": 7, "contents": "two"}\n{"passage": "three", "title": '
        '""}\n"four"\n'
    )
    assert read_passages(write(tmp_path / "p.jsonl", lines)) == (
        ["a", "7", "4", "5"],
        ["T one", "two", "three", "four"],
    )


def test_tsv_and_plain_lines(tmp_path: Path) -> None:
    assert read_passages(write(tmp_path / "p.tsv", "a\tone\nb\ttwo\tand more\n")) == (
        ["a", "b"],
        ["one", "two\tand more"],
    )
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
        ("p.csv", "", r"p\.csv: no text in it"),
        ("p.csv", "id,text\n", r"p\.csv: no text in it"),
        ("p.tsv", "", r"p\.tsv: no text in it"),
        ("p.json", "", r"p\.json:1: not JSON"),
        ("p.jsonl", "", r"p\.jsonl: no text in it"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_passages(write(tmp_path / name, text))


# --- tables


def test_a_csv_is_read_as_a_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "p.csv", 'Id,url,Title,Body\n7,http://x,"Long, long","one\nline ""two"""\n8,,,three\n')
    with caplog.at_level("INFO", "triglot"):
        assert read_passages(path) == (["7", "8"], ['Long, long one\nline "two"', "three"])
    assert f"{path}: read id from 'Id', text from 'Body', title from 'Title'; not read: url" in caplog.text
    assert read_passages(write(tmp_path / "q.csv", "text;docid\none, two;a\n")) == (["a"], ["one, two"])
    assert read_passages(write(tmp_path / "r.csv", 'text\n"one\ntwo"\nthree\n')) == (["2", "4"], ["one\ntwo", "three"])


def test_long_texts_are_read(tmp_path: Path) -> None:
    long = "word, " * 100_000
    assert read_passages(write(tmp_path / "p.txt", f"{long}\n")) == (["1"], [long])
    assert read_passages(write(tmp_path / "p.csv", f'id,text\n1,"{long}"\n')) == (["1"], [long])
    assert read_passages(write(tmp_path / "p.tsv", f"1\t{long}\n")) == (["1"], [long])


def test_a_tsv_with_a_header_has_columns(tmp_path: Path) -> None:
    lines = 'id\ttext\ttitle\n1\t"a ""b"" c"\tT\n2\t"open\tU\n'
    assert read_passages(write(tmp_path / "p.tsv", lines)) == (["1", "2"], ['T a "b" c', 'U "open'])
    assert read_passages(write(tmp_path / "q.tsv", 'id\ttext\n1\t"two\nlines"\n')) == (["1"], ["two\nlines"])
    odd = '"id"\t"tags/labels"\t"views (30d)"\t"text"\n1\tx\t3\tone\n'
    assert read_passages(write(tmp_path / "r.tsv", odd)) == (["1"], ["one"])
    assert read_passages(write(tmp_path / "r.csv", odd.replace("\t", ";"))) == (["1"], ["one"])


def test_a_tsv_without_a_header_says_how_it_was_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    read_passages(write(tmp_path / "p.tsv", "a\tone\nb\ttwo\tmore\n"))
    assert "names no columns; each line is an id, a tab and a text" in caplog.text
    assert "1 lines have more than one tab" in caplog.text


def test_ids_that_repeat_in_other_languages_get_them_in_front(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "id,lang,text\n1,de,eins\n1,EN,one\n2,de,zwei\n")
    assert read_passages(path) == (["de-1", "en-1", "de-2"], ["eins", "one", "zwei"])
    with pytest.raises(InputError, match=r"p\.csv:3: the id '1' occurred before, in line 2"):
        read_passages(write(tmp_path / "p.csv", "id,lang,text\n1,de,eins\n1,de,one\n"))


def test_json_and_parquet(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "one"}, {"id": "b", "text": "two", "title": "T"}]
    both = (["a", "b"], ["one", "T two"])
    assert read_passages(write(tmp_path / "p.json", json.dumps(rows))) == both
    assert read_passages(write(tmp_path / "p.json", json.dumps(rows, indent=1))) == both
    assert read_passages(write(tmp_path / "p.json", "\n".join(map(json.dumps, rows)))) == both
    pq.write_table(pa.Table.from_pylist(rows[::-1]), tmp_path / "p.parquet")
    assert read_passages(tmp_path / "p.parquet") == (["b", "a"], ["T two", "one"])
    with pytest.raises(InputError, match=r"p\.json: item 2: the id 'a' occurred before, in item 1"):
        read_passages(write(tmp_path / "p.json", json.dumps([rows[0], rows[0]])))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl.bz2", bz2.compress(b"{}"), r"packed by bzip2; unpack it"),
        ("a.jsonl", bz2.compress(b"{}"), r"packed by bzip2"),
        ("a.jsonl.xz", lzma.compress(b"{}"), r"packed by xz"),
        ("a.zst", b"\x28\xb5\x2f\xfd" + bytes(9), r"packed by zstd"),
        ("a.zip", b"PK\x03\x04" + bytes(9), r"a zip archive"),
        ("a", b"PAR1" + bytes(9), r"a Parquet file; its name must end in \.parquet"),
        ("a.md", b"# head\n", r"a\.md: the name does not tell what it is \(\.parquet, .*\); one text a line is \.txt"),
        ("a.txt", b'{"text": "one"}\n', r"a\.txt:1: this is JSON; name it \.jsonl"),
        ("a", b"[\n1]\n", r"a:1: this is JSON"),
        ("a.txt", b"id,text\n1,one\n", r"a\.txt:1: this is the header of a table; name it \.csv"),
        ("a.txt", b"one\t2\nthree\t4\n", r"a\.txt: every line has 1 tab\(s\), as in a table; name it \.tsv"),
        ("a.txt", b"<!DOCTYPE html>\n", r"a\.txt:1: this is HTML"),
        ("a.txt", "one\n".encode("utf-16-le"), r"a\.txt:1: a NUL byte"),
        ("a.csv", b"7,one\n8,two\n", r"a\.csv:1: its first line names no column of texts \('7,one'\); known: text, "),
        ("a.csv", b"id,name\n8,two\n", r"a\.csv:1: no text: the object has id, name; looked for text, "),
        ("a.csv", b"id,text\n8\n", r"a\.csv:2: 1 cells, but the header has 2"),
        ("a.csv", b'id,text\n8,"two\n9,x\n', r"a\.csv:2: a row that is no CSV"),
        ("a.csv", b"id,text,text\n8,a,b\n", r"a\.csv:1: two columns have the same name"),
        ("a.csv", b"id,text\n,a\n", r"a\.csv:2: id is '', not an id"),
        ("a.jsonl", b'{"id": null, "text": "a"}\n', r"a\.jsonl:1: id is None, not an id"),
        ("a.jsonl", b'{"id": true, "text": "a"}\n', r"a\.jsonl:1: id is True, not an id"),
        ("a.jsonl", b'{"id": 1, "text": "a", "title": 7}\n', r"a\.jsonl:1: title is not a string"),
        (
            "a.jsonl",
            b'{"id": 10, "text": "a"}\n{"id": "10", "text": "a"}\n',
            r"a\.jsonl:2: the id '10' occurred before, in line 1",
        ),
        (
            "a.json",
            b'{"data": [1],\n "version": 1}',
            r"a\.json: a list of objects, or an object a line, was expected, not dict",
        ),
        ("a.tsv", b"\tone\n", r"a\.tsv:1: an empty id"),
        (
            "a.tsv",
            b"key\tabstract\ttitle\n1\tone\tT\n",
            r"a\.tsv:1: no text: the object has key, abstract, title; looked for text, ",
        ),
        (
            "a.tsv",
            b"docno\tabstract\n1\tone\n",
            r"a\.tsv:1: no text: the object has docno, abstract; looked for text, ",
        ),
        ("a.csv", b"id,te\rxt\n1,one\n", r"a\.csv:1: its first line names no column"),
        ("a.csv", b"id,text\n1,o\rne\n", r"a\.csv:2: a row that is no CSV"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_passages(tmp_path / name)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1))
def test_what_a_csv_writer_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    rows = [(f"{n}{a}", b) for n, (a, b) in enumerate(rows) if not {*a, *b} & set("\r\ufeff") and b.strip()]
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("id", "text"), *rows])
    if rows:
        assert read_passages(path) == ([a for a, _ in rows], [b for _, b in rows])


def test_texts_without_pairs_are_a_corpus_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("id,lang,text\n1,de,Der Fluss\n2,en,The river\n3,fr,La rivière\n", "utf-8")
    corpus, tally = read_training(path, format="passages", languages=["de", "en"])
    assert (corpus.languages, corpus.texts.to_pylist(), len(corpus)) == (("de", "en"), ["Der Fluss", "The river"], 0)
    assert tally.read["texts"] == 2
    with pytest.raises(InputError, match="no text in fi"):
        read_training(path, format="passages", languages=["fi"])
    path.write_text("id,lang,text\n1,,Der Fluss\n", "utf-8")
    with pytest.raises(InputError, match=r"texts\.csv: 1: has no language; give it in a column `lang`"):
        read_training(path, format="passages")


def test_texts_can_be_their_own_rows(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("id,text,lang\n1,eins,de\n2,two,\n3,drei,de\n4,four,en\n", encoding="utf-8")
    corpus, _ = read_training(tmp_path / "texts.csv", format="passages", itself=True)
    assert corpus.languages == ("de", "en", "und")
    assert len(corpus) == 4
    assert (corpus.query == corpus.passage).all()
    corpus, tally = read_training(tmp_path / "texts.csv", format="passages", itself=True, skip=1, limit=2)
    assert corpus.texts.to_pylist() == ["two", "drei"]
    assert tally.read["texts"] == 2
    with pytest.raises(InputError, match=r"skip: 9 texts are passed over, and .* has 4"):
        read_training(tmp_path / "texts.csv", format="passages", itself=True, skip=9)
