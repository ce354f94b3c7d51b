"""A check: texts are encoded once, all figures come from their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triglot.check.geometry import geometry, means_of
from triglot.check.settings import CheckSettings
from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.corpus.sample import drawn, sample_retrieval
from triglot.corpus.sentences import split
from triglot.encoder.languages import Removal
from triglot.encoder.once import encode_once, encode_set
from triglot.encoder.protocol import Encoder, similarity_of
from triglot.evaluate.bias.rankings import language_shares
from triglot.evaluate.evaluator import evaluate_embeddings, similarity_notes
from triglot.evaluate.tables import Evaluation
from triglot.files import InputError
from triglot.measures.bias import TOP, excess
from triglot.topk import top_k

STRENGTHS = (0.5, 1.0)  # of the means that are subtracted on trial
OWN, POOL, EXCESS, LOSS = f"same_language@{TOP}", "pool_share", f"excess@{TOP}", "pool_loss"


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes:
        name: of the data.
        kind: `benchmark`, `parallel` (translations without judgements), `collection` (texts without labels) or `index`
            (rankings of one).
        languages: of the pool.
        measures: name -> figure, as `triglot.check.verdict.measure` explains them; absent where it makes no sense.
        by_language: query language -> name -> figure.
        shares: query language -> passage language -> share of the first `TOP`.
        trials: strength -> name -> figure, with so much of each language's mean subtracted. The means are of the
            checked texts themselves, so this is the most that it can bring.
        counts: queries, passages.
        notes: what to print beside the figures.
    """

    name: str
    kind: str
    languages: tuple[str, ...]
    measures: dict[str, float]
    by_language: dict[str, dict[str, float]]
    shares: dict[str, dict[str, float]]
    trials: dict[float, dict[str, float]]
    counts: dict[str, int]
    notes: tuple[str, ...] = ()


def check_benchmark(
    encoder: Encoder, benchmark: RetrievalSet, settings: CheckSettings, *, progress: bool = False
) -> Check:
    """Check an encoder on a benchmark, or on translations (a set without a monolingual setting).

    Raises:
        InputError: the pool has one language only, or nothing is judged.
    """
    if len(np.unique(benchmark.passages.lang)) < 2:
        raise InputError(f"{benchmark.name}: its pool has one language; bias shows in pools of several")
    sample = sample_retrieval(benchmark, passages=settings.passages, queries=settings.queries, seed=settings.seed)
    queries, passages = encode_set(encoder, sample, progress=progress)
    found = evaluate_embeddings(queries, passages, sample)
    measures = _figures(found) | _of_vectors(passages, sample.passages.lang, sample.languages, settings)
    moved = _moved(encoder, queries, passages, sample)
    trials = {strength: _figures(evaluate_embeddings(*vectors, sample)) for strength, vectors in moved.items()}
    by_language = {code: _with_excess(figures) for code, figures in found.by_language.get("bias", {}).items()}
    return Check(
        name=benchmark.name,
        kind="benchmark" if "mono" in found.summary else "parallel",
        languages=sample.languages,
        measures=measures,
        by_language=by_language,
        shares=found.by_language.get(f"shares@{TOP}", {}),
        trials=trials,
        counts={key: found.summary["counts"][key] for key in ("queries", "passages")},
        notes=(*sample.notes, *similarity_notes(encoder)),
    )


