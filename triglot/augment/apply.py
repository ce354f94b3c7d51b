"""Parts of an augmentation applied to texts: which texts, which kind, and the change itself, each drawn from the text's
own key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triglot import seeds
from triglot.augment.lexicon import Lexicon, switch
from triglot.augment.noise import perturb
from triglot.augment.segment import Splits
from triglot.augment.settings import CODESWITCH, LISTED, NEIGHBOUR, AugmentSettings
from triglot.augment.smooth import smooth_copies
from triglot.files import InputError


class Augmenter:
    """Changes texts as the settings say.

    Args:
        settings: what to do.
        seed: of the draws.
        lexicon: for the kinds that go by word lists.
        pieces: the encoder's tokens in the order of their ids, for `segment`; None where it is no bag of subwords.

    Raises:
        InputError: code-switching without a lexicon, or into a language without a list; `segment` without pieces.
    """

    def __init__(
        self,
        settings: AugmentSettings,
        *,
        seed: int,
        lexicon: Lexicon | None = None,
        pieces: Sequence[str] | None = None,
    ):
        if settings.segment and pieces is None:
            raise InputError("augment.segment: needs a static encoder")
        self.splits = Splits(pieces) if settings.segment and pieces is not None else None
        if settings.needs_lists and lexicon is None:
            raise InputError(f"augment.lists: {', '.join(LISTED)} need word lists")
        self.settings, self.seed, self.lexicon = settings, seed, lexicon
        for part in settings.parts:
            if part.into and lexicon is not None:
                lexicon.check(part.into)
        allowed = [part.side or settings.side for part in settings.parts]
        self._touched = np.array(
            [[side in ("query", "both"), side in ("passage", "both")] for side in allowed], bool
        ).reshape(-1, 2)
        self._edges = np.cumsum([part.share for part in settings.parts])

    def choose(self, keys: np.ndarray, sides: np.ndarray, epoch: int) -> np.ndarray:
        """(n,) the part that changes each text, -1 for a text that stays clean.

        Args:
            keys: (n,) integers that stand for the texts.
            sides: (n,) True for a passage.
            epoch: a text is drawn anew in each.
        """
        part = np.searchsorted(self._edges, seeds.uniform(self.seed, "augment", epoch, keys), side="right")
        touched = np.append(self._touched, [[False, False]], axis=0)[part, sides.astype(np.intp)]
        return np.where(touched, part, -1)

    def _turns(self, keys: np.ndarray, parts: np.ndarray, epoch: int) -> np.ndarray:
        """(n,) which kind of its part each text gets."""
        many = np.array([len(part.kinds) for part in self.settings.parts] or [1])
        return (seeds.uniform(self.seed, "augment-kind", epoch, keys) * many[parts]).astype(int)

    def kinds(self, keys: np.ndarray, parts: np.ndarray, epoch: int) -> list[str]:
        """The kind of change of each text; arguments as for `change`."""
        turns = self._turns(keys, parts, epoch).tolist()
        return [self.settings.parts[part].kinds[turn] for part, turn in zip(parts.tolist(), turns, strict=True)]

    def change(
        self, texts: Sequence[str], langs: Sequence[str], keys: np.ndarray, parts: np.ndarray, epoch: int
    ) -> list[str]:
        """The changed texts.

        Args:
            texts: to change.
            langs: the language of each.
            keys: (n,) as for `choose`.
            parts: (n,) numbers of the parts, none of them -1.
            epoch: as for `choose`.
        """
        result = list(texts)
        turns = self._turns(keys, parts, epoch)
        for number, part in enumerate(self.settings.parts):
            for turn, kind in enumerate(part.kinds):
                places = np.flatnonzero((parts == number) & (turns == turn)).tolist()
                if not places:
                    continue
                chosen, spoken = [texts[i] for i in places], [langs[i] for i in places]
                options = {"rate": part.rate, "seed": self.seed, "purpose": f"augment {epoch}", "numbers": keys[places]}
                if kind == NEIGHBOUR:
                    assert self.lexicon is not None
                    changed = smooth_copies(chosen, spoken, self.lexicon, into=part.into, **options)
                elif kind in LISTED:
                    assert self.lexicon is not None
                    into = (part.into or self.lexicon.languages) if kind == CODESWITCH else ()
                    changed = switch(chosen, spoken, self.lexicon, into=into, mode=part.mode, **options)
                else:
                    changed = perturb(chosen, spoken, kind, **options)
                for place, text in zip(places, changed, strict=True):
                    result[place] = text
        return result
