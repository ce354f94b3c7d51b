"""The tables of all settings against naive loops over scores, on ragged sets with ties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from tests.evaluate.evaluation_sets import make_set, scored_sets
from triglot.evaluate import evaluate_embeddings, evaluate_encoder, evaluate_scores
from triglot.files import InputError


def expectation(scores: np.ndarray, relevant: np.ndarray) -> dict[str, float]:
    """Measures of one ranking, ties averaged by the definition of the block they stand in."""
    out = dict.fromkeys(["map", "map@20", "mrr", "r@1", "r@10", "hit@1"], 0.0)
    total, above, seen, first = int(relevant.sum()), 0, 0, True
    best = worst = np.nan
    for score in np.unique(scores)[::-1]:
        n, m = int((scores == score).sum()), int(relevant[scores == score].sum())
        for j in range(1, n + 1):
            precision = (seen + 1 + (j - 1) * ((m - 1) / (n - 1) if n > 1 else 0)) / (above + j) * m / n / total
            out["map"] += precision
            out["map@20"] += precision * (above + j <= 20)
            out["r@1"] += m / n / total * (above + j <= 1)
            out["r@10"] += m / n / total * (above + j <= 10)
        if m and first:
            places = [subset[0] for subset in itertools.combinations(range(1, n + 1), m)]
            out["mrr"] = float(np.mean([1 / (above + place) for place in places]))
            out["hit@1"] = float(np.mean([above + place == 1 for place in places]))
            best, first = above + (n + 1) / (m + 1), False
        if m:
            worst = above + m * (n + 1) / (m + 1)
        above, seen = above + n, seen + m
    return out | {"rank_distance": worst - best if total > 1 else np.nan, "max_rank": worst}


def naive_rows(benchmark, scores):
    """(query, setting, passage language) -> measures."""
    relevant = np.zeros(scores.shape, bool)
    judged = benchmark.judgements[benchmark.judgements[:, 2] > 0]
    relevant[judged[:, 0], judged[:, 1]] = True
    rows = {}
    for query, own in enumerate(benchmark.queries.lang.tolist()):
        for language in range(len(benchmark.languages)):
            pool = benchmark.passages.lang == language
            if relevant[query, pool].any():
                setting = "mono" if language == own else "cross"
                rows[query, setting, language] = expectation(scores[query, pool], relevant[query, pool])
        if relevant[query].any():
            rows[query, "multi", -1] = expectation(scores[query], relevant[query])
    return rows


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(scored_sets())
def test_all_settings_equal_naive_loops(drawn):
    benchmark, scores = drawn
    evaluation = evaluate_scores(lambda rows: scores[rows], benchmark, threads=1)
    rows, codes = naive_rows(benchmark, scores), benchmark.languages
    table = evaluation.queries
    keys = [
        (benchmark.queries.ids.index(query), setting, codes.index(code) if code else -1)
        for query, setting, code in zip(table["query_id"], table["setting"], table["passage_lang"])
    ]
    assert sorted(keys) == sorted(rows)
    for i, key in enumerate(keys):
        for name, value in rows[key].items():
            if name == "max_rank" and np.isnan(rows[key]["rank_distance"]):
                assert np.isnan(table[name][i])  # of two answers or more, like the distance
            elif key[1] == "multi" or name not in ("rank_distance", "max_rank"):
                np.testing.assert_allclose(table[name][i], value, atol=1e-12, err_msg=f"{name} of {key}")
            else:
                assert np.isnan(table[name][i])
        assert table["query_lang"][i] == codes[benchmark.queries.lang[key[0]]]
        assert table["cluster"][i] == benchmark.queries.cluster[key[0]]
    for setting in ("mono", "cross", "multi"):
        cells: dict[tuple[int, int], list[dict[str, float]]] = {}
        for (query, kind, language), values in rows.items():
            if kind == setting:
                cells.setdefault(
                    (int(benchmark.queries.lang[query]), language if setting == "cross" else -1), []
                ).append(values)
        assert (setting in evaluation.summary) == bool(cells)
        for name in ("map", "map@20", "mrr", "r@1", "r@10", "hit@1") if cells else ():
            means = {cell: np.mean([values[name] for values in group]) for cell, group in cells.items()}
            assert evaluation.summary[setting][name] == pytest.approx(np.mean(list(means.values())))
            every = [values[name] for group in cells.values() for values in group]
            assert evaluation.summary["micro"][setting][name] == pytest.approx(np.mean(every))
            for (own, other), mean in means.items():
                entry = evaluation.by_language[setting][codes[own]]
                assert (entry[codes[other]] if setting == "cross" else entry)[name] == pytest.approx(mean)
    distances: dict[int, list[float]] = {}
    for (query, kind, _), values in rows.items():
        if kind == "multi" and not np.isnan(values["rank_distance"]):
            distances.setdefault(int(benchmark.queries.lang[query]), []).append(values["rank_distance"])
    assert ("rank_distance" in evaluation.summary.get("bias", {})) == bool(distances)
    if distances:
        expected = np.mean([np.mean(group) for group in distances.values()])
        assert evaluation.summary["bias"]["rank_distance"] == pytest.approx(expected)


def test_a_set_whose_answers_are_not_parallel_has_no_bias_that_needs_them():
    benchmark = make_set([0, 1], [0, 1, 1], [(0, 0, 1), (1, 1, 1), (1, 2, 1)], parallel=False)
    evaluation = evaluate_scores(lambda rows: np.eye(2, 3, dtype=np.float32)[rows], benchmark)
    assert set(evaluation.summary) & {"mono", "cross", "multi"} == {"mono", "multi"}
    assert np.isnan(evaluation.queries["max_rank"]).all()
    assert set(evaluation.summary["bias"]) == {"same_language@10", "pool_share", "entropy@10"}


def test_one_language():
    benchmark = make_set([0, 0], [0, 0, 0], [(0, 0, 1), (1, 2, 1)], languages=1)
    evaluation = evaluate_scores(lambda rows: np.array([[3, 2, 1], [3, 2, 1]], np.float32)[rows], benchmark)
    assert evaluation.summary["mono"] == evaluation.summary["multi"]
    assert evaluation.summary["mono"]["map"] == pytest.approx((1 + 1 / 3) / 2)
    assert "cross" not in evaluation.summary
    assert "bias" not in evaluation.summary  # one answer has no distance


def test_a_collapsed_encoder_is_not_called_unbiased():
    benchmark = make_set([0, 1, 2], [0, 1, 2], [(q, p, 1) for q in range(3) for p in range(3)])
    vectors = np.ones((3, 4), np.float32)
    summary = evaluate_embeddings(vectors, vectors, benchmark).summary
    assert summary["counts"]["ties"] == 9
    assert {key: summary["bias"][key] for key in ("rank_distance", "max_rank")} == pytest.approx(
        {"rank_distance": 2.0, "max_rank": 3.0}
    )
    assert summary["multi"]["map"] == pytest.approx(1)


def test_summary_says_what_was_evaluated_and_what_was_not():
    benchmark = make_set([0, 1, 2], [0, 1, 1], [(0, 0, 1), (1, 1, 1), (1, 2, 0)])
    evaluation = evaluate_scores(
        lambda rows: np.zeros((len(rows), 3), np.float32), benchmark, notes=("made by hand",), settings=("mono",)
    )
    summary = evaluation.summary
    assert summary["notes"] == [
        "candidate text: sentence",
        "made by hand",
        "1 queries have no relevant passage in the settings reported and are counted nowhere",
    ]
    assert summary["counts"] == {"queries": 3, "passages": 3, "ties": 1}  # p0 is alone in its language
    assert (summary["licence"], summary["candidate_text"]) == ("CC0", "sentence")
    assert set(summary["micro"]) == {"mono"}
    assert evaluation.by_language["queries"] == {"de": 1, "el": 1, "en": 1}
    assert evaluation.by_language["passages"] == {"de": 1, "el": 2, "en": 0}


def test_extra_measures():
    benchmark = make_set([0], [0, 0, 0], [(0, 0, 1), (0, 2, 2)], languages=1)
    summary = evaluate_scores(
        lambda rows: np.array([[3, 2, 1]], np.float32)[rows], benchmark, extra=("ndcg@10", "r@2", "mrr@1")
    ).summary
    assert summary["mono"]["r@2"] == 0.5
    assert summary["mono"]["mrr@1"] == 1
    assert summary["mono"]["ndcg@10"] == pytest.approx((1 + 2 / 2) / (2 + 1 / np.log2(3)))
    with pytest.raises(InputError, match="no measure 'bleu'"):
        evaluate_scores(lambda rows: np.zeros((1, 3)), benchmark, extra=("bleu",))
    with pytest.raises(InputError, match="no measure 'r'"):
        evaluate_scores(lambda rows: np.zeros((1, 3)), benchmark, extra=("r",))


class Letters:
    """An encoder that counts letters and remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def encode(self, texts, *, side, progress=False):
        self.calls.append((side, list(texts)))
        return np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float32)


