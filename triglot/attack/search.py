"""Searches for a harmful text: draws, the worst of several draws, greedy changes, and a beam from left to right.

All queries are searched at the same time, so that the model is asked in large batches. A query's budget counts the
texts that the model encodes for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from triglot import seeds
from triglot.attack.settings import CODESWITCH, LISTED, SYNONYM, AttackSettings
from triglot.attack.target import Attackable
from triglot.augment.codeswitch import restore, split_text
from triglot.augment.lexicon import Lexicon, split_words, switch
from triglot.augment.noise import perturb

Candidates = Callable[[int, int, str], list[str]]  # (query, place, unit) -> replacements


@dataclass(frozen=True)
class Found:
    """What an attack ends with.

    Attributes:
        texts: one for each query; the clean ones where a search ends with vectors.
        calls: (queries,) texts that the model encoded on the way.
        vectors: (queries, dim) of a search that ends with vectors; None for those of the texts.
    """

    texts: list[str]
    calls: np.ndarray
    vectors: np.ndarray | None = None


def draw(
    texts: Sequence[str], langs: Sequence[str], attack: AttackSettings, lexicon: Lexicon | None, *, turn: int = 0
) -> list[str]:
    """One random change of each text. Different turns are independent."""
    kind = (seeds.uniform(attack.seed, "attack-kind", turn, np.arange(len(texts))) * len(attack.kinds)).astype(int)
    result = list(texts)
    for number, name in enumerate(attack.kinds):
        places = np.flatnonzero(kind == number).tolist()
        chosen, spoken = [texts[i] for i in places], [langs[i] for i in places]
        purpose = f"attack-{name}-{turn}"
        if name in LISTED:
            assert lexicon is not None
            into = (attack.into or lexicon.languages) if name == CODESWITCH else ()
            changed = switch(
                chosen,
                spoken,
                lexicon,
                rate=attack.rate,
                into=into,
                mode=attack.mode,
                seed=attack.seed,
                purpose=purpose,
            )
        else:
            changed = perturb(chosen, spoken, name, rate=attack.rate, seed=attack.seed, purpose=purpose)
        for place, text in zip(places, changed, strict=True):
            result[place] = text
    return result


def one_draw(target: Attackable, attack: AttackSettings, lexicon: Lexicon | None) -> Found:
    """`search: random`; the model is not asked."""
    return Found(draw(target.texts, target.langs, attack, lexicon), np.zeros(len(target.texts), np.int64))


def worst_of(target: Attackable, attack: AttackSettings, lexicon: Lexicon | None) -> Found:
    """Of `tries` draws (and no more than the budget), the one with the lowest margin.

    The unchanged text is not among them.
    """
    texts, langs = target.texts, target.langs
    tries = min(attack.tries, attack.budget)
    query = np.arange(len(texts))
    best, lowest = list(texts), np.full(len(texts), np.inf)
    for turn in range(tries):
        drawn = draw(texts, langs, attack, lexicon, turn=turn)
        margins = target.margins(target.encode(drawn), query)
        for i in np.flatnonzero(margins < lowest):
            best[i], lowest[i] = drawn[i], margins[i]
    return Found(best, np.full(len(texts), tries))


def greedy_of(target: Attackable, attack: AttackSettings, lexicon: Lexicon | None) -> Found:
    """`greedy` with the settings of an attack."""
    parted, options = part_texts(target.texts, target.langs, lexicon), candidates_of(target.langs, attack, lexicon)
    return greedy(target, parted, options, rate=attack.rate, budget=attack.budget)


def beam_of(target: Attackable, attack: AttackSettings, lexicon: Lexicon | None) -> Found:
    """`beam` with the settings of an attack."""
    parted, options = part_texts(target.texts, target.langs, lexicon), candidates_of(target.langs, attack, lexicon)
    return beam(target, parted, options, rate=attack.rate, width=attack.beam, budget=attack.budget)


def candidates_of(langs: Sequence[str], attack: AttackSettings, lexicon: Lexicon | None) -> Candidates:
    """Replacements of a word: its translations, its synonyms, or `tries` forms of it for each kind of noise, whatever
    was asked before."""
    kept: dict[tuple[str, str], list[str]] = {}

    def candidates(query: int, place: int, unit: str) -> list[str]:
        lang = langs[query]
        if (lang, unit) not in kept:
            texts: list[str] = []
            for kind in attack.kinds:
                if kind == CODESWITCH:
                    assert lexicon is not None
                    texts += [
                        one for into in attack.into or lexicon.languages for one in lexicon.candidates(unit, lang, into)
                    ]
                elif kind == SYNONYM:
                    assert lexicon is not None
                    texts += lexicon.synonyms(unit, lang)
                elif unit[0].isalnum():
                    many = [unit] * attack.tries
                    texts += perturb(
                        many, [lang] * len(many), kind, rate=1.0, seed=attack.seed, purpose=f"attack-form-{unit}"
                    )
            kept[lang, unit] = [one for one in dict.fromkeys(texts) if one and one != unit]
        return kept[lang, unit]

    return candidates


Parted = Sequence[tuple[list[str], list[str]]]  # units and gaps of each query


def part_texts(texts: Sequence[str], langs: Sequence[str], lexicon: Lexicon | None) -> Parted:
    """What of each text is replaced as one: words, those of the lists where the script has no spaces."""
    return [
        split_words(text, lang, lexicon) if lexicon else split_text(text)
        for text, lang in zip(texts, langs, strict=True)
    ]


def _allowed(units: Sequence[str], rate: float) -> int:
    return math.ceil(rate * sum(unit[0].isalnum() for unit in units))


def greedy(target: Attackable, parted: Parted, candidates: Candidates, *, rate: float, budget: int) -> Found:
    """The change that lowers the margin most, again and again, until none does, `rate` of the words changed, or the
    budget is spent."""
    units, gaps = map(list, zip(*parted, strict=True))
    texts = [restore(*one) for one in parted]
    allowed = np.array([_allowed(u, rate) for u in units])
    changed: list[set[int]] = [set() for _ in texts]
    best = list(texts)
    calls = np.zeros(len(texts), np.int64)
    lowest = target.margins(target.queries, np.arange(len(texts)))
    active = [i for i in range(len(texts)) if allowed[i]]
    while active:
        trial, owner, where = [], [], []
        for i in active:
            for place, unit in enumerate(units[i]):
                if place in changed[i]:
                    continue
                for word in candidates(i, place, unit)[: budget - int(calls[i])]:
                    trial.append(restore([*units[i][:place], word, *units[i][place + 1 :]], gaps[i]))
                    owner.append(i)
                    where.append((place, word))
                    calls[i] += 1
        if not trial:
            break
        margins = target.margins(target.encode(trial), np.array(owner))
        improved = []
        for number in np.argsort(margins, kind="stable"):
            i, (place, word) = owner[number], where[number]
            if i in improved or margins[number] >= lowest[i]:
                continue
            improved.append(i)
            units[i] = [*units[i][:place], word, *units[i][place + 1 :]]
            changed[i].add(place)
            best[i], lowest[i] = trial[number], margins[number]
        active = [i for i in sorted(improved) if len(changed[i]) < allowed[i] and calls[i] < budget]
    return Found(best, calls)


def beam(target: Attackable, parted: Parted, candidates: Candidates, *, rate: float, width: int, budget: int) -> Found:
    """From left to right, each word is kept or replaced; the `width` texts with the lowest margin go on (PolyGloss,
    arXiv 2103.09593)."""
    units, gaps = map(list, zip(*parted, strict=True))
    allowed = [_allowed(u, rate) for u in units]
    clean = target.margins(target.queries, np.arange(len(parted)))
    states: list[list[tuple[float, int, tuple[str, ...]]]] = [
        [(float(m), 0, tuple(u))] for m, u in zip(clean, units, strict=True)
    ]
    calls = np.zeros(len(parted), np.int64)
    for place in range(max(map(len, units), default=0)):
        trial, owner, made = [], [], []
        for i, query_units in enumerate(units):
            if place >= len(query_units):
                continue
            options = candidates(i, place, query_units[place])
            for _, number, words in states[i]:
                if number >= allowed[i]:
                    continue
                for word in options[: budget - int(calls[i])]:
                    new = (*words[:place], word, *words[place + 1 :])
                    trial.append(restore(new, gaps[i]))
                    owner.append(i)
                    made.append((number + 1, new))
                    calls[i] += 1
        if not trial:
            continue
        margins = target.margins(target.encode(trial), np.array(owner))
        for i, margin, (number, new) in zip(owner, margins.tolist(), made, strict=True):
            states[i].append((margin, number, new))
        for i in set(owner):
            states[i] = sorted(states[i], key=lambda state: state[0])[:width]
    best = [min(of_query, key=lambda state: state[0]) for of_query in states]
    return Found([restore(words, gap) for (_, _, words), gap in zip(best, gaps, strict=True)], calls)
