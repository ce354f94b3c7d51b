"""Commands in processes of their own that may be killed at any file event: each is forked from a server that has
everything imported.

with Server() as server:
    done = server.run(["mine", ...], under=[out])                 # done.events: how many file events there were below
    `out` done = server.run(["mine", ...], under=[out], kill_at=3)      # SIGKILL before the third of them
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_ROOMS = (
    *(
        "cli",
        "report",
        "report.terminal",
        "report.html",
        "study",
        "commands.evaluate",
        "commands.augment",
        "commands.attack",
        "commands.lists",
        "mine",
    ),
    "augment.translate",
    *("evaluate.retrievers", "corpus.formats.registry"),
)
_WRITING = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate", "os.link", "os.symlink")


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        code: exit status; minus the signal's number where one ended it; None where it ran past its time.
        output: stdout and stderr together, the last 20,000 characters.
        events: the file events below the folders in question, in order: what Python's audit hooks call them, and the
            path.
        seconds: wall time.
    """

    code: int | None
    output: str
    events: list[str]
    seconds: float


class Server:
    """A process that forks a child for each command. A child starts in some milliseconds, with every import done."""

    def __enter__(self) -> Server:
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "TERM": "dumb",
            "COLUMNS": "120",
        }
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        command = [sys.executable, "-m", "tests.killing"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def run(
        self,
        words: Sequence[object],
        *,
        under: Sequence[Path] = (),
        kill_at: int = 0,
        cwd: Path = ROOT,
        timeout: float = 60,
        memory: int = 0,
        stdin: str = "",
        signal: int = signal.SIGKILL,
        call: str = "",
        processes: int = 1,
    ) -> Done:
        """Run `triglot WORDS`, or a function of these words.

        Args:
            words: after `triglot`, or the function's arguments.
            under: folders or files whose events are counted, with what lies beside them under the same name (temporary
                files, locks).
            kill_at: send the signal before this event, counted from 1; 0 for never.
            cwd: working folder.
            timeout: seconds of the processor, or ten times as many by the clock; then it is killed and the code is
                None.
            memory: bytes that it may have beyond those of the server; 0 for any.
            stdin: what it reads there.
            signal: sent at that event.
            call: `module:function` to call in place of the command.
            processes: that do so at once, with the environment that torchrun gives to its ranks. When one fails, all
                are ended.
        """
        asked = {
            "words": [str(word) for word in words],
            "under": [os.path.abspath(place) for place in under],
            "kill_at": kill_at,
            "cwd": str(cwd),
            "timeout": timeout,
            "memory": memory,
            "stdin": stdin,
            "signal": int(signal),
            "call": call,
            "processes": processes,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Done(**json.loads(self._process.stdout.readline()))


def _watch(under: list[str], kill_at: int, number: int, log: int) -> None:
    """Count the events that write below some folders, and end this process before one of them."""
    beside = tuple(os.path.join(os.path.dirname(place), f".{os.path.basename(place)}.") for place in under)
    count, busy = 0, False

    def ours(path: str) -> bool:
        return path.startswith(beside) or any(path == place or path.startswith(place + os.sep) for place in under)

    def full(path: Any, folder: Any = None) -> str:
        if isinstance(path, int) or path is None:
            return ""
        name = os.fsdecode(path)
        if isinstance(folder, int) and folder >= 0 and not os.path.isabs(name):
            name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
        return os.path.abspath(name)

    def writes(event: str, arguments: tuple[Any, ...]) -> bool:
        if event != "open":
            return event in _WRITING
        mode, flags = arguments[1] or "", arguments[2] if isinstance(arguments[2], int) else 0
        return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) or any(letter in str(mode) for letter in "wax+")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count, busy
        if busy or not writes(event, arguments):
            return
        busy = True
        try:
            two = event in ("os.rename", "os.link", "os.symlink")
            places = (
                [full(part) for part in arguments[:2]]
                if two
                else [full(arguments[0], arguments[-1] if event != "open" else None)]
            )
            if any(ours(place) for place in places):
                count += 1
                os.write(log, (json.dumps(f"{event} {' '.join(places)}") + "\n").encode())
                if count == kill_at:
                    os.kill(os.getpid(), number)
        finally:
            busy = False

    sys.addaudithook(hook)


def _child(asked: dict[str, Any], output: int, log: int) -> int:
    """What the forked child does. Returns the exit status."""
    import io
    import traceback

    os.chdir(asked["cwd"])
    for number in (1, 2):
        os.dup2(output, number)
    inlet, outlet = os.pipe()
    os.write(outlet, asked["stdin"].encode()[:60_000])
    os.close(outlet)
    os.dup2(inlet, 0)
    sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb"), encoding="utf-8")
    for number, name in ((1, "stdout"), (2, "stderr")):
        setattr(sys, name, io.TextIOWrapper(os.fdopen(number, "wb", 0), write_through=True, encoding="utf-8"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked["memory"]:
        with open("/proc/self/statm") as handle:
            now = int(handle.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + asked["memory"], now + asked["memory"]))
    _watch(asked["under"], asked["kill_at"], asked["signal"], log)
    try:
        _work(asked)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _work(asked: dict[str, Any]) -> None:
    """The command, or the function that was asked for."""
    if asked["call"]:
        module, _, name = asked["call"].partition(":")
        getattr(sys.modules[module], name)(*asked["words"])
        return
    from triglot.cli import main

    sys.argv = ["triglot", *asked["words"]]
    main()


def _forked(asked: dict[str, Any], output: int, log: int, rank: dict[str, str]) -> int:
    """The process id of a child at work."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.environ.update(rank)
            code = _child(asked, output, log)
        finally:
            os._exit(code)
    return pid


def _ranks(processes: int) -> list[dict[str, str]]:
    """What torchrun says to each of several processes; nothing to one."""
    if processes == 1:
        return [{}]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]


def _worked(pid: int) -> float:
    """Seconds that a process has had of the processor, which a busy machine leaves alone."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _ended(children: list[int], timeout: float) -> int | None:
    """The status of children once all have ended, or of the first that failed; None where they run past their time, see
    `Server.run`. None of them is left."""
    began, left = time.monotonic(), {os.pidfd_open(pid): pid for pid in children}
    status: int | None = 0
    while left and status == 0:
        if time.monotonic() - began > 10 * timeout or any(_worked(pid) > timeout for pid in left.values()):
            status = None
            break
        for handle in select.select(list(left), [], [], 0.2)[0]:
            status = status or os.waitpid(left.pop(handle), 0)[1]
            os.close(handle)
    for handle, pid in left.items():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(handle)
    return status


def _serve() -> None:
    import importlib
    import tempfile

    import torch
    import transformers

    transformers.MarianMTModel, transformers.MarianTokenizer  # noqa: B018 (loads them)
    for room in (
        "pyarrow.parquet",
        "pyarrow.dataset",
        "sentence_transformers",
        "matplotlib.backends.backend_svg",
        "babel.dates",
        *(f"triglot.{name}" for name in _ROOMS),
    ):
        importlib.import_module(room)
    torch.set_num_threads(1)
    for line in sys.stdin:
        asked, began = json.loads(line), time.monotonic()
        if asked["call"]:
            importlib.import_module(asked["call"].partition(":")[0])
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as log:
            ranks = _ranks(asked["processes"])
            status = _ended([_forked(asked, output.fileno(), log.fileno(), rank) for rank in ranks], asked["timeout"])
            log.seek(0)
            output.seek(max(0, output.seek(0, os.SEEK_END) - 20_000))
            told = {
                "code": None if status is None else os.waitstatus_to_exitcode(status),
                "output": output.read().decode("utf-8", "replace"),
                "events": [json.loads(one) for one in log.read().decode().splitlines()],
                "seconds": time.monotonic() - began,
            }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    _serve()
