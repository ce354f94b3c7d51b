"""Keys of recipes that had another name in the version before: they are read for one version, and the new name is
said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Within a stage of training; `*` is a number in a list. Only the last word of a key has changed.
RENAMED = {
    "anchor": "lexicon_init",
    "batches.languages": "language_sampling",
    "refresh.languages": "negative_languages",
    "robust.language": "language_adversary",
    "sources.*.unit": "candidate_text",
}


def new_name(key: str) -> str:
    """A dotted key as it is called now: of a recipe, of its `alignment`, or of one of its `arms`."""
    words = key.split(".")
    start = 2 if words[0] == "arms" else 0
    if words[start : start + 1] == ["alignment"]:
        start += 1
    for end in range(start + 1, len(words) + 1):
        within = ".".join("*" if word.isdecimal() else word for word in words[start:end])
        words[end - 1] = RENAMED.get(within, words[end - 1])
    return ".".join(words)


def renamed(value: Any, tell: Callable[[str, str], None] | None = None, inside: str = "") -> Any:
    """Settings with every key as it is called now; where both names are given, the new one counts.

    Args:
        value: plain settings of a recipe; keys of arms are dotted.
        tell: called with each old key and its new name.
        inside: the dotted key of `value`.
    """
    if isinstance(value, list):
        return [renamed(child, tell, f"{inside}{number}.") for number, child in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    current: dict[str, Any] = {}
    for key, child in value.items():
        old = f"{inside}{key}"
        now = new_name(old)
        if tell and now.split(".")[: old.count(".") + 1] != old.split("."):
            tell(old, now)
        name = now[len(inside) :] if now.count(".") == old.count(".") and now.startswith(inside) else str(key)
        if name == key or name not in value:
            current[name] = renamed(child, tell, f"{now}.")
    return current
