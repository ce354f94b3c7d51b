"""Who is in which part: training, validation, the two slices of the test, or nowhere."""

from __future__ import annotations

from collections import Counter

import numpy as np

from triglot.corpus.atlas._facts import Entity, Fact
from triglot.seeds import generator

TRAIN, VALIDATION, PAIRS, ENTITIES, ASIDE = range(5)
UNSEEN = 0.08  # of the entities of a kind that few other facts name
HELD_OUT = {PAIRS: 0.09, VALIDATION: 0.05}  # of the facts whose entities are all seen
_FEW = 8


def split(facts: tuple[Fact, ...], seed: int) -> np.ndarray:
    """(facts,) int8: the part of each fact.

    ENTITIES are the facts about unseen entities, which no training fact names in any role. ASIDE are facts about seen
    entities that name an unseen one: they would show it in training, so they stay out. PAIRS and VALIDATION hold out
    facts about entities that keep at least one other fact in training.
    """
    subjects = sorted({fact.subject for fact in facts})
    named = Counter(entity for fact in facts for entity in fact.entities[1:])
    unseen: set[Entity] = set()
    for kind in sorted({kind for kind, _ in subjects}):
        able = [entity for entity in subjects if entity[0] == kind and named[entity] <= _FEW]
        order = generator(seed, f"atlas unseen {kind}").permutation(len(able))
        unseen.update(able[i] for i in order[: round(UNSEEN * sum(entity[0] == kind for entity in subjects))])

    part = np.full(len(facts), TRAIN, np.int8)
    for number, fact in enumerate(facts):
        if fact.subject in unseen:
            part[number] = ENTITIES
        elif unseen.intersection(fact.entities):
            part[number] = ASIDE

    left = Counter(fact.subject for number, fact in enumerate(facts) if part[number] == TRAIN)
    seen = np.flatnonzero(part == TRAIN)
    wanted = {which: round(share * len(seen)) for which, share in HELD_OUT.items()}
    order = iter(generator(seed, "atlas held out").permutation(seen).tolist())
    for which, number in wanted.items():
        for row in order:
            if number == 0:
                break
            if left[facts[row].subject] > 1:
                part[row] = which
                left[facts[row].subject] -= 1
                number -= 1
    return part
