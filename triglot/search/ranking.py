"""Candidates of a question put in order: the reader's languages, quotas, translations folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from triglot.index.documents import Documents
from triglot.index.protocol import Snapshot
from triglot.language_tags import base
from triglot.search.question import Preference, quota_of

_RRF = 60  # reciprocal-rank fusion's constant


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    Attributes:
        rank: from 1.
        id: of the passage.
        text: of the passage.
        lang: of the passage.
        score: the dot product, in the vectors that were searched.
        calibrated: standard deviations above the mean of the passages of its language.
        rank_in_language: among the passages of its language, from 1; 0 where it was not ranked but came with its group.
        group: of the passage, "" for none.
        fields: metadata.
        also: the other translations of a folded hit, in the reader's order.
    """

    rank: int
    id: str
    text: str
    lang: str
    score: float
    calibrated: float
    rank_in_language: int
    group: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[Hit, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A passage on its way to a hit.

    Attributes:
        place: in the snapshot.
        lang: its language.
        score: see `Hit`.
        calibrated: see `Hit`.
        rank_in_language: see `Hit`.
        value: what it is ranked by.
    """

    place: int
    lang: str
    score: float
    calibrated: float
    rank_in_language: int
    value: float


@dataclass(frozen=True)
class Asked:
    """What the ranking needs to know of a question.

    Attributes:
        lang: of the question.
        preference: languages that the reader reads; None for all alike.
        k: hits that are wanted.
    """

    lang: str
    preference: Preference | None
    k: int


def preferred(candidates: list[Candidate], preference: Preference | None) -> list[Candidate]:
    """Candidates by their value and the reader's languages: what is not read goes, the weight of the others is a prior.

    A calibrated score is in standard deviations, so half the weight costs .69 of them.
    """
    if preference is None:
        return candidates
    kept = [
        replace(one, value=one.value + preference.prior(one.lang))
        for one in candidates
        if preference.weight(one.lang) > 0
    ]
    return sorted(kept, key=lambda one: -one.value)


def by_ranks(vectors: Sequence[int], words: Sequence[int], weight: float) -> list[int]:
    """Places in the order of their reciprocal ranks, those by words weighted (Cormack, Clarke and Büttcher 2009).

    Args:
        vectors: by vectors, best first.
        words: by words, best first; other places may be among them.
        weight: of the ranks by words.
    """
    sums = {place: 1 / (_RRF + rank) for rank, place in enumerate(vectors, 1)}
    for rank, place in enumerate(words, 1):
        sums[place] = sums.get(place, 0.0) + weight / (_RRF + rank)
    return sorted(sums, key=lambda place: -sums[place])


def within_quotas(candidates: Sequence[Candidate], quotas: Mapping[str, int]) -> list[Candidate]:
    """Candidates in their order, no more of a language than its quota."""
    kept, seen = [], Counter()
    for one in candidates:
        most = quota_of(quotas, one.lang)
        if most is None or seen[one.lang] < most:
            seen[one.lang] += 1
            kept.append(one)
    return kept


def own_first(candidates: Sequence[Candidate], asked: Asked) -> list[Candidate]:
    """The same candidates, those in the question's language first."""
    return sorted(candidates, key=lambda one: base(one.lang) != base(asked.lang))


def hits_of(candidates: Sequence[Candidate], snapshot: Snapshot) -> list[Hit]:
    """Hits with their passages."""
    documents: Documents = snapshot.documents([one.place for one in candidates])
    names = list(documents.fields)
    return [
        Hit(
            row + 1,
            documents.ids[row],
            documents.texts[row],
            one.lang,
            one.score,
            one.calibrated,
            one.rank_in_language,
            documents.groups[row],
            {name: value for name in names if (value := documents.fields[name][row]) is not None},
        )
        for row, one in enumerate(candidates)
    ]


def folded(candidates: Sequence[Candidate], groups: Sequence[str], most: int) -> dict[str, list[Candidate]]:
    """The candidates of the best groups, so many at most, in their order; a passage without a group is one alone.

    Returns:
        `g` and the group, or `p` and the place -> its candidates.
    """
    found: dict[str, list[Candidate]] = {}
    for one, group in zip(candidates, groups, strict=True):
        key = f"g{group}" if group else f"p{one.place}"
        if key in found or len(found) < most:
            found.setdefault(key, []).append(one)
    return found


def shown(
    groups: Mapping[str, Sequence[Candidate]], asked: Asked, quotas: Mapping[str, int]
) -> list[tuple[Candidate, list[Candidate]]]:
    """The best of each group, and all of it: first what is shown, then the others in the reader's order.

    Shown is what the reader likes best of the languages whose quota is not spent; a group without one is left out.

    Args:
        groups: the candidates of each, the best first.
        asked: who reads; without languages, the question's own comes first, then what that is a kind of.
        quotas: see `quota_of`.
    """
    own = {base(asked.lang): 0.9, asked.lang: 1.0} if asked.lang else {}
    preference = asked.preference or Preference({**own, "*": 0.5})
    found: list[tuple[Candidate, list[Candidate]]] = []
    seen: Counter[str] = Counter()
    for held in groups.values():
        order = sorted(held, key=lambda one: preference.place(one.lang))
        for one in order:
            most = quota_of(quotas, one.lang)
            if most is None or seen[one.lang] < most:
                seen[one.lang] += 1
                found.append((held[0], [one, *(other for other in order if other is not one)]))
                break
        if len(found) == asked.k:
            break
    return found


def folded_hits(groups: Sequence[tuple[Candidate, Sequence[Candidate]]], snapshot: Snapshot) -> list[Hit]:
    """One hit for each group, with the scores of the best of it; its other translations stand beside it.

    Args:
        groups: see `shown`.
        snapshot: of the index.
    """
    hits = []
    for rank, (best, held) in enumerate(groups, 1):
        first, *others = hits_of(held, snapshot)
        also = tuple(replace(hit, rank=place) for place, hit in enumerate(others, 2))
        hits.append(replace(first, rank=rank, score=best.score, calibrated=best.calibrated, also=also))
    return hits