def _moved(
    encoder: Encoder, queries: np.ndarray, passages: np.ndarray, texts: RetrievalSet
) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Strength -> vectors of queries and passages without so much of the mean of their language, on each side its own.

    Nothing where the model does not compare by cosine.
    """
    if similarity_of(encoder) != "cosine":
        return {}
    count, query_lang, passage_lang = len(texts.languages), texts.queries.lang, texts.passages.lang
    step = Removal(
        texts.languages,
        means_of(passages, passage_lang, count).astype(np.float32),
        directions=np.zeros((count, 0, passages.shape[1]), np.float32),
        query_offsets=means_of(queries, query_lang, count).astype(np.float32),
    )
    return {
        strength: (
            step.at(strength).apply(queries, query_lang, "query"),
            step.at(strength).apply(passages, passage_lang, "passage"),
        )
        for strength in STRENGTHS
    }


def _figures(found: Evaluation) -> dict[str, float]:
    """Every figure of an evaluation that a verdict looks at."""
    means = {name: found.summary[name]["map"] for name in ("mono", "cross", "multi") if name in found.summary}
    figures = {f"{setting}.map": value for setting, value in means.items()}
    if found.benchmark.parallel and means.get("cross") and "multi" in means:
        figures[LOSS] = 1 - means["multi"] / means["cross"]
    return figures | _with_excess(found.summary.get("bias", {}))


def _with_excess(figures: dict[str, float]) -> dict[str, float]:
    if OWN not in figures or POOL not in figures or figures[POOL] >= 1:
        return dict(figures)
    return figures | {EXCESS: excess(figures[OWN], figures[POOL])}


def _of_vectors(
    vectors: np.ndarray, lang: np.ndarray, languages: Sequence[str], settings: CheckSettings
) -> dict[str, float]:
    shape = geometry(vectors, lang, languages, seed=settings.seed)
    figures = {
        "language_variance": shape.variance,
        "mean_distance": shape.distance,
        "probe": shape.probe,
        "probe_chance": shape.chance,
    }
    return {name: value for name, value in figures.items() if np.isfinite(value)}


@dataclass(frozen=True)
class Probes:
    """Questions put to a collection.

    Attributes:
        texts: what is asked.
        langs: (probes,) codes.
        own: (probes,) the text that a question was taken from, which is left out of its ranking; -1 for none.
    """

    texts: list[str]
    langs: list[str]
    own: np.ndarray


def probes_of(texts: Sequence[str], langs: Sequence[str], settings: CheckSettings) -> Probes:
    """The first sentences of texts drawn from the collection, as many of each language."""
    languages = sorted(set(langs))
    spoken = np.array([languages.index(code) for code in langs])
    wanted = -(-settings.queries // len(languages)) if settings.queries else 0
    rows = [np.flatnonzero(spoken == number) for number in range(len(languages))]
    drawn_rows = [
        mine[drawn(len(mine), wanted, f"check probes {code}", settings.seed)] for code, mine in zip(languages, rows)
    ]
    own = np.concatenate(drawn_rows)
    spoken_there = _at(langs, own)
    asked = [_first_sentence(text, lang) for text, lang in zip(_at(texts, own), spoken_there, strict=True)]
    return Probes(asked, spoken_there, own)


def _at(values: Sequence[str], rows: np.ndarray) -> list[str]:
    return [values[int(row)] for row in rows]


def _first_sentence(text: str, lang: str) -> str:
    start, end = next(iter(split(text, lang)), (0, len(text)))
    return text[start:end]


def check_collection(
    encoder: Encoder,
    texts: Sequence[str],
    langs: Sequence[str],
    settings: CheckSettings,
    *,
    name: str,
    questions: Sequence[str] = (),
    question_langs: Sequence[str] = (),
    notes: Sequence[str] = (),
    progress: bool = False,
) -> Check:
    """Check an encoder on a collection without labels: which languages the first `TOP` texts of a question are in.

    Args:
        encoder: any encoder.
        texts: of the collection.
        langs: (texts,) their codes.
        settings: how many texts and questions.
        name: of the collection.
        questions: what to ask; by default the first sentences of texts drawn from the collection, each left out of
            its own ranking.
        question_langs: (questions,) their codes.
        notes: printed beside the figures.
        progress: show bars.

    Raises:
        InputError: fewer than two languages, or a question in none of the collection's languages.
    """
    languages = tuple(sorted(set(langs)))
    if len(languages) < 2:
        raise InputError(
            f"{name}: its texts are in one language ({', '.join(languages)}); bias shows in pools of several"
        )
    kept = drawn(len(texts), settings.passages, "check passages", settings.seed)
    notes = list(notes)
    if len(kept) < len(texts):
        notes.append(f"a sample: {len(kept):,} of {len(texts):,} texts")
    pool, pool_langs = _at(texts, kept), _at(langs, kept)
    if strange := sorted(set(question_langs) - set(languages)):
        raise InputError(f"{name}: questions in {', '.join(strange)}, but its texts are in {', '.join(languages)}")
    asked = (
        Probes(list(questions), list(question_langs), np.full(len(questions), -1))
        if questions
        else probes_of(pool, pool_langs, settings)
    )
    passages = encode_once(encoder, pool, "passage", progress, pool_langs)
    queries = encode_once(encoder, asked.texts, "query", progress, asked.langs)
    numbers = {code: number for number, code in enumerate(languages)}
    sides = [
        _texts(asked.texts, [numbers[code] for code in asked.langs]),
        _texts(pool, [numbers[code] for code in pool_langs]),
    ]
    unjudged = RetrievalSet(name, languages, *sides, judgements=np.zeros((0, 3), np.int64), parallel=False)
    measures, by_language, shares = _composition(queries, passages, unjudged, asked.own)
    moved = _moved(encoder, queries, passages, unjudged)
    trials = {strength: _composition(*vectors, unjudged, asked.own)[0] for strength, vectors in moved.items()}
    measures |= _of_vectors(passages, sides[1].lang, languages, settings)
    counts = {"queries": len(asked.texts), "passages": len(pool)}
    return Check(name, "collection", languages, measures, by_language, shares, trials, counts, tuple(notes))


def check_rankings(
    name: str,
    languages: Sequence[str],
    passage_lang: np.ndarray,
    question_langs: Sequence[str],
    ranking: np.ndarray,
    *,
    notes: Sequence[str] = (),
) -> Check:
    """Check rankings that something else made: which languages the first `TOP` of a question are in.

    Args:
        name: of the collection.
        languages: of the passages.
        passage_lang: (passages,) their numbers in `languages`.
        question_langs: (questions,) codes.
        ranking: (questions, at most `TOP`) passages, best first, without a question's own text; -1 where there is none.
        notes: printed beside the figures.

    Raises:
        InputError: fewer than two languages, or a question in none of them.
    """
    if len(languages) < 2:
        raise InputError(f"{name}: its passages are in one language; bias shows in pools of several")
    if strange := sorted(set(question_langs) - set(languages)):
        raise InputError(f"{name}: questions in {', '.join(strange)}, but its passages are in {', '.join(languages)}")
    numbers = {code: number for number, code in enumerate(languages)}
    sides = [
        _texts([""] * len(question_langs), [numbers[code] for code in question_langs]),
        _texts([""] * len(passage_lang), passage_lang.tolist()),
    ]
    unjudged = RetrievalSet(name, tuple(languages), *sides, judgements=np.zeros((0, 3), np.int64), parallel=False)
    measures, by_language, shares = _shares(ranking, unjudged)
    counts = {"queries": len(question_langs), "passages": len(passage_lang)}
    return Check(name, "index", tuple(languages), measures, by_language, shares, {}, counts, tuple(notes))


def _texts(texts: list[str], lang: Sequence[int]) -> Texts:
    rows = np.arange(len(texts), dtype=np.int32)
    return Texts([str(row) for row in rows], texts, np.array(lang, np.int16), np.full(len(texts), -1, np.int32), rows)


def _composition(
    queries: np.ndarray, passages: np.ndarray, pool: RetrievalSet, own: np.ndarray
) -> tuple[dict[str, float], dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Measures, measures by query language, and shares of the languages, of the first `TOP` texts without the
    question's own."""
    index = top_k(queries, passages, min(TOP + 1, len(passages)))[1]
    others = np.argsort(index == own[:, None], axis=1, kind="stable")[:, : min(TOP, len(passages) - 1)]
    return _shares(np.take_along_axis(index, others, axis=1), pool)


def _shares(
    ranking: np.ndarray, pool: RetrievalSet
) -> tuple[dict[str, float], dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    found = language_shares(ranking, pool, k=TOP)
    figures = {OWN: found.same, POOL: found.expected, f"entropy@{TOP}": found.entropy}
    measures = _with_excess({name: figure.macro for name, figure in figures.items() if np.isfinite(figure.macro)})
    by_language = {
        code: _with_excess({name: float(figure.by_language[number]) for name, figure in figures.items()})
        for number, code in enumerate(pool.languages)
        if np.isfinite(found.same.by_language[number])
    }
    shares = {
        code: dict(zip(pool.languages, found.matrix[number].tolist(), strict=True))
        for number, code in enumerate(pool.languages)
        if np.isfinite(found.matrix[number]).all()
    }
    return measures, by_language, shares
