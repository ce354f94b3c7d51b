"""Taking the language out of the vectors of a trained encoder, without training.

- `centre`: each language's mean is subtracted.
- `lir`: the first right singular vectors of each language's uncentred sample are removed (Yang et al. 2021, arXiv
  2109.04727).
- `lsar`: one low-rank subspace of language, fitted to the means of all languages, is projected out (Xie et al. 2022,
  arXiv 2401.05792).
- `shift`: the mean difference from translations in the pivot language is subtracted.
- `map`: a linear map draws each language to its translations in the pivot language (ridge regression towards the
  identity).

`lsar` is the same for all texts, so it becomes part of the model: of a static encoder's rows, or a `Dense` module after
a transformer. The others need the language of a text and lie in a file beside the model (`triglot.encoder.languages`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from triglot import seeds
from triglot.corpus.parallel import ParallelCorpus
from triglot.debias.settings import CHOSEN, FEWEST, OF_PAIRS, Debias
from triglot.debias.strength import FEWEST as LEAST_TRIED
from triglot.debias.strength import Choice, choose_strength
from triglot.encoder.languages import ByLanguage, Removal
from triglot.encoder.protocol import SavedEncoder, by_language, similarity_of
from triglot.encoder.static import StaticEncoder
from triglot.files import InputError, nearest
from triglot.text import normalise

if TYPE_CHECKING:
    from triglot.encoder.transformer import TransformerEncoder

log = logging.getLogger("triglot")
UNTRIED = 0.5  # the strength where there is nothing to choose it on: half of a mean costs little within a language
MOST_TRIED = 500  # groups that strengths are tried on


def centre(samples: Mapping[str, np.ndarray]) -> Removal:
    """Each language's mean.

    Args:
        samples: language -> (texts, dim) unit vectors.
    """
    offsets = np.stack([sample.mean(axis=0, dtype=np.float64) for sample in samples.values()])
    return _removal(samples, "centre", offsets=offsets)


def shift(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], pivot: str) -> Removal:
    """Each language's mean difference from its translations in the pivot language.

    Args:
        pairs: language -> two (pairs, dim) arrays of unit vectors: in that language, and of their translations in the
            pivot language.
        pivot: gets an offset of zero.
    """
    found = {
        code: (own.astype(np.float64) - other).mean(axis=0) for code, (own, other) in pairs.items() if code != pivot
    }
    found[pivot] = np.zeros_like(next(iter(found.values())))
    return _removal(found, "shift", offsets=np.stack(list(found.values())))


def linear_maps(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], pivot: str) -> Removal:
    """Each language's linear map to its translations in the pivot language: ridge regression whose penalty draws it to
    the identity.

    The map W is that of the least |X W - Y|^2 + n r |W - I|^2 over the n pairs (X, Y), r the mean variance of a
    dimension: with few pairs it hardly moves anything that they say nothing of.

    Args:
        pairs: as for `shift`.
        pivot: gets the identity.
    """
    found: dict[str, np.ndarray] = {}
    for code, (own, other) in pairs.items():
        if code == pivot:
            continue
        own, other = own.astype(np.float64), other.astype(np.float64)
        dim = own.shape[1]
        if len(own) < dim:
            log.warning(
                "map: %d pairs of %s for vectors of %d dimensions; directions that they lack stay as they are",
                len(own),
                code,
                dim,
            )
        gram = own.T @ own
        ridge = np.trace(gram) / dim * np.eye(dim)
        found[code] = np.linalg.solve(gram + ridge, own.T @ other + ridge)
    found[pivot] = np.eye(next(iter(found.values())).shape[0])
    maps = np.stack(list(found.values())).astype(np.float32)
    empty = np.zeros((len(found), maps.shape[1]), np.float32)
    return Removal(tuple(found), empty, np.zeros((len(found), 0, maps.shape[1]), np.float32), "map", maps=maps)


def lir(samples: Mapping[str, np.ndarray], rank: int = 1) -> Removal:
    """Each language's strongest directions: the first right singular vectors of its sample, which is not centred.

    Args:
        samples: language -> (texts, dim) unit vectors.
        rank: directions of each language.
    """
    directions = []
    for code, sample in samples.items():
        if not 1 <= rank < min(sample.shape):
            raise InputError(
                f"rank: {rank} directions of {len(sample)} vectors of {sample.shape[1]} dimensions ({code})"
            )
        sample = sample.astype(np.float64)
        values, vectors = np.linalg.eigh(
            sample.T @ sample
        )  # ascending; the same vectors as the SVD's, at a dim x dim problem
        directions.append(vectors[:, np.argsort(-values)[:rank]].T)
    return _removal(samples, "lir", directions=np.stack(directions))


def lsar(samples: Mapping[str, np.ndarray], rank: int = 0) -> np.ndarray:
    """The projection onto what the languages have in common: `vectors @ it` has no part in `language_space`.

    Args, Raises:
        as `language_space`.

    Returns:
        (dim, dim) float64, symmetric.
    """
    language = language_space(samples, rank)
    return np.eye(language.shape[1]) - language.T @ language


def language_space(samples: Mapping[str, np.ndarray], rank: int = 0) -> np.ndarray:
    """The subspace in which languages differ, as orthonormal rows.

    Args:
        samples: language -> (texts, dim) unit vectors.
        rank: of the subspace of language; 0: one less than there are languages.

    Returns:
        (rank, dim) float64.
    """
    means = np.stack([sample.mean(axis=0, dtype=np.float64) for sample in samples.values()])  # (languages, dim)
    most = min(len(means) - 1, means.shape[1] - 1)
    rank = rank or most
    if not 1 <= rank <= most:
        raise InputError(
            f"rank: {rank} directions among {len(means)} languages of {means.shape[1]} dimensions; at most {most}"
        )
    middle = means.mean(axis=0)
    left, values, right = np.linalg.svd(means - middle, full_matrices=False)
    fitted = (left[:, :rank] * values[:rank]) @ right[:rank] + middle
    common = np.linalg.pinv(fitted) @ np.ones(len(means))
    common /= common @ common  # orthogonal to the differences between languages
    return np.linalg.svd(fitted - common, full_matrices=False)[2][:rank]


def _removal(languages: Collection[str], method: str, offsets: Any = None, directions: Any = None) -> Removal:
    dim = (offsets if offsets is not None else directions).shape[-1]
    offsets = np.zeros((len(languages), dim)) if offsets is None else offsets
    directions = np.zeros((len(languages), 0, dim)) if directions is None else directions
    return Removal(tuple(languages), offsets.astype(np.float32), directions.astype(np.float32), method)


@dataclass(frozen=True)
class Fitted:
    """A debiased encoder and what it was fitted on.

    Attributes:
        encoder: of the kind that it was, or a `ByLanguage`.
        texts: language -> texts (of `shift`: pairs) that were used.
        held_out: texts passed over because they are evaluated on.
        strength: that was applied.
        choice: how the strength was chosen; None where it was given, or there was nothing to choose it on.
    """

    encoder: SavedEncoder
    texts: dict[str, int]
    held_out: int
    strength: float = 1.0
    choice: Choice | None = None


def debias(
    encoder: SavedEncoder,
    corpus: ParallelCorpus,
    settings: Debias,
    *,
    seed: int = 1,
    held_out: Collection[str] = (),
    progress: bool = False,
) -> Fitted:
    """Fit on a sample of a corpus and apply.

    Args:
        encoder: static or transformer, not debiased by language before.
        corpus: its texts are encoded as passages.
        settings: see `Debias`.
        seed: of the sample.
        held_out: texts that must not be used: those of the benchmarks.
        progress: show bars.

    Raises:
        InputError: fewer than two languages, fewer than 50 texts of one, or no translations for `shift` and `map`.
    """
    if by_language(encoder):
        raise InputError(f"{encoder.name}: was debiased by language before; start from the model that it was made of")
    if not settings.method:
        raise InputError("method: is missing")
    if (similarity := similarity_of(encoder)) != "cosine":
        log.warning("%s: compares by %s; debiased, it compares by cosine", encoder.name, similarity)
        encoder = cast("StaticEncoder | TransformerEncoder", encoder).by_cosine()
    texts = corpus.texts.to_pylist()
    usable = _usable(texts, held_out)
    hidden = len(texts) - int(usable.sum())
    order = np.argsort(seeds.bits(seed, "debias", np.arange(len(texts))), kind="stable")
    aside = _tried(corpus, usable, seed) if settings.strength == CHOSEN else np.zeros(0, np.int64)
    usable &= ~np.isin(corpus.text_group, aside)

    def encode(rows: np.ndarray, side: str = "passage") -> np.ndarray:
        return np.asarray(encoder.encode([texts[i] for i in rows.tolist()], side=side, progress=progress))

    rows = (
        _pairs(corpus, usable, order, settings)
        if settings.method in OF_PAIRS
        else _samples(corpus, usable, order, settings)
    )
    counts = {code: len(own) for code, (own, _) in rows.items()}
    _check(counts, settings, least=1 if settings.method in OF_PAIRS else 2)
    removal = _fit(settings, rows, encode)
    strength, choice = settings.strength, None
    if strength == CHOSEN:
        choice = choose_strength(encoder, removal, corpus, aside, progress=progress) if len(aside) else None
        strength = choice.chosen if choice else UNTRIED
        if not choice:
            log.warning("strength: no text in two languages to choose it on; it is %g", strength)
    if strength == 0:
        log.warning(
            "strength: nothing that %s takes away helps on the text held back; the model stays as it is",
            settings.method,
        )
    if settings.method == "lsar":
        language = removal.directions[0].astype(np.float64)
        projection = np.eye(language.shape[1]) - strength * language.T @ language
        return Fitted(with_linear(encoder, projection), counts, hidden, strength, choice)
    return Fitted(
        ByLanguage(encoder, removal if strength == 1 else removal.at(strength)), counts, hidden, strength, choice
    )


def _fit(
    settings: Debias, rows: Mapping[str, tuple[np.ndarray, np.ndarray]], encode: Callable[..., np.ndarray]
) -> Removal:
    """The step of a method, at full strength."""
    steps = {}
    for side in _sides(settings):
        if settings.method in OF_PAIRS:
            pairs = {code: (encode(own, side), encode(other, side)) for code, (own, other) in rows.items()}
            steps[side] = {"shift": shift, "map": linear_maps}[settings.method](pairs, settings.pivot)
        else:
            steps[side] = step_of(settings, {code: encode(own, side) for code, (own, _) in rows.items()})
    if "query" not in steps:
        return steps["passage"]
    return replace(steps["passage"], query_offsets=steps["query"].offsets)


def step_of(settings: Debias, samples: Mapping[str, np.ndarray]) -> Removal:
    """The step of a method that needs no translations, at full strength; that of `lsar` is the same for every language.

    Args:
        settings: see `Debias`.
        samples: language -> (texts, dim) unit vectors.

    Raises:
        InputError: a method that needs translations, or too few languages or vectors.
    """
    if settings.method not in ("centre", "lir", "lsar"):
        raise InputError(
            f"method: {settings.method or 'none'} cannot be fitted on vectors alone; centre, lir and lsar can"
        )
    _check({code: len(sample) for code, sample in samples.items()}, settings, least=2)
    if settings.method == "centre":
        return centre(samples)
    if settings.method == "lir":
        return lir(samples, settings.rank or 1)
    language = language_space(samples, settings.rank)
    return _removal(samples, "lsar", directions=np.repeat(language[None], len(samples), axis=0))


def _sides(settings: Debias) -> tuple[str, ...]:
    """The sides that a method is fitted on; only offsets differ between them."""
    return ("query", "passage") if settings.sides == "both" and settings.method in ("centre", "shift") else ("passage",)


def _tried(corpus: ParallelCorpus, usable: np.ndarray, seed: int) -> np.ndarray:
    """A fifth of the groups that have usable texts in two languages or more (at most 500, which tell enough), with
    those of their rows."""
    languages = (corpus.text_of >= 0).sum(axis=1)
    lacking = np.zeros(len(languages), bool)
    lacking[corpus.text_group[~usable]] = True
    good = np.flatnonzero((languages >= 2) & ~lacking)
    asked = corpus.query != corpus.passage
    if not asked.any():
        wanted = min(len(good) // 5, MOST_TRIED)
        return (
            np.sort(good[seeds.shuffled(len(good), seed, "debias trial")[:wanted]])
            if wanted >= LEAST_TRIED
            else good[:0]
        )
    families, number = np.unique(corpus.family[corpus.query], return_inverse=True)
    good_row = asked & np.isin(corpus.query, good) & np.isin(corpus.passage, good)
    chosen = seeds.shuffled(len(families), seed, "debias trial")[: min(len(families) // 5, MOST_TRIED)]
    rows = good_row & np.isin(number, chosen)
    if rows.sum() < LEAST_TRIED:
        return good[:0]
    return np.unique(np.concatenate([corpus.query[rows], corpus.passage[rows]]))


def _samples(
    corpus: ParallelCorpus, usable: np.ndarray, order: np.ndarray, settings: Debias
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Language -> rows of texts in it, and nothing beside them."""
    found = {}
    for number, code in enumerate(corpus.languages):
        mine = order[(corpus.text_lang[order] == number) & usable[order]][: settings.texts]
        if len(mine):
            found[code] = (mine, mine[:0])
    return found


