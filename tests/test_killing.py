"""The server that the tests of kills and damaged inputs use does what it says."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.killing import Server


def test_it_tells_how_a_command_ended_and_counts_what_it_writes(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "recipe.yaml"
    done = server.run(["recipes", "cp", "demo", target], under=[target])
    assert (done.code, target.is_file()) == (0, True), done.output
    assert any(event.startswith("os.rename") and event.endswith(str(target)) for event in done.events)
    assert server.run(["recipes", "cp", "nosuch", target], under=[target]).code == 2


def test_it_kills_before_the_event_that_was_asked_for(server: Server, tmp_path: Path) -> None:
    target, other = tmp_path / "recipe.yaml", tmp_path / "other.yaml"
    events = len(server.run(["recipes", "cp", "demo", other], under=[other]).events)
    for event in range(1, events + 1):
        done = server.run(["recipes", "cp", "demo", target], under=[target], kill_at=event)
        assert (done.code, len(done.events)) == (-signal.SIGKILL, event)
        assert not target.exists() or target.read_bytes() == other.read_bytes()
        target.unlink(missing_ok=True)


def test_it_ends_what_takes_too_long_or_too_much(server: Server) -> None:
    assert server.run(["recipes", "ls"], timeout=0.0).code is None


def test_functions_run_in_several_processes(server: Server) -> None:
    done = server.run(["RANK"], call="os:getenv", processes=2)
    assert done.code == 0, done.output
    done = server.run(["no such module"], call="importlib:import_module", processes=2)
    assert (done.code, "no such module" in done.output) == (1, True)
