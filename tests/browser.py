"""A headless Chromium: Debian's own, started with what keeps it quiet, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find() -> str:
    """Where Chromium is; the test is skipped, with the reason, where it is absent."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no chromium (Debian: apt-get install chromium)")
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """Playwright's browser."""
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=find(), args=FLAGS)
        try:
            yield opened
        finally:
            opened.close()
