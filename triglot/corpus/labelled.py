"""Pairs of texts with a label, in whichever languages each half exists: what a classification head learns from and is
judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from triglot.files import InputError, nearest
from triglot.seeds import uniform

KINDS = ("xx", "xy", "hybrid")


@dataclass(frozen=True)
class Labelled:
    """Items of two texts and a label; item i says the same in every language that it has.

    Attributes:
        languages: codes, sorted.
        labels: names of the classes.
        first, second: different texts: premises and hypotheses, or questions and comments.
        first_at, second_at: (languages, items) int64 index into `first` or `second`, -1 where an item has no such text.
        target: (items,) int8 index into `labels`.
        group: (items,) int64: items of one premise or question, which stand or fall together.
        ids: one an item.
        key: (items,) int64, what draws go by: it does not change when other languages are read too.
    """

    languages: tuple[str, ...]
    labels: tuple[str, ...]
    first: list[str]
    second: list[str]
    first_at: np.ndarray
    second_at: np.ndarray
    target: np.ndarray
    group: np.ndarray
    ids: list[str]
    key: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    def take(self, items: np.ndarray) -> Labelled:
        """The items at these indices, with the texts that they have."""
        first, first_at = _used(self.first, self.first_at[:, items])
        second, second_at = _used(self.second, self.second_at[:, items])
        return replace(
            self,
            first=first,
            second=second,
            first_at=first_at,
            second_at=second_at,
            target=self.target[items],
            group=self.group[items],
            ids=[self.ids[item] for item in items.tolist()],
            key=self.key[items],
        )

    def indices(self, codes: Sequence[str]) -> np.ndarray:
        """Indices of language codes. Raises InputError with the nearest known one."""
        for code in codes:
            if code not in self.languages:
                raise InputError(f"no language {code!r}{nearest(code, self.languages)}")
        return np.array([self.languages.index(code) for code in codes], np.int64)

    def draw(
        self, kind: str, codes: Sequence[str] | None = None, *, alpha: float = 0.5, seed: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Training pairs: which items, with their first and second text in which languages.

        Every item is used once for each language that its second text has, in all kinds, so that arms see the same
        items equally often. `xx`: both texts in one language. `xy`: in two; where an item has all languages, each
        stands first once and second once. `hybrid`: a share `alpha` of the items is xx, the rest xy.

        Args:
            kind: xx, xy or hybrid.
            codes: only these languages; by default all.
            alpha: see above.
            seed: of the draws.

        Returns:
            items (rows,) and languages (rows, 2), int64.

        Raises:
            InputError: unknown kind or language, one language where the kind needs two, or no pair at all.
        """
        if kind not in KINDS:
            raise InputError(f"no pairs {kind!r}{nearest(kind, KINDS)}")
        chosen = self.indices(self.languages if codes is None else sorted(set(codes)))
        if not len(chosen):
            raise InputError("no language to draw pairs in")
        if kind != "xx" and len(chosen) < 2:
            raise InputError(
                f"pairs {kind} need two languages, and there is {', '.join(self.languages[i] for i in chosen)} alone"
            )
        has_first, has_second = self.first_at[chosen] >= 0, self.second_at[chosen] >= 0
        same = np.full(len(self), kind == "xx")
        if kind == "hybrid":
            first_ones = np.argsort(uniform(seed, "pairs in one language", self.key), kind="stable")
            same[first_ones[: round(alpha * len(self))]] = True
        share = uniform(seed, "other language of a pair", self.key)
        items, pairs = [], []
        number = len(chosen)
        for place in range(number):
            others = [(place + step) % number for step in range(1, number)]
            open_to = has_first[others] if others else np.zeros((0, len(self)), bool)  # in the order of the others
            count = open_to.sum(0)
            wanted = np.minimum((share * count).astype(np.int64), count - 1)
            nth = open_to & (np.cumsum(open_to, axis=0) - 1 == wanted)
            other = (
                np.array([*others, -1])[np.where(nth.any(0), nth.argmax(0), len(others))]
                if others
                else np.full(len(self), -1)
            )
            left = np.where(same, np.where(has_first[place], place, -1), other)
            usable = np.flatnonzero(has_second[place] & (left >= 0))
            items.append(usable)
            pairs.append(np.column_stack([chosen[left[usable]], np.full(len(usable), chosen[place])]))
        drawn = np.concatenate(items)
        if not len(drawn):
            raise InputError(
                f"no item has both texts in {', '.join(self.languages[i] for i in chosen)} for pairs {kind}"
            )
        return drawn, np.concatenate(pairs)

    def rows(self, items: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """(rows, 2) indices into `first` and `second` of items in these languages."""
        return np.column_stack([self.first_at[pairs[:, 0], items], self.second_at[pairs[:, 1], items]])


def _used(texts: Sequence[str], at: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The texts that indices (-1 for none) speak of, and the indices into these."""
    used = np.unique(at[at >= 0])
    place = np.full(len(texts) + 1, -1, np.int64)
    place[used] = np.arange(len(used))
    numbers: list[int] = used.tolist()
    return [texts[number] for number in numbers], place[at]


def distinct(columns: Sequence[Sequence[str | None]]) -> tuple[list[str], np.ndarray]:
    """Different texts, and where each language's text of each item is among them; None is none."""
    place: dict[str, int] = {}
    at = [[-1 if text is None else place.setdefault(text, len(place)) for text in column] for column in columns]
    return list(place), np.array(at, np.int64).reshape(len(columns), -1)


@dataclass(frozen=True)
class LabelledData:
    """What the reader of a classification benchmark returns.

    Such a reader takes the path and any of these arguments; `triglot.classify.tasks.ClassifySettings` says more:

    - `languages`: test in these alone, which must be there; `among`: where that is None, in those of these that are
      there
    - `split`: what is tested; `share` and `seed`: of a split that is parted
    - `train`: what the head learns from, a path relative to `base` or the name of a split; `train_languages`,
      `new_authors`
    - `head`: the facts of a head that was trained before, else None
    - `strict`: whether a record that cannot be used is an error

    Attributes:
        test: what is judged.
        train: what the head learns from; None where there is a head already.
        notes: for the results.
        facts: kept with the head.
        counts: for the results.
        own_languages: whether the training part has languages of its own, since it comes from elsewhere.
        sides: as what the encoder takes the first and the second text.
        majority_by_group: whether the commonest label of each group (of a question) is a baseline.
    """

    test: Labelled
    train: Labelled | None = None
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    own_languages: bool = False
    sides: tuple[str, str] = ("passage", "passage")
    majority_by_group: bool = False


class NoTraining(InputError):
    """A benchmark has nothing that a head could be trained on."""