def test_an_encoder_sees_each_text_once_with_its_side():
    benchmark = make_set(
        [0, 1, 0], [0, 1, 1], [(0, 0, 1), (1, 1, 1), (2, 0, 1)], texts=(["a", "b", "a"], ["aab", "b", "aab"])
    )
    encoder = Letters()
    evaluation = evaluate_encoder(encoder, benchmark)
    assert encoder.calls == [("query", ["a", "b"]), ("passage", ["aab", "b"])]
    assert evaluation.summary["counts"]["ties"] == 3  # passages 0 and 2 are one text; for the second query all score 1
    assert evaluation.summary["mono"]["map"] == pytest.approx((1 + 1 / 2 * (1 + 1 / 2)) / 2)


def test_embeddings_that_do_not_fit_are_named():
    benchmark = make_set([0, 1], [0, 1], [(0, 0, 1), (1, 1, 1)])
    good = np.ones((2, 4), np.float32)
    with pytest.raises(InputError, match=r"query embeddings have shape \(3, 4\), but there are 2 query texts"):
        evaluate_embeddings(np.ones((3, 4)), good, benchmark)
    with pytest.raises(InputError, match="queries have 4 dimensions, passages 5"):
        evaluate_embeddings(good, np.ones((2, 5)), benchmark)
    with pytest.raises(InputError, match="1 passage embeddings are not finite, the first that of 'p1'"):
        evaluate_embeddings(good, np.array([[1, 1, 1, 1], [1, np.nan, 1, 1]]), benchmark)
    with pytest.raises(InputError, match="no setting 'mlti'; did you mean 'multi'"):
        evaluate_embeddings(good, good, benchmark, settings=("mlti",))
    with pytest.raises(InputError, match="nothing to evaluate"):
        evaluate_embeddings(good, good, make_set([0, 1], [0, 1], [(0, 0, 0)]))
    assert "1 query embeddings are zero" in " ".join(
        evaluate_embeddings(np.array([[0.0] * 4, [1.0] * 4]), good, benchmark).summary["notes"]
    )
