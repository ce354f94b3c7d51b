"""Taking the language out of the vectors of a trained encoder, without training.

- `centre`: each language's mean is subtracted.
- `lir`: the first right singular vectors of each language's uncentred sample are removed (Yang et al. 2021, arXiv 2109.04727).
- `lsar`: one low-rank subspace of language, fitted to the means of all languages, is projected out (Xie et al. 2022, arXiv 2401.05792).
- `shift`: the mean difference from translations in the pivot language is subtracted.

`lsar` is the same for all texts, so it becomes part of the model: of a static encoder's rows, or a `Dense` module after a transformer.
The others need the language of a text and lie in a file beside the model (`triglot.encoder.languages`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from triglot import seeds
from triglot.corpus.parallel import ParallelCorpus
from triglot.encoder.languages import ByLanguage, Removal
from triglot.encoder.static import StaticEncoder
from triglot.files import InputError, nearest
from triglot.ranges import Range, Rank, check_ranges

log = logging.getLogger("triglot")
Method = Literal["", "centre", "lir", "lsar", "shift"]
METHODS = ("centre", "lir", "lsar", "shift")
FEWEST = 50  # texts of a language; a mean of fewer says more about the texts than about the language


@dataclass(frozen=True)
class Debias:
    """How the language is taken out of a trained encoder.

    Attributes:
        method: see the module; empty for none.
        rank: directions removed by `lir` (0: one) and `lsar` (0: one less than there are languages).
        texts: of each language at most; pairs of each language for `shift`.
        pivot: of `shift`: its vectors stay as they are.
        source: label of the source whose texts are used; empty for all sources of natural text.
    """

    method: Method = ""
    rank: Rank = 0
    texts: Annotated[int, Range(FEWEST, 10**9)] = 10_000
    pivot: str = "en"
    source: str = ""

    def __post_init__(self) -> None:
        if self.method and self.method not in METHODS:
            raise InputError(f"method: {self.method!r} is not known{nearest(self.method, METHODS)}")
        check_ranges(self)
        if self.rank and self.method not in ("", "lir", "lsar"):
            raise InputError(f"rank: {self.method} has none; lir and lsar have")


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
        pairs: language -> two (pairs, dim) arrays of unit vectors: in that language, and of their translations in the pivot language.
        pivot: gets an offset of zero.
    """
    found = {code: (own.astype(np.float64) - other).mean(axis=0) for code, (own, other) in pairs.items() if code != pivot}
    found[pivot] = np.zeros_like(next(iter(found.values())))
    return _removal(found, "shift", offsets=np.stack(list(found.values())))


def lir(samples: Mapping[str, np.ndarray], rank: int = 1) -> Removal:
    """Each language's strongest directions: the first right singular vectors of its sample, which is not centred.

    Args:
        samples: language -> (texts, dim) unit vectors.
        rank: directions of each language.
    """
    directions = []
    for code, sample in samples.items():
        if not 1 <= rank < min(sample.shape):
            raise InputError(f"rank: {rank} directions of {len(sample)} vectors of {sample.shape[1]} dimensions ({code})")
        sample = sample.astype(np.float64)
        values, vectors = np.linalg.eigh(sample.T @ sample)  # ascending; the same vectors as the SVD's, at a dim x dim problem
        directions.append(vectors[:, np.argsort(-values)[:rank]].T)
    return _removal(samples, "lir", directions=np.stack(directions))


def lsar(samples: Mapping[str, np.ndarray], rank: int = 0) -> np.ndarray:
    """The projection onto what the languages have in common.

    Args:
        samples: language -> (texts, dim) unit vectors.
        rank: of the subspace of language; 0: one less than there are languages.

    Returns:
        (dim, dim) float64, symmetric; `vectors @ it` has no part in the subspace of language.
    """
    means = np.stack([sample.mean(axis=0, dtype=np.float64) for sample in samples.values()])  # (languages, dim)
    most = min(len(means) - 1, means.shape[1] - 1)
    rank = rank or most
    if not 1 <= rank <= most:
        raise InputError(f"rank: {rank} directions among {len(means)} languages of {means.shape[1]} dimensions; at most {most}")
    middle = means.mean(axis=0)
    left, values, right = np.linalg.svd(means - middle, full_matrices=False)
    fitted = (left[:, :rank] * values[:rank]) @ right[:rank] + middle
    common = np.linalg.pinv(fitted) @ np.ones(len(means))
    common /= common @ common  # orthogonal to the differences between languages
    language = np.linalg.svd(fitted - common, full_matrices=False)[2][:rank]
    return np.eye(means.shape[1]) - language.T @ language


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
    """

    encoder: Any
    texts: dict[str, int]
    held_out: int


def debias(
    encoder: Any, corpus: ParallelCorpus, settings: Debias, *, seed: int = 1, held_out: Collection[str] = (), progress: bool = False
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
        InputError: fewer than two languages, fewer than 50 texts of one, or no translations for `shift`.
    """
    if isinstance(encoder, ByLanguage):
        raise InputError(f"{encoder.name}: was debiased by language before; start from the model that it was made of")
    if not settings.method:
        raise InputError("method: is missing")
    if (similarity := getattr(encoder, "similarity", "cosine")) != "cosine":
        log.warning("%s: compares by %s; debiased, it compares by cosine", encoder.name, similarity)
        encoder = encoder.by_cosine()
    texts = corpus.texts.to_pylist()
    usable = _usable(texts, held_out)
    hidden = len(texts) - int(usable.sum())
    order = np.argsort(seeds.bits(seed, "debias", np.arange(len(texts))), kind="stable")

    def encode(rows: np.ndarray) -> np.ndarray:
        return np.asarray(encoder.encode([texts[i] for i in rows.tolist()], side="passage", progress=progress))

    if settings.method == "shift":
        chosen = _pairs(corpus, usable, order, settings)
        counts = {code: len(own) for code, (own, _) in chosen.items()}
        _check(counts, settings, least=1)
        removal = shift({code: (encode(own), encode(other)) for code, (own, other) in chosen.items()}, settings.pivot)
        return Fitted(ByLanguage(encoder, removal), counts, hidden)
    rows = {}
    for number, code in enumerate(corpus.languages):
        mine = order[(corpus.text_lang[order] == number) & usable[order]][: settings.texts]
        if len(mine):
            rows[code] = mine
    counts = {code: len(mine) for code, mine in rows.items()}
    _check(counts, settings, least=2)
    samples = {code: encode(mine) for code, mine in rows.items()}
    if settings.method == "lsar":
        return Fitted(with_linear(encoder, lsar(samples, settings.rank)), counts, hidden)
    removal = centre(samples) if settings.method == "centre" else lir(samples, settings.rank or 1)
    return Fitted(ByLanguage(encoder, removal), counts, hidden)


