"""Measures of classification, from counts of true and predicted classes."""

from __future__ import annotations

import numpy as np

from triglot.measures.table import Measure


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of the items whose class was found.

    Args:
        confusion: (..., classes, classes) counts, rows by true and columns by predicted class.

    Returns:
        (...), NaN where there is no item.
    """
    number = confusion.sum((-2, -1))
    return np.where(number > 0, np.einsum("...ii->...", confusion) / np.where(number > 0, number, 1), np.nan)


def accuracy_shares(label: np.ndarray, predicted: np.ndarray, cell: np.ndarray, classes: int) -> np.ndarray:
    """(items,) 1 where the class was found, else 0: accuracy is their mean. Arguments as for `f1_shares`."""
    return (label == predicted).astype(np.float64)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean over classes of 2 TP / (true + predicted), as scikit-learn's `f1_score(average="macro")`.

    Args:
        confusion: (..., classes, classes) counts, rows by true and columns by predicted class; classes that are neither
            are passed over.

    Returns:
        (...), NaN where there is no item.
    """
    right = np.einsum("...ii->...i", confusion)
    both = confusion.sum(-1) + confusion.sum(-2)
    score = np.where(both > 0, 2 * right / np.where(both > 0, both, 1), 0.0)
    classes = (both > 0).sum(-1)
    return np.where(classes > 0, score.sum(-1) / np.maximum(classes, 1), np.nan)


def f1_shares(label: np.ndarray, predicted: np.ndarray, cell: np.ndarray, classes: int) -> np.ndarray:
    """(items,) values whose mean in each cell is its macro F1, and whose spread is that of macro F1 over items.

    Macro F1 is no mean, but close to its value it is linear in the weights of the items: a share is macro F1 plus the
    item's influence on it (the infinitesimal jackknife; Efron 1982). So it can be resampled like a mean.

    Args:
        label: (items,) true classes.
        predicted: (items,) classes.
        cell: (items,) numbers from 0; each cell has a macro F1 of its own.
        classes: how many there are.
    """
    cells = int(cell.max(initial=-1)) + 1
    confusion = np.bincount((cell * classes + label) * classes + predicted, minlength=cells * classes**2).reshape(
        cells, classes, classes
    )
    both = confusion.sum(1) + confusion.sum(2)
    safe = np.where(both > 0, both, 1)
    score = 2 * np.einsum("kii->ki", confusion) / safe  # (cells, classes)
    present = (both > 0).sum(1)
    size = confusion.sum((1, 2))
    of_label, of_predicted = score[cell, label], score[cell, predicted]
    right = np.where(label == predicted, 2.0, 0.0)
    influence = (right - of_label) / safe[cell, label] - of_predicted / safe[cell, predicted]
    return (score.sum(1) / np.maximum(present, 1))[cell] + influence * (size / np.maximum(present, 1))[cell]


MEASURES = (
    Measure(
        "accuracy",
        "Accuracy",
        "share of the items whose class was found",
        accuracy,
        of="classes",
        where=("classification",),
        main=True,
        headline=True,
        shares=accuracy_shares,
    ),
    Measure(
        "macro_f1",
        "Macro F1",
        "mean over classes of F1, as scikit-learn's f1_score(average='macro')",
        macro_f1,
        of="classes",
        where=("classification",),
        headline=True,
        shares=f1_shares,
    ),
)
