"""Searches of attacks: how a harmful form of each query is looked for, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triglot.registry import Registry, later

if TYPE_CHECKING:
    from triglot.attack.search import Found


def _named(attack: Any, what: str) -> str:
    return f"{attack.search}-{what}-{attack.rate:g}"


@dataclass(frozen=True)
class Search:
    """One search.

    Attributes:
        name: in settings (`attacks.N.search`).
        title, help: for people.
        find: called as `find(target, attack, lexicon)`, see `triglot.attack.target.Target`; gives a `Found`.
        of_texts: whether it ends with texts; otherwise with vectors that no text may have.
        label: (attack, what it does to words) -> its name in results.
    """

    name: str
    title: str
    help: str
    find: Callable[..., Found]
    of_texts: bool = True
    label: Callable[[Any, str], str] = _named


SEARCHES = Registry(
    Search,
    group="searches",
    what="search",
    rows=(
        Search(
            "random",
            "Random",
            "one draw of changes",
            later("triglot.attack.search:one_draw"),
            label=lambda attack, what: f"{what}-{attack.rate:g}",
        ),
        Search(
            "worst",
            "Worst of several",
            "the worst of `tries` draws",
            later("triglot.attack.search:worst_of"),
            label=lambda attack, what: f"worst{attack.tries}-{what}-{attack.rate:g}",
        ),
        Search("greedy", "Greedy", "the best single change again and again", later("triglot.attack.search:greedy_of")),
        Search("beam", "Beam", "left to right (PolyGloss, arXiv 2103.09593)", later("triglot.attack.search:beam_of")),
        Search(
            "embedding",
            "Embedding",
            "projected gradient on the vectors, no text: a bound on what texts can do",
            later("triglot.attack.embedding:shifted"),
            of_texts=False,
            label=lambda attack, what: f"pgd-{attack.eps:g}",
        ),
    ),
)
