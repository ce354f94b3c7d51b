"""Results files: what is written is what is read, and nothing is half-written."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.evaluate.evaluation_sets import make_set
from triglot.evaluate import evaluate_scores, read_languages, read_queries, read_results, write_results
from triglot.files import InputError
from triglot.measures import reported


@pytest.fixture
def evaluation():
    rng = np.random.default_rng(0)
    benchmark = make_set([0, 1, 2, 0], [0, 1, 2, 0, 1, 2], [(q, p, 1) for q in range(4) for p in range(q % 2, 6, 2)])
    scores = rng.integers(0, 4, (4, 6)).astype(np.float32)
    return evaluate_scores(lambda rows: scores[rows], benchmark)


def test_what_is_written_is_read(tmp_path, evaluation):
    path = write_results(tmp_path / "run", {"toy": evaluation, "again": evaluation}, model="some model")
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "again.languages.json",
        "again.queries.parquet",
        "again.questions.json",
        "results.json",
        "toy.languages.json",
        "toy.queries.parquet",
        "toy.questions.json",
    ]
    results = read_results(path.parent)
    assert results == read_results(path)
    assert (results["schema"], results["model"]) == (1, "some model")
    assert results["benchmarks"] == {"toy": evaluation.summary, "again": evaluation.summary}
    assert {"python", "numpy", "triglot"} <= set(results["versions"])
    assert read_languages(path.parent, "toy") == evaluation.by_language
    table = read_queries(path.parent, "toy")
    assert set(table) == set(evaluation.queries)
    for name, column in table.items():
        np.testing.assert_array_equal(column, evaluation.queries[name])


def test_the_macro_average_follows_from_the_file_of_queries(tmp_path, evaluation):
    write_results(tmp_path, {"toy": evaluation}, model="m")
    table = pq.read_table(tmp_path / "toy.queries.parquet")
    assert table.column_names[:6] == ["query_id", "query_lang", "cluster", "setting", "passage_lang", "relevant"]
    usual, bias = ([one.name for one in reported(where)] for where in ("settings", "bias"))
    assert table.column_names[6 : 6 + len(usual) + 2] == [*usual, "rank_distance", "max_rank"]
    assert set(table.column_names[6 + len(usual) + 2 :]) <= set(bias)
    frame = table.to_pylist()
    for setting in ("mono", "cross", "multi"):
        cells: dict[tuple[str, str], list[float]] = {}
        for row in frame:
            assert (row["rank_distance"] is None) == (row["setting"] != "multi")
            if row["setting"] == setting:
                cells.setdefault((row["query_lang"], row["passage_lang"]), []).append(row["map"])
        assert np.mean([np.mean(values) for values in cells.values()]) == pytest.approx(
            evaluation.summary[setting]["map"]
        )


def test_names_that_are_no_file_names_are_refused_before_anything_is_written(tmp_path, evaluation):
    for name in ("../out", "a/b", "", "..", "x\\y"):
        with pytest.raises(InputError, match="cannot be the name of a benchmark"):
            write_results(tmp_path / "run", {"toy": evaluation, name: evaluation}, model="m")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path, evaluation):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write_results(tmp_path / "file" / "run", {"toy": evaluation}, model="m")


def test_results_that_cannot_be_read_are_named(tmp_path, evaluation):
    with pytest.raises(InputError, match="no such file"):
        read_results(tmp_path)
    (tmp_path / "results.json").write_text(json.dumps({"schema": 7, "benchmarks": {}}))
    with pytest.raises(InputError, match="not a results file of schema 1"):
        read_results(tmp_path)
    write_results(tmp_path, {"toy": evaluation}, model="m")
    with pytest.raises(InputError, match="no results of 'toi'; did you mean 'toy'"):
        read_languages(tmp_path, "toi")
    (tmp_path / "toy.queries.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_queries(tmp_path, "toy")
