"""Tables of what can be chosen by name; other packages add rows to them by entry points.

A row is a frozen dataclass with `name`, `title`, `help` and whatever its room needs. A package adds one by an entry
point of the group `triglot.<group>` that leads to a row (or to a function without arguments that makes it), under the
row's own name:

    [project.entry-points."triglot.losses"]
    margin = "my_package.losses:MARGIN"

Nothing of such a package is imported before its row is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from triglot.files import InputError, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Named(Protocol):
    """What every row has: the name to choose it by, a title for people, and a phrase that explains it."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def help(self) -> str: ...


Row = TypeVar("Row", bound=Named)


class Registry(Generic[Row]):
    """Rows by name, in the order in which they were added; those of other packages come last, by their names.

    `registry[name]` is a row, `name in registry` asks for one, and `for row in registry` loads all of them.

    Args:
        row: the class of the rows.
        group: of entry points, without `triglot.`; empty if other packages add nothing here.
        what: one row is called so in messages, such as `batch kind`.
        rows: to begin with.
    """

    def __repr__(self) -> str:
        return shorten(f"Registry({self.what}: {', '.join(self.names())})", 1000, placeholder=" ...)")

    def __init__(self, row: type[Row], *, group: str, what: str, rows: Iterable[Row] = ()) -> None:
        self.group, self.what = group, what
        self._class = row
        self._rows: dict[str, Row] = {}
        for one in rows:  # those of other packages are looked up when somebody asks, not when a table is made
            if one.name in self._rows:
                raise InputError(f"there is a {what} {one.name!r} already")
            self._rows[one.name] = one

    def add(self, row: Row) -> Row:
        """Adds a row for this process, and returns it. Raises InputError if there is one of that name."""
        if row.name in self:
            raise InputError(f"there is a {self.what} {row.name!r} already")
        self._rows[row.name] = row
        return row

    def remove(self, name: str) -> None:
        """Takes away a row that was added in this process. Raises KeyError where there is none."""
        del self._rows[name]

    def names(self) -> tuple[str, ...]:
        """The names of all rows. Imports nothing."""
        return (*self._rows, *self._of_others())

    @property
    def own(self) -> tuple[Row, ...]:
        """The rows that this process has added, those of other packages not among them. Looks nothing up."""
        return tuple(self._rows.values())

    def find(self, row: str | Row) -> Row:
        """A row by its name; a row that is passed in is returned as it is.

        Raises:
            InputError: an unknown name (with the nearest known one), or another package's row that cannot be loaded.
        """
        if isinstance(row, self._class):
            return row
        name = str(row)
        if name in self._rows:
            return self._rows[name]
        others = self._of_others()
        if name not in others:
            raise InputError(f"{name!r} is not a known {self.what}{nearest(name, self.names())}")
        return self._load(others[name])

    def __getitem__(self, name: str) -> Row:
        return self.find(name)

    def __contains__(self, name: object) -> bool:
        return name in self._rows or name in self._of_others()

    def __iter__(self) -> Iterator[Row]:
        return (self.find(name) for name in self.names())

    def __len__(self) -> int:
        return len(self.names())

    def _of_others(self) -> dict[str, EntryPoint]:
        """Rows of other packages, by name. Raises InputError where a name is taken twice."""
        points: dict[str, EntryPoint] = {}
        for point in _installed(f"triglot.{self.group}", tuple(sys.path)) if self.group else ():
            if point.name in points or point.name in self._rows:
                raise InputError(f"{_origin(point)}: there is a {self.what} {point.name!r} already")
            points[point.name] = point
        return points

    def _load(self, point: EntryPoint) -> Row:
        try:
            row = point.load()
        except Exception as problem:
            reason = f"{type(problem).__name__}: {problem}"
            raise InputError(f"{_origin(point)} ({point.value}) cannot be loaded: {reason}") from problem
        row = row if isinstance(row, self._class) or not callable(row) else row()
        if not isinstance(row, self._class) or row.name != point.name:
            raise InputError(f"{_origin(point)} ({point.value}) leads to no {self._class.__name__} of that name")
        return row


def later(where: str) -> Callable[..., Any]:
    """A function that is imported when it is called, so that a table costs no import: `later("module:function")`."""

    def call(*args: Any, **options: Any) -> Any:
        module, _, name = where.partition(":")
        return getattr(import_module(module), name)(*args, **options)

    call.__name__ = call.__qualname__ = where.rpartition(":")[2]
    return call


@lru_cache(maxsize=32)
def _installed(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Entry points of a group, by name; looked up once for each state of `sys.path`."""
    from importlib.metadata import entry_points  # takes as long to import as all of this package that --help needs

    return tuple(sorted(entry_points(group=group), key=lambda point: point.name))


def _origin(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "a package"
    return f"{package}: entry point {point.name!r} of {point.group}"
