"""The one shape of results: what was reached on one benchmark, whichever way it was judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from triglot.extras import named
from triglot.grid import as_html, as_text
from triglot.measures.table import known

if TYPE_CHECKING:
    import pandas

TITLES = {
    "mono": "Monolingual",
    "cross": "Cross-lingual",
    "multi": "Multilingual",
    "ranked": "Top-k run",
    "classification": "Classification",
    "generalised": "In two languages",
}


class Part(Protocol):
    """What has a folder of its own beside the results, such as a head."""

    def save(self, folder: Path, /) -> Any: ...


class Result:
    """What was reached on one benchmark.

    `write_results` writes `summary` into results.json, `by_language` as NAME.languages.json, `table` as
    NAME.UNIT.parquet and each of `parts` into the folder NAME.PART.

    Attributes:
        summary: setting -> measure -> macro average; bias, micro averages, counts, notes.
        by_language: the same for each language, or pair of languages.
        unit: what a row of `table` is: `queries` or `items`.
    """

    summary: dict[str, Any]
    by_language: dict[str, Any]
    unit: ClassVar[Literal["queries", "items"]] = "queries"

    @property
    def table(self) -> Mapping[str, np.ndarray]:
        """Columns of equal length, one row a query or item in a setting."""
        return getattr(self, self.unit)

    @property
    def asked(self) -> Mapping[str, str]:
        """Id -> text of the questions, as far as it is known; for examples beside the figures."""
        return {}

    @property
    def parts(self) -> Mapping[str, Part]:
        """What is saved beside the figures."""
        return {}

    def to_pandas(self, by: Literal["row", "language", "setting"] = "row") -> pandas.DataFrame:
        """The figures as a DataFrame; a measure is a column.

        Args:
            by: `row` for `table`, `language` for a line a setting, language of the query and language of the passages
                (empty where all are meant), `setting` for the macro averages.

        Raises:
            MissingExtra: pandas is not installed.
        """
        with named():
            import pandas
        if by == "row":
            return pandas.DataFrame(dict(self.table))
        if by == "language":
            return pandas.DataFrame(list(_by_language(self.by_language)))
        return pandas.DataFrame.from_dict(
            {key: self.summary[key] for key in TITLES if key in self.summary}, orient="index"
        )

    def _grid(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows: a line a setting, and a column a measure that one of them has."""
        shown = {key: self.summary[key] for key in TITLES if key in self.summary}
        rows = {row.name: row for row in known()}
        names = list(dict.fromkeys(name for figures in shown.values() for name in figures))
        head = ["", *(rows[name].title if name in rows else name for name in names)]
        return head, [[TITLES[key], *(_figure(figures.get(name)) for name in names)] for key, figures in shown.items()]

    def _caption(self) -> str:
        """What was judged: the name of the benchmark where it is known, and how much of what."""
        name = getattr(getattr(self, "benchmark", None), "name", "")
        counts = ", ".join(
            f"{number:,} {what}" for what, number in self.summary.get("counts", {}).items() if isinstance(number, int)
        )
        return ": ".join(part for part in (type(self).__name__, name, counts) if part)

    def _below(self) -> list[str]:
        """Language bias in one line."""
        rows, bias = {row.name: row for row in known()}, self.summary.get("bias", {})
        figures = [f"{rows[name].title if name in rows else name} {_figure(value)}" for name, value in bias.items()]
        return [f"Language bias: {'; '.join(figures)}"] if figures else []

    def __repr__(self) -> str:
        return "\n".join([self._caption(), as_text(*self._grid()), *self._below()])

    def _repr_html_(self) -> str:
        return as_html(*self._grid(), caption=self._caption(), notes=self._below())


def _figure(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:.3f}" if abs(value) <= 1 else f"{value:,.1f}"


def _by_language(tables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A line a setting, language of the query and language of the passages."""
    for setting, of_setting in tables.items():
        if setting not in (*TITLES, "bias"):
            continue
        for code, cell in of_setting.items():
            if setting == "cross":
                yield from (
                    {"setting": setting, "query_lang": code, "passage_lang": other, **one}
                    for other, one in cell.items()
                )
            else:
                yield {
                    "setting": setting,
                    "query_lang": code,
                    "passage_lang": code if setting == "mono" else "",
                    **cell,
                }
