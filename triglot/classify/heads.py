"""Classification heads on frozen sentence vectors: features (u, v, |u - v|, u * v), multinomial logistic regression.

The features follow Conneau et al. (2017) and Reimers and Gurevych (2019). scikit-learn trains the head, in float64 from
a fixed start, so that the same vectors give the same head. What is kept is one matrix, and with a hidden layer two: no
torch, nothing that is unpickled.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from triglot import seeds
from triglot.files import InputError, SettingError, atomic_folder, read_json, write_json
from triglot.memory import check_fits
from triglot.ranges import Range, check_ranges

SCHEMA = 1
FEATURES = ("u", "v", "|u-v|", "u*v")
_BLOCK = 4096


@dataclass(frozen=True)
class HeadSettings:
    """How a head is trained.

    Attributes:
        hidden: width of a hidden layer (tanh); 0 for none, which is logistic regression.
        penalties: candidates for the L2 penalty on the weights (not on the biases), over standardised features: mean
            loss + penalty / 2 * squared norm; scikit-learn's C is 1 / (penalty * rows). They are tried from strong to
            weak until the loss on the held-out part rises; the lowest loss wins.
        held: share of the groups (premises, questions) held out for that choice. The chosen head is then trained on
            all.
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
            raise SettingError("penalties", "must be positive numbers, at least one")


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

        tensors = {
            f"{kind}.{n}": np.ascontiguousarray(array)
            for kind, arrays in self._layers().items()
            for n, array in enumerate(arrays)
        }
        with atomic_folder(folder) as place:
            save_file(tensors, place / "head.safetensors")
            write_json(
                place / "head.json",
                {
                    "schema": SCHEMA,
                    "labels": list(self.labels),
                    "dim": self.dim,
                    "features": list(FEATURES),
                    "facts": dict(self.facts),
                },
            )

    def _layers(self) -> dict[str, tuple[np.ndarray, ...]]:
        return {"weight": self.weights, "bias": self.biases}


def load_head(folder: str | Path) -> Head:
    """A head from its folder.

    Raises InputError where there is none, or one that cannot be read or does not fit together.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = Path(folder)
    told, path = read_json(folder / "head.json"), folder / "head.safetensors"
    if not isinstance(told, dict) or told.get("schema") != SCHEMA or told.get("features") != list(FEATURES):
        raise InputError(
            f"{folder / 'head.json'}: not a head of schema {SCHEMA} with the features {', '.join(FEATURES)}"
        )
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    layers = len(tensors) // 2
    if layers not in (1, 2) or set(tensors) != {f"{kind}.{n}" for kind in ("weight", "bias") for n in range(layers)}:
        raise InputError(
            f"{path}: holds {', '.join(sorted(tensors)) or 'nothing'}; the weight and bias of one or two layers "
            "were expected"
        )
    weights = tuple(tensors[f"weight.{n}"].astype(np.float64) for n in range(layers))
    biases = tuple(tensors[f"bias.{n}"].astype(np.float64) for n in range(layers))
    labels, dim = told.get("labels"), told.get("dim")
    if not isinstance(labels, list) or not isinstance(dim, int):
        raise InputError(f"{folder / 'head.json'}: labels or dim is missing")
    widths = [len(FEATURES) * dim, *(len(bias) for bias in biases)]
    shapes = [weight.shape for weight in weights]
    if shapes != list(pairwise(widths)) or widths[-1] != len(labels):
        raise InputError(
            f"{path}: matrices of {shapes} do not make a head of {dim} dimensions and {len(labels)} labels"
        )
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
) -> Head:
    """Train a head; the same arguments give the same head.

    Args:
        first: (texts, dim) vectors of different first texts.
        second: (texts, dim) vectors of different second texts.
        rows: (rows, 2) indices into both.
        target: (rows,) index into `labels`.
        labels: names of the classes.
        group: (rows,) ids; rows of one group (premise, question) are never on both sides of the held-out split.
        settings: see there.
        seed: of that split, and of the start of a hidden layer.
        facts: kept with the head, beside how it was trained.

    Raises:
        InputError: no rows, a class without rows, fewer than two groups, vectors that do not fit or are not finite,
            features that do not fit into memory.
    """
    settings = settings or HeadSettings()
    _check_vectors(first, second)
    target = np.asarray(target, np.int64)
    if not len(rows) == len(target) == len(group):
        raise ValueError(f"{len(rows)} rows, {len(target)} targets and {len(group)} groups: lengths differ")
    _check_classes(target, labels, "the training part")
    held = _held_out(group, settings.held, seed)
    losses: dict[str, float] = {}
    chosen = settings.penalties[0]
    if len(settings.penalties) > 1:
        if not held.any():
            raise InputError(
                "one premise or question alone cannot be split to choose a penalty; give more data, or a single penalty"
            )
        _check_classes(
            target[~held], labels, f"the training part without the {settings.held:.0%} of groups that are held out"
        )
        trainer = _Trainer(first, second, rows[~held], target[~held], labels, settings, seed)
        best = float("inf")
        for penalty in sorted(settings.penalties, reverse=True):
            head, _ = trainer.fit(penalty)
            log_p = head.scores(first, second, rows[held])
            loss = float(-log_p[np.arange(len(log_p)), target[held]].mean())
            losses[f"{penalty:g}"] = loss
            if loss >= best:
                break
            best, chosen = loss, penalty
        del trainer
    head, ended = _Trainer(first, second, rows, target, labels, settings, seed).fit(chosen)
    trained = {
        "penalty": chosen,
        "held_loss": losses,
        "hidden": settings.hidden,
        **ended,
        "rows": len(rows),
        "groups": len(np.unique(group)),
        "seed": seed,
    }
    return Head(head.labels, head.weights, head.biases, {**(facts or {}), **trained})


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
        raise InputError(
            f"{where} has {len(target)} rows and none is labelled {' or '.join(missing)}; a head needs rows of "
            "every class"
        )


def _held_out(group: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(rows,) bool: whole groups, about this share of them, at least one and not all where there are two."""
    groups, of_row = np.unique(group, return_inverse=True)
    number = min(max(1, round(share * len(groups))), len(groups) - 1)
    # Drawn by id where ids are numbers, so that a group more or less moves no other; GroupShuffleSplit would move all.
    ids = groups if np.issubdtype(groups.dtype, np.integer) else np.arange(len(groups))
    chosen = np.zeros(len(groups), bool)
    chosen[np.argsort(seeds.uniform(seed, "groups held apart for a head", ids), kind="stable")[:number]] = True
    return chosen[of_row]


