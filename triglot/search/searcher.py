"""From a question to hits: the one way that the command, the service and Python share."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from triglot.encoder.languages import detect_missing
from triglot.encoder.protocol import Encoder, inner_of
from triglot.files import InputError
from triglot.index.filters import Condition, parse_conditions
from triglot.index.protocol import FAIR, RAW, Found, Index
from triglot.index.words import unread
from triglot.language_tags import base, language
from triglot.ranges import OneOf, Range, Share, check_ranges
from triglot.search.modes import MODES
from triglot.search.question import parse_languages, parse_quotas
from triglot.search.ranking import (
    Asked,
    Candidate,
    Hit,
    by_ranks,
    folded,
    folded_hits,
    hits_of,
    preferred,
    shown,
    within_quotas,
)

LONGEST = 10_000  # characters of a question
_DEEPEST = 5_000  # candidates of one question
_FEWEST = 100


@dataclass(frozen=True)
class SearchSettings:
    """How one question is answered.

    Attributes:
        k: hits.
        mode: see `triglot.search.modes`.
        languages: those that are read, with weights, as in Accept-Language; empty for all alike.
        quotas: `de=2`: hits of a language at most.
        where: conditions on metadata, `year>=2020`.
        hybrid: words count as well as vectors.
        same: weight of a passage's rank by words, beside 1 for that by vectors, in the question's language.
        other: the same in other languages, which share names and numbers with the question and little else.
    """

    k: Annotated[int, Range(1, 1000)] = 10
    mode: Annotated[str, OneOf(MODES)] = "fair"
    languages: str = ""
    quotas: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    hybrid: bool = False
    same: Share = 1.0
    other: Share = 0.1

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Answer:
    """The hits of a question.

    Attributes:
        question: that was asked.
        lang: of the question.
        detected: whether its language was told by the text.
        mode: that ranked.
        hits: best first.
        notes: what was asked for and not done.
        composition: language -> share among the hits.
        pool: language -> share among the passages that could be found.
        seconds: taken, the encoding left out.
    """

    question: str
    lang: str
    detected: bool
    mode: str
    hits: tuple[Hit, ...]
    notes: tuple[str, ...]
    composition: Mapping[str, float]
    pool: Mapping[str, float]
    seconds: float


class Searcher:
    """A model and an index of its vectors.

    Args:
        encoder: the model of the index; where it takes the language out by a step of its own, the index does that.
        index: open.
    """

    def __init__(self, encoder: Encoder, index: Index):
        self.encoder: Any = inner_of(encoder)
        self.index = index

    def search(self, question: str, settings: SearchSettings | None = None, *, lang: str = "") -> Answer:
        """The answer to one question, see `search_all`."""
        return self.search_all([question], settings, langs=[lang])[0]

    def search_all(
        self,
        questions: Sequence[str],
        settings: SearchSettings | None = None,
        *,
        langs: Sequence[str] = (),
        vectors: np.ndarray | None = None,
    ) -> list[Answer]:
        """The answers to several questions.

        Args:
            questions: texts.
            settings: how they are answered.
            langs: of the questions, "" to tell it by the text; none to tell all.
            vectors: (questions, dim) of the model, where they were made before.

        Raises:
            InputError: a question that is empty or too long, or of which the model knows nothing; a setting or a
                condition that the index does not understand.
        """
        settings = settings or SearchSettings()
        for question in questions:
            check_question(question)
        told = self.languages_of(questions, langs)
        run = _Run(self.index, settings)
        if vectors is None:
            vectors = np.asarray(self.encoder.encode(list(questions), side="query"))
        for question, known in zip(questions, np.any(vectors, axis=1).tolist(), strict=True):
            if not known:
                raise InputError(f"{self.encoder.name} knows nothing of {question!r:.60}: its vector is zero")
        began = time.perf_counter()
        hits = run.hits(questions, [lang for lang, _ in told], vectors)
        seconds = (time.perf_counter() - began) / max(len(questions), 1)
        pool = shares(self.index.counts)
        return [
            Answer(
                question,
                lang,
                detected,
                settings.mode,
                tuple(found),
                run.notes,
                shares(Counter(hit.lang for hit in found)),
                pool,
                seconds,
            )
            for question, (lang, detected), found in zip(questions, told, hits, strict=True)
        ]

    def languages_of(self, questions: Sequence[str], langs: Sequence[str]) -> list[tuple[str, bool]]:
        """(language, whether it was told by the text) of questions, among the languages of the index."""
        given = list(langs) or [""] * len(questions)
        if len(given) != len(questions):
            raise InputError(f"{len(questions)} questions and {len(given)} languages")
        given = [language(one, "language of the question") if one else "" for one in given]
        known = [code for code in self.index.languages if code]
        told = given
        if len(known) == 1:
            told = [lang or known[0] for lang in given]
        elif known:
            with suppress(InputError):  # none of these languages can be told
                told, _ = detect_missing(questions, given, known)
        return [(lang, not one) for lang, one in zip(told, given, strict=True)]


class _Run:
    """Questions answered with the same settings, against the index as it is now."""

    def __init__(self, index: Index, settings: SearchSettings):
        self._index, self._settings = index, settings
        self._mode = MODES[settings.mode]
        self._preference = parse_languages(settings.languages) if settings.languages else None
        self._quotas = parse_quotas(settings.quotas)
        self._where = parse_conditions(settings.where, index.fields)
        self._view = FAIR if self._mode.fair and FAIR in index.views else RAW
        # weights of languages are priors of calibrated scores
        self._calibrated = self._mode.fair or self._preference is not None
        notes = []
        if self._mode.fair and FAIR not in index.views:
            notes.append("the index takes no language out of its vectors: scores are calibrated by language alone")
        if self._preference is not None:
            read = tuple(code for code in index.languages if self._preference.weight(code) > 0)
            self._where = (*self._where, Condition("lang", "=", read))
            if not read:
                notes.append(f"languages: the index has no passages in {settings.languages}")
        if settings.hybrid and (lacking := unread(index.spoken)):
            notes.append(f"words: BM25 cannot read the script of {', '.join(lacking)}; vectors alone count there")
        self.notes = tuple(notes)

    def hits(self, questions: Sequence[str], langs: Sequence[str], vectors: np.ndarray) -> list[list[Hit]]:
        """The hits of each question: what is looked at is deepened until there are enough of them."""
        settings, done = self._settings, {}
        plain = not (self._preference or self._quotas or self._mode.fold or settings.hybrid)
        depth = settings.k if plain else max(_FEWEST, 4 * settings.k)
        rows = list(range(len(questions)))
        while rows:
            found = self._index.search(
                vectors[rows],
                depth,
                langs=[langs[row] for row in rows],
                view=self._view,
                where=self._where,
                calibrated=self._calibrated,
            )
            for number, row in enumerate(rows):
                asked = Asked(langs[row], self._preference, settings.k)
                hits = self._ranked(found, number, questions[row], vectors[row], asked, depth)
                if hits is not None:
                    done[row] = hits
            rows = [row for row in rows if row not in done]
            depth = min(4 * depth, _DEEPEST)
        return [done[row] for row in range(len(questions))]

    def _ranked(
        self, found: Found, number: int, question: str, vector: np.ndarray, asked: Asked, depth: int
    ) -> list[Hit] | None:
        """The hits among candidates; None where deeper ones could be among them."""
        candidates = self._candidates(found, number)
        whole = len(candidates) < depth or depth >= _DEEPEST
        bound = candidates[-1].value if candidates else 0.0
        if self._settings.hybrid:
            candidates = self._fused(candidates, found, question, vector, asked)
        kept = preferred(candidates, self._preference)
        groups: list[tuple[Candidate, list[Candidate]]] = []
        if self._mode.fold:
            groups = self._folded(kept, found, vector, asked)
            kept = [best for best, _ in groups]
        else:
            kept = within_quotas(kept, self._quotas)[: asked.k]
        if not whole and (len(kept) < asked.k or kept[-1].value < bound):
            return None
        if self._mode.fold:
            return folded_hits(groups, found.snapshot)
        return hits_of(self._mode.order(kept, asked) if self._mode.order else kept, found.snapshot)

    def _candidates(self, found: Found, number: int, value: float | None = None) -> list[Candidate]:
        seen: Counter[int] = Counter()
        made = []
        values = found.calibrated if self._calibrated else found.scores
        for column, place in enumerate(found.places[number].tolist()):
            if place >= 0:
                lang = int(found.langs[number, column])
                seen[lang] += 1
                made.append(
                    Candidate(
                        place,
                        found.codes[lang],
                        float(found.scores[number, column]),
                        float(found.calibrated[number, column]),
                        seen[lang] if value is None else 0,
                        float(values[number, column]) if value is None else value,
                    )
                )
        return made

    def _unranked(self, places: Sequence[int], found: Found, vector: np.ndarray, asked: Asked) -> list[Candidate]:
        """Passages that the search by vectors did not come to, with their scores."""
        more = found.snapshot.scored(vector[None], [asked.lang], np.array([places], np.int64), self._view)
        return self._candidates(more, 0, 0.0)

    def _folded(
        self, kept: Sequence[Candidate], found: Found, vector: np.ndarray, asked: Asked
    ) -> list[tuple[Candidate, list[Candidate]]]:
        """The groups of candidates that are shown, with their translations that were not found themselves."""
        groups_at = found.snapshot.groups_at
        most = len(kept) if self._quotas else asked.k  # a quota can leave any of them out
        groups = folded(kept, groups_at([one.place for one in kept]), most)
        named = [key[1:] for key in groups if key.startswith("g")]
        there = {one.place for held in groups.values() for one in held}
        places = [
            place for place in found.snapshot.places_of("group", named, self._where).tolist() if place not in there
        ]
        if places:
            more = self._unranked(places, found, vector, asked)
            for one, group in zip(more, groups_at(places), strict=True):
                groups[f"g{group}"].append(one)
        return shown(groups, asked, self._quotas)

    def _fused(
        self, candidates: list[Candidate], found: Found, question: str, vector: np.ndarray, asked: Asked
    ) -> list[Candidate]:
        """Candidates with those of each language put in another order, by the reciprocal ranks of vectors and words.

        Words decide within a language, vectors between languages: scores by words of two languages cannot be compared,
        and any sum of both would put the question's own language first again. How much words weigh in a language
        depends on whether it is the question's.
        """
        snapshot, settings = found.snapshot, self._settings
        own: dict[str, list[Candidate]] = {}
        for one in candidates:
            own.setdefault(one.lang, []).append(one)
        chosen: dict[str, list[int]] = {code: [one.place for one in held] for code, held in own.items()}
        for code, places in snapshot.by_words(question, max(_FEWEST, len(candidates)), self._where).items():
            weight = settings.same if base(code) == base(asked.lang) else settings.other
            if weight and code in own:
                chosen[code] = by_ranks(chosen[code], places.tolist(), weight)[: len(own[code])]
        known = {one.place: one for one in candidates}
        absent = [place for places in chosen.values() for place in places if place not in known]
        if absent:
            known |= {one.place: one for one in self._unranked(absent, found, vector, asked)}
        turn: Counter[str] = Counter()
        fused = []
        for slot in candidates:
            turn[slot.lang] += 1
            taken = known[chosen[slot.lang][turn[slot.lang] - 1]]
            fused.append(replace(taken, value=slot.value, rank_in_language=turn[slot.lang]))
        return fused


def check_question(question: str) -> None:
    """Raises InputError for a question that is empty, too long, or not Unicode text."""
    if not question.strip():
        raise InputError("question: is empty")
    if len(question) > LONGEST:
        raise InputError(f"question: {len(question)} characters; at most {LONGEST} are taken")
    if any(0xD800 <= ord(character) < 0xE000 for character in question):
        raise InputError("question: is no text in UTF-8")


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Language -> its share of counts, to four digits; empty where there are none."""
    total = sum(counts.values())
    return {code: round(count / total, 4) for code, count in counts.items()} if total else {}
