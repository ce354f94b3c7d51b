"""Taking the language out of the vectors of a trained encoder, without training, and how much of it."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.debias.fit import Fitted, average, centre, debias, linear_maps, lir, lsar, shift, with_linear
    from triglot.debias.settings import METHODS, Debias
    from triglot.debias.strength import Choice, choose_strength

_FIT = ("Fitted", "average", "centre", "debias", "linear_maps", "lir", "lsar", "shift", "with_linear")
__all__ = [
    "METHODS",
    "Choice",
    "Debias",
    "Fitted",
    "average",
    "centre",
    "choose_strength",
    "debias",
    "linear_maps",
    "lir",
    "lsar",
    "shift",
    "with_linear",
]
__getattr__ = face(
    __name__, {"fit": _FIT, "settings": ("METHODS", "Debias"), "strength": ("Choice", "choose_strength")}
)
