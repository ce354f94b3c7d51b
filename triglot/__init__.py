"""Triglot: train, measure and serve one multilingual retriever that is not biased towards a language.

The names below are loaded when first used, so that `import triglot` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triglot.corpus.formats import read_retrieval, read_training
    from triglot.corpus.parallel import ParallelCorpus
    from triglot.corpus.retrieval import RetrievalSet
    from triglot.evaluate.evaluator import evaluate_encoder
    from triglot.evaluate.results import read_results, write_results
    from triglot.evaluate.tables import Evaluation
    from triglot.files import InputError

__version__ = "0.1.0"
__all__ = [
    "Evaluation",
    "InputError",
    "ParallelCorpus",
    "RetrievalSet",
    "__version__",
    "evaluate_encoder",
    "read_results",
    "read_retrieval",
    "read_training",
    "write_results",
]

# Where each name lives; the imports above say the same to type checkers (a test holds the two together).
_HOMES = {
    "Evaluation": "triglot.evaluate.tables",
    "InputError": "triglot.files",
    "ParallelCorpus": "triglot.corpus.parallel",
    "RetrievalSet": "triglot.corpus.retrieval",
    "evaluate_encoder": "triglot.evaluate.evaluator",
    "read_results": "triglot.evaluate.results",
    "read_retrieval": "triglot.corpus.formats",
    "read_training": "triglot.corpus.formats",
    "write_results": "triglot.evaluate.results",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    from triglot.files import nearest

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{nearest(name, _HOMES)}")


def __dir__() -> list[str]:
    return __all__
