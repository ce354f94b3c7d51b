"""How an index is built, as settings, and by which file its folder is known."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from triglot.files import check_choice
from triglot.ranges import Range, Share, check_ranges

FILE = "index.json"
Kind = Literal["auto", "exact", "hnsw", "ivf"]
KINDS = get_args(Kind)


@dataclass(frozen=True)
class IndexSettings:
    """How an index is built.

    Attributes:
        kind: `exact` compares with every passage; `hnsw` and `ivf` are FAISS' approximate indexes over 8-bit numbers,
            whose candidates are scored anew with the vectors as they are; `auto` chooses by size.
        recall: share of the exact first ten that an approximate index must find; what it looks at is widened until it
            does, and what was reached is kept and printed.
        links: of a passage in the graph of `hnsw` (FAISS' M).
        effort: passages looked at when one is linked (FAISS' efConstruction).
        lexical: keep words as well, for hybrid search.
        strength: of the removal of language, 0 to 1; 1 is what the model's own step says.
    """

    kind: Kind = "auto"
    recall: Share = 0.95
    links: Annotated[int, Range(2, 128)] = 32
    effort: Annotated[int, Range(8, 2000)] = 128
    lexical: bool = True
    strength: Share = 1.0

    def __post_init__(self) -> None:
        check_ranges(self)
        check_choice("kind", self.kind, KINDS)


def is_index(place: str | os.PathLike[str]) -> bool:
    """Whether a folder holds an index."""
    return (Path(place) / FILE).is_file()
