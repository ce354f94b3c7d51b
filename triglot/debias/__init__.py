"""Taking the language out of the vectors of a trained encoder, without training, and how much of it."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.debias.fit import Fitted, average, debias, with_linear
    from triglot.debias.methods import METHODS, Method
    from triglot.debias.settings import DebiasSettings
    from triglot.debias.steps import centre, linear_maps, lir, lsar, shift
    from triglot.debias.strength import Choice, choose_strength

__all__ = [
    "METHODS",
    "Choice",
    "DebiasSettings",
    "Fitted",
    "Method",
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
    __name__,
    {
        "fit": ("Fitted", "average", "debias", "with_linear"),
        "methods": ("METHODS", "Method"),
        "settings": ("DebiasSettings",),
        "steps": ("centre", "linear_maps", "lir", "lsar", "shift"),
        "strength": ("Choice", "choose_strength"),
    },
)
