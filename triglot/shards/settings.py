"""How passages are encoded into shards, as settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from triglot.corpus.splitting import SplitSettings
from triglot.files import check_choice
from triglot.ranges import Range, check_ranges

DTYPES = ("fp32", "fp16", "int8")
SIDES = ("passage", "query")
ShardRows = Annotated[int, Range(1, 2**20)]


@dataclass(frozen=True)
class ShardSettings:
    """How passages are encoded into shards.

    Attributes:
        dtype: of the numbers of a vector: `fp32` as the model gives them, `fp16`, or `int8` with a scale for each
            vector (its largest number is 127).
        rows: passages of a shard; what is lost when a machine fails, and what one worker does at a time.
        side: as what the model takes them, `passage` or `query`.
        language: of passages that name none; "" for what their text tells.
        languages: those that are kept, and among which the language of a text is told; none for all.
        columns: of tables by their roles, `id=key,text=title+body`.
        debiased: write the vectors after the model's step for each language. Without it, `triglot index` applies it.
        split: how documents are split.
    """

    dtype: str = "fp32"
    rows: ShardRows = 16_384
    side: str = "passage"
    language: str = ""
    languages: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    debiased: bool = False
    split: SplitSettings = field(default_factory=SplitSettings)

    def __post_init__(self) -> None:
        check_ranges(self)
        check_choice("dtype", self.dtype, DTYPES)
        check_choice("side", self.side, SIDES)
