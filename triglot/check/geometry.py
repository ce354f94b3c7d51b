"""Where vectors lie by language: the share of their variance that the language explains, means, and a linear probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triglot.corpus.sample import drawn

FEWEST = 20  # vectors of a language that a probe is trained and tried on
_RIDGE = 1e-2


@dataclass(frozen=True)
class Geometry:
    """What vectors tell of their texts' languages.

    Attributes:
        languages: those with at least `FEWEST` vectors.
        variance: share of the vectors' variance that lies between the languages' means, 0 to 1 (eta squared).
            Languages count the same.
        distance: mean distance between the means of two languages; unit vectors are 0 to 2 apart.
        nearest: language -> the language with the nearest mean.
        probe: accuracy of a linear probe on vectors that it has not seen, NaN with fewer than two languages.
            Languages count the same.
        chance: accuracy of a guess.
    """

    languages: tuple[str, ...]
    variance: float
    distance: float
    nearest: dict[str, str]
    probe: float
    chance: float


def geometry(vectors: np.ndarray, lang: np.ndarray, languages: Sequence[str], *, seed: int = 1) -> Geometry:
    """Figures of (texts, dim) vectors whose languages are `lang`, (texts,) indices of `languages`."""
    vectors = np.asarray(vectors, np.float64)
    rows = [np.flatnonzero(lang == number) for number in range(len(languages))]
    spoken = [number for number, mine in enumerate(rows) if len(mine) >= FEWEST]
    codes = tuple(languages[number] for number in spoken)
    if len(spoken) < 2:
        return Geometry(codes, float("nan"), float("nan"), {}, float("nan"), float("nan"))
    samples = [vectors[rows[number]] for number in spoken]
    means = np.stack([sample.mean(axis=0) for sample in samples])
    within = float(
        np.mean([((sample - mean) ** 2).sum(axis=1).mean() for sample, mean in zip(samples, means, strict=True)])
    )
    between = float(((means - means.mean(axis=0)) ** 2).sum(axis=1).mean())
    apart = np.sqrt(np.maximum(((means[:, None] - means[None]) ** 2).sum(axis=2), 0))
    np.fill_diagonal(apart, np.inf)
    nearest = {code: codes[int(apart[place].argmin())] for place, code in enumerate(codes)}
    distance = float(apart[np.isfinite(apart)].mean())
    variance = between / (between + within) if between + within > 0 else 0.0
    return Geometry(codes, variance, distance, nearest, probe(samples, seed=seed), 1 / len(spoken))


def probe(samples: Sequence[np.ndarray], *, seed: int = 1) -> float:
    """Mean accuracy over languages of a linear probe (ridge regression on one column a language), trained on half of
    each sample.

    Args:
        samples: (texts, dim) vectors of each language, two languages or more.
        seed: of the halves.
    """
    known, unseen = [], []
    for number, sample in enumerate(samples):
        half = drawn(len(sample), (len(sample) + 1) // 2, f"check probe {number}", seed)
        known.append(sample[half])
        unseen.append(np.delete(sample, half, axis=0))
    weight = 1 / np.sqrt(np.repeat([len(part) for part in known], [len(part) for part in known]))[:, None]
    inputs = np.concatenate(known)
    middle = np.mean([part.mean(axis=0) for part in known], axis=0)
    inputs = (inputs - middle) * weight
    target = (np.repeat(np.eye(len(known)), [len(part) for part in known], axis=0) - 1 / len(known)) * weight
    gram = inputs.T @ inputs
    ridge = _RIDGE * np.trace(gram) / len(gram) or 1.0
    learned = np.linalg.solve(gram + ridge * np.eye(len(gram)), inputs.T @ target)
    right = [
        float((((part - middle) @ learned).argmax(axis=1) == number).mean())
        for number, part in enumerate(unseen)
        if len(part)
    ]
    return float(np.mean(right))


def means_of(vectors: np.ndarray, lang: np.ndarray, languages: int) -> np.ndarray:
    """(languages, dim) mean vector of each language, zero for one without texts."""
    total = np.zeros((languages, vectors.shape[1]))
    np.add.at(total, lang, vectors)
    return total / np.maximum(np.bincount(lang, minlength=languages), 1)[:, None]
