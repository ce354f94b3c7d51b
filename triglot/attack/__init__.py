"""Attacks on a retriever: what a question or a planted passage can be turned into, how the worst is found, and what it
costs."""

from triglot.attack.run import Attacked, attack_queries
from triglot.attack.settings import STANDARD, AttackSettings
from triglot.augment.lexicon import Lexicon

__all__ = ["STANDARD", "AttackSettings", "Attacked", "Lexicon", "attack_queries"]