def _usable(texts: list[str], held_out: Collection[str]) -> np.ndarray:
    if not held_out:
        return np.ones(len(texts), bool)
    hidden = set(map(normalise, held_out))
    return np.array([normalise(text) not in hidden for text in texts], bool)


def _pairs(
    corpus: ParallelCorpus, usable: np.ndarray, order: np.ndarray, settings: Debias
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Language -> rows of texts in it, and of their translations in the pivot language."""
    if settings.pivot not in corpus.languages:
        raise InputError(f"pivot: no texts in {settings.pivot!r}{nearest(settings.pivot, corpus.languages)}")
    of_pivot = corpus.text_of[:, corpus.languages.index(settings.pivot)][
        corpus.text_group
    ]  # (texts,) the translation of each text
    paired = (of_pivot >= 0) & usable & usable[of_pivot]
    found = {}
    for number, code in enumerate(corpus.languages):
        own = order[(corpus.text_lang[order] == number) & paired[order]][: settings.texts]
        if code != settings.pivot and len(own):
            found[code] = (own, of_pivot[own])
    return found


def _check(counts: Mapping[str, int], settings: Debias, least: int) -> None:
    what = f"texts translated into {settings.pivot}" if settings.method in OF_PAIRS else "texts"
    if len(counts) < least:
        raise InputError(f"debias: {what} in {len(counts)} languages; {settings.method} needs {least} or more")
    few = {code: count for code, count in counts.items() if count < FEWEST}
    if few:
        listed = ", ".join(f"{code} ({count})" for code, count in few.items())
        raise InputError(f"debias: fewer than {FEWEST} {what} in {listed}; leave these languages out or give more")


def with_linear(encoder: SavedEncoder, weight: np.ndarray) -> SavedEncoder:
    """An encoder whose vectors are `weight` times the old ones, normalised again.

    Args:
        encoder: static: the rows change, if nothing stands after them. Transformer: a `Dense` and a `Normalize` module
            are added to a copy.
        weight: (dim, dim), symmetric or not.
    """
    weight = np.asarray(weight, np.float64)
    if isinstance(encoder, StaticEncoder):
        if not encoder.after:
            return encoder.with_rows((encoder.embeddings.astype(np.float64) @ weight.T).astype(np.float32))
        from triglot.encoder.static import Affine

        step = Affine(weight.astype(np.float32), np.zeros(len(weight), np.float32))
        steps = [*encoder.after, step]
        return StaticEncoder(
            encoder.tokenizer, encoder.embeddings, after=steps, name=encoder.name, prefixes=encoder.prefixes
        )
    from triglot.encoder.transformer import with_dense

    return with_dense(cast("TransformerEncoder", encoder), weight)


def average(encoders: list[Any]) -> Any:
    """The mean of the weights of encoders with one start (arXiv 2203.05482).

    Raises:
        InputError: their tokenizers, kinds or shapes differ.
    """
    first = encoders[0]
    for other in encoders[1:]:
        if type(other) is not type(first) or other.tokenizer.to_str() != first.tokenizer.to_str():
            raise InputError(
                f"{first.name} and {other.name} cannot be averaged: they are of different kinds or have "
                "different tokenizers"
            )
    if isinstance(first, StaticEncoder):
        if any(encoder.after or encoder.embeddings.shape != first.embeddings.shape for encoder in encoders):
            raise InputError(
                f"{first.name}: static encoders of different shapes, or with further modules, cannot be averaged"
            )
        return first.with_rows(np.stack([encoder.embeddings for encoder in encoders]).mean(axis=0, dtype=np.float64))
    from triglot.encoder.transformer import averaged

    return averaged(encoders)
