"""Fixtures that several rooms share."""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import pretrained
from tests.killing import Server

# Tests run side by side, one a core: threads that wait must not spin, and each process has a core of its own. Set
# before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

os.environ["TRIGLOT_CACHE"] = "off"  # of vectors: no test depends on what another command has left in the user's cache

# How long an example takes, or takes to be made, says how busy the machine is.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")

ROOT = Path(__file__).resolve().parents[1]
# Marks whose tests may not be skipped; .ci/run sets it.
REQUIRED = set(os.environ.get("TRIGLOT_REQUIRE", "").split(",")) - {""}


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with the real data; skipped, with the reason, where it is absent."""
    folder = Path(os.environ.get("TRIGLOT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set TRIGLOT_DATA)")
    return folder


@pytest.fixture(scope="session")
def e5_small() -> Path:
    """The folder of multilingual-e5-small; skipped, with the reason, where it can be had from nowhere."""
    script = Path(os.environ.get("TRIGLOT_DATA", ROOT.parent / "shared" / "data")).parent / "models" / "e5_small.py"
    try:
        return pretrained.e5_small(script)
    except OSError as error:
        pytest.skip(f"no pretrained model: {error}")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Commands in processes of their own, forked from one that has everything imported, which takes ten seconds."""
    with Server() as started:
        yield started


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """An empty cache of the hub; returns a function from the name of a data set to the folder of its snapshot."""
    for name in ("constants", "_snapshot_download", "file_download"):
        module = importlib.import_module(f"huggingface_hub.{name}")
        for key, value in (("HF_HUB_CACHE", str(tmp_path / "hub")), ("HF_HUB_OFFLINE", True)):
            if hasattr(module, key):
                monkeypatch.setattr(module, key, value)

    def snapshot(repo: str) -> Path:
        commit = "0123456789abcdef0123456789abcdef01234567"
        root = tmp_path / "hub" / f"datasets--{repo.replace('/', '--')}"
        (root / "refs").mkdir(parents=True)
        (root / "refs" / "main").write_text(commit)
        folder = root / "snapshots" / commit
        folder.mkdir(parents=True)
        return folder

    return snapshot


MARKS = {"data": "data", "e5_small": "pretrained", "server": "slow"}  # fixture -> mark of the tests that use it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKS[name])


def pytest_collection_finish() -> None:
    # Modules and tests stay to the end: the collector need not look through them again and again.
    gc.collect()
    gc.freeze()


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport, marks: set[str]) -> None:
    if report.skipped and marks and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped, though {', '.join(sorted(marks))} tests must run here (TRIGLOT_REQUIRE): {report.longrepr}"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_skipped(report, REQUIRED & {mark.name for mark in item.iter_markers()})
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped(report, REQUIRED)  # a module skipped as a whole never tells its marks
    return report
