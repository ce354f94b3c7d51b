"""Hard negatives: passages that a model or BM25 takes for answers, in languages that are controlled."""

from triglot.mine.report import render
from triglot.mine.run import Mined, clear_parts, digest, mine, negatives_of, parts_folder, refreshed
from triglot.mine.settings import Mine, Refresh
from triglot.mine.write import OUTPUT_FORMATS, check_output_format, write

__all__ = [
    "OUTPUT_FORMATS",
    "Mine",
    "Mined",
    "Refresh",
    "check_output_format",
    "clear_parts",
    "digest",
    "mine",
    "negatives_of",
    "parts_folder",
    "refreshed",
    "render",
    "write",
]
