"""BM25 baselines: pools by language, translation word by word, and their figures on real data."""

from __future__ import annotations

from dataclasses import replace

import ir_measures
import numpy as np
import pytest

from tests.evaluate.evaluation_sets import make_set
from triglot import bm25
from triglot.corpus.formats.registry import read_retrieval
from triglot.evaluate import evaluate_scores
from triglot.evaluate.baselines import evaluate_bm25, evaluate_translated_bm25
from triglot.evaluate.wordwise import Translator
from triglot.files import InputError

LISTS = {
    ("de", "en"): (["Haus", "haus", "grün", "Haus", "haus"], ["house", "home", "green", "building", "block"]),
    ("en", "el"): (["house", "home", "green"], ["σπίτι", "σπίτι", "πράσινο"]),
    ("th", "en"): (["แมว", "แมวดำ", "บ้าน"], ["cat", "black cat", "house"]),
    ("en", "th"): (["house"], ["บ้าน"]),
}


def test_words_go_through_the_pivot_and_weights_multiply():
    translator = Translator(LISTS)
    assert translator.bag("Grünes Haus", "de", "en") == pytest.approx(
        {"grünes": 1, "house": 1 / 3, "home": 1 / 3, "building": 1 / 3}
    )
    assert translator.coverage() == 0.5
    # Building is in no list onwards.
    assert translator.bag("Haus haus", "de", "el") == pytest.approx({"σπίτι": 2 * 2 / 3})
    assert translator.bag("grün 1066", "de", "el") == pytest.approx({"πράσινο": 1, "1066": 1})
    assert translator.bag("Haus", "de", "th") == pytest.approx({"บ้": 1 / 3, "้า": 1 / 3, "าน": 1 / 3})
    assert translator.bag("Haus Haus", "de", "de") == {"haus": 2}


def test_scripts_without_spaces_are_cut_into_the_longest_known_words():
    translator = Translator(LISTS)
    assert translator.bag("แมวดำบ้าน", "th", "en") == pytest.approx({"black": 1, "cat": 1, "house": 1})
    assert translator.bag("กขแมวค", "th", "en") == pytest.approx({"กข": 1, "cat": 1, "ค": 1})


def test_languages_that_no_list_connects_are_named():
    with pytest.raises(InputError, match="no word list el-en, needed to translate el to de"):
        Translator(LISTS).bag("σπίτι", "el", "de")


def test_monolingual_bm25_ranks_within_the_language_of_the_query():
    passages = ["rotes Haus", "grünes Haus", "grünes Boot", "σπίτι", "grünes Haus Haus"]
    benchmark = make_set(
        [0, 1], [0, 0, 0, 1, 2], [(0, 1, 1), (0, 3, 1), (1, 3, 1)], texts=(["grünes Haus", "σπίτι"], passages)
    )
    evaluation = evaluate_bm25(benchmark)
    assert evaluation.summary["mono"]["map"] == 1
    assert set(evaluation.summary) & {"cross", "multi", "bias"} == set()
    assert "BM25" in evaluation.summary["notes"][1]
    index = bm25.build(passages[:3])
    scores = bm25.scores(index, bm25.bags(index, [bm25.count_tokens("grünes Haus")]))[0]
    assert int(np.argmax(scores)) == 1


def test_translated_bm25_finds_the_answer_in_another_language():
    passages = ["πράσινο σπίτι", "σπίτι", "green house", "red boat", "grün"]
    benchmark = make_set(
        [0, 0], [1, 1, 2, 2, 0], [(0, 0, 1), (0, 2, 1), (1, 4, 1)], texts=(["grün Haus", "grün"], passages)
    )
    evaluation = evaluate_translated_bm25(benchmark, LISTS)
    assert evaluation.summary["cross"]["map"] == 1
    assert evaluation.by_language["cross"]["de"].keys() == {"el", "en"}
    assert "100.0% of the words" in evaluation.summary["notes"][1]
    assert evaluation.summary["multi"]["r@10"] == 1


@pytest.mark.slow
@pytest.mark.data
def test_bm25_on_xquad_r(data):
    benchmark = read_retrieval(data / "xquad-r", format="squad", name="xquad-r", candidate_text="sentence").restrict(
        ["en", "hi", "th"]
    )
    evaluation = evaluate_bm25(benchmark)
    found = {language: entry["map"] for language, entry in evaluation.by_language["mono"].items()}
    assert found == pytest.approx({"en": 0.795, "hi": 0.744, "th": 0.771}, abs=5e-4)
    assert evaluation.by_language["queries"] == {"en": 1190, "hi": 1190, "th": 1190}


@pytest.mark.slow
@pytest.mark.data
def test_real_rankings_give_the_figures_of_ir_measures(data):
    whole = read_retrieval(data / "xquad-r", format="squad", name="xquad-r", candidate_text="sentence").restrict(
        ["en", "th"]
    )
    rows = np.arange(0, len(whole.queries), 40)
    benchmark = replace(
        whole, queries=whole.queries.take(rows), judgements=whole.judgements[np.isin(whole.judgements[:, 0], rows)]
    )
    benchmark.judgements[:, 0] = np.searchsorted(rows, benchmark.judgements[:, 0])
    index = bm25.build(benchmark.passages.texts)
    # Many ties at 0.
    scores = bm25.scores(index, bm25.bags(index, [bm25.count_tokens(text) for text in benchmark.queries.texts]))
    evaluation = evaluate_scores(
        lambda block: scores[block], benchmark, ties="trec", settings=("multi",), extra=("ndcg@10",)
    )
    queries, passages = benchmark.queries.ids, benchmark.passages.ids
    run = [ir_measures.ScoredDoc(q, p, s) for q, row in zip(queries, scores.tolist()) for p, s in zip(passages, row)]
    qrels = [ir_measures.Qrel(queries[q], passages[p], grade) for q, p, grade in benchmark.judgements.tolist()]
    names = {
        ir_measures.AP: "map",
        ir_measures.AP @ 20: "map@20",
        ir_measures.RR: "mrr",
        ir_measures.R @ 10: "r@10",
        ir_measures.nDCG @ 10: "ndcg@10",
    }
    ours = {name: dict(zip(evaluation.queries["query_id"], evaluation.queries[name])) for name in names.values()}
    found = list(ir_measures.pytrec_eval.iter_calc(list(names), qrels, run))
    assert len(found) == len(names) * len(rows)
    for value in found:
        assert ours[names[value.measure]][value.query_id] == pytest.approx(value.value, abs=1e-6)
