"""One training loop: planned batches, a loss, an encoder; exact resume, chunked gradients, several processes."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.train.feed import Feed, Switching
    from triglot.train.loop import Renewal, run
    from triglot.train.settings import TrainSettings

__all__ = ["Feed", "Renewal", "Switching", "TrainSettings", "run"]
__getattr__ = face(
    __name__, {"feed": ("Feed", "Switching"), "loop": ("Renewal", "run"), "settings": ("TrainSettings",)}
)
