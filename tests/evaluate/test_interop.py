"""Our benchmarks inside sentence-transformers, our models inside sentence-transformers and MTEB: the same figures
everywhere."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import (
    InformationRetrievalEvaluator,
    SentenceEvaluator,
    SequentialEvaluator,
)

from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.tokenizer import word_counts
from triglot.evaluate import evaluate_embeddings, evaluate_encoder, for_sentence_transformers, write_results
from triglot.files import InputError, read_json

LANGUAGES = ("de", "en", "th")
GROUPS = 12


class Stretch(torch.nn.Module):
    """Vectors of different lengths, so that similarities differ."""

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        vectors = features["sentence_embedding"]
        return {**features, "sentence_embedding": vectors * (1 + 4 * vectors[:, :1].abs())}


def words_of(code: str, group: int, part: int) -> str:
    """Words of a made-up language; a question and its passage share two."""
    rng = np.random.default_rng([LANGUAGES.index(code), group])
    shared = [f"{code}{n}" for n in rng.integers(0, 40, 2)]
    own = [f"{code}{n}" for n in np.random.default_rng([LANGUAGES.index(code), group, part]).integers(0, 40, 3)]
    return " ".join([*shared, *own, f"name{group}"])


@pytest.fixture(scope="module")
def benchmark() -> RetrievalSet:
    group = np.repeat(np.arange(GROUPS), len(LANGUAGES)).astype(np.int32)
    lang = np.tile(np.arange(len(LANGUAGES)), GROUPS).astype(np.int16)

    def side(part: int) -> Texts:
        texts = [words_of(LANGUAGES[code], g, part) for g, code in zip(group.tolist(), lang.tolist())]
        return Texts([f"{'qp'[part]}{i:03}" for i in range(len(texts))], texts, lang, group, group // 2)

    pairs = [(q, p, 1) for q in range(len(group)) for p in range(len(group)) if group[q] == group[p]]
    return RetrievalSet(
        "toy", LANGUAGES, side(0), side(1), np.array(pairs, np.int64), candidate_text="sentence", licence="CC0"
    )


@pytest.fixture(scope="module")
def models(benchmark: RetrievalSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A static model, and a transformer with prefixes for queries and passages."""
    texts: dict[str, list[str]] = {}
    for one in (benchmark.queries, benchmark.passages):
        for text, code in zip(one.texts, one.lang.tolist()):
            texts.setdefault(LANGUAGES[code], []).append(f"{text} frage antwort :")
    counted, found = word_counts(texts), {}
    prefixes = {"query_prefix": "frage: ", "passage_prefix": "antwort: "}
    for kind, more in (("static", {}), ("transformer", {"layers": 1, "heads": 2, **prefixes})):
        settings = EncoderSettings(kind=kind, dim=32, vocab=300, character_coverage=1.0, **more)  # type: ignore[arg-type]
        found[kind] = tmp_path_factory.mktemp("models") / kind
        init_encoder(settings, counted, seed=1).save(found[kind])
    return found


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_the_evaluator_gives_the_figures_of_our_evaluation(
    kind: str, models: dict[str, Path], benchmark: RetrievalSet
) -> None:
    evaluator = for_sentence_transformers(benchmark, extra=["ndcg@10"], by_language=True)
    assert isinstance(evaluator, SentenceEvaluator)
    found = evaluator(SentenceTransformer(str(models[kind]), device="cpu"))
    ours = evaluate_encoder(load_encoder(models[kind]), benchmark, extra=["ndcg@10"])
    for setting in ("mono", "cross", "multi"):
        for name, value in ours.summary[setting].items():
            assert found[f"toy_{setting}_{name}"] == pytest.approx(value, abs=1e-6)
    for name in ("rank_distance", "max_rank"):
        assert found[f"toy_bias_{name}"] == pytest.approx(ours.summary["bias"][name], abs=1e-4)
    assert found["toy_mono_map_de"] == pytest.approx(ours.by_language["mono"]["de"]["map"], abs=1e-6)
    assert found["toy_cross_map_de_th"] == pytest.approx(ours.by_language["cross"]["de"]["th"]["map"], abs=1e-6)
    assert evaluator.primary_metric == "toy_multi_map"
    assert evaluator.greater_is_better
    assert 0.05 < found["toy_multi_map"] < 0.95


