"""Classification heads on frozen sentence vectors: features (u, v, |u - v|, u * v), multinomial logistic regression.

The features follow Conneau et al. (2017) and Reimers and Gurevych (2019). Everything is computed in float64 from a fixed start, so that the
same vectors give the same head. It needs no torch: a head is one matrix, and with a hidden layer two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from triglot import seeds
from triglot.files import InputError, atomic_folder, read_json, write_json
from triglot.ranges import Range, check_ranges

SCHEMA = 1
FEATURES = ("u", "v", "|u-v|", "u*v")
_KEEP = 1 << 30  # bytes of features that are kept; more than that is made again for every step
_BLOCK = 4096


@dataclass(frozen=True)
class HeadSettings:
    """How a head is trained.

    Attributes:
        hidden: width of a hidden layer (tanh); 0 for none, which is logistic regression.
        penalties: candidates for the L2 penalty on the weights (not on the biases), over standardised features: mean loss + penalty / 2 *
            squared norm; scikit-learn's C is 1 / (penalty * rows). They are tried from strong to weak until the loss on the part held apart
            rises; the lowest loss wins.
        held: share of the groups (premises, questions) held apart for that choice. The chosen head is then trained on all.
        iterations: at most so many steps of L-BFGS.
        tolerance: stop where no component of the gradient is larger.
    """

    hidden: Annotated[int, Range(0, 2**16)] = 0
    penalties: tuple[Annotated[float, Range(1e-12, 1e12)], ...] = (10.0, 1.0, 0.1, 0.01, 0.001)
    held: Annotated[float, Range(0, 1, above=True, below=True)] = 0.2
    iterations: Annotated[int, Range(1, 10**6)] = 300
    tolerance: Annotated[float, Range(0, 1, above=True, below=True)] = 1e-5

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.penalties:
            raise InputError("penalties: must be positive numbers, at least one")


@dataclass(frozen=True)
class Head:
    """A trained head.

    Attributes:
        labels: names of the classes, in the order of the outputs.
        weights: one or two matrices, (inputs, outputs) float64; the first has 4 * dim inputs: u, v, |u - v|, u * v.
        biases: one vector a matrix.
        facts: how it was trained; plain values for JSON.
    """

    labels: tuple[str, ...]
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        """Dimensions of the vectors that it takes."""
        return len(self.weights[0]) // len(FEATURES)

    def scores(self, first: np.ndarray, second: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Log-probabilities of the classes, (rows, classes) float64.

        Args:
            first: (texts, dim) vectors of different first texts (premises, questions).
            second: (texts, dim) vectors of different second texts.
            rows: (rows, 2) indices into both.

        Raises:
            InputError: the vectors have other dimensions, or numbers that are not finite.
        """
        _check_vectors(first, second)
        if first.shape[1] != self.dim:
            raise InputError(f"the head takes vectors of {self.dim} dimensions, these have {first.shape[1]}")
        of_first, of_second, of_gap, of_product = np.split(self.weights[0], len(FEATURES))
        # Half of the features depend on one text alone: they are multiplied once a text and not once a pair.
        alone, other = first @ of_first, second @ of_second
        out = np.empty((len(rows), len(self.labels)))
        for begin in range(0, len(rows), _BLOCK):
            left, right = rows[begin : begin + _BLOCK].T
            u, v = first[left].astype(np.float64), second[right].astype(np.float64)
            layer = alone[left] + other[right] + np.abs(u - v) @ of_gap + (u * v) @ of_product + self.biases[0]
            if len(self.weights) == 2:
                layer = np.tanh(layer) @ self.weights[1] + self.biases[1]
            out[begin : begin + _BLOCK] = _log_softmax(layer)
        return out

    def save(self, folder: str | Path) -> None:
        """Write head.safetensors and head.json into a folder, which is replaced as a whole."""
        from safetensors.numpy import save_file

        tensors = {f"{kind}.{n}": np.ascontiguousarray(array) for kind, arrays in self._layers().items() for n, array in enumerate(arrays)}
        with atomic_folder(folder) as place:
            save_file(tensors, place / "head.safetensors")
            write_json(
                place / "head.json",
                {"schema": SCHEMA, "labels": list(self.labels), "dim": self.dim, "features": list(FEATURES), "facts": dict(self.facts)},
            )

    def _layers(self) -> dict[str, tuple[np.ndarray, ...]]:
        return {"weight": self.weights, "bias": self.biases}