class _Trainer:
    """Standardised features of some rows, and heads trained on them; each starts where the one before it ended."""

    def __init__(
        self,
        first: np.ndarray,
        second: np.ndarray,
        rows: np.ndarray,
        target: np.ndarray,
        labels: Sequence[str],
        settings: HeadSettings,
        seed: int,
    ):
        from sklearn.preprocessing import StandardScaler

        check_fits(16.0 * len(rows) * len(FEATURES) * first.shape[1], f"{len(rows):,} rows of features")
        inputs = features(first[rows[:, 0]], second[rows[:, 1]])
        self.scaler: Any = StandardScaler(copy=False).fit(inputs)
        self.inputs = self.scaler.transform(inputs)
        self.target, self.labels, self.settings = target, tuple(labels), settings
        self.model = _classifier(settings, seed)

    def fit(self, penalty: float) -> tuple[Head, dict[str, Any]]:
        """A head for features that are not standardised, and how its training ended."""
        from sklearn.exceptions import ConvergenceWarning

        rows, two_classes = len(self.inputs), len(self.labels) == 2
        if self.settings.hidden:
            self.model.set_params(alpha=penalty * rows)
        else:
            # With two classes scikit-learn has one vector w where a softmax has w / 2 and -w / 2: the same penalty
            # costs it twice as much.
            self.model.set_params(C=(2 if two_classes else 1) / (penalty * rows))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # told by `converged`
            self.model.fit(self.inputs, self.target)
        iterations = int(np.max(self.model.n_iter_))
        ended = {"iterations": iterations, "converged": iterations < self.settings.iterations}
        (weight, bias), *rest = _layers(self.model, two_classes)
        weight = weight / self.scaler.scale_[:, None]
        layers = [(weight, bias - self.scaler.mean_ @ weight), *rest]
        return Head(self.labels, tuple(w for w, _ in layers), tuple(b for _, b in layers)), ended


def _classifier(settings: HeadSettings, seed: int) -> Any:
    """scikit-learn's classifier by L-BFGS; its penalty is set when it is trained."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    if not settings.hidden:
        return LogisticRegression(tol=settings.tolerance, max_iter=settings.iterations, warm_start=True)
    return MLPClassifier(
        (settings.hidden,),
        activation="tanh",
        solver="lbfgs",
        tol=settings.tolerance,
        max_iter=settings.iterations,
        max_fun=2 * settings.iterations,
        random_state=int(seeds.generator(seed, "start of a head").integers(1 << 31)),
        warm_start=True,
    )


def _layers(model: Any, two_classes: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight, bias) of each layer of a `LogisticRegression` or an `MLPClassifier`, the last with one output a
    class."""
    from sklearn.linear_model import LogisticRegression

    if isinstance(model, LogisticRegression):
        weights, biases = [np.asarray(model.coef_.T)], [np.asarray(model.intercept_)]
    else:
        weights, biases = list(model.coefs_), list(model.intercepts_)
    if two_classes:
        weights[-1] = np.hstack([-weights[-1] / 2, weights[-1] / 2])
        biases[-1] = np.hstack([-biases[-1] / 2, biases[-1] / 2])
    return list(zip(weights, biases, strict=True))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