def test_it_agrees_with_the_evaluator_of_sentence_transformers(
    models: dict[str, Path], benchmark: RetrievalSet
) -> None:
    model = SentenceTransformer(str(models["transformer"]), device="cpu")
    queries = dict(zip(benchmark.queries.ids, benchmark.queries.texts))
    corpus = dict(zip(benchmark.passages.ids, benchmark.passages.texts))
    relevant: dict[str, set[str]] = {}
    for q, p, _ in benchmark.judgements.tolist():
        relevant.setdefault(benchmark.queries.ids[q], set()).add(benchmark.passages.ids[p])
    theirs = InformationRetrievalEvaluator(
        queries, corpus, relevant, map_at_k=[100], mrr_at_k=[100], accuracy_at_k=[1], ndcg_at_k=[10]
    )
    expected = theirs(model)
    found = for_sentence_transformers(benchmark, name="", extra=["ndcg@10"], settings=["multi"])(model)
    assert found["multi_mrr"] == pytest.approx(expected["cosine_mrr@100"], abs=1e-6)
    assert found["multi_hit@1"] == pytest.approx(expected["cosine_accuracy@1"], abs=1e-6)
    assert found["multi_ndcg@10"] == pytest.approx(expected["cosine_ndcg@10"], abs=1e-6)
    assert found["multi_r@10"] == pytest.approx(expected["cosine_recall@10"], abs=1e-6)
    # Theirs divides by at most k relevant passages; with three of them and k = 100 that is the same.
    assert found["multi_map"] == pytest.approx(expected["cosine_map@100"], abs=1e-6)


def with_texts(benchmark: RetrievalSet, query: str, passage: str) -> RetrievalSet:
    return replace(
        benchmark,
        queries=replace(benchmark.queries, texts=[query + text for text in benchmark.queries.texts]),
        passages=replace(benchmark.passages, texts=[passage + text for text in benchmark.passages.texts]),
    )


def test_prompts_hold_on_their_side(models: dict[str, Path], benchmark: RetrievalSet) -> None:
    model = SentenceTransformer(str(models["transformer"]), device="cpu")
    bare = SentenceTransformer(str(models["transformer"]), device="cpu", prompts={"query": "", "document": ""})
    own = for_sentence_transformers(benchmark)(model)
    by_hand = for_sentence_transformers(with_texts(benchmark, "frage: ", "antwort: "))(bare)
    assert own == pytest.approx(by_hand, abs=1e-6)
    plain = for_sentence_transformers(benchmark)(bare)
    assert own["toy_mono_map"] != pytest.approx(plain["toy_mono_map"], abs=1e-4)
    given = for_sentence_transformers(benchmark, query_prompt="antwort: ", corpus_prompt="frage: ")(model)
    assert given == pytest.approx(
        for_sentence_transformers(with_texts(benchmark, "antwort: ", "frage: "))(bare), abs=1e-6
    )
    named = for_sentence_transformers(benchmark, query_prompt_name="document", corpus_prompt_name="query")
    assert named(model) == pytest.approx(given, abs=1e-6)
    assert named.get_config_dict() == {
        "languages": list(LANGUAGES),
        "query_prompt_name": "document",
        "corpus_prompt_name": "query",
    }


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_scores_are_those_of_the_model_s_similarity(
    similarity: str, models: dict[str, Path], benchmark: RetrievalSet
) -> None:
    model = SentenceTransformer(str(models["static"]), device="cpu", similarity_fn_name=similarity)
    model.append(Stretch())
    found = for_sentence_transformers(benchmark, truncate_dim=16)(model)
    queries, passages = (
        model.encode(one.texts, truncate_dim=16).astype(np.float64) for one in (benchmark.queries, benchmark.passages)
    )
    if similarity == "euclidean":  # -|q - p|^2, as a dot product
        queries = np.column_stack([2 * queries, -np.ones(len(queries)), -(queries**2).sum(1)])
        passages = np.column_stack([passages, (passages**2).sum(1), np.ones(len(passages))])
    assert found["toy_multi_map"] == pytest.approx(
        evaluate_embeddings(queries, passages, benchmark).summary["multi"]["map"], abs=1e-6
    )
    cosine = for_sentence_transformers(benchmark, truncate_dim=16)(
        SentenceTransformer(str(models["static"]), device="cpu")
    )
    assert found["toy_multi_map"] != pytest.approx(cosine["toy_multi_map"], abs=1e-6)


