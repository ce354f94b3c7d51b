"""One evaluator: encode once, count once, report every setting."""

from triglot.evaluate.counts import Counts, count_embeddings, count_scores, judged_pairs
from triglot.evaluate.evaluator import encode_set, evaluate_embeddings, evaluate_encoder, evaluate_scores
from triglot.evaluate.results import read_languages, read_queries, read_results, write_results
from triglot.evaluate.tables import Evaluation, tabulate

__all__ = [
    "Counts",
    "Evaluation",
    "count_embeddings",
    "count_scores",
    "encode_set",
    "evaluate_embeddings",
    "evaluate_encoder",
    "evaluate_scores",
    "judged_pairs",
    "read_languages",
    "read_queries",
    "read_results",
    "tabulate",
    "write_results",
]
