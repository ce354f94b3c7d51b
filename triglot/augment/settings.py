"""Settings of augmentation in training."""

from __future__ import annotations

from dataclasses import dataclass

from triglot.augment.noise import KINDS
from triglot.files import SettingError, check_choice
from triglot.language_tags import wanted
from triglot.ranges import Half, Share, check_ranges

CODESWITCH, SYNONYM, NEIGHBOUR = "codeswitch", "synonym", "neighbour"
LISTED = (CODESWITCH, SYNONYM, NEIGHBOUR)  # kinds that go by word lists
SIDES = ("query", "passage", "both")
MODES = ("replace", "view")


@dataclass(frozen=True)
class Part:
    """One way of changing texts.

    Attributes:
        kinds: of noise (`triglot.augment.noise`), `codeswitch` (words replaced by their translations), `synonym` (by
            words that share a translation) or `neighbour` (by a uniform draw from themselves, their synonyms and, with
            `into`, their translations: randomised smoothing, `triglot.augment.smooth`); of several, one is drawn for
            each text.
        share: of the texts that are changed this way; the shares of all parts add up to 1 at most, the rest stays
            clean.
        rate: share of the words changed in such a text.
        into: languages that code-switching may use, empty for all others; or whose words are neighbours, empty for
            none.
        mode: of code-switching: multilingual (a language a word) | bilingual (a language a text).
        side: query | passage | both, for this part alone; empty for that of all parts.
    """

    kinds: tuple[str, ...]
    share: Share = 0.5
    rate: Share = 0.2
    into: tuple[str, ...] = ()
    mode: str = "multilingual"
    side: str = ""

    def __post_init__(self) -> None:
        check_ranges(self)
        object.__setattr__(self, "into", tuple(wanted(self.into) or ()))
        known = (*KINDS, *LISTED)
        if not self.kinds:
            raise SettingError("kinds", "is empty")
        for kind in self.kinds:
            check_choice("kinds", kind, known)
        check_choice("mode", self.mode, ("multilingual", "bilingual"))
        if self.side:
            check_choice("side", self.side, SIDES)


@dataclass(frozen=True)
class AugmentSettings:
    """Noise in training texts, drawn anew each epoch.

    The same text of an epoch is changed in the same way in every arm.

    Attributes:
        parts: what is done to which share of the texts; none by default.
        side: query | passage | both.
        mode: replace (the changed text takes the clean one's place, so a batch has as many texts) | view (changed
            queries come as further texts beside the clean ones, for `loss.self_teaching` and `loss.consistency`).
        lists: folder of word lists for `codeswitch`, `synonym` and `neighbour`, inside the data folder.
        half: which half of the lists (0 or 1), so that an attack can have the other; None for all.
        segment: probability that a token of the side's texts is shown as two smaller ones (`triglot.augment.segment`),
            for static encoders.
    """

    parts: tuple[Part, ...] = ()
    side: str = "query"
    mode: str = "replace"
    lists: str = ""
    half: Half | None = None
    segment: Share = 0.0

    def __post_init__(self) -> None:
        check_ranges(self)
        for key, known in (("side", SIDES), ("mode", MODES)):
            check_choice(key, getattr(self, key), known)
        if sum(part.share for part in self.parts) > 1 + 1e-9:
            raise SettingError("parts", f"the shares add up to {sum(part.share for part in self.parts):g}, more than 1")
        if self.mode == "view" and {self.side, *(part.side for part in self.parts)} - {"query", ""}:
            raise SettingError("side", "views are of queries; set side: query")
        if self.needs_lists and not self.lists:
            raise SettingError("lists", f"is missing; {', '.join(LISTED)} need a folder of word lists")

    @property
    def active(self) -> bool:
        """Whether it changes anything."""
        return bool(self.parts or self.segment)

    @property
    def needs_lists(self) -> bool:
        """Whether a part goes by word lists."""
        return any(kind in LISTED for part in self.parts for kind in part.kinds)
