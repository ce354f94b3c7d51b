"""The table of measures: one row each, from which results, tables, figures, options, metrics and the documentation are
made.

A measure has one name on its whole way: `map@20` in results.json, in the per-query file, in tables, in `--measure` and
in the metrics of other libraries. A new one is a row in the module that computes it, among its `MEASURES`. Another
package adds one by an entry point of the group `triglot.measures`; `known().add(row)` adds one to this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from triglot.files import InputError, nearest
from triglot.registry import Registry

Of = Literal["ranks", "pool", "classes", "attack"]
Where = Literal["settings", "ranked", "bias", "classification", "robustness"]
Need = Literal["parallel", "rankings"]

FORMER = {"ap": "map", "rr": "mrr"}
"""What measures were called in per-query files and in `extra` until version 0.1."""


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
        name: wherever it is written. What follows an @ is the cut-off: `map@20` looks at the first 20 ranks.
        title: the heading of a column.
        help: a phrase that explains it, with its source.
        function: gives the values, see `of`; None where they are computed elsewhere.
        of: what the function is given, and what it returns.
            `ranks`: `triglot.measures.ranks.Blocks` -> (queries,), one number for each query with a relevant passage.
            `pool`: `triglot.evaluate.bias.measures.Pool` -> (queries,), NaN for a query to which it does not apply.
            `classes`: (..., classes, classes) int64 counts, rows by true and columns by predicted class -> (...).
            `attack`: nothing; it stands under `robustness` in results.json.
        where: where it is reported unasked: in the three settings, of top-k runs (`ranked`), as language bias, of
            classification, of attacks. Elsewhere it must be asked for with `extra`.
        cut_off: whether the function takes a cut-off as its second argument, so that the name may, or must, have one:
            `r@50` is then known though the table has `r@10` alone.
        lower_is_better: which way the verdicts go.
        rank: whether it counts ranks; otherwise it is a share of 1.
        least: the least that it can be, where intervals end.
        needs: `parallel` answers, `rankings` of the pool; it is left out where the benchmark has none.
        chance: whether it is what chance gives: printed below the figures, and no column.
        main: whether others may take it as the one figure of a task: MTEB's main score.
        headline: whether a model card shows it.
        mteb: what MTEB calls it, without cut-off; empty if the same.
        elsewhere: what a paper calls it, with the paper's number, where others report it.
        shares: of `classes`: (label, predicted, cell, classes) -> (items,) values whose mean in a cell is the measure,
            for intervals.
        notes: of `pool`: what is printed beside the figures.
    """

    name: str
    title: str
    help: str
    function: Callable[..., Any] | None = None
    of: Of = "ranks"
    where: tuple[Where, ...] = ("settings",)
    cut_off: Literal["none", "optional", "needed"] = "none"
    lower_is_better: bool = False
    rank: bool = False
    least: float = 0.0
    needs: tuple[Need, ...] = ()
    chance: bool = False
    main: bool = False
    headline: bool = False
    mteb: str = ""
    elsewhere: str = ""
    shares: Callable[..., Any] | None = None
    notes: Callable[[Any], Iterable[str]] | None = None

    @property
    def base(self) -> str:
        """The name without its cut-off."""
        return self.name.partition("@")[0]

    @property
    def cut(self) -> int | None:
        """The cut-off, where the function takes one and the name has one."""
        _, _, cut = self.name.partition("@")
        return int(cut) if cut and self.cut_off != "none" else None

    def at(self, cut: int | None, **changes: Any) -> Measure:
        """The same measure with another cut-off, reported nowhere unasked unless `where` says so."""
        name, title = (text.partition("@")[0] + (f"@{cut}" if cut else "") for text in (self.name, self.title))
        if "@" not in self.title and self.cut is not None and cut is not None:  # `Own language in the top 10`
            title = self.title.replace(str(self.cut), str(cut))
        return replace(self, **{"name": name, "title": title, "where": (), "main": False, "headline": False} | changes)

    def values(self, given: Any) -> Any:
        """What the function makes of what `of` names."""
        assert self.function is not None, f"{self.name} is not computed here"
        return self.function(given) if self.cut is None else self.function(given, self.cut)


@cache
def known() -> Registry[Measure]:
    """All measures: Triglot's own, those added in this process, those of other packages."""
    # Here and not above: they import `Measure`, and NumPy, which whoever only names a measure can do without.
    from triglot.measures import attacks, bias, classes, ranks

    rows = (*ranks.MEASURES, *classes.MEASURES, *bias.MEASURES, *attacks.MEASURES)
    return Registry(Measure, group="measures", what="measure", rows=rows)


def shown() -> tuple[str, ...]:
    """What a table of runs can be asked for: the measures of settings and runs, and `bias` for all of language bias."""
    return (*(row.name for row in known() if {"settings", "ranked"} & {*row.where}), "bias")


def current(name: str) -> str:
    """The name of a measure that may be written as it was called formerly: `ap@20` -> `map@20`."""
    base, at, cut = name.partition("@")
    return f"{FORMER.get(base, base)}{at}{cut}"


def find(measure: str | Measure) -> Measure:
    """A measure by its name, also one with a cut-off that the table does not have. Raises InputError for an unknown
    one.
    """
    rows = known()
    name = measure if isinstance(measure, Measure) else current(measure)
    if isinstance(name, Measure) or name in rows:
        return rows.find(name)
    base, at, cut = name.partition("@")
    for row in rows:
        if row.base != base:
            continue
        if row.cut_off == "optional" and not at:
            return row.at(None)
        if row.cut_off != "none" and cut.isdecimal() and int(cut) > 0:
            return row.at(int(cut), where=("bias",) if "bias" in row.where else ())
    raise InputError(f"no measure {measure!r}{nearest(name, rows.names())}")


def reported(where: Where, extra: Iterable[str | Measure] = ()) -> tuple[Measure, ...]:
    """The measures that are reported there, those that are reported nowhere else first, and then `extra` ones (of
    rankings).
    """
    rows = [row for row in known() if where in row.where]
    own = sorted(rows, key=lambda row: where == "ranked" and len(row.where) > 1)
    asked = [find(one) for one in extra]
    for row in asked:
        if row.of not in ("ranks", "pool"):
            raise InputError(f"measure {row.name!r} is none of rankings; it is computed of {row.of}")
    return tuple({row.name: row for row in (*own, *asked)}.values())
