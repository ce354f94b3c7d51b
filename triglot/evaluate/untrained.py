"""Baselines without training that a recipe can name (`baselines`): one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triglot.files import SettingError
from triglot.registry import Registry, later

if TYPE_CHECKING:
    from triglot.evaluate.retrievers import Bm25


@dataclass(frozen=True)
class Baseline:
    """One baseline.

    Attributes:
        name: in settings, and of its folder.
        title, help: for people.
        make: (what a run has read, an object with `lists` and `translate`) -> a retriever.
        needs: what a recipe must name for it: one of these keys.
    """

    name: str
    title: str
    help: str
    make: Callable[[Any], Bm25]
    needs: tuple[str, ...] = ()

    def check(self, lists: str, translation: str) -> None:
        """Raises SettingError where a recipe names nothing of what it needs."""
        given = {"lists": lists, "translation": translation}
        if self.needs and not any(given[key] for key in self.needs):
            what = {"lists": "a folder of word lists", "translation": "the folder of a translation model"}
            raise SettingError(
                self.needs[0], f"is missing; {self.name} needs {' or '.join(what[key] for key in self.needs)}"
            )


_HERE = "triglot.evaluate.retrievers"
BASELINES = Registry(
    Baseline,
    group="baselines",
    what="baseline",
    rows=(
        Baseline("bm25", "BM25", "words alone, within a language", later(f"{_HERE}:plain_bm25")),
        Baseline(
            "bm25-translated",
            "BM25, words translated",
            "queries translated word by word through word lists",
            later(f"{_HERE}:listed_bm25"),
            needs=("lists",),
        ),
        Baseline(
            "bm25-mt",
            "BM25, queries translated",
            "queries translated by a model; word by word through lists where its folder is not there",
            later(f"{_HERE}:translated_bm25"),
            needs=("translation", "lists"),
        ),
    ),
)
