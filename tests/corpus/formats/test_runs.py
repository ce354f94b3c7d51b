"""Runs: TREC's six columns, the answer of a top-k search, checks against judgements."""

from __future__ import annotations

import gzip
import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot import topk
from triglot.corpus.formats import runs
from triglot.corpus.formats.trec import Qrels, write_qrels
from triglot.corpus.tally import Tally
from triglot.files import InputError


def put(path, *lines):
    text = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def rows(run):
    columns = zip(run.query.tolist(), run.document.tolist(), run.score.tolist(), strict=True)
    return [(run.queries[q], run.documents[d], s) for q, d, s in columns]


def test_scores_decide_the_order_and_ranks_are_checked(tmp_path):
    path = put(
        tmp_path / "run.gz", "2 Q0 a 1 .5 mine", "1 Q0 a 1 0.25 mine", "1\tQ0\tb\t2\t0.75\tmine", "1 Q0 c 3 0.75 mine"
    )
    tally = Tally(strict=True)
    run = runs.read_run(path, tally)
    assert rows(run) == [("2", "a", 0.5), ("1", "b", 0.75), ("1", "c", 0.75), ("1", "a", 0.25)]
    assert (run.tag, run.starts.tolist(), len(run)) == ("mine", [0, 1, 4], 4)
    assert tally.read == {"queries with results": 2, "results": 4}
    assert tally.notes() == (f"the score decides: 1 x place where the rank contradicts the score (first: {path}:2)",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 Q0 b 2 0.5", "line that is not query, Q0, document, rank, score and tag"),
        ("", "line that is not query, Q0, document, rank, score and tag"),
        ("1 Q0 b first 0.5 mine", "line that is not query, Q0, document, rank, score and tag"),
        ("1 Q0 b 2 high mine", "line that is not query, Q0, document, rank, score and tag"),
        ("1 Q0 b 2 1_0 mine", "line that is not query, Q0, document, rank, score and tag"),
        ("1 Q0 b 2 ٣ mine", "line that is not query, Q0, document, rank, score and tag"),
        (f"1 Q0 b {'9' * 400} 0.1 mine", "line that is not query, Q0, document, rank, score and tag"),
        ("1 Q0 b 2 nan mine", "line whose score is not a finite number"),
        ("1 Q0 b 2 -inf mine", "line whose score is not a finite number"),
        ("1 Q0 a 2 0.1 mine", "line whose query and document occurred before"),
    ],
)
def test_a_broken_line_is_counted_and_fatal_when_strict(tmp_path, line, reason):
    path = put(tmp_path / "run", "1 Q0 a 1 0.5 mine", line)
    tally = Tally()
    assert rows(runs.read_run(path, tally)) == [("1", "a", 0.5)]
    assert (tally.left_out[reason].count, tally.left_out[reason].first) == (1, f"{path}:2")
    with pytest.raises(InputError, match=rf"run:2: {reason}"):
        runs.read_run(path, Tally(strict=True))


def test_an_empty_run_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no result in it can be read; read: nothing"):
        runs.read_run(put(tmp_path / "run"), Tally())
    with pytest.raises(InputError, match=r"no result in it can be read; .*1 x line whose score"):
        runs.read_run(put(tmp_path / "run", "1 Q0 a 1 nan t"), Tally())
    with pytest.raises(InputError, match="run: no results"):
        runs.build([], [], np.zeros(0), np.zeros(0), np.zeros(0))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((["1"], ["a"], [0], [0], [math.nan]), "1 scores are not a number .first: query '1', document 'a'"),
        ((["1"], ["a", "b"], [0, 0, 0], [1, 0, 1], [1, 2, 3]), "query '1' has document 'b' twice"),
        ((["1", "1"], ["a"], [0], [0], [1]), "query id '1' names two of them"),
        ((["1"], ["a", "a"], [0], [0], [1]), "document id 'a' names two of them"),
        ((["1"], ["a"], [0], [1], [1]), "a document index is outside 0 to 0"),
        ((["1"], ["a"], [-1], [0], [1]), "a query index is outside 0 to 0"),
        ((["1"], ["a"], [0], [0], [1, 2]), "1 queries, 1 documents and 2 scores"),
    ],
)
def test_arrays_that_are_no_run(columns, message):
    queries, documents, *arrays = columns
    with pytest.raises(InputError, match=message):
        runs.build(queries, documents, *map(np.array, arrays))


