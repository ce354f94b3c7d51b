"""Ways to make scores out of one encoder (Litschko et al. 2022, arXiv 2112.11031): texts whole, as bags of the vectors
of their terms, or passages window by window. One row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from triglot.files import SettingError
from triglot.ranges import OneOf, Range, Several, check_ranges
from triglot.registry import Registry, later

if TYPE_CHECKING:
    from triglot.evaluate.counts import ScoreBlock


@dataclass(frozen=True)
class Encoding:
    """One way.

    Attributes:
        name: in settings (`encoding.name`).
        title, help: for people.
        scores: called as `scores(encoder, benchmark, settings)`; gives a score block and notes. None for vectors of
            whole texts, which are compared as ever.
        of_layers: whether it reads the layers of a transformer.
    """

    name: str
    title: str
    help: str
    scores: Callable[[Any, Any, Any], tuple[ScoreBlock, tuple[str, ...]]] | None = None
    of_layers: bool = False


ENCODINGS = Registry(
    Encoding,
    group="encodings",
    what="encoding",
    rows=(
        Encoding("semb", "SEMB", "each text through the encoder as a whole, as it was trained"),
        Encoding(
            "iso",
            "ISO",
            "the sum of static vectors of a text's terms, weighted by idf; a term's comes from the term alone",
            later("triglot.evaluate.terms:iso_scores"),
            of_layers=True,
        ),
        Encoding(
            "aoc",
            "AOC",
            "the sum of static vectors of a text's terms, weighted by idf; a term's is the mean over its contexts",
            later("triglot.evaluate.terms:aoc_scores"),
            of_layers=True,
        ),
        Encoding(
            "lrm",
            "LRM",
            "localised relevance matching: passages in overlapping windows, a passage scores what its best ones score",
            later("triglot.evaluate.localised:window_scores"),
        ),
    ),
)


@dataclass(frozen=True)
class EncodingSettings:
    """How an encoder's texts are scored when it is evaluated (arXiv 2112.11031).

    Attributes:
        name: of the way, see `triglot.evaluate.encodings`.
        layer: `iso`, `aoc`: of the transformer, whose outputs are the vectors of terms; 0 is the embeddings. None: 0
            for `iso` and three quarters up for `aoc`, the best ones of mBERT that the authors give.
        contexts: `aoc`: occurrences of a term at most, the first ones, that its vector is the mean of.
        window: `lrm`: tokens of a window.
        stride: `lrm`: tokens from the start of a window to that of the next.
        best: `lrm`: windows of a passage, the best ones, whose scores are averaged.
    """

    name: Annotated[str, OneOf(ENCODINGS)] = "semb"
    layer: Annotated[int, Range(0, 1000)] | None = None
    contexts: Several = 60
    window: Several = 128
    stride: Several = 42
    best: Several = 1

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.stride > self.window:
            raise SettingError(
                "stride", f"{self.stride} is more than the window of {self.window}; texts would have gaps"
            )

    @property
    def plain(self) -> bool:
        """Whether texts are compared as ever."""
        return ENCODINGS[self.name].scores is None