def _usable(texts: list[str], held_out: Collection[str]) -> np.ndarray:
    if not held_out:
        return np.ones(len(texts), bool)
    hidden = {" ".join(text.casefold().split()) for text in held_out}
    return np.array([" ".join(text.casefold().split()) not in hidden for text in texts], bool)


def _pairs(corpus: ParallelCorpus, usable: np.ndarray, order: np.ndarray, settings: Debias) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Language -> rows of texts in it, and of their translations in the pivot language."""
    if settings.pivot not in corpus.languages:
        raise InputError(f"pivot: no texts in {settings.pivot!r}{nearest(settings.pivot, corpus.languages)}")
    of_pivot = corpus.text_of[:, corpus.languages.index(settings.pivot)][corpus.text_group]  # (texts,) the translation of each text
    paired = (of_pivot >= 0) & usable & usable[of_pivot]
    found = {}
    for number, code in enumerate(corpus.languages):
        own = order[(corpus.text_lang[order] == number) & paired[order]][: settings.texts]
        if code != settings.pivot and len(own):
            found[code] = (own, of_pivot[own])
    return found


def _check(counts: Mapping[str, int], settings: Debias, least: int) -> None:
    what = f"texts translated into {settings.pivot}" if settings.method == "shift" else "texts"
    if len(counts) < least:
        raise InputError(f"debias: {what} in {len(counts)} languages; {settings.method} needs {least} or more")
    few = {code: count for code, count in counts.items() if count < FEWEST}
    if few:
        listed = ", ".join(f"{code} ({count})" for code, count in few.items())
        raise InputError(f"debias: fewer than {FEWEST} {what} in {listed}; leave these languages out or give more")


def with_linear(encoder: Any, weight: np.ndarray) -> Any:
    """An encoder whose vectors are `weight` times the old ones, normalised again.

    Args:
        encoder: static: the rows change, if nothing stands after them. Transformer: a `Dense` and a `Normalize` module are added to a copy.
        weight: (dim, dim), symmetric or not.
    """
    weight = np.asarray(weight, np.float64)
    if isinstance(encoder, StaticEncoder):
        if not encoder.after:
            return encoder.with_rows((encoder.embeddings.astype(np.float64) @ weight.T).astype(np.float32))
        from triglot.encoder.static import Affine

        step = Affine(weight.astype(np.float32), np.zeros(len(weight), np.float32))
        steps = [*encoder.after, step]
        return StaticEncoder(encoder.tokenizer, encoder.embeddings, after=steps, name=encoder.name, prefixes=encoder.prefixes)
    from triglot.encoder.transformer import with_dense

    return with_dense(encoder, weight)


def average(encoders: list[Any]) -> Any:
    """The mean of the weights of encoders with one start (arXiv 2203.05482).

    Raises:
        InputError: their tokenizers, kinds or shapes differ.
    """
    first = encoders[0]
    for other in encoders[1:]:
        if type(other) is not type(first) or other.tokenizer.to_str() != first.tokenizer.to_str():
            raise InputError(f"{first.name} and {other.name} cannot be averaged: they are of different kinds or have different tokenizers")
    if isinstance(first, StaticEncoder):
        if any(encoder.after or encoder.embeddings.shape != first.embeddings.shape for encoder in encoders):
            raise InputError(f"{first.name}: static encoders of different shapes, or with further modules, cannot be averaged")
        return first.with_rows(np.stack([encoder.embeddings for encoder in encoders]).mean(axis=0, dtype=np.float64))
    from triglot.encoder.transformer import averaged

    return averaged(encoders)
