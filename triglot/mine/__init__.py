"""Hard negatives: passages that a model or BM25 takes for answers, in languages that are controlled."""

from triglot.mine.report import render
from triglot.mine.run import Mined, clear_parts, digest, mine, negatives_of, parts_folder, refreshed
from triglot.mine.settings import MineSettings, RefreshSettings
from triglot.mine.write import write

__all__ = [
    "MineSettings",
    "Mined",
    "RefreshSettings",
    "clear_parts",
    "digest",
    "mine",
    "negatives_of",
    "parts_folder",
    "refreshed",
    "render",
    "write",
]
