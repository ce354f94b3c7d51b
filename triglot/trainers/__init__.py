"""Batches and a loss for other trainers: those of sentence-transformers and PyLate."""

from triglot.trainers.dataset import to_dataset
from triglot.trainers.loss import GroupMaskedRankingLoss, late_interaction
from triglot.trainers.sampler import PlannedBatchSampler, batch_sampler

__all__ = ["GroupMaskedRankingLoss", "PlannedBatchSampler", "batch_sampler", "late_interaction", "to_dataset"]
