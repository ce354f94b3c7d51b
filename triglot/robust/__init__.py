"""Robust training: perturbed embeddings, learned negatives, and an adversary that looks for the language."""

from triglot.robust.language import LanguageAdversary
from triglot.robust.negatives import LearnedNegatives
from triglot.robust.perturb import perturbed_step
from triglot.robust.settings import METHODS, Adversary, Negatives, Robust

__all__ = ["METHODS", "Adversary", "LanguageAdversary", "LearnedNegatives", "Negatives", "Robust", "perturbed_step"]
