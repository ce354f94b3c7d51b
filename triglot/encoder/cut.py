"""The beginning of a long text that holds all the tokens which are kept, so that nobody tokenises 50 MB to keep 256
tokens.

Tokens before a space do not depend on what follows it, with tokenizers whose every step is known to look no further
than a word. Then the tokens of a beginning that ends before a space are the first tokens of the whole. For other
tokenizers texts stay whole.
"""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer

_LOCAL = (
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Nmt",
    "Lowercase",
    "StripAccents",
    "BertNormalizer",
    "Precompiled",
    "Prepend",
    "Strip",
)
_SPLITTING = ("BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Metaspace", "ByteLevel")
_WITHIN = ("Punctuation", "Digits")  # cut words further
_SPACES = (" {2,}", r"\s+", r"\s{2,}", " +")


class Cut:
    """Cuts texts of one tokenizer."""

    def __init__(self, tokenizer: Tokenizer, *, at_any_space: bool):
        """
        Args:
            tokenizer: without truncation; not to be changed afterwards.
            at_any_space: it is known that the parts between spaces are tokenised each by itself.
        """
        self._tokenizer = tokenizer
        self._anywhere = at_any_space
        self._possible = at_any_space or _looks_at_words_alone(tokenizer)

    def __call__(self, text: str, most: int) -> str:
        """The text, or a beginning of it whose first `most` tokens are those of the whole.

        Args:
            text: to be tokenised without special tokens.
            most: tokens that are kept, from the beginning.
        """
        size = 16 * most + 256
        while self._possible and 2 * size < len(text):
            end = self._end(text, size)
            if end < 0:
                return text
            words = self._tokenizer.encode(text[:end], add_special_tokens=False).word_ids
            # the last word is left out of the count: no claim about it is needed
            if sum(word != words[-1] for word in words) >= most:
                return text[:end]
            size *= 4
        return text

    def _end(self, text: str, size: int) -> int:
        """The first space from here on; for tokenizers of others one after a plain letter or digit. -1 where there is
        none near."""
        end = text.find(" ", size, 4 * size)
        while not self._anywhere and end > 0 and not (text[end - 1].isascii() and text[end - 1].isalnum()):
            end = text.find(" ", end + 1, 4 * size)
        return end


def _looks_at_words_alone(tokenizer: Tokenizer) -> bool:
    """Whether every step of a tokenizer is one that looks no further than the next space."""
    state = json.loads(tokenizer.to_str())
    if any(any(map(str.isspace, token["content"])) for token in state["added_tokens"]) or state["model"].get("dropout"):
        return False
    steps = _steps(state["pre_tokenizer"], "pretokenizers")
    if not any(_splits(step) for step in steps) or not all(_splits(step) or step["type"] in _WITHIN for step in steps):
        return False
    return all(step["type"] in _LOCAL or _replaces_spaces(step) for step in _steps(state["normalizer"], "normalizers"))


def _steps(step: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    if step is None:
        return []
    return [one for inner in step[key] for one in _steps(inner, key)] if step["type"] == "Sequence" else [step]


def _splits(step: dict[str, Any]) -> bool:
    kind = step["type"]
    return (
        kind in _SPLITTING
        and not (kind == "Metaspace" and step.get("split") is False)
        and step.get("use_regex", True) is not False
    )


def _replaces_spaces(step: dict[str, Any]) -> bool:
    pattern = step.get("pattern", {}) if step["type"] == "Replace" else {}
    plain = pattern.get("String", "x")
    return bool(plain) and (plain.isspace() or pattern.get("Regex") in _SPACES)
