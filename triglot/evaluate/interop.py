"""A benchmark as an evaluator of sentence-transformers, for anyone's `SentenceTransformerTrainer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.tables import SETTINGS
from triglot.measures import Measure

if TYPE_CHECKING:
    from triglot.evaluate.trainer_evaluator import MultilingualRetrievalEvaluator


def for_sentence_transformers(
    benchmark: RetrievalSet,
    *,
    settings: Sequence[str] = SETTINGS,
    extra: Sequence[str | Measure] = (),
    primary: str = "",
    by_language: bool = False,
    name: str | None = None,
    batch_size: int = 32,
    show_progress_bar: bool = False,
    write_csv: bool = True,
    truncate_dim: int | None = None,
    query_prompt: str | None = None,
    query_prompt_name: str | None = None,
    corpus_prompt: str | None = None,
    corpus_prompt_name: str | None = None,
    **options: Any,
) -> MultilingualRetrievalEvaluator:
    """An evaluator that reports the three settings and the language bias of whatever model is in training.

    Its metrics are called `NAME_multi_map`, `NAME_cross_r@10`, `NAME_bias_rank_distance` and so on; a trainer puts
    `eval_` before them. All measures of language bias are among them; one that this benchmark has no answers for is
    left out. Queries are encoded by the model's `encode_query`, passages by `encode_document`, so its prompts hold
    unless others are given. Scores are those of the model's similarity. sentence-transformers is imported by this call,
    not before.

    Args:
        benchmark: from `triglot.read_retrieval`.
        settings: which of mono, cross, multi.
        extra: measures beside the usual ones: names such as `ndcg@10`, or rows of one's own (`triglot.Measure`).
        primary: the metric that chooses the best checkpoint, `multi_map` or the mAP of the last setting by default;
            more must be better.
        by_language: report each language too (`NAME_multi_map_de`).
        name: before the metrics and in the name of the CSV file; the benchmark's by default, empty for none.
        batch_size: of encoding.
        show_progress_bar: while encoding.
        truncate_dim: keep this many dimensions.
        write_csv: add a line to `Multilingual-Retrieval_evaluation_NAME_results.csv` in the trainer's `eval` folder at
            each call.
        query_prompt: text before queries, in place of the model's own prompt.
        query_prompt_name: name of a prompt of the model.
        corpus_prompt: as `query_prompt`, for passages.
        corpus_prompt_name: as `query_prompt_name`, for passages.
        options: further options of `evaluate_embeddings`: `ties`, `memory`, `threads`.

    Raises:
        InputError: an unknown setting, or a primary metric that is not reported or of which less is better.
    """
    from triglot.evaluate.trainer_evaluator import Encoding, MultilingualRetrievalEvaluator

    encoding = Encoding(
        batch_size=batch_size,
        show_progress_bar=show_progress_bar,
        truncate_dim=truncate_dim,
        prompts={
            "query": {"prompt": query_prompt, "prompt_name": query_prompt_name},
            "passage": {"prompt": corpus_prompt, "prompt_name": corpus_prompt_name},
        },
    )
    return MultilingualRetrievalEvaluator(
        benchmark,
        encoding,
        settings=settings,
        extra=extra,
        primary=primary,
        by_language=by_language,
        name=benchmark.name if name is None else name,
        write_csv=write_csv,
        options=options,
    )
