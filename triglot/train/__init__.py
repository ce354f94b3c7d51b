"""One training loop: planned batches, a loss, an encoder; exact resume, chunked gradients, several processes."""

from triglot.train.feed import Feed, Switching
from triglot.train.loop import Renewal, run
from triglot.train.settings import Train

__all__ = ["Feed", "Renewal", "Switching", "Train", "run"]
