"""Faces of rooms whose names are loaded when first used, so that settings are read without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from triglot.extras import named


def face(room: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose names live in its modules.

    Args:
        room: the package's `__name__`.
        homes: module of the package -> names that live there; none of them is called as a module is, or the module
            would hide it.
    """
    home = {name: module for module, names in homes.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        with named():
            return getattr(import_module(f"{room}.{home[name]}"), name)

    return __getattr__
