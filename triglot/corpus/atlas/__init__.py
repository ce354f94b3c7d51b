"""The built-in parallel corpus: questions and sentences in 11 languages, made in seconds from the Unicode CLDR through
Babel.

A fact is an (entity, relation), such as the currency of Peru. Each fact has one passage group (a sentence in every
language) and several question groups (phrasings). Facts and names come from the CLDR at run time; the templates were
written for this project. CLDR data is copyright Unicode, Inc. under the Unicode License V3, Babel is under a BSD
licence: see NOTICE.

Parts, for a seed:

- `train`: three phrasings of a question, which differ from language to language.
- `validation`: held-out facts, asked with a phrasing that is kept for validation.
- `test`: asked with a phrasing that is kept for the test, in two slices. `pairs` are facts about entities that training
  knows from other facts; `entities` are facts about entities that no training text is about or names as its answer.

Phrasings of sentences are shared by all parts: passages of training are distractors in the pool, and a phrasing of its
own would give the answer away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import numpy as np

from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest
from triglot.ranges import Range, Seed
from triglot.seeds import bits, generator

if TYPE_CHECKING:
    from triglot.corpus.atlas._facts import Atlas, Fact
    from triglot.corpus.atlas._wording import Wording

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
LICENCE = "Unicode License V3"
SLICES = ("pairs", "entities")
PARTS = ("train", "validation", "test")
_TRAINING_PHRASINGS = 3


@dataclass(frozen=True)
class _Edition:
    """The facts with their parts and phrasings under one seed.

    `order[relation][language]` permutes the questions: the last is the test's, the one before it the validation's, the
    rest are for training."""

    seed: int
    atlas: Atlas
    wordings: dict[str, Wording]
    part: np.ndarray  # (facts,)
    order: dict[str, dict[str, np.ndarray]]
    draw: np.ndarray  # (facts, languages) uint64
    forms: dict[tuple[int, str], dict[str, str]]

    def _forms(self, number: int, language: str) -> dict[str, str]:
        slot = (number, language)
        if slot not in self.forms:
            self.forms[slot] = self.wordings[language].forms(self.atlas, self.atlas.facts[number])
        return self.forms[slot]

    def phrasing(self, number: int, language: str, part: str, turn: int = 0) -> int:
        """Which question template a fact uses in a part; training takes turns."""
        order = self.order[self.atlas.facts[number].relation][language]
        if part != "train":
            return int(order[-1 if part == "test" else -2])
        return int(
            order[(int(self.draw[number, LANGUAGES.index(language)] >> np.uint64(32)) + turn) % (len(order) - 2)]
        )

    def question(self, number: int, language: str, part: str, turn: int = 0) -> str:
        wording = self.wordings[language]
        template = wording.ask[self.atlas.facts[number].relation][self.phrasing(number, language, part, turn)]
        return wording.fill(template, self._forms(number, language))

    def sentence(self, number: int, language: str) -> str:
        wording = self.wordings[language]
        templates = wording.tell[self.atlas.facts[number].relation]
        pick = int(self.draw[number, LANGUAGES.index(language)] & np.uint64(0xFFFFFFFF)) % len(templates)
        return wording.fill(templates[pick], self._forms(number, language))


@lru_cache(maxsize=4)
def _edition(seed: int) -> _Edition:
    # Babel is imported here, so that importing this package costs nothing.
    from triglot.corpus.atlas._facts import RELATIONS, read_atlas
    from triglot.corpus.atlas._parts import split
    from triglot.corpus.atlas._wording import read_wording

    atlas = read_atlas()
    wordings = {language: read_wording(language) for language in LANGUAGES}
    order = {
        relation: {
            language: generator(seed, f"atlas phrasing {relation} {language}").permutation(
                len(wordings[language].ask[relation])
            )
            for language in LANGUAGES
        }
        for relation in RELATIONS
    }
    draw = bits(seed, "atlas draw", np.arange(len(atlas.facts))[:, None], np.arange(len(LANGUAGES))[None, :])
    return _Edition(seed, atlas, wordings, split(atlas.facts, seed), order, draw, {})


def _chosen(languages: Sequence[str] | None) -> tuple[str, ...]:
    for code in languages or ():
        if code not in LANGUAGES:
            raise InputError(f"atlas: no language {code!r}{nearest(code, LANGUAGES)}")
    return tuple(dict.fromkeys(languages)) if languages else LANGUAGES


def _facts_of(edition: _Edition, part: str, slice: str | None) -> list[int]:
    from triglot.corpus.atlas import _parts

    if part not in PARTS:
        raise InputError(f"atlas: no part {part!r}{nearest(part, PARTS)}")
    if slice is not None and (part != "test" or slice not in SLICES):
        raise InputError(f"atlas: no slice {slice!r} of part {part!r}; the test part has {', '.join(SLICES)}")
    wanted = {
        "train": [_parts.TRAIN],
        "validation": [_parts.VALIDATION],
        "test": [_parts.PAIRS, _parts.ENTITIES]
        if slice is None
        else [{"pairs": _parts.PAIRS, "entities": _parts.ENTITIES}[slice]],
    }[part]
    return np.flatnonzero(np.isin(edition.part, wanted)).tolist()


def _title(fact: Fact) -> str:
    return "/".join(fact.subject)


def read_training(
    *, seed: Seed = 1, languages: Sequence[str] | None = None, part: str = "train"
) -> tuple[ParallelCorpus, Tally]:
    """Question-sentence pairs of a part.

    Args:
        seed: decides the parts and the phrasings.
        languages: codes; all 11 by default.
        part: `train` (three question groups a fact), `validation` or `test` (one).

    Returns:
        The corpus (a row is a question group and its sentence group; titles name the entity) and the counts of what was
        read and of what CLDR lacks.
    """
    from triglot.corpus.atlas import _parts

    chosen = _chosen(languages)
    edition = _edition(seed)
    rows = _facts_of(edition, part, None)
    builder, tally = CorpusBuilder("atlas"), Tally()
    for number in rows:
        fact = edition.atlas.facts[number]
        title = _title(fact)
        for language in chosen:
            builder.text(fact.key, language, edition.sentence(number, language), title)
        for turn in range(_TRAINING_PHRASINGS if part == "train" else 1):
            key = f"{fact.key}?{turn}" if part == "train" else f"{fact.key}?{part}"
            for language in chosen:
                builder.text(key, language, edition.question(number, language, part, turn), title)
            builder.row(key, fact.key)
    turns = _TRAINING_PHRASINGS if part == "train" else 1
    tally.count("facts", len(rows))
    tally.count("question groups", turns * len(rows))
    tally.count("texts", (turns + 1) * len(rows) * len(chosen))
    for reason, where in edition.atlas.left_out:
        tally.leave_out(reason, where)
    if part == "train":
        for number in np.flatnonzero(edition.part == _parts.ASIDE):
            tally.leave_out("names an entity that is kept for the test", edition.atlas.facts[number].key)
    return builder.build(), tally


def read_retrieval(
    *,
    name: str = "atlas",
    part: str = "test",
    slice: str | None = None,
    seed: Seed = 1,
    limit: Annotated[int, Range(0, 10**6)] = 0,
    languages: Sequence[str] | None = None,
) -> RetrievalSet:
    """Questions of a part against its sentences and, as distractors, the training sentences about the same entities.

    Args:
        name: of the set, for tables.
        part: `test`, `validation` or `train` (which then has no distractors).
        slice: of the test part, `pairs` or `entities`; None for both.
        seed: as in `read_training`.
        limit: so many facts, drawn once; 0 for all.
        languages: codes; all 11 by default.

    Returns:
        A set with parallel answers; the cluster of a text is its entity.
    """
    from triglot.corpus.atlas import _parts

    chosen = _chosen(languages)
    edition = _edition(seed)
    facts = edition.atlas.facts
    own = _facts_of(edition, part, slice)
    if 0 < limit < len(own):
        own = [own[place] for place in sorted(generator(seed, "atlas limit").permutation(len(own))[:limit])]
    about = {facts[number].subject for number in own}
    others = [
        n
        for n in np.flatnonzero(edition.part == _parts.TRAIN).tolist()
        if part != "train" and facts[n].subject in about
    ]
    clusters = {subject: i for i, subject in enumerate(sorted(about))}

    def texts(numbers: list[int], question: bool) -> Texts:
        ids, lines, group, cluster = [], [], [], []
        for place, number in enumerate(numbers):
            for language in chosen:
                ids.append(f"{facts[number].key}{'?' if question else '#'}{language}")
                lines.append(
                    edition.question(number, language, part) if question else edition.sentence(number, language)
                )
                group.append(place if place < len(own) else -1)
                cluster.append(clusters[facts[number].subject])
        lang = np.tile(np.arange(len(chosen), dtype=np.int16), len(numbers))
        return Texts(ids, lines, lang, np.array(group, np.int32), np.array(cluster, np.int32))

    many = len(chosen)
    queries = np.repeat(np.arange(len(own) * many), many)
    passages = (np.arange(len(own) * many) // many * many)[:, None] + np.arange(many)[None, :]
    which = f"{part}, {slice}" if slice else part
    return RetrievalSet(
        name=name,
        languages=chosen,
        queries=texts(own, True),
        passages=texts(own + others, False),
        judgements=np.column_stack([queries, passages.ravel(), np.ones(len(queries), np.int64)]).astype(np.int64),
        parallel=True,
        notes=(
            f"built-in corpus, {which}, seed {seed}: {len(own)} facts, {len(others)} training sentences about "
            "the same entities",
        ),
        licence=LICENCE,
    )
