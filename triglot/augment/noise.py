"""Noise in texts: typos by script, lost diacritics, homoglyphs, romanisation, casing, punctuation, word order.

Each kind is a function of a word (or of a text) and of numbers in [0, 1) drawn for it. Draws depend on (seed, purpose,
kind, number of the text, place of the word) alone. Typos follow Zhuang and Zuccon (2022): one edit in a word of three
or more letters; in scripts without spaces every character counts as a word.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import regex

from triglot import seeds
from triglot.augment.keyboards import HOMOGLYPHS, neighbours, script_letters
from triglot.extras import named
from triglot.files import InputError, check_choice
from triglot.text import UNSPACED

_WORD = regex.compile(r"[\p{L}\p{M}\u200c\u200d]+(?:['’]\p{L}[\p{L}\p{M}]*)*")
_FIRST_UNSPACED = "\u0e00"
_PUNCTUATION = regex.compile(r"[\p{P}\p{S}]")
SHORTEST = 3  # letters of a word that may get a typo

Draws = Sequence[float]  # three numbers in [0, 1)


@dataclass(frozen=True)
class Kind:
    """A kind of noise.

    Attributes:
        word: (word, draws) -> changed word; None where the kind works on whole texts.
        text: (text, rate, generator) -> changed text; None where it works on words.
        typo: whether it is a slip of the keyboard: only words of `SHORTEST` letters, and single characters where words
            are not parted.
    """

    word: Callable[[str, Draws], str] | None = None
    text: Callable[[str, float, np.random.Generator], str] | None = None
    typo: bool = False


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter)[0] == "M" or letter in "\u200c\u200d"


def _place(word: str, draw: float) -> int:
    """A place in the word that does not begin inside of a letter with marks."""
    if word.isalpha():  # no marks: they are not alphabetic
        return int(draw * len(word))
    starts = [i for i in range(len(word)) if not _is_mark(word[i])]
    return starts[int(draw * len(starts))] if starts else 0


def _cluster_end(word: str, start: int) -> int:
    end = start + 1
    while end < len(word) and _is_mark(word[end]):
        end += 1
    return end


def delete(word: str, draws: Draws) -> str:
    """Without one letter."""
    i = _place(word, draws[0])
    return word[:i] + word[_cluster_end(word, i) :]


def swap(word: str, draws: Draws) -> str:
    """With two neighbouring letters exchanged; a pair of equal letters is not chosen if there is another."""
    marks = not word.isalpha()
    pairs = [i for i in range(len(word) - 1) if word[i] != word[i + 1] and not (marks and _is_mark(word[i + 1]))]
    if not pairs:
        return word
    i = pairs[int(draws[0] * len(pairs))]
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def insert(word: str, draws: Draws) -> str:
    """With one more letter of the word's script."""
    i = int(draws[0] * (len(word) + 1))
    return word[:i] + _letter(word, draws[1]) + word[i:]


def substitute(word: str, draws: Draws) -> str:
    """With one letter replaced by another of its script."""
    i = _place(word, draws[0])
    new = _letter(word, draws[1], apart=word[i].lower())
    return word[:i] + (new.upper() if word[i].isupper() else new) + word[_cluster_end(word, i) :]


def keyboard(word: str, draws: Draws) -> str:
    """With one letter replaced by its neighbour on the keyboard; unchanged where no letter has one."""
    places = [i for i, letter in enumerate(word) if neighbours(letter.lower())]
    if not places:
        return word
    i = places[int(draws[0] * len(places))]
    near = neighbours(word[i].lower())
    new = near[int(draws[1] * len(near))]
    return word[:i] + (new.upper() if word[i].isupper() else new) + word[i + 1 :]


def _letter(word: str, draw: float, apart: str = "") -> str:
    letters = [letter for letter in script_letters(word) if letter != apart]
    return letters[int(draw * len(letters))] if letters else word[int(draw * len(word))]


def diacritics(word: str, draws: Draws) -> str:
    """Without the marks above and below its letters; Indic and Thai vowel signs stay, they are letters there."""
    parts = unicodedata.normalize("NFD", word)
    kept = [
        c for c in parts if not (unicodedata.category(c) == "Mn" and unicodedata.combining(c) in (220, 230, 202, 216))
    ]
    return unicodedata.normalize("NFC", "".join(kept)).translate(_STROKES)


# Letters with a stroke have no decomposition; Turkish ı is written i without its mark.
_STROKES = str.maketrans("łŁđĐøØıŧŦ", "lLdDoOitT")


def homoglyph(word: str, draws: Draws) -> str:
    """With one letter replaced by a look-alike of another script."""
    places = [i for i, letter in enumerate(word) if letter in HOMOGLYPHS]
    if not places:
        return word
    i = places[int(draws[0] * len(places))]
    return word[:i] + HOMOGLYPHS[word[i]] + word[i + 1 :]


def casing(word: str, draws: Draws) -> str:
    """In capitals, or all small if it has capitals."""
    return word.lower() if word != word.lower() else word.upper()


def romanise(word: str, draws: Draws) -> str:
    """In Latin letters (anyascii). Latin words lose their diacritics."""
    with named():
        from anyascii import anyascii

    return anyascii(word)


