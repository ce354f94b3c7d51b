"""Fitting a step on texts, and applying as much of it as is good.

A step that is the same for all texts becomes part of the model: of a static encoder's rows, or a `Dense` module after a
transformer. The others need the language of a text and lie in a file beside the model (`triglot.encoder.languages`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from triglot import seeds
from triglot.corpus.parallel import ParallelCorpus
from triglot.debias.methods import METHODS
from triglot.debias.settings import FEWEST, DebiasSettings
from triglot.debias.strength import FEWEST as LEAST_TRIED
from triglot.debias.strength import Choice, choose_strength
from triglot.encoder.languages import ByLanguage, Removal
from triglot.encoder.once import encode_once
from triglot.encoder.protocol import SavedEncoder, by_language, similarity_of
from triglot.encoder.static import StaticEncoder
from triglot.files import InputError, SettingError, nearest
from triglot.text import normalise

if TYPE_CHECKING:
    from triglot.encoder.transformer import TransformerEncoder

log = logging.getLogger("triglot")
UNTRIED = 0.5  # the strength where there is nothing to choose it on: half of a mean costs little within a language
MOST_TRIED = 500  # groups that strengths are tried on


@dataclass(frozen=True)
class Fitted:
    """A debiased encoder and what it was fitted on.

    Attributes:
        encoder: of the kind that it was, or a `ByLanguage`.
        texts: language -> texts (of `shift`: pairs) that were used.
        held_out: texts passed over because they are evaluated on.
        strength: that was applied.
        strengths: language -> strength, where it has one of its own.
        choice: how the strength was chosen; None where it was given, or there was nothing to choose it on.
    """

    encoder: SavedEncoder
    texts: dict[str, int]
    held_out: int
    strength: float = 1.0
    choice: Choice | None = None
    strengths: dict[str, float] = field(default_factory=dict)


def debias(
    encoder: SavedEncoder,
    corpus: ParallelCorpus,
    settings: DebiasSettings,
    *,
    seed: int = 1,
    held_out: Collection[str] = (),
    progress: bool = False,
) -> Fitted:
    """Fit on a sample of a corpus and apply.

    Args:
        encoder: static or transformer, not debiased by language before.
        corpus: its texts are encoded as passages.
        settings: see `DebiasSettings`.
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
    aside = _tried(corpus, usable, seed) if settings.strength is None else np.zeros(0, np.int64)
    usable &= ~np.isin(corpus.text_group, aside)

    def encode(rows: np.ndarray, side: str = "passage") -> np.ndarray:
        return encode_once(encoder, [texts[i] for i in rows.tolist()], side, progress)

    method = METHODS[settings.method]
    rows = (_pairs if method.pairs else _samples)(corpus, usable, order, settings)
    counts = {code: len(own) for code, (own, _) in rows.items()}
    _say_lacking(corpus, counts, settings)
    _check(counts, settings, least=1 if method.pairs else 2)
    removal = _fit(settings, rows, encode)
    strength, choice = settings.strength, None
    if strength is None:
        if len(aside):
            choice = choose_strength(
                encoder, removal, corpus, aside, by_language=settings.by_language, progress=progress
            )
        strength = choice.chosen if choice else UNTRIED
        if not choice:
            log.warning("strength: no text in two languages to choose it on; it is %g", strength)
    own = {**(choice.languages if choice else {}), **settings.strengths}
    at = strengths_of(removal, strength, own)
    if not np.any(at):
        log.warning(
            "strength: nothing that %s takes away helps on the text held back; the model stays as it is",
            settings.method,
        )
    if method.everywhere:
        language = removal.directions[0].astype(np.float64)
        projection = np.eye(language.shape[1]) - strength * language.T @ language
        return Fitted(with_linear(encoder, projection), counts, hidden, strength, choice)
    debiased = ByLanguage(encoder, removal if np.all(at == 1) else removal.at(at))
    return Fitted(debiased, counts, hidden, strength, choice, own)


def strengths_of(removal: Removal, strength: float, own: Mapping[str, float]) -> np.ndarray:
    """(2, languages) float32 strengths of a step, of both sides.

    Args:
        removal: the step.
        strength: of every language without one of its own.
        own: language -> strength.

    Raises:
        SettingError: a language that the step was not fitted on.
    """
    for code in own:
        if code not in removal.languages:
            known = ", ".join(removal.languages)
            raise SettingError(
                "strengths", f"nothing was fitted on {code!r}{nearest(code, removal.languages)}; {known}"
            )
    each = [own.get(code, strength) for code in removal.languages]
    return np.tile(np.array(each, np.float32), (2, 1))


def _say_lacking(corpus: ParallelCorpus, counts: Mapping[str, int], settings: DebiasSettings) -> None:
    """Languages of the data that a method finds no text in."""
    pairs = METHODS[settings.method].pairs
    lacking = [code for code in corpus.languages if code not in counts and not (pairs and code == settings.pivot)]
    if lacking:
        what = f"text translated into {settings.pivot}" if pairs else "text"
        log.warning("debias: no %s in %s; vectors in these languages stay as they are", what, ", ".join(lacking))


