"""A sample of damaged inputs through every command. More of them: TRIGLOT_FAULTS=20 takes twenty times as long."""

from __future__ import annotations

import os
import random
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import fuzz
from tests.faults.mutations import mutate
from tests.killing import Done, Server

MORE = int(os.environ.get("TRIGLOT_FAULTS", "1"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Path:
    return fuzz.prepare(tmp_path_factory.mktemp("faults") / "inputs", server)


@pytest.mark.slow
def test_undamaged_inputs_end_in_a_result(source: Path, server: Server, tmp_path: Path) -> None:
    for case in fuzz.CASES:
        shutil.rmtree(tmp_path / "inputs", ignore_errors=True)
        shutil.copytree(source, tmp_path / "inputs")
        done = server.run(
            case.words.replace("DAMAGED", case.damage[0]).replace("OUT", "out").split(), cwd=tmp_path / "inputs"
        )
        assert done.code == 0, (case.name, done.output)


@pytest.mark.slow
@pytest.mark.timeout(300 + 120 * MORE)
def test_damaged_inputs_end_in_a_message_or_in_a_result(source: Path, server: Server) -> None:
    assert fuzz.attempt(source, server, count=MORE * len(fuzz.CASES)) == []


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (Done(None, "", [], 60.0), "hang"),
        (Done(1, "Traceback (most recent call last):\n...", [], 0.1), "traceback"),
        (Done(-signal.SIGSEGV, "", [], 0.1), "exit status -11"),
        (Done(2, "", [], 0.1), "no message"),
        (Done(2, "triglot: x:1: not JSON", [], 0.1), "refused, but out/results.json was written"),
    ],
)
def test_what_may_not_happen_is_seen(done: Done, why: str) -> None:
    assert fuzz.wrong(done, fuzz.CASES[0], {"a": b""}, {"a": b"", "out/results.json": b"{}"}) == why


def test_changed_inputs_and_leftovers_are_seen() -> None:
    fine, case = Done(0, "", [], 0.1), fuzz.CASES[0]
    assert fuzz.wrong(fine, case, {"a": b"1"}, {"a": b"1", "out/results.json": b"{}"}) == ""
    assert fuzz.wrong(fine, case, {"a": b"1"}, {"a": b"2"}) == "an input was changed: a"
    assert fuzz.wrong(fine, case, {"a": b"1"}, {}) == "an input was changed: a"
    growing = replace(case, grows="a")
    assert fuzz.wrong(fine, growing, {"a": b"1\n2"}, {"a": b"1\n3\n"}) == ""
    assert fuzz.wrong(fine, growing, {"a": b"1\n2"}, {"a": b"2\n"}) == "an input was changed: a"
    assert fuzz.wrong(fine, growing, {"a": b"1\n2"}, {}) == "an input was changed: a"
    assert fuzz.wrong(fine, case, {}, {".x.abcdefgh.part": b""}) == "left behind: .x.abcdefgh.part"
    assert fuzz.wrong(fine, case, {}, {"out/x.json": b"NaN"}) == "NaN in out/x.json"


def test_every_kind_of_file_is_damaged_and_the_same_seed_does_the_same(source: Path, tmp_path: Path) -> None:
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        kept = path.read_bytes()
        found = []
        for _ in range(2):
            target = tmp_path / path.name
            target.write_bytes(kept)
            draw = random.Random(3)
            found.append(([mutate(target, draw) for _ in range(3)], target.read_bytes()))
        assert found[0] == found[1]
