"""What training minimises: contrastive losses over unit vectors, terms beside them, and their settings."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.losses.batch import BatchVectors
    from triglot.losses.contrastive import divergence, info_nce, log_shares, pair_masks, ranking_loss
    from triglot.losses.settings import LossSettings
    from triglot.losses.table import LOSSES, LossKind
    from triglot.losses.terms import TermSettings

__all__ = [
    "LOSSES",
    "BatchVectors",
    "LossKind",
    "LossSettings",
    "TermSettings",
    "divergence",
    "info_nce",
    "log_shares",
    "pair_masks",
    "ranking_loss",
]
_CONTRASTIVE = ("divergence", "info_nce", "log_shares", "pair_masks", "ranking_loss")
__getattr__ = face(
    __name__,
    {
        "batch": ("BatchVectors",),
        "contrastive": _CONTRASTIVE,
        "settings": ("LossSettings",),
        "table": ("LOSSES", "LossKind"),
        "terms": ("TermSettings",),
    },
)
