"""Hard negatives: passages that a model or BM25 takes for answers, in languages that are controlled."""

from triglot.mine.report import render
from triglot.mine.run import Mined, clear_parts, digest, mine, negatives_of, parts_folder, refreshed
from triglot.mine.settings import Mine, Refresh
from triglot.mine.write import LAYOUTS, check_layout, write

__all__ = [
    "LAYOUTS",
    "Mine",
    "Mined",
    "Refresh",
    "check_layout",
    "clear_parts",
    "digest",
    "mine",
    "negatives_of",
    "parts_folder",
    "refreshed",
    "render",
    "write",
]
