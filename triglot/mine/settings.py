"""Settings of mining. They are checked here; languages are checked against a corpus by `triglot.mine.lines`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from triglot.files import SettingError, check_choice, nearest
from triglot.language_tags import tag
from triglot.ranges import Count, Depth, Positive, Range, Seed, check_ranges

SOURCES = ("dense", "bm25", "both", "random")
NAMED = ("own", "others", "balanced", "any")
SAMPLING = ("top", "random")
_BOUNDS = ("margin", "relative_margin", "max_score", "min_score")


@dataclass(frozen=True)
class MineSettings:
    """Which passages become hard negatives.

    Attributes:
        source: where candidates come from: a model's vectors (`dense`), `bm25`, `both` in turn, or passages drawn at
            `random`.
        negatives: how many a row.
        negative_languages: in which languages they are: the positive's `own`; equally many in each of the `others`;
            equally many in each (`balanced`); `any`, the best whatever the language; or shares, `{de: 1, en: 2}`, also
            written `de:1,en:2`. Shares hold for every row to within one negative, and over all rows exactly.
        skip: best candidates of a language that are passed over, since they may be answers that nobody marked.
        depth: candidates of a language that are looked at.
        margin: leave out candidates that score above the positive's score less this (0.1); None for no such bound.
        relative_margin: leave out those above the positive's score less this share of its size (0.05: NV-Retriever,
            arXiv 2407.15831).
        max_score, min_score: leave out candidates that score above, below.
        sampling: take the best (`top`), or draw among all candidates that are left (`random`).
        pool: passages of a language to search in at most, drawn by the seed; 0 for all.
        seed: of draws, and of how a share that is no whole number is rounded from row to row.
    """

    source: Literal["dense", "bm25", "both", "random"] = "dense"
    negatives: Annotated[int, Range(1, 1000)] = 8
    negative_languages: str | Mapping[str, Positive | None] = "own"
    skip: Annotated[int, Range(0, 10**6)] = 0
    depth: Depth = 100
    margin: Annotated[float, Range(0, 10**6)] | None = None
    relative_margin: Annotated[float, Range(0, 1, below=True)] | None = None
    max_score: Annotated[float, Range(-(10**6), 10**6)] | None = None
    min_score: Annotated[float, Range(-(10**6), 10**6)] | None = None
    sampling: Literal["top", "random"] = "top"
    pool: Count = 0
    seed: Seed = 1

    def __post_init__(self) -> None:
        for key, known in (("source", SOURCES), ("sampling", SAMPLING)):
            check_choice(key, getattr(self, key), known)
        if isinstance(self.negative_languages, str) and ":" in self.negative_languages:
            object.__setattr__(self, "negative_languages", _shares(self.negative_languages))
        if isinstance(self.negative_languages, Mapping):
            shares = {tag(code.strip()) or code: share for code, share in self.negative_languages.items()}
            object.__setattr__(self, "negative_languages", shares)
        if isinstance(self.negative_languages, str):
            if self.negative_languages not in NAMED:
                raise SettingError(
                    "negative_languages",
                    f"{self.negative_languages!r} is unknown{nearest(self.negative_languages, NAMED)}; shares "
                    "are written de:1,en:2",
                )
        elif not self.negative_languages:
            raise SettingError("negative_languages", "no share is given; shares are written de:1,en:2")
        for code, share in (
            dict(self.negative_languages).items() if not isinstance(self.negative_languages, str) else ()
        ):
            if share is None or not 0 < share < float("inf"):
                raise SettingError(
                    "negative_languages",
                    f"{share} is no share for {code!r}; shares are positive numbers, written de:1,en:2",
                )
        check_ranges(self)
        if self.depth < self.skip + self.negatives:
            fewer = (
                f"{self.depth} candidates, less {self.skip} that are skipped, are fewer than {self.negatives} negatives"
            )
            raise SettingError("depth", fewer)
        if self.max_score is not None and self.min_score is not None and self.min_score > self.max_score:
            raise SettingError("min_score", f"{self.min_score} is above max_score, {self.max_score}")
        if self.source == "random" and (given := [key for key in _BOUNDS if getattr(self, key) is not None]):
            raise SettingError(
                given[0], "passages drawn at random have no scores; leave it out, or choose another source"
            )
        if self.source == "random" and self.skip:
            raise SettingError("skip", "passages drawn at random have no order; leave it out, or choose another source")

    @property
    def reach(self) -> int:
        """Candidates of a language that can be chosen at all: where the best are taken and no bound leaves any out, few
        are looked at."""
        if (
            self.sampling == "random"
            or self.negative_languages == "any"
            or any(getattr(self, key) is not None for key in _BOUNDS)
        ):
            return self.depth
        # Of one list at most `negatives` are chosen, and as many may be passed over since another list had them first.
        return min(self.skip + 2 * self.negatives, self.depth)

    @property
    def needs_model(self) -> bool:
        """Whether vectors are needed."""
        return self.source in ("dense", "both")


def _shares(text: str) -> dict[str, float]:
    """`de:1,en:2` as numbers."""
    shares = {}
    for part in text.split(","):
        code, _, share = part.strip().partition(":")
        try:
            shares[code] = float(share)
        except ValueError:
            raise SettingError(
                "negative_languages", f"{part.strip()!r} is not a language and its share; shares are written de:1,en:2"
            ) from None
    return shares


@dataclass(frozen=True)
class RefreshSettings(MineSettings):
    """Mining inside training, by the model as it then is.

    Attributes:
        every: steps from one mining to the next; 0 mines once, before the first step; None never.
        negatives: how many a row are kept; `train.negatives` of them are shown at a time, others in later epochs. 0: as
            many as are shown.
    """

    every: Count | None = None
    negatives: Annotated[int, Range(0, 1000)] = 0

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.negatives:
            super().__post_init__()
        else:
            self.of(1)

    def check(self, shown: int) -> None:
        """Raises SettingError where mined negatives would not be shown, or fewer are kept than are shown.

        Args:
            shown: `train.negatives`.
        """
        if self.every is None:
            return
        if not shown:
            message = "mines hard negatives that are never shown; give train.negatives, how many a row"
            raise SettingError("refresh.every", message)
        try:
            self.of(shown)
        except SettingError as error:
            raise SettingError(f"refresh.{error.key}", error.what) from None

    def of(self, shown: int, seed: int | None = None) -> MineSettings:
        """The settings of one mining.

        Args:
            shown: `train.negatives`.
            seed: that is used instead of this one's.

        Raises:
            InputError: fewer are kept than are shown, or the settings of mining do not fit one another.
        """
        if 0 < self.negatives < shown:
            raise SettingError(
                "negatives", f"{self.negatives} are kept for each row, fewer than train.negatives, {shown}"
            )
        kept: dict[str, Any] = {key: getattr(self, key) for key in MineSettings.__dataclass_fields__}
        kept["negatives"] = self.negatives or shown
        kept["seed"] = self.seed if seed is None else seed
        return MineSettings(**kept)
