"""What training minimises: contrastive losses over unit vectors, and their settings."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.losses.contrastive import divergence, info_nce, log_shares, pair_masks, ranking_loss
    from triglot.losses.settings import LossSettings
    from triglot.losses.table import LOSSES, LossKind

__all__ = ["LOSSES", "LossKind", "LossSettings", "divergence", "info_nce", "log_shares", "pair_masks", "ranking_loss"]
_CONTRASTIVE = ("divergence", "info_nce", "log_shares", "pair_masks", "ranking_loss")
__getattr__ = face(
    __name__, {"contrastive": _CONTRASTIVE, "settings": ("LossSettings",), "table": ("LOSSES", "LossKind")}
)
