"""What the planner is asked for, and what it knows about the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import numpy as np

from triglot.batches.kinds import KINDS, parts_of
from triglot.files import SettingError, check_choice
from triglot.ranges import OneOf, Range, Share, check_ranges

if TYPE_CHECKING:
    from triglot.corpus.parallel import ParallelCorpus

By = Literal["row", "batch"]
Sampling = Literal["equal", "size", "temperature"]
Sources = Literal["weight", "size"]
Bitext = Literal["kind", "xy", "itself"]
_CHOICES = {
    "by": get_args(By),
    "language_sampling": get_args(Sampling),
    "sources": get_args(Sources),
    "bitext": get_args(Bitext),
}


@dataclass(frozen=True)
class BatchSettings:
    """Settings of the planner.

    Attributes:
        kind: how languages are drawn (see `triglot.batches.kinds`).
        alpha: share of xx batches among hybrid ones.
        alpha_end: that share after the last step, between linear (a curriculum: one language first, or two); None for
            the same all the time.
        size: rows a batch, over all ranks.
        by: whether an xy batch draws its ordered pair of languages once a row or once for the batch.
        language_sampling: equal | size | temperature, where a language that n rows of the source have gets a share p ~
            n^(1/T).
        temperature: that T.
        positives: passages a row, each in another language.
        sources: weight (as given) | size (every row of every source equally often).
        comparable: admit only rows that every kind can use, in languages that both sides have; arms then see the same
            rows, and each language as often on either side. False, for one arm alone (alignment on bitext), asks only
            what this kind needs.
        every_row: show every row once an epoch and one row of a family a batch, however small batches then become.
            Otherwise batches are near the size asked for, and rows of popular families wait for later epochs where
            there are too many of them.
        allow_small: train although batches have on average less than half of the rows asked for.
        bitext: how sources are shown whose queries and passages are the same lines: kind (as `kind` says; X-X cannot
            use them, since a line would find itself) | xy (in two languages in all of their batches) | itself (as
            `kind` says, also a line beside itself: for losses that ask for no answer, such as `keep` alone).
        drop_last: only batches of exactly `size` rows; the rows left over (others in every epoch) are counted in
            `dropped`.

    Raises:
        InputError: a value that is not understood.
    """

    kind: Annotated[str, OneOf(KINDS)] = "hybrid"
    alpha: Share = 0.5
    alpha_end: Share | None = None
    size: Annotated[int, Range(1, 2**20)] = 256
    by: By = "row"
    language_sampling: Sampling = "equal"
    temperature: Annotated[float, Range(0.05, 10**6)] = 1.0
    positives: Annotated[int, Range(1, 1000)] = 1
    sources: Sources = "weight"
    comparable: bool = True
    drop_last: bool = False
    every_row: bool = False
    allow_small: bool = False
    bitext: Bitext = "kind"

    def __post_init__(self) -> None:
        for key, known in _CHOICES.items():
            check_choice(key, getattr(self, key), known)
        check_ranges(self)
        if self.alpha_end is not None and KINDS[self.kind].parts is None:
            raise SettingError("alpha_end", f"goes with kinds that mix others, such as hybrid; {self.kind} does not")

    @property
    def needs_xx(self) -> bool:
        """Rows must be able to stand in an X-X batch."""
        return self.comparable or any(kind.needs == "one" for kind in parts_of(self))

    @property
    def needs_xy(self) -> bool:
        """Rows must be able to stand in an X-Y batch."""
        return self.comparable or any(kind.needs == "two" for kind in parts_of(self))

    @property
    def least(self) -> int:
        """Rows below which a group of rows joins others or borrows from them, so as not to make very small batches."""
        return self.size if self.drop_last else max(2, -(-self.size // 4))


@dataclass(frozen=True)
class Rows:
    """What the planner needs to know about training rows.

    Attributes:
        family: (rows,) integers >= 0; two rows of one passage family never share a batch
            (`ParallelCorpus.family[passage]`).
        query_languages, passage_languages: (rows,) uint64, bit l is set where the side can be shown in language l.
        source: (rows,) integers >= 0; a batch has one source.
        same: (rows,) bool, query and passage are one group (bitext), so that X-X would pair a text with itself; None
            for nowhere.
    """

    family: np.ndarray
    query_languages: np.ndarray
    passage_languages: np.ndarray
    source: np.ndarray
    same: np.ndarray | None = None

    def __post_init__(self) -> None:
        columns = [
            self.family,
            self.query_languages,
            self.passage_languages,
            self.source,
            *([] if self.same is None else [self.same]),
        ]
        if len({len(column) for column in columns}) > 1:
            raise ValueError(f"columns of different lengths: {[len(column) for column in columns]}")
        if len(self) and (self.family.min() < 0 or self.source.min() < 0):
            raise ValueError("families and sources are numbered from 0")

    def __len__(self) -> int:
        return len(self.family)


def rows_of(
    corpus: ParallelCorpus, query_languages: np.ndarray | None = None, passage_languages: np.ndarray | None = None
) -> Rows:
    """The rows of a corpus; give masks (rows,) where a side can be shown in more languages than it has texts
    (code-switching)."""
    return Rows(
        family=corpus.family[corpus.passage],
        query_languages=corpus.group_languages[corpus.query] if query_languages is None else query_languages,
        passage_languages=corpus.group_languages[corpus.passage] if passage_languages is None else passage_languages,
        source=corpus.source,
        same=corpus.query == corpus.passage,
    )
