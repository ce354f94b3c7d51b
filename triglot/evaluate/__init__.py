"""One evaluator: encode once, count once, report every setting."""

from triglot.classify.judge import Classification, evaluate_task
from triglot.classify.tasks import ClassifySettings, Task, read_task
from triglot.encoder.once import encode_set
from triglot.evaluate.counts import Counts, count_embeddings, count_scores, judged_pairs
from triglot.evaluate.evaluator import evaluate_embeddings, evaluate_encoder, evaluate_scores
from triglot.evaluate.interop import for_sentence_transformers
from triglot.evaluate.results import read_items, read_languages, read_queries, read_results, write_results
from triglot.evaluate.tables import Evaluation, tabulate

__all__ = [
    "Classification",
    "ClassifySettings",
    "Counts",
    "Evaluation",
    "Task",
    "count_embeddings",
    "count_scores",
    "encode_set",
    "evaluate_embeddings",
    "evaluate_encoder",
    "evaluate_scores",
    "evaluate_task",
    "for_sentence_transformers",
    "judged_pairs",
    "read_items",
    "read_languages",
    "read_queries",
    "read_results",
    "read_task",
    "tabulate",
    "write_results",
]
