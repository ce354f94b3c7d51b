"""Triglot: train and evaluate one multilingual retriever that is not biased towards a language.

The names below are loaded when first used, so that `import triglot` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triglot.batches import BatchSettings, plan_epoch, rows_of
    from triglot.benchmark import open_benchmark
    from triglot.classify.judge import evaluate_task
    from triglot.classify.tasks import read_task
    from triglot.commands.data import prepare_data
    from triglot.corpus.formats.registry import read_retrieval, read_training
    from triglot.corpus.parallel import ParallelCorpus
    from triglot.corpus.retrieval import RetrievalSet
    from triglot.encoder.build import load_encoder
    from triglot.encoder.computing import Computing
    from triglot.encoder.protocol import Encoder
    from triglot.evaluate import Evaluation, evaluate_encoder, write_results
    from triglot.files import InputError
    from triglot.measures import Measure
    from triglot.recipe import load_recipe
    from triglot.report import compare, find_arms, to_markdown, write_report
    from triglot.study.arms import study as run_study
    from triglot.study.run import run as run_recipe
    from triglot.trainers import GroupMaskedRankingLoss, batch_sampler, late_interaction, to_dataset

__version__ = "0.1.0"
__all__ = [
    "BatchSettings",
    "Computing",
    "Encoder",
    "Evaluation",
    "GroupMaskedRankingLoss",
    "InputError",
    "Measure",
    "ParallelCorpus",
    "RetrievalSet",
    "__version__",
    "batch_sampler",
    "compare",
    "evaluate_encoder",
    "evaluate_task",
    "find_arms",
    "late_interaction",
    "load_encoder",
    "load_recipe",
    "open_benchmark",
    "plan_epoch",
    "prepare_data",
    "read_retrieval",
    "read_task",
    "read_training",
    "rows_of",
    "run_recipe",
    "run_study",
    "to_dataset",
    "to_markdown",
    "write_report",
    "write_results",
]

# Where each name lives; the imports above say the same to type checkers (a test holds the two together).
_HOMES = {
    "BatchSettings": "triglot.batches:BatchSettings",
    "Computing": "triglot.encoder.computing:Computing",
    "Encoder": "triglot.encoder.protocol:Encoder",
    "Evaluation": "triglot.evaluate:Evaluation",
    "GroupMaskedRankingLoss": "triglot.trainers:GroupMaskedRankingLoss",
    "InputError": "triglot.files:InputError",
    "Measure": "triglot.measures:Measure",
    "ParallelCorpus": "triglot.corpus.parallel:ParallelCorpus",
    "RetrievalSet": "triglot.corpus.retrieval:RetrievalSet",
    "batch_sampler": "triglot.trainers:batch_sampler",
    "compare": "triglot.report:compare",
    "evaluate_encoder": "triglot.evaluate:evaluate_encoder",
    "evaluate_task": "triglot.classify.judge:evaluate_task",
    "find_arms": "triglot.report:find_arms",
    "late_interaction": "triglot.trainers:late_interaction",
    "load_encoder": "triglot.encoder.build:load_encoder",
    "load_recipe": "triglot.recipe:load_recipe",
    "open_benchmark": "triglot.benchmark:open_benchmark",
    "plan_epoch": "triglot.batches:plan_epoch",
    "prepare_data": "triglot.commands.data:prepare_data",
    "read_retrieval": "triglot.corpus.formats.registry:read_retrieval",
    "read_task": "triglot.classify.tasks:read_task",
    "read_training": "triglot.corpus.formats.registry:read_training",
    "rows_of": "triglot.batches:rows_of",
    "run_recipe": "triglot.study.run:run",
    "run_study": "triglot.study.arms:study",
    "to_dataset": "triglot.trainers:to_dataset",
    "to_markdown": "triglot.report:to_markdown",
    "write_report": "triglot.report:write_report",
    "write_results": "triglot.evaluate:write_results",
}


_FORMER = {"Batches": "BatchSettings"}  # names of the version before, which work once more


def __getattr__(name: str) -> Any:
    if name in _FORMER:
        import warnings

        warnings.warn(f"triglot.{name} is called {_FORMER[name]}", DeprecationWarning, stacklevel=2)
        name = _FORMER[name]
    if name in _HOMES:
        from triglot.extras import named

        module, _, attribute = _HOMES[name].partition(":")
        with named():
            return getattr(import_module(module), attribute)
    from triglot.files import nearest

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{nearest(name, _HOMES)}")


def __dir__() -> list[str]:
    return __all__
