"""The table of measures, and the measures of ranks and classes: expectations over random tie breaking (McSherry and Najork 2008)."""

from triglot.measures.table import FORMER, Measure, current, find, known, reported

__all__ = ["FORMER", "Measure", "current", "find", "known", "reported"]
