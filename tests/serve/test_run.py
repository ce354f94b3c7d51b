"""The service as a process: started by the command, asked over the loopback, stopped in the middle of writes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.command import triglot
from tests.writing import inputs
from triglot.index.store import DiskIndex

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inputs(tmp_path_factory.mktemp("inputs"))


@contextmanager
def served(place: Path, *words: object) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A process and its address."""
    command = [sys.executable, "-m", "triglot", "serve", str(place), "--port", "0", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    told = place.with_name("log")
    with told.open("w") as log:
        process = subprocess.Popen(command, stderr=log, env=environment)
    try:
        while process.poll() is None:
            if match := re.search(r"running on (http://127\.0\.0\.1:[0-9]+)", told.read_text()):
                yield process, match[1]
                return
            time.sleep(0.1)
        raise AssertionError(told.read_text())
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_every_acknowledged_write_is_there_however_the_service_ends(
    root: Path, tmp_path: Path, number: signal.Signals
) -> None:
    done = triglot("index", root / "model", root / "mixed.csv", "--out", tmp_path / "i", "-q")
    assert done.code == 0, done.err
    token = triglot("serve", "--new-token", tmp_path / "tokens").out.strip()
    acknowledged: list[str] = []
    with served(tmp_path / "i", "--tokens", tmp_path / "tokens") as (process, address):
        found = httpx.post(f"{address}/search", json={"query": "river mountain", "lang": "en", "k": 3}).json()
        assert len(found["hits"]) == 3
        threading.Timer(1.0, process.send_signal, [number]).start()
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
            for count in range(10_000):
                document = {"id": f"n{count}", "text": f"river {count}", "lang": "en"}
                try:
                    told = client.post(f"{address}/documents", json={"documents": [document]})
                except httpx.HTTPError:
                    break
                if told.status_code != 200:
                    break
                acknowledged.append(document["id"])
        code = process.wait(30)
    assert code in ((0, -number) if number == signal.SIGTERM else (-number,))
    index = DiskIndex(tmp_path / "i")
    there = set(index.get([f"n{count}" for count in range(len(acknowledged) + 1)])[0].ids)
    assert set(acknowledged) <= there
    assert len(acknowledged) > 0
    if number == signal.SIGTERM:
        assert there == set(acknowledged)


@pytest.mark.slow
def test_bad_words_are_named(root: Path, tmp_path: Path) -> None:
    assert "holds no index" in triglot("serve", tmp_path).err
    assert "give the folder of an index" in triglot("serve").err
    triglot("index", root / "model", root / "mixed.csv", "--out", tmp_path / "i", "-q")
    done = triglot("serve", tmp_path / "i", "--model", root / "second")
    assert (done.code, "is not the model that" in done.err) == (2, True)
    (tmp_path / "empty").write_text("# nobody\n")
    assert "has no token" in triglot("serve", tmp_path / "i", "--tokens", tmp_path / "empty").err
