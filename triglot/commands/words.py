"""`key=value` words of the command line as settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triglot.document import Document, split_word
from triglot.settings import build


def parse(words: Sequence[str], kind: type, option: str) -> list[Any]:
    """Settings dataclasses from words such as `kinds=[insert,codeswitch] rate=0.2 search=worst`.

    Args:
        words: one an attack.
        kind: the dataclass.
        option: of the command line, for errors.

    Raises:
        InputError: what is not key=value, an unknown key, a wrong value.
    """
    found = []
    for word in words:
        values = dict(split_word(part) for part in word.split())
        if isinstance(values.get("kinds"), str):
            values["kinds"] = values["kinds"].split(",")
        found.append(build(kind, Document(values, option)))
    return found