@given(st.data())
def test_there_and_back_keeps_order_ties_and_digits(tmp_path_factory, data):
    number = data.draw(st.integers(1, 30))
    pairs = data.draw(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=number, max_size=number, unique=True)
    )
    width = data.draw(st.sampled_from([32, 64]))
    finite = st.floats(-1e6, 1e6, width=width) | st.sampled_from([0.0, 0.5])
    scores = data.draw(st.lists(finite, min_size=number, max_size=number))
    query, document = np.array(pairs).T
    run = runs.build(
        [f"q{i}" for i in range(4)],
        [f"d{i}" for i in range(10)],
        query,
        document,
        np.array(scores, f"f{width // 8}"),
        tag="t",
    )
    path = tmp_path_factory.getbasetemp() / f"run{data.draw(st.sampled_from(['', '.gz']))}"
    runs.write_run(path, run)
    back = runs.read_run(path, Tally(strict=True))
    wide = [(q, d, float(str(s))) for (q, d, _), s in zip(rows(run), run.score, strict=True)]
    assert rows(back) == wide
    assert (np.diff(back.score) == 0).tolist() == (np.diff(run.score) == 0).tolist()
    assert back.tag == "t"


def test_written_ranks_begin_at_1_for_each_query(tmp_path):
    run = runs.build(["x", "y"], ["a", "b"], np.array([1, 0, 1]), np.array([0, 1, 1]), np.array([1, 2, 3], np.float32))
    runs.write_run(tmp_path / "run", run)
    assert (tmp_path / "run").read_text() == "x Q0 b 1 2.0 triglot\ny Q0 b 1 3.0 triglot\ny Q0 a 2 1.0 triglot\n"
    with pytest.raises(InputError, match="'my run': a run id"):
        runs.write_run(
            tmp_path / "other", runs.build(["x"], ["a"], np.array([0]), np.array([0]), np.array([1.0]), tag="my run")
        )
    with pytest.raises(InputError, match="'x y': a query id"):
        runs.write_run(tmp_path / "other", runs.build(["x y"], ["a"], np.array([0]), np.array([0]), np.array([1.0])))


def test_the_answer_of_top_k_is_a_run():
    rng = np.random.default_rng(1)
    queries, passages = rng.normal(size=(5, 4)), rng.normal(size=(40, 4))
    scores, indices = topk.top_k(queries, passages, 3)
    run = runs.from_top_k([f"q{i}" for i in range(5)], [f"d{i}" for i in range(40)], scores, indices, tag="dense")
    full = queries @ passages.T
    assert [(q, d) for q, d, _ in rows(run)] == [(f"q{i}", f"d{j}") for i in range(5) for j in np.argsort(-full[i])[:3]]
    assert (run.tag, run.score.dtype) == ("dense", np.float32)
    assert len(run.documents) == len(np.unique(indices))


def test_a_top_k_that_does_not_fit():
    scores, indices = np.ones((2, 2), np.float32), np.array([[0, 1], [1, 2]])
    with pytest.raises(InputError, match="do not fit 3 queries"):
        runs.from_top_k(["1", "2", "3"], ["a", "b", "c"], scores, indices)
    with pytest.raises(InputError, match="a document index is outside 0 to 1"):
        runs.from_top_k(["1", "2"], ["a", "b"], scores, indices)
    with pytest.raises(InputError, match="document id 'a' names two of them"):
        runs.from_top_k(["1", "2"], ["a", "a", "c"], scores, indices)
    with pytest.raises(InputError, match="no results"):
        runs.from_top_k([], [], np.zeros((0, 2)), np.zeros((0, 2), np.int64))


def test_what_a_reader_of_the_figures_should_know():
    run = runs.build(["1", "2"], ["a", "b"], np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([3, 2, 1]))
    assert runs.coverage(run, Qrels(["1", "2"], ["a", "z"], np.array([1, 1]))) == ()
    assert runs.coverage(run, Qrels(["1", "2", "3"], ["a", "z", "b"], np.array([1, 0, 1])), k=2) == (
        "1 judged queries have no results; they score 0 (first: 3)",
        "1 queries of the run have no relevant document in the judgements; left out (first: 2)",
        "1 queries have fewer than 2 results",
    )
    with pytest.raises(InputError, match=r"share no query: \['1', '2'\] against \['en-1'\]"):
        runs.coverage(run, Qrels(["en-1"], ["a"], np.array([1])))


def test_other_readers_understand_our_files(tmp_path):
    run = runs.build(
        ["x", "y"], ["a#0", "b"], np.array([1, 0, 1]), np.array([0, 1, 1]), np.array([0.1, 2, 0.3], np.float32), tag="t"
    )
    qrels = Qrels(["x", "y"], ["b", "b"], np.array([2, 0]))
    for suffix in ("", ".gz"):
        runs.write_run(tmp_path / f"run{suffix}", run)
        write_qrels(tmp_path / f"qrels{suffix}", qrels)
        read = [
            (one.query_id, one.doc_id, one.score) for one in ir_measures.read_trec_run(str(tmp_path / f"run{suffix}"))
        ]
        assert read == [("x", "b", 2.0), ("y", "b", 0.3), ("y", "a#0", 0.1)]
        judged = [
            (one.query_id, one.doc_id, one.relevance)
            for one in ir_measures.read_trec_qrels(str(tmp_path / f"qrels{suffix}"))
        ]
        assert judged == [("x", "b", 2), ("y", "b", 0)]
