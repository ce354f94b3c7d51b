"""What a reader read, what it left out, and why."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from triglot.files import InputError

log = logging.getLogger("triglot")
_MOST_REASONS = 40  # that are told apart
_MOST_SAID = 4  # reasons that are logged each; more are one line


@dataclass
class LeftOut:
    """How often one reason occurred, and where it occurred first (file and line, or file and JSON path).

    `what` says what became of such records, and that they are used all the same where it is not `left out`.
    """

    count: int
    first: str
    what: str = "left out"


@dataclass
class Tally:
    """Counts that a reader keeps; every reader returns one.

    Attributes:
        strict: whether a record that cannot be used is an error instead of a count.
        read: what was read -> how much.
        left_out: reason -> how often and where first; what was mended or counted otherwise stands here too.
    """

    strict: bool = False
    read: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, LeftOut] = field(default_factory=dict)

    def count(self, what: str, number: int = 1) -> None:
        """Add to what was read."""
        self.read[what] += number

    def leave_out(self, reason: str, where: str, number: int = 1) -> None:
        """Count a record that is not used. Raises InputError when strict."""
        if self.strict:
            raise InputError(f"{where}: {reason}")
        self.pass_over(reason, where, number)

    def pass_over(self, reason: str, where: object, number: int = 1) -> None:
        """Count what is no part of the data as far as its name tells, a file of a folder for one; no error when strict
        either."""
        self.remark("left out", reason, where, number)

    def remark(self, what: str, reason: str, where: object, number: int = 1) -> None:
        """Count a record that a reader of figures should know of, and what became of it (`mended`,
        `counted as not found`)."""
        if reason not in self.left_out and len(self.left_out) >= _MOST_REASONS:
            reason = "other reasons"
        if reason in self.left_out:
            self.left_out[reason].count += number
        else:
            self.left_out[reason] = LeftOut(number, str(where), what)

    def merge(self, other: Tally) -> None:
        """Add another tally to this one; the first locations of this one stay."""
        self.read.update(other.read)
        for reason, one in other.left_out.items():
            if reason in self.left_out:
                self.left_out[reason].count += one.count
            else:
                self.left_out[reason] = LeftOut(one.count, one.first, one.what)

    def lines(self) -> list[str]:
        """Printable lines: what was read, then one line a reason."""
        read = ", ".join(f"{number:,} {what}" for what, number in self.read.items())
        left = [f"{one.what}: {one.count:,} x {reason} (first: {one.first})" for reason, one in self.left_out.items()]
        return [f"read: {read or 'nothing'}", *left]

    def notes(self) -> tuple[str, ...]:
        """The lines about what was left out, mended or counted otherwise, for a `RetrievalSet`."""
        return tuple(self.lines()[1:])


def say(label: str, tally: Tally) -> None:
    """Log what was read and what was left out: a line for each reason, or where they are many one for all, with the
    reasons behind `-v`."""
    read, *others = tally.lines()
    log.info("%s: %s", label, read)
    if len(others) <= _MOST_SAID:
        for line in others:
            log.info("%s: %s", label, line)
        return
    count = sum(one.count for one in tally.left_out.values())
    kinds = sorted({one.what for one in tally.left_out.values()}, key="left out".__ne__)
    log.info("%s: %s: %s records for %d reasons; -v lists them", label, " or ".join(kinds), f"{count:,}", len(others))
    for line in others:
        log.debug("%s: %s", label, line)
