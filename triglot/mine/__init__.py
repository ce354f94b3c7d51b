"""Hard negatives: passages that a model or BM25 takes for answers, in languages that are controlled."""

from triglot.mine.report import render
from triglot.mine.run import Mined, clear_parts, digest, mine, negatives_of, parts_folder, refreshed
from triglot.mine.settings import Mine, Refresh
from triglot.mine.write import write

__all__ = [
    "Mine",
    "Mined",
    "Refresh",
    "clear_parts",
    "digest",
    "mine",
    "negatives_of",
    "parts_folder",
    "refreshed",
    "render",
    "write",
]
