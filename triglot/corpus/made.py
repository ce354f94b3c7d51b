"""Data that a study makes before it runs: settings alone; `triglot.study.makers` has the table of what can be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triglot.files import SettingError


@dataclass(frozen=True)
class Made:
    """A folder of data, made of other data or of the built-in corpus, in the layout of a format.

    Attributes:
        kind: what is made, a row of `triglot.study.makers.MAKERS`.
        path: what it is made of, inside the data folder; empty for the built-in corpus.
        options: of the maker.
    """

    kind: str
    path: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.kind:
            raise SettingError("kind", "is empty")