def load_head(folder: str | Path) -> Head:
    """A head from its folder. Raises InputError where there is none, or one that cannot be read or does not fit together."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = Path(folder)
    told, path = read_json(folder / "head.json"), folder / "head.safetensors"
    if not isinstance(told, dict) or told.get("schema") != SCHEMA or told.get("features") != list(FEATURES):
        raise InputError(f"{folder / 'head.json'}: not a head of schema {SCHEMA} with the features {', '.join(FEATURES)}")
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    layers = len(tensors) // 2
    if layers not in (1, 2) or set(tensors) != {f"{kind}.{n}" for kind in ("weight", "bias") for n in range(layers)}:
        raise InputError(f"{path}: holds {', '.join(sorted(tensors)) or 'nothing'}; the weight and bias of one or two layers were expected")
    weights = tuple(tensors[f"weight.{n}"].astype(np.float64) for n in range(layers))
    biases = tuple(tensors[f"bias.{n}"].astype(np.float64) for n in range(layers))
    labels, dim = told.get("labels"), told.get("dim")
    if not isinstance(labels, list) or not isinstance(dim, int):
        raise InputError(f"{folder / 'head.json'}: labels or dim is missing")
    widths = [len(FEATURES) * dim, *(len(bias) for bias in biases)]
    shapes = [weight.shape for weight in weights]
    if shapes != list(pairwise(widths)) or widths[-1] != len(labels):
        raise InputError(f"{path}: matrices of {shapes} do not make a head of {dim} dimensions and {len(labels)} labels")
    if not all(np.isfinite(array).all() for array in (*weights, *biases)):
        raise InputError(f"{path}: holds numbers that are not finite")
    return Head(tuple(map(str, labels)), weights, biases, told.get("facts", {}))


def features(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(n, 4 * dim) float64: u, v, |u - v|, u * v."""
    u, v = u.astype(np.float64), v.astype(np.float64)
    return np.concatenate([u, v, np.abs(u - v), u * v], axis=1)


def fit_head(
    first: np.ndarray,
    second: np.ndarray,
    rows: np.ndarray,
    target: np.ndarray,
    *,
    labels: Sequence[str],
    group: np.ndarray,
    settings: HeadSettings | None = None,
    seed: int = 1,
    facts: Mapping[str, Any] | None = None,
    keep: int = _KEEP,
) -> Head:
    """Train a head; the same arguments give the same head.

    Args:
        first: (texts, dim) vectors of different first texts.
        second: (texts, dim) vectors of different second texts.
        rows: (rows, 2) indices into both.
        target: (rows,) index into `labels`.
        labels: names of the classes.
        group: (rows,) ids; rows of one group (premise, question) are never on both sides of the part held apart.
        settings: see there.
        seed: of that part, and of the start of a hidden layer.
        facts: kept with the head, beside how it was trained.
        keep: bytes of features to keep in memory; where they take more they are made again in every step.

    Raises:
        InputError: no rows, a class without rows, fewer than two groups, vectors that do not fit or are not finite.
    """
    settings = settings or HeadSettings()
    _check_vectors(first, second)
    target = np.asarray(target, np.int64)
    if not len(rows) == len(target) == len(group):
        raise ValueError(f"{len(rows)} rows, {len(target)} targets and {len(group)} groups: lengths differ")
    _check_classes(target, labels, "the training part")
    held = _held_apart(group, settings.held, seed)
    losses: dict[str, float] = {}
    penalty = settings.penalties[0]
    if len(settings.penalties) > 1:
        if not held.any():
            raise InputError("one premise or question alone cannot be parted to choose a penalty; give more data, or a single penalty")
        _check_classes(target[~held], labels, f"the training part without the {settings.held:.0%} of groups that are held apart")
        part = _Design(first, second, rows[~held], keep)
        start, best = None, float("inf")
        for candidate in sorted(settings.penalties, reverse=True):
            layers, start, _ = _fit(part, target[~held], len(labels), candidate, settings, seed, start)
            log_p = Head(tuple(labels), *part.unscaled(layers)).scores(first, second, rows[held])
            losses[f"{candidate:g}"] = float(-log_p[np.arange(len(log_p)), target[held]].mean())
            if losses[f"{candidate:g}"] >= best:
                break
            best, penalty = losses[f"{candidate:g}"], candidate
        del part
    design = _Design(first, second, rows, keep)
    layers, _, ended = _fit(design, target, len(labels), penalty, settings, seed, None)
    told = {"penalty": penalty, "held_loss": losses, "hidden": settings.hidden, **ended}
    told |= {"rows": len(rows), "groups": len(np.unique(group)), "seed": seed}
    return Head(tuple(labels), *design.unscaled(layers), {**(facts or {}), **told})


def _check_vectors(first: np.ndarray, second: np.ndarray) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError(f"vectors of the shapes {first.shape} and {second.shape} do not go together")
    for array, what in ((first, "first"), (second, "second")):
        bad = np.flatnonzero(~np.isfinite(array.sum(1)))
        if len(bad):
            raise InputError(f"{len(bad)} vectors of {what} texts are not finite, the first that of text {bad[0]}")


def _check_classes(target: np.ndarray, labels: Sequence[str], where: str) -> None:
    number = np.bincount(target, minlength=len(labels))
    missing = [label for label, count in zip(labels, number.tolist(), strict=True) if not count]
    if missing:
        raise InputError(f"{where} has {len(target)} rows and none is labelled {' or '.join(missing)}; a head needs rows of every class")


