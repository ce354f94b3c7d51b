"""A bar on stderr that is gone when the work is done."""

from __future__ import annotations

from typing import Any


class Bar:
    """How far one piece of work is, as a context; silent unless `show`.

    Args:
        what: the work, a word or two.
        show: whether anything is drawn.
        total: things to do, None where `reach` will tell.
    """

    def __init__(self, what: str, show: bool, total: int | None = None):
        self._progress: Any = None
        if show:
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._task = self._progress.add_task(what, total=total)

    def __enter__(self) -> Bar:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress:
            self._progress.stop()

    def advance(self, done: float) -> None:
        """So many more are done."""
        if self._progress:
            self._progress.advance(self._task, done)

    def reach(self, done: int, total: int) -> None:
        """So many are done by now, of so many."""
        if self._progress:
            self._progress.update(self._task, completed=done, total=total)
