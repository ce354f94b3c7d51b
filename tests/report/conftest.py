from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.synthetic import write_study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of three languages; not to be written to."""
    return write_study(tmp_path_factory.mktemp("study"))
