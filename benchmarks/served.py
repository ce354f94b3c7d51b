"""`triglot serve` in a process of its own, for benchmarks that ask it over HTTP."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(index: str, *settings: str) -> Iterator[tuple[int, int]]:
    """Serve an index on a free port of the loopback; gives the port and the number of the process, and ends it."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "triglot", "serve", index, "--port", "0", *settings]
        with log.open("w") as handle:
            process = subprocess.Popen(command, stderr=handle)
        while not (match := re.search(r"running on http://127\.0\.0\.1:([0-9]+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        try:
            yield int(match[1]), process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
