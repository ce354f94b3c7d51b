"""The table of measures; measures of ranks, as expectations over random tie breaking, and of classes."""

from triglot.measures.table import FORMER, Measure, current, find, known, reported, shown

__all__ = ["FORMER", "Measure", "current", "find", "known", "reported", "shown"]
