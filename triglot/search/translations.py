"""Passages that may be translations of one another: mutual nearest neighbours, for somebody to look through.

Nothing here decides that two texts mean the same. Each proposal has the two texts and the margin by which they are
nearer to one another than to their neighbours (Artetxe and Schwenk 2019); what is accepted becomes groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from triglot.graph import components
from triglot.index.protocol import FAIR, RAW, Index, Snapshot
from triglot.topk import top_k

NEIGHBOURS = 4


@dataclass(frozen=True)
class Proposal:
    """Two passages that are each other's nearest in the other's language.

    Attributes:
        a: id of the first.
        b: id of the second.
        langs: of both.
        texts: of both.
        score: their dot product, without language where the index takes it out.
        margin: the score over the mean of those of the nearest neighbours of both; 1 is no nearer than they are.
    """

    a: str
    b: str
    langs: tuple[str, str]
    texts: tuple[str, str]
    score: float
    margin: float


def propose(index: Index, *, least: float = 1.0, languages: Sequence[str] = ()) -> Iterator[Proposal]:
    """Proposals for all pairs of languages, those with the largest margin first within a pair.

    Args:
        index: passages that have a group already are compared all the same; pairs of one group are left out.
        least: margin below which nothing is proposed.
        languages: only these; none for all.
    """
    snapshot = index.snapshot
    view = FAIR if FAIR in index.views else RAW
    places = snapshot.places_in()
    numbers, codes = snapshot.langs_at(places), snapshot.codes
    of_code = {code: places[numbers == codes.index(code)] for code in (languages or index.languages) if code in codes}
    for one, other in combinations([code for code, held in of_code.items() if len(held)], 2):
        yield from _pairs(snapshot, (one, other), of_code[one], of_code[other], view, least)


def _pairs(
    snapshot: Snapshot, langs: tuple[str, str], one: np.ndarray, other: np.ndarray, view: str, least: float
) -> list[Proposal]:
    a, b = snapshot.vectors(one, view), snapshot.vectors(other, view)
    near_a, to_b = top_k(a, b, min(NEIGHBOURS, len(b)))
    near_b, to_a = top_k(b, a, min(NEIGHBOURS, len(a)))
    best = to_b[:, 0]
    mutual = np.flatnonzero(to_a[best, 0] == np.arange(len(a)))
    scores = near_a[mutual, 0]
    bound = (near_a[mutual].mean(axis=1) + near_b[best[mutual]].mean(axis=1)) / 2
    margins = scores / np.maximum(bound, 1e-6)
    order = np.argsort(-margins, kind="stable")
    order = order[margins[order] >= least]
    first, second = snapshot.documents(one[mutual[order]]), snapshot.documents(other[best[mutual[order]]])
    return [
        Proposal(
            first.ids[row],
            second.ids[row],
            langs,
            (first.texts[row], second.texts[row]),
            float(scores[at]),
            float(margins[at]),
        )
        for row, at in enumerate(order.tolist())
        if not (first.groups[row] and first.groups[row] == second.groups[row])
    ]


def groups_of(pairs: Sequence[tuple[str, str]], known: Mapping[str, str]) -> dict[str, str]:
    """Id -> group for passages that somebody says are translations of one another.

    Args:
        pairs: ids.
        known: id -> group of these, and of all others of their groups; a group is kept, and goes to whoever is tied to
            it.
    """
    ids = list(dict.fromkeys([*(one for pair in pairs for one in pair), *known]))
    number = {one: row for row, one in enumerate(ids)}
    held: dict[str, int] = {}
    a, b = [number[one] for one, _ in pairs], [number[other] for _, other in pairs]
    for one in ids:
        if group := known.get(one):
            a.append(number[one])
            b.append(held.setdefault(group, number[one]))
    parts = components(len(ids), a, b)
    names: dict[int, str] = {}
    for one, part in zip(ids, parts.tolist(), strict=True):
        names[part] = names.get(part) or known.get(one, "")
    first: dict[int, str] = {}
    for one, part in zip(ids, parts.tolist(), strict=True):
        first.setdefault(part, one)
    return {one: names[part] or f"={first[part]}" for one, part in zip(ids, parts.tolist(), strict=True)}
