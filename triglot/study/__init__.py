"""Runs and studies: settings become data, encoders, training, evaluation and a report."""

from triglot.study.arms import study
from triglot.study.run import align, fine_tune, make_encoder, run

__all__ = ["align", "fine_tune", "make_encoder", "run", "study"]