def test_a_line_a_call(models: dict[str, Path], benchmark: RetrievalSet, tmp_path: Path) -> None:
    model = SentenceTransformer(str(models["static"]), device="cpu")
    evaluator = for_sentence_transformers(benchmark)
    found = evaluator(model, str(tmp_path / "eval"), epoch=1, steps=10)
    evaluator(model, str(tmp_path / "eval"), epoch=1, steps=20)
    with (tmp_path / "eval" / "Multilingual-Retrieval_evaluation_toy_results.csv").open(newline="") as handle:
        lines = list(csv.DictReader(handle))
    assert [line["steps"] for line in lines] == ["10", "20"]
    assert float(lines[1]["multi_map"]) == found["toy_multi_map"]
    assert set(lines[0]) == {"epoch", "steps", *(name.removeprefix("toy_") for name in found)}
    with pytest.raises(InputError, match=r"Multilingual-Retrieval_evaluation_toy_results\.csv: has other columns"):
        for_sentence_transformers(benchmark, settings=["mono"])(model, str(tmp_path / "eval"))
    for_sentence_transformers(benchmark, write_csv=False)(model, str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    assert evaluator.last is not None
    write_results(tmp_path / "results", {"toy": evaluator.last}, model="static")
    assert (
        read_json(tmp_path / "results" / "results.json")["benchmarks"]["toy"]["multi"]["map"] == found["toy_multi_map"]
    )


def test_several_benchmarks_in_a_row(models: dict[str, Path], benchmark: RetrievalSet) -> None:
    evaluators = [
        for_sentence_transformers(benchmark),
        for_sentence_transformers(benchmark.restrict(["de", "th"]), name="two"),
    ]
    both = SequentialEvaluator(evaluators)
    found = both(SentenceTransformer(str(models["static"]), device="cpu"))
    assert {"toy_multi_map", "two_multi_map", "two_bias_rank_distance"} <= set(found)


def test_wrong_names_are_mended(benchmark: RetrievalSet) -> None:
    with pytest.raises(InputError, match="did you mean 'multi'"):
        for_sentence_transformers(benchmark, settings=["mulit"])
    with pytest.raises(InputError, match="no metric 'multi_mpa' to choose a checkpoint by; did you mean 'multi_map'"):
        for_sentence_transformers(benchmark, primary="multi_mpa")
    with pytest.raises(InputError, match="no metric 'bias_rank_distance'"):
        for_sentence_transformers(benchmark, primary="bias_rank_distance")


def test_sentence_transformers_is_not_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys; from triglot.evaluate import for_sentence_transformers; sys.exit('sentence_transformers' in "
        "sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.peers
def test_a_trainer_reports_and_chooses_by_it(models: dict[str, Path], benchmark: RetrievalSet, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    model = SentenceTransformer(str(models["static"]), device="cpu")
    pairs = {"anchor": benchmark.queries.texts[:12], "positive": benchmark.passages.texts[:12]}
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path / "run"),
        max_steps=3,
        per_device_train_batch_size=4,
        learning_rate=0.05,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=1,
        load_best_model_at_end=True,
        metric_for_best_model="eval_toy_multi_map",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    evaluator = for_sentence_transformers(benchmark)
    before = evaluator(model)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=datasets.Dataset.from_dict(pairs),
        loss=MultipleNegativesRankingLoss(model),
        evaluator=evaluator,
    )
    trainer.train()
    seen = [line["eval_toy_multi_map"] for line in trainer.state.log_history if "eval_toy_multi_map" in line]
    assert len(seen) == 3
    assert {"eval_toy_cross_map", "eval_toy_bias_rank_distance"} <= set().union(*trainer.state.log_history)
    assert trainer.state.best_metric == max(seen)
    assert len({before["toy_multi_map"], *seen}) == 4  # each step moved the model, and was measured
    assert evaluator(model)["toy_multi_map"] == pytest.approx(max(seen), abs=1e-6)  # the best checkpoint is back
    with (tmp_path / "run" / "eval" / "Multilingual-Retrieval_evaluation_toy_results.csv").open(newline="") as handle:
        assert [float(line["multi_map"]) for line in csv.DictReader(handle)] == pytest.approx(seen)
    model.save(str(tmp_path / "model"))
    assert "Multilingual Retrieval" in (tmp_path / "model" / "README.md").read_text("utf-8")


# Of MTEB itself, and of what it calls.
@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_a_model_of_ours_runs_inside_mteb(kind: str, models: dict[str, Path], benchmark: RetrievalSet) -> None:
    mteb = pytest.importorskip("mteb")
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    class Toy(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="ToyRetrieval",
            description="made in a test",
            dataset={"path": "none", "revision": "1"},
            type="Retrieval",
            eval_langs=["deu-Latn", "eng-Latn", "tha-Thai"],
            eval_splits=["test"],
            main_score="ndcg_at_10",
        )

        def load_data(self, *args, **kwargs) -> None:
            relevant: dict[str, dict[str, int]] = {}
            for q, p, grade in benchmark.judgements.tolist():
                relevant.setdefault(benchmark.queries.ids[q], {})[benchmark.passages.ids[p]] = grade
            rows = [
                Dataset.from_list([{"id": i, "text": text, **more} for i, text in zip(side.ids, side.texts)])
                for side, more in ((benchmark.queries, {}), (benchmark.passages, {"title": ""}))
            ]
            split = {"queries": rows[0], "corpus": rows[1], "relevant_docs": relevant, "top_ranked": None}
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    model = SentenceTransformer(str(models[kind]), device="cpu")
    (found,) = mteb.evaluate(model, Toy(), cache=None, show_progress_bar=False).task_results
    ours = evaluate_encoder(load_encoder(models[kind]), benchmark, extra=["ndcg@10", "r@5"]).summary["micro"]["multi"]
    scores = found.scores["test"][0]
    assert found.get_score() == pytest.approx(ours["ndcg@10"], abs=1e-4)  # MTEB rounds to five decimals
    assert scores["recall_at_5"] == pytest.approx(ours["r@5"], abs=1e-4)
    assert scores["map_at_1000"] == pytest.approx(ours["map"], abs=1e-4)
