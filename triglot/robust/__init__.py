"""Robust training: perturbed embeddings, learned negatives, and an adversary that looks for the language."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.robust.language import LanguageAdversary
    from triglot.robust.methods import METHODS, Method
    from triglot.robust.negatives import LearnedNegatives
    from triglot.robust.perturb import perturbed_step
    from triglot.robust.settings import AdversarySettings, NegativesSettings, RobustSettings

__all__ = [
    "METHODS",
    "AdversarySettings",
    "LanguageAdversary",
    "LearnedNegatives",
    "Method",
    "NegativesSettings",
    "RobustSettings",
    "perturbed_step",
]
__getattr__ = face(
    __name__,
    {
        "language": ("LanguageAdversary",),
        "methods": ("METHODS", "Method"),
        "negatives": ("LearnedNegatives",),
        "perturb": ("perturbed_step",),
        "settings": ("AdversarySettings", "NegativesSettings", "RobustSettings"),
    },
)
