"""Counting what was read and what was left out."""

from __future__ import annotations

import logging

import pytest

from triglot.corpus.tally import Tally, say
from triglot.files import InputError


def test_the_first_place_of_each_reason_is_kept():
    tally = Tally()
    tally.count("pairs", 3)
    tally.leave_out("empty side", "a.tsv:4")
    tally.leave_out("empty side", "a.tsv:9")
    tally.leave_out("one column", "a.tsv:5", 2)
    assert tally.lines() == [
        "read: 3 pairs",
        "left out: 2 x empty side (first: a.tsv:4)",
        "left out: 2 x one column (first: a.tsv:5)",
    ]
    assert tally.notes() == tuple(tally.lines()[1:])


def test_strict_makes_the_first_record_an_error():
    with pytest.raises(InputError, match=r"a\.tsv:4: empty side"):
        Tally(strict=True).leave_out("empty side", "a.tsv:4")


def test_merging_adds_and_leaves_the_other_alone():
    one, other = Tally(), Tally()
    one.count("lines")
    other.count("lines", 2)
    one.leave_out("x", "a:1")
    other.leave_out("x", "b:1")
    other.leave_out("y", "b:2")
    one.merge(other)
    one.leave_out("y", "c:1")
    assert one.lines() == ["read: 3 lines", "left out: 2 x x (first: a:1)", "left out: 2 x y (first: b:2)"]
    assert other.left_out["y"].count == 1


def test_nothing_read_is_said():
    assert Tally().lines() == ["read: nothing"]


def test_many_reasons_are_one_line_and_behind_it_the_details(caplog: pytest.LogCaptureFixture) -> None:
    tally = Tally()
    for number in range(3):
        tally.leave_out(f"reason {number}", "a", 2)
    with caplog.at_level(logging.INFO, logger="triglot"):
        say("few", tally)
    assert caplog.messages == [f"few: {line}" for line in tally.lines()]
    caplog.clear()
    for number in range(9):
        tally.leave_out(f"reason {number}", "a", 100)
    with caplog.at_level(logging.INFO, logger="triglot"):
        say("many", tally)
    assert caplog.messages == ["many: read: nothing", "many: left out: 906 records for 9 reasons; -v lists them"]
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="triglot"):
        say("many", tally)
    assert [f"many: {line}" for line in tally.notes()] == caplog.messages[2:]
