"""Judgements in every form that they come in, and numbers that are no grades."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from triglot.corpus.formats import beir, qrels, trec
from triglot.corpus.tally import Tally
from triglot.files import InputError

GRADES = ["1", "0", "2", "-1"]
ROWS = [("q1", "d1"), ("q1", "d 2"), ("q2", "d1"), ("q2", "d3")]
READ = [(*ids, int(grade)) for ids, grade in zip(ROWS, GRADES, strict=True)]


def lines(join="\t", quote="", end=""):
    return "".join(
        join.join(f"{quote}{one}{quote}" for one in (*ids, f"{g}{end}")) + "\n"
        for ids, g in zip(ROWS, GRADES, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain", lines()),
        ("header", "query-id\tcorpus-id\tscore\n" + lines()),
        ("floats", "query-id\tcorpus-id\tscore\n" + lines(end=".0")),
        ("names", "qid\tdocid\trelevance\n" + lines()),
        ("order", "corpus_id\tscore\tquery_id\n" + "".join(f"{d}\t{g}\t{q}\n" for q, d, g in READ)),
        ("more", "query-id\tcorpus-id\tscore\tnote\n" + "".join(f"{q}\t{d}\t{g}\tx\n" for q, d, g in READ)),
        ("quoted", '"query-id"\t"corpus-id"\t"score"\n' + lines(quote='"')),
        ("blank", "\n" + lines().replace("\n", "\n\n")),
        ("crlf", "\ufeff" + ("query-id\tcorpus-id\tscore\n" + lines()).replace("\n", "\r\n")),
        ("trec", "".join(f"{q}\t0\t{d}\t{g}\n" for q, d, g in READ)),
        ("objects.jsonl", "".join(f'{{"query-id": "{q}", "corpus-id": "{d}", "score": {g}.0}}\n' for q, d, g in READ)),
        ("named.jsonl", "".join(f'{{"qid": "{q}", "pid": "{d}", "label": "{g}"}}\n' for q, d, g in READ)),
    ],
)
def test_one_set_of_judgements_in_many_forms(tmp_path, name, text):
    path = tmp_path / (name if "." in name else f"{name}.tsv")
    path.write_bytes(text.encode())
    tally = Tally(strict=True)
    assert [(q, d, g) for q, d, g, _ in qrels.read(path, tally)] == READ
    assert tally.read == {"judgements": 4}


@pytest.mark.parametrize(
    ("name", "text"), [("a.tsv", "q1\td1\nq2\td2\n"), ("b.tsv", "query-id\tcorpus-id\nq1\td1\nq2\td2\n")]
)
def test_without_a_column_of_grades_each_is_1(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert [one[:3] for one in qrels.read(tmp_path / name, Tally(strict=True))] == [("q1", "d1", 1), ("q2", "d2", 1)]
    (tmp_path / "c.jsonl").write_text('{"query-id": 1, "corpus-id": "d1"}\n')
    assert [one[:3] for one in qrels.read(tmp_path / "c.jsonl", Tally(strict=True))] == [("1", "d1", 1)]


@pytest.mark.parametrize(
    "value", ["0.7", "nan", "NaN", "inf", "-Infinity", "1e999", "9" * 30, "1e30", "2147483648", ".5"]
)
def test_a_number_that_is_no_grade_is_an_error_with_file_and_line(tmp_path, value):
    path = tmp_path / "test.tsv"
    path.write_text(f"q1\td1\t1\nq1\td2\t{value}\n")
    with pytest.raises(InputError, match=rf"test\.tsv:2: the grade {value[:30]}.* is not a whole number"):
        list(qrels.read(path, Tally()))
    path.write_text(f"q1 0 d1 1\nq1 0 d2 {value}\n")
    with pytest.raises(InputError, match=rf"test\.tsv:2: the grade {value[:30]}.* is not a whole number"):
        trec.read_qrels(path, Tally())


@pytest.mark.parametrize("value", ["1", "1.0", "1e0", "+1", 1, 1.0, True, Decimal("1.00"), " 1 "])
def test_a_whole_number_is_a_grade_however_it_is_written(value):
    assert qrels.grade_of(value, "x") == 1


@pytest.mark.parametrize("value", ["", "yes", "٣", "1_0", "0x1", None, [1], {}, b"1", np.ones(2)])
def test_what_is_no_number_is_none(value):
    assert qrels.grade_of(value, "x") is None


@pytest.mark.parametrize("value", [0.5, float("nan"), float("-inf"), 10**30, Decimal("NaN"), Decimal("0.5"), 2**31])
def test_typed_numbers_that_are_no_grades(value):
    with pytest.raises(InputError, match="x: the grade"):
        qrels.grade_of(value, "x")


def test_lines_that_are_no_judgement_are_counted(tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text(
        '{"query-id": "q"}\n[1]\n{"query-id": "q", "corpus-id": ["d"], "score": 1}\n{"query-id": "q", '
        '"corpus-id": "d"}\n'
    )
    tally = Tally()
    assert [one[:3] for one in qrels.read(path, tally)] == [("q", "d", 1)]
    assert (tally.left_out[qrels.MALFORMED].count, tally.left_out[qrels.MALFORMED].first) == (3, f"{path}:1")


def test_of_two_files_of_a_split_the_tsv_is_read(tmp_path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "t"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "t"}\n')
    (tmp_path / "qrels" / "test.jsonl").write_text('{"query-id": "q", "corpus-id": "d", "score": 2}\n')
    assert beir.read_retrieval(tmp_path, name="x").judgements.tolist() == [[0, 0, 2]]
    (tmp_path / "qrels" / "test.tsv").write_text("q\td\t3\n")
    assert beir.read_retrieval(tmp_path, name="x").judgements.tolist() == [[0, 0, 3]]
