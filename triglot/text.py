"""What texts are made of: scripts whose words have no spaces between them, and when two texts say the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import regex

if TYPE_CHECKING:
    import pyarrow as pa

# --- titles


def titled(title: str, text: str) -> str:
    """What is encoded of a document: its title before its text, as in BEIR. A title without a text is a text."""
    return f"{title} {text}".strip() if title.strip() else text


def in_one(parts: Sequence[str]) -> str:
    """What is encoded of a document with any number of parts, a title, a summary and a body for one: as `titled`."""
    first, *rest = parts or ("",)
    return titled(first.strip(), in_one(rest)) if rest else first.strip()


def in_a_line(text: str) -> str:
    """A text for a line that is shown or a comment: line breaks and control characters become spaces, one at a time."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


# --- scripts without spaces between words

_HAN_AND_KANA, _OTHERS = ("Han", "Hiragana", "Katakana"), ("Thai", "Lao", "Khmer", "Myanmar")


def unspaced_letters(long_vowel: str = "ー") -> str:
    """The inside of a character class with the letters, marks and signs of these scripts, for engines that know
    scripts.

    Args:
        long_vowel: U+30FC, the long vowel mark of kana, as the engine writes it. Unicode gives it no script of its own.
    """
    return (
        "".join(rf"\p{{{script}}}" for script in _HAN_AND_KANA)
        + long_vowel
        + "".join(rf"\p{{{script}}}" for script in _OTHERS)
    )


UNSPACED = regex.compile(f"[{unspaced_letters()}]+")
RUNS = regex.compile(f"[{unspaced_letters()}]+|[^{unspaced_letters()}]+")  # of a text that mixes them with others

# The same scripts by ranges of code points, for `re` and for arrays. They hold all letters and marks of `UNSPACED`, and
# beside them what stands inside words of these scripts only: the middle dot of kana, its voicing marks, the sign of the
# baht.
HAN_BLOCKS = (
    *((0x3005, 0x3007), (0x3021, 0x3029), (0x3038, 0x303B), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x16FE2, 0x16FFF), (0x1AFF0, 0x1B16F), (0x20000, 0x3FFFF)),
)
# Lao, Burmese and Khmer among them.
THAI_BLOCKS = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
)


def ranges(blocks: tuple[tuple[int, int], ...]) -> str:
    """Blocks as the inside of a character class."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in blocks)


def within(characters: np.ndarray, blocks: tuple[tuple[int, int], ...]) -> np.ndarray:
    """(characters,) whether each code point lies in one of the blocks."""
    inside = np.zeros(len(characters), bool)
    for first, last in blocks:
        inside |= (characters >= first) & (characters <= last)
    return inside


# --- when two texts are the same


def fold(text: str) -> str:
    """NFKC and case folding: two spellings of the same characters."""
    return unicodedata.normalize("NFKC", text).casefold()


def normalise(text: str) -> str:
    """Folded, with every run of white space and punctuation one space: two texts with the same words.

    Vowel signs and accents stay.

    This is how texts of a test are looked for in training data.
    """
    spaces, nothing = _patterns()
    return spaces.sub(" ", nothing.sub("", fold(text))).strip()


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Runs of punctuation, symbols, separators and controls; and invisible format characters."""
    spaces, nothing = [], []
    for code in range(0x10000):  # beyond it `re` searches a class range by range, 20 times slower
        category = unicodedata.category(chr(code))
        if category == "Cf":
            nothing.append(code)
        elif category[0] in "PSZC":
            spaces.append(code)
    return re.compile(f"[{ranges(_runs(spaces))}]+"), re.compile(f"[{ranges(_runs(nothing))}]+")


def _runs(codes: list[int]) -> tuple[tuple[int, int], ...]:
    """Ascending code points as ranges."""
    starts = [code for code, before in zip(codes, [-2, *codes[:-1]], strict=True) if code != before + 1]
    ends = [code for code, after in zip(codes, [*codes[1:], -2], strict=True) if code != after - 1]
    return tuple(zip(starts, ends, strict=True))


def said(texts: pa.Array) -> np.ndarray:
    """(texts,) int64: a number for what each text says; case and white space alone make no difference.

    This is what is never a negative of its like. Punctuation makes a difference, since it can be all that does (`C` and
    `C++`).
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    folded = pc.call_function("utf8_lower", [texts])
    folded = pc.call_function("replace_substring_regex", [folded], pc.ReplaceSubstringOptions(r"\s+", " "))
    folded = pc.call_function("utf8_trim_whitespace", [folded])
    return (
        pa.chunked_array([folded])
        .combine_chunks()
        .dictionary_encode()
        .indices.to_numpy(zero_copy_only=False)
        .astype(np.int64)
    )