def _fit(
    settings: DebiasSettings, rows: Mapping[str, tuple[np.ndarray, np.ndarray]], encode: Callable[..., np.ndarray]
) -> Removal:
    """The step of a method, at full strength; with `sides: both`, queries have offsets of their own."""
    method = METHODS[settings.method]
    steps = {}
    for side in ("query", "passage") if settings.sides == "both" and method.sides else ("passage",):
        if method.pairs:
            steps[side] = method.fit(
                {code: (encode(a, side), encode(b, side)) for code, (a, b) in rows.items()}, settings
            )
        else:
            steps[side] = method.fit({code: encode(own, side) for code, (own, _) in rows.items()}, settings)
    if "query" not in steps:
        return steps["passage"]
    return replace(steps["passage"], query_offsets=steps["query"].offsets)


def step_of(settings: DebiasSettings, samples: Mapping[str, np.ndarray]) -> Removal:
    """The step of a method that needs no translations, at full strength.

    Args:
        settings: see `DebiasSettings`.
        samples: language -> (texts, dim) unit vectors.

    Raises:
        InputError: a method that needs translations, or too few languages or vectors.
    """
    if not settings.method or METHODS[settings.method].pairs:
        able = ", ".join(method.name for method in METHODS if not method.pairs)
        raise SettingError("method", f"{settings.method or 'none'} cannot be fitted on vectors alone; known: {able}")
    _check({code: len(sample) for code, sample in samples.items()}, settings, least=2)
    return METHODS[settings.method].fit(samples, settings)


def _tried(corpus: ParallelCorpus, usable: np.ndarray, seed: int) -> np.ndarray:
    """A fifth of the groups that have usable texts in two languages or more (at most 500, which tell enough), with
    those of their rows. Where questions are in one language each, as those of a search log, their answers have to be in
    two."""
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
    chosen = seeds.shuffled(len(families), seed, "debias trial")[: min(len(families) // 5, MOST_TRIED)]
    answered = asked & np.isin(corpus.passage, good) & np.isin(number, chosen)
    for rows in (answered & np.isin(corpus.query, good), answered & ~lacking[corpus.query]):
        if rows.sum() >= LEAST_TRIED:
            return np.unique(np.concatenate([corpus.query[rows], corpus.passage[rows]]))
    return good[:0]


def _samples(
    corpus: ParallelCorpus, usable: np.ndarray, order: np.ndarray, settings: DebiasSettings
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Language -> rows of texts in it, and nothing beside them."""
    samples = {}
    for number, code in enumerate(corpus.languages):
        mine = order[(corpus.text_lang[order] == number) & usable[order]][: settings.texts]
        if len(mine):
            samples[code] = (mine, mine[:0])
    return samples


def _usable(texts: list[str], held_out: Collection[str]) -> np.ndarray:
    if not held_out:
        return np.ones(len(texts), bool)
    hidden = set(map(normalise, held_out))
    return np.array([normalise(text) not in hidden for text in texts], bool)


def _pairs(
    corpus: ParallelCorpus, usable: np.ndarray, order: np.ndarray, settings: DebiasSettings
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Language -> rows of texts in it, and of their translations in the pivot language."""
    if settings.pivot not in corpus.languages:
        raise InputError(f"pivot: no texts in {settings.pivot!r}{nearest(settings.pivot, corpus.languages)}")
    # (texts,) the translation of each text
    of_pivot = corpus.text_of[:, corpus.languages.index(settings.pivot)][corpus.text_group]
    paired = (of_pivot >= 0) & usable & usable[of_pivot]
    pairs = {}
    for number, code in enumerate(corpus.languages):
        own = order[(corpus.text_lang[order] == number) & paired[order]][: settings.texts]
        if code != settings.pivot and len(own):
            pairs[code] = (own, of_pivot[own])
    return pairs


def _check(counts: Mapping[str, int], settings: DebiasSettings, least: int) -> None:
    what = f"texts translated into {settings.pivot}" if METHODS[settings.method].pairs else "texts"
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


def average(encoders: Sequence[Any], weights: Sequence[float] = ()) -> Any:
    """The mean of the weights of encoders with one start (arXiv 2203.05482): of several fine-tunes, or of the start and
    a fine-tune (arXiv 2109.01903).

    Args:
        encoders: at least one.
        weights: how much each counts, on any scale; none for all the same.

    Raises:
        InputError: their tokenizers, kinds or shapes differ.
    """
    given = np.asarray(weights or [1.0] * len(encoders), np.float64)
    shares = given / given.sum()
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
        return first.with_rows(np.einsum("e,evd->vd", shares, np.stack([one.embeddings for one in encoders])))
    from triglot.encoder.transformer import averaged

    return averaged(encoders, shares.tolist())
