"""What is reported of attacks beside the attacked measures; `triglot.attack.measure` works it out."""

from __future__ import annotations

from triglot.measures.table import Measure, Where

_HERE: tuple[Where, ...] = ("robustness",)
_SUCCESS = "share of the queries with an answer among the first ten that have none after the attack"

MEASURES = (
    Measure("success@10", "success@10", _SUCCESS, of="attack", where=_HERE, lower_is_better=True),
    Measure(
        "success",
        "success",
        "share of the items that were classified rightly and no longer are",
        of="attack",
        where=_HERE,
        lower_is_better=True,
    ),
    Measure(
        "jaccard@10", "shared first ten", "overlap of the first ten before and after, as sets", of="attack", where=_HERE
    ),
    Measure(
        "rbo@10",
        "overlap of the first ten (RBO)",
        "rank-biased overlap of the first ten before and after (Webber, Moffat and Zobel 2010)",
        of="attack",
        where=_HERE,
    ),
    Measure("changed", "questions changed", "share of the queries that the attack changed", of="attack", where=_HERE),
    Measure(
        "drift",
        "drift (1 - cosine)",
        "how far the vectors of queries moved",
        of="attack",
        where=_HERE,
        lower_is_better=True,
    ),
    Measure("calls", "model calls a question", "texts that the model encoded for the attack", of="attack", where=_HERE),
)
