"""A term that classifies pairs: premise and hypothesis go through the encoder that is trained, and a head on both
vectors tells the label."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triglot.losses.batch import BatchVectors
from triglot.losses.terms import ClassificationTerm


def pair_features(u: Tensor, v: Tensor) -> Tensor:
    """(pairs, 4 dim) float32: u, v, |u - v|, u * v of unit vectors, scaled so that entries have size 1 (Conneau et al.
    2017; Reimers and Gurevych 2019)."""
    u, v = (vectors.float() * vectors.shape[1] ** 0.5 for vectors in (u, v))
    return torch.cat([u, v, (u - v).abs(), u * v], dim=1)


def class_shares(batch: BatchVectors) -> Tensor:
    """(labelled rows, classes) log probabilities of the classes."""
    assert batch.head is not None
    rows = (batch.labels >= 0).nonzero()[:, 0]
    return batch.head(pair_features(batch.queries[rows], batch.passages[rows])).log_softmax(1)


def classification(batch: BatchVectors, settings: ClassificationTerm) -> Tensor:
    """Mean cross-entropy of the labels of rows; 0 in a batch whose rows have none."""
    if batch.head is None or not bool((batch.labels >= 0).any()):
        return batch.nothing()
    target = batch.labels[batch.labels >= 0]
    return nn.functional.nll_loss(class_shares(batch), target)
