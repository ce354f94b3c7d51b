"""Retrieval data in MTEB's Parquet folders."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.opening import retrieval_of
from triglot.corpus.formats import mteb
from triglot.corpus.formats.registry import detect
from triglot.files import InputError


def table(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def layout(root, prefix="", key="_id", judgements="qrels"):
    table(
        root / f"{prefix}corpus" / "corpus-00000-of-00002.parquet",
        **{key: ["d1", "d2"]},
        title=["T", ""],
        text=["one", "two"],
    )
    table(
        root / f"{prefix}corpus" / "corpus-00001-of-00002.parquet",
        **{key: ["d3", "d1"]},
        title=["", ""],
        text=["three", "again"],
    )
    table(
        root / f"{prefix}queries" / "queries-00000-of-00001.parquet",
        **{key: ["q1", "q2", "q3"]},
        text=["who", "what", "unjudged"],
    )
    rows = {"query-id": ["q1", "q2", "q2", "q9"], "corpus-id": ["d1", "d3", "d9", "d1"], "score": [1.0, 2.0, 1.0, 1.0]}
    table(root / f"{prefix}{judgements}" / "test-00000-of-00001.parquet", **rows)
    table(
        root / f"{prefix}{judgements}" / "train-00000-of-00001.parquet",
        **{"query-id": ["q3"], "corpus-id": ["d2"], "score": [1]},
    )
    return root


@pytest.mark.parametrize(("key", "judgements"), [("_id", "qrels"), ("id", "default"), ("id", "data")])
def test_one_language(tmp_path, key, judgements):
    layout(tmp_path, key=key, judgements=judgements)
    assert detect(tmp_path) == "mteb"
    found = retrieval_of(tmp_path, name="x")
    assert (found.languages, found.ranked, found.parallel) == (("en",), True, False)
    assert (found.queries.ids, found.passages.ids) == (["q1", "q2"], ["d1", "d2", "d3"])
    assert found.passages.texts == ["T one", "two", "three"]
    assert found.judgements.tolist() == [[0, 0, 1], [1, 2, 2]]
    assert found.notes[0] == "1 queries have no relevant document in test"
    assert "1 x record whose _id occurred before in its language" in found.notes[1]
    assert "1 x judgement that names an unknown document" in found.notes[2]
    assert "1 x judgement that names an unknown query" in found.notes[3]
    assert retrieval_of(tmp_path, name="x", split="train").judgements.tolist() == [[0, 1, 1]]


def test_several_languages_are_benchmarks_of_their_own(tmp_path):
    layout(layout(tmp_path, "de-"), "el-")
    assert mteb.configs(tmp_path) == ["de", "el"]
    with pytest.raises(InputError, match="has de, el, each a benchmark of its own"):
        retrieval_of(tmp_path, name="x")
    assert retrieval_of(tmp_path, name="x", config="el").languages == ("el",)
    assert retrieval_of(tmp_path, name="x", languages=["de"]).languages == ("de",)
    with pytest.raises(InputError, match="no 'ell'; did you mean 'el'"):
        retrieval_of(tmp_path, name="x", config="ell")


def test_what_is_missing_is_named(tmp_path):
    layout(tmp_path)
    with pytest.raises(
        InputError, match="no judgements of the split 'tset' in qrels or default or data; did you mean 'test'"
    ):
        retrieval_of(tmp_path, name="x", split="tset")
    (tmp_path / "queries" / "queries-00000-of-00001.parquet").write_text("no table")
    with pytest.raises(InputError, match="not a Parquet file"):
        retrieval_of(tmp_path, name="x")
    (tmp_path / "queries" / "queries-00000-of-00001.parquet").unlink()
    with pytest.raises(InputError, match="no Parquet file of queries"):
        retrieval_of(tmp_path, name="x")
    with pytest.raises(InputError, match="no folder such as `corpus`"):
        mteb.read_retrieval(tmp_path / "queries", name="x")


def test_the_only_split_is_read_and_without_scores_each_grade_is_1(tmp_path):
    """NanoBEIR."""
    layout(tmp_path)
    for file in (tmp_path / "qrels").iterdir():
        file.unlink()
    table(tmp_path / "qrels" / "train-00000-of-00001.parquet", **{"query-id": ["q1", "q2"], "corpus-id": ["d1", "d3"]})
    assert retrieval_of(tmp_path, name="x").judgements.tolist() == [[0, 0, 1], [1, 2, 1]]
    assert retrieval_of(tmp_path, name="x", split="train").judgements.tolist() == [[0, 0, 1], [1, 2, 1]]
    with pytest.raises(InputError, match="no judgements of the split 'test'"):
        retrieval_of(tmp_path, name="x", split="test")


@pytest.mark.parametrize("grade", [float("nan"), float("inf"), 0.5, "1e999", 1e30])
def test_a_grade_that_is_none_is_an_error_with_file_and_row(tmp_path, grade):
    layout(tmp_path)
    rows = {"query-id": ["q1", "q2"], "corpus-id": ["d1", "d3"], "score": [type(grade)(1), grade]}
    table(tmp_path / "qrels" / "test-00000-of-00001.parquet", **rows)
    with pytest.raises(InputError, match=r"test-00000-of-00001\.parquet: row 2: the grade"):
        retrieval_of(tmp_path, name="x")


def test_absent_documents_and_the_query_itself(tmp_path):
    layout(tmp_path)
    table(tmp_path / "queries" / "queries-00000-of-00001.parquet", _id=["d1", "q2"], text=["one ", "what"])
    rows = {"query-id": ["d1", "d1", "q2"], "corpus-id": ["d2", "d9", "d9"], "score": [1, 1, 2]}
    table(tmp_path / "qrels" / "test-00000-of-00001.parquet", **rows)
    found = retrieval_of(tmp_path, name="x")
    assert (found.queries.ids, found.itself.tolist()) == (["d1", "q2"], [[0, 0]])
    assert (found.absent.ids, found.absent.query.tolist(), found.absent.grade.tolist()) == (
        ["d9", "d9"],
        [0, 1],
        [1, 2],
    )