def _held_apart(group: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(rows,) bool: whole groups, about this share of them, at least one and not all where there are two."""
    groups, of_row = np.unique(group, return_inverse=True)
    number = min(max(1, round(share * len(groups))), len(groups) - 1)
    # Drawn by id where ids are numbers, so that a group more or less moves no other.
    ids = groups if np.issubdtype(groups.dtype, np.integer) else np.arange(len(groups))
    chosen = np.zeros(len(groups), bool)
    chosen[np.argsort(seeds.uniform(seed, "groups held apart for a head", ids), kind="stable")[:number]] = True
    return chosen[of_row]


class _Design:
    """Standardised features of the rows, by blocks."""

    def __init__(self, first: np.ndarray, second: np.ndarray, rows: np.ndarray, keep: int):
        self.first, self.second, self.rows = first, second, rows
        self.width = len(FEATURES) * first.shape[1]
        self.mean, self.scale = np.zeros(self.width), np.ones(self.width)
        self.mean = sum((block.sum(0) for _, block in self._make()), np.zeros(self.width)) / len(rows)
        spread = sum((np.square(block).sum(0) for _, block in self._make()), np.zeros(self.width)) / len(rows)
        # What does not vary (a vector of one text for all, a dead dimension) says nothing and stays unscaled.
        self.scale = np.where(spread > 1e-24, np.sqrt(spread), 1.0)
        self.kept = list(self._make()) if len(rows) * self.width * 8 <= keep else None

    def _make(self) -> Iterable[tuple[slice, np.ndarray]]:
        for begin in range(0, len(self.rows), _BLOCK):
            part = slice(begin, min(begin + _BLOCK, len(self.rows)))
            left, right = self.rows[part].T
            yield part, (features(self.first[left], self.second[right]) - self.mean) / self.scale

    def blocks(self) -> Iterable[tuple[slice, np.ndarray]]:
        """(rows, their features)."""
        return self._make() if self.kept is None else self.kept

    def unscaled(self, layers: list[tuple[np.ndarray, np.ndarray]]) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Weights and biases for features that are not standardised."""
        (weight, bias), *rest = layers
        weight = weight / self.scale[:, None]
        return (weight, *(w for w, _ in rest)), (bias - self.mean @ weight, *(b for _, b in rest))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def _unpack(theta: np.ndarray, widths: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight, bias) a layer, as views of one vector."""
    layers, at = [], 0
    for inputs, outputs in pairwise(widths):
        weight = theta[at : at + inputs * outputs].reshape(inputs, outputs)
        at += inputs * outputs
        layers.append((weight, theta[at : at + outputs]))
        at += outputs
    return layers


def _loss(theta: np.ndarray, widths: Sequence[int], design: _Design, target: np.ndarray, penalty: float) -> tuple[float, np.ndarray]:
    """Penalised mean log loss, and its gradient."""
    layers, gradient = _unpack(theta, widths), np.zeros_like(theta)
    into, loss = _unpack(gradient, widths), 0.0
    for part, block in design.blocks():
        last = np.tanh(block @ layers[0][0] + layers[0][1]) if len(layers) == 2 else block
        log_p = _log_softmax(last @ layers[-1][0] + layers[-1][1])
        wanted = np.arange(len(log_p)), target[part]
        loss -= log_p[wanted].sum()
        back = np.exp(log_p)
        back[wanted] -= 1
        into[-1][0][:] += last.T @ back
        into[-1][1][:] += back.sum(0)
        if len(layers) == 2:
            back = (back @ layers[1][0].T) * (1 - last * last)
            into[0][0][:] += block.T @ back
            into[0][1][:] += back.sum(0)
    gradient /= len(target)
    loss /= len(target)
    for (weight, _), (of_weight, _) in zip(layers, into, strict=True):
        loss += penalty / 2 * float(np.square(weight).sum())
        of_weight[:] += penalty * weight
    return loss, gradient


def _fit(
    design: _Design, target: np.ndarray, classes: int, penalty: float, settings: HeadSettings, seed: int, start: np.ndarray | None
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray, dict[str, Any]]:
    """Layers for standardised features, the vector of all parameters, and how the search ended."""
    from scipy.optimize import minimize

    widths = [design.width, *([settings.hidden] if settings.hidden else []), classes]
    if start is None:
        start = np.zeros(sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths)))
        if settings.hidden:
            for number, (weight, _) in enumerate(_unpack(start, widths)):
                draw = seeds.generator(seed, "start of a head", number)
                weight[:] = draw.standard_normal(weight.shape) / np.sqrt(len(weight))
    found = minimize(
        _loss,
        start,
        args=(widths, design, target, penalty),
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": settings.iterations, "gtol": settings.tolerance, "ftol": 0.0, "maxcor": 20, "maxfun": 2 * settings.iterations},
    )
    largest = float(np.abs(found.jac).max())
    ended = {"iterations": int(found.nit), "converged": largest <= settings.tolerance, "loss": float(found.fun)}
    return _unpack(found.x, widths), found.x, ended