def punctuation(text: str, rate: float, rng: np.random.Generator) -> str:
    """Each punctuation mark left out with probability `rate`."""
    return " ".join(_PUNCTUATION.sub(lambda mark: "" if rng.random() < rate else mark.group(), text).split()) or text


def word_order(text: str, rate: float, rng: np.random.Generator) -> str:
    """A share `rate` of the words exchanged with a neighbour; a text without spaces stays."""
    words = text.split()
    places = rng.permutation(max(len(words) - 1, 0))[: math.ceil(rate * (len(words) - 1) / 2) if rate else 0]
    for i in places.tolist():
        words[i], words[i + 1] = words[i + 1], words[i]
    return " ".join(words)


KINDS: dict[str, Kind] = {
    "delete": Kind(word=delete, typo=True),
    "swap": Kind(word=swap, typo=True),
    "insert": Kind(word=insert, typo=True),
    "substitute": Kind(word=substitute, typo=True),
    "keyboard": Kind(word=keyboard, typo=True),
    "diacritics": Kind(word=diacritics),
    "homoglyph": Kind(word=homoglyph),
    "casing": Kind(word=casing),
    "romanise": Kind(word=romanise),
    "punctuation": Kind(text=punctuation),
    "word-order": Kind(text=word_order),
}


def known(kind: str) -> Kind:
    """A kind by its name. Raises InputError with the nearest known one."""
    check_choice("noise", kind, KINDS)
    return KINDS[kind]


def word_spans(text: str, *, typo: bool) -> list[tuple[int, int]]:
    """(start, end) of what counts as a word: words, cut between characters where the script does not part words.

    For typos only words of `SHORTEST` letters, and pairs of characters of unspaced scripts (two, so that they can be
    exchanged).
    """
    spans: list[tuple[int, int]] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        if text[start] >= _FIRST_UNSPACED and UNSPACED.match(text, start):
            step = start
            while step < end:
                stop = _cluster_end(text[:end], step)
                if typo and stop < end:
                    stop = _cluster_end(text[:end], stop)
                if not typo or stop - step >= 2:
                    spans.append((step, stop))
                step = stop
        elif not typo or end - start >= SHORTEST:
            spans.append((start, end))
    return spans


def perturb(
    texts: Sequence[str],
    langs: Sequence[str],
    kind: str,
    *,
    rate: float,
    seed: int,
    purpose: str = "noise",
    numbers: Sequence[int] | np.ndarray | None = None,
) -> list[str]:
    """Change texts.

    Args:
        texts: to change.
        langs: the language of each; kinds go by script, so it is only checked for its length.
        kind: see `KINDS`.
        rate: share of the words (of the characters in scripts without spaces) that change, rounded at random; at least
            one word where the rate is above 0 and the text has a word.
        seed: of the draws.
        purpose: different purposes are independent.
        numbers: (texts,) what each text is drawn by; 0, 1, ... by default.

    Raises:
        InputError: an unknown kind, or a rate outside [0, 1].
    """
    if not 0 <= rate <= 1:
        raise InputError(f"rate: {rate} is not between 0 and 1")
    if len(texts) != len(langs):
        raise InputError(f"{len(texts)} texts and {len(langs)} languages")
    how = known(kind)
    if rate == 0 or not texts:
        return list(texts)
    numbers = np.arange(len(texts)) if numbers is None else np.asarray(numbers, np.int64)
    if how.text is not None:
        return [
            how.text(text, rate, seeds.generator(seed, f"{purpose} {kind}", int(number)))
            for number, text in zip(numbers, texts, strict=True)
        ]
    assert how.word is not None
    spans = [word_spans(text, typo=how.typo) for text in texts]
    many = np.array([len(one) for one in spans])
    number = np.repeat(numbers, 1 + 4 * many)
    starts = np.cumsum(1 + 4 * many) - (1 + 4 * many)
    # For each text: a number that rounds the count of changes, one a word that orders the words, three a word for the
    # change.
    draws = seeds.uniform(seed, f"{purpose} {kind}", number, np.arange(len(number)) - np.repeat(starts, 1 + 4 * many))
    owner = np.repeat(np.arange(len(texts)), many)
    first = np.cumsum(many) - many
    place = np.arange(len(owner)) - first[owner]
    whole, rest = np.divmod(rate * many, 1)
    changes = np.maximum(whole.astype(np.int64) + (draws[starts] < rest), 1)
    order = np.lexsort((draws[starts[owner] + 1 + place], owner))
    chosen = np.sort(order[place < changes[owner]])  # the words of a text stand together in `order` too
    own = draws[(starts[owner[chosen]] + 1 + many[owner[chosen]] + 3 * place[chosen])[:, None] + np.arange(3)]
    result = list(texts)
    for at, stop in pairwise([0, *(np.flatnonzero(np.diff(owner[chosen])) + 1).tolist(), len(chosen)]):
        if at < stop:
            text = int(owner[chosen[at]])
            places = [spans[text][i] for i in place[chosen[at:stop]].tolist()]
            result[text] = _changed(texts[text], places, how.word, own[at:stop].tolist())
    return result


def _changed(
    text: str, spans: Sequence[tuple[int, int]], word: Callable[[str, Draws], str], draws: Sequence[Draws]
) -> str:
    parts, last = [], 0
    for (start, end), own in zip(spans, draws, strict=True):
        parts += [text[last:start], word(text[start:end], own)]
        last = end
    return "".join([*parts, text[last:]])
