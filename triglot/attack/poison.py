"""Planted passages: can someone who may add one passage put it into the top k of questions that it does not answer?

`echo` sets the question before the payload, as keyword stuffing does; `greedy` adds those of its words that raise the
score most, one at a time, up to the budget (in the spirit of corpus poisoning, arXiv 2310.19156).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from triglot import seeds
from triglot.augment.codeswitch import join_units, split_units
from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.protocol import Encoder
from triglot.files import InputError, check_choice
from triglot.ranges import Range, Seed, check_ranges

METHODS = ("echo", "greedy")


@dataclass(frozen=True)
class PoisonSettings:
    """How passages are planted.

    Attributes:
        method: echo | greedy.
        targets: question groups aimed at, drawn by the seed.
        words: most words that `greedy` adds.
        budget: texts that the model may be asked to encode for one passage.
        k: of the top k.
        seed: of the draws.
    """

    method: str = "echo"
    targets: Annotated[int, Range(1, 10**6)] = 100
    words: Annotated[int, Range(1, 1000)] = 12
    budget: Annotated[int, Range(1, 10**6)] = 200
    k: Annotated[int, Range(1, 10**6)] = 10
    seed: Seed = 1

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        check_ranges(self)


def plant(
    encoder: Encoder, benchmark: RetrievalSet, queries: np.ndarray, passages: np.ndarray, settings: PoisonSettings
) -> dict[str, Any]:
    """Plant one passage a target question and language, one at a time, in the pool of all languages.

    The payload is a passage of the same language that answers another question. A passage aims at the question in its
    own language; success is measured for the question in every language.

    Args:
        encoder: with `encode(texts, side=...)`.
        benchmark: with parallel queries.
        queries: (queries, dim) its vectors.
        passages: (passages, dim).
        settings: how.

    Returns:
        {"success@k": macro over (passage language, question language), "same": within a language, "other": across,
        "payload@k": the payload alone, "matrix": {passage language: {question language: share}}, "calls": mean,
        "examples": [...]}.

    Raises:
        InputError: a benchmark whose passages cannot serve as payloads.
    """
    chosen, rng = _targets(benchmark, settings)
    languages = benchmark.languages
    matrix = np.zeros((len(languages), len(languages)))
    asked = np.zeros_like(matrix)
    plain = np.zeros(2)
    calls, examples = [], []
    bars = _bars(queries, passages, settings.k)
    for group in chosen:
        forms = np.flatnonzero(benchmark.queries.group == group)
        for lang in np.unique(benchmark.queries.lang[forms]).tolist():
            own = forms[benchmark.queries.lang[forms] == lang]
            pool = _payloads(benchmark, int(forms[0]), lang)
            payload = benchmark.passages.texts[int(pool[rng.integers(len(pool))])]
            question = benchmark.queries.texts[int(own[0])]
            if settings.method == "echo":
                text, used = f"{question} {payload}", 1
            else:
                text, used = _greedy(encoder, queries[own[0]], question, payload, settings)
            calls.append(used)
            both = np.asarray(encoder.encode([text, payload], side="passage"))
            scores = queries[forms] @ both.T  # (forms, 2)
            hits = scores >= bars[forms][:, None]
            np.add.at(matrix[lang], benchmark.queries.lang[forms], hits[:, 0])
            np.add.at(asked[lang], benchmark.queries.lang[forms], 1)
            plain += hits[:, 1].sum(), len(forms)
            if len(examples) < 10:
                examples.append(
                    {
                        "question": question,
                        "lang": languages[lang],
                        "passage": text,
                        "top_k": int(hits[:, 0].sum()),
                        "of": len(forms),
                    }
                )
    share = np.where(asked > 0, matrix / np.maximum(asked, 1), np.nan)
    same = np.eye(len(languages), dtype=bool)
    return {
        f"success@{settings.k}": _mean(share),
        "same": _mean(share[same]),
        "other": _mean(share[~same]),
        f"payload@{settings.k}": float(plain[0] / max(plain[1], 1)),
        "matrix": {
            a: {b: float(share[i, j]) for j, b in enumerate(languages) if asked[i, j]}
            for i, a in enumerate(languages)
            if asked[i].any()
        },
        "calls": float(np.mean(calls)) if calls else 0.0,
        "examples": examples,
    }


def check_poison(benchmark: RetrievalSet, settings: PoisonSettings) -> None:
    """Raise InputError where a question that would be aimed at has no passage that could be a payload, before anything
    is encoded."""
    for group in _targets(benchmark, settings)[0]:
        forms = np.flatnonzero(benchmark.queries.group == group)
        for lang in np.unique(benchmark.queries.lang[forms]).tolist():
            _payloads(benchmark, int(forms[0]), lang)


def _targets(benchmark: RetrievalSet, settings: PoisonSettings) -> tuple[np.ndarray, np.random.Generator]:
    """The question groups aimed at, and the generator that goes on with the payloads."""
    rng = seeds.generator(settings.seed, "plant")
    return np.sort(rng.permutation(np.unique(benchmark.queries.group))[: settings.targets]), rng


def _payloads(benchmark: RetrievalSet, query: int, lang: int) -> np.ndarray:
    """Passages of a language that answer another question than this one. Raises InputError where there is none."""
    payloads = np.flatnonzero(
        (benchmark.passages.lang == lang) & (benchmark.passages.cluster != benchmark.queries.cluster[query])
    )
    if not len(payloads):
        where = f"no passage in {benchmark.languages[lang]} that could be a payload"
        raise InputError(f"{benchmark.name}: {where}; all of them answer the question aimed at")
    return payloads


def _mean(values: np.ndarray) -> float | None:
    """Mean of those that are known; None where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _bars(queries: np.ndarray, passages: np.ndarray, k: int) -> np.ndarray:
    """(queries,) the score at rank k of the pool: a planted passage that reaches it is among the first k (ties count
    for the attacker)."""
    from triglot.topk import top_k

    return top_k(queries, passages, k)[0][:, -1]


def _greedy(
    encoder: Encoder, query: np.ndarray, question: str, payload: str, settings: PoisonSettings
) -> tuple[str, int]:
    words = list(dict.fromkeys(unit for unit in split_units(question) if unit[0].isalnum()))
    added: list[str] = []
    best, used, text = -np.inf, 0, payload
    while len(added) < settings.words and words and used < settings.budget:
        trial = [f"{join_units([*added, word])} {payload}" for word in words][: settings.budget - used]
        used += len(trial)
        scores = np.asarray(encoder.encode(trial, side="passage")) @ query
        top = int(np.argmax(scores))
        if scores[top] <= best:
            break
        best, text = float(scores[top]), trial[top]
        added.append(words[top])
    return text, used
