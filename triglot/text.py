"""Letters of scripts that do not part words by spaces."""

from __future__ import annotations

import regex

_LETTERS = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Han}\p{Hiragana}\p{Katakana}ー"
UNSPACED = regex.compile(f"[{_LETTERS}]+")
RUNS = regex.compile(f"[{_LETTERS}]+|[^{_LETTERS}]+")  # of a text that mixes them with others
