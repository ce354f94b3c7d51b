"""`make install` finds a fitting Python or says plainly what is missing; what pip knows reaches uv."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(os.name != "posix" or not shutil.which("make"), reason="needs make and a POSIX shell")


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def pretending(path: Path, pretence: str) -> Path:
    """A Python that runs these statements before whatever it is given with -c."""
    start = f"import sys; {pretence}; code = sys.argv[1]; sys.argv[:2] = ['-c']; exec(code)"
    return executable(path, f'#!/bin/sh\nshift\nexec {sys.executable} -c "{start}" "$@"\n')


def old_python(path: Path) -> Path:
    """A Python that says it is 3.9."""
    return pretending(path, "import collections; sys.version_info = collections.namedtuple('V', 'major minor')(3, 9)")


def python_without_venv(path: Path) -> Path:
    """A Python without ensurepip, as Debian's is without its venv package."""
    return pretending(path, "sys.modules['ensurepip'] = None")


def setup(tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run tools/setup.sh with a PATH that has nothing but what it needs (and what a test put into tmp_path/bin)."""
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    for name in ("sh", "dirname", "cat", "rm"):
        (tools / name).symlink_to(shutil.which(name) or name)
    environment = {"PATH": str(tools), "VENV": str(tmp_path / "venv"), **settings}
    return subprocess.run(
        ["/bin/sh", ROOT / "tools/setup.sh", "nothing"], capture_output=True, text=True, check=False, env=environment
    )


def test_no_python_is_said(tmp_path: Path) -> None:
    done = setup(tmp_path)
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr
    assert "no python3 or python on PATH" in done.stderr


def test_an_old_python_and_one_without_venv_are_told_apart(tmp_path: Path) -> None:
    old_python(tmp_path / "bin/python")
    python_without_venv(tmp_path / "bin/python3")
    done = setup(tmp_path)
    minor = sys.version_info.minor
    assert done.returncode == 2
    assert (
        f"python3 is Python 3.{minor} without the module ensurepip: on Debian and Ubuntu `sudo apt install "
        f"python3.{minor}-venv`" in done.stderr
    )
    assert "python is Python 3.9: too old, 3.11 or newer is needed" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_named_python_is_the_only_candidate(tmp_path: Path) -> None:
    python_without_venv(tmp_path / "bin/python3")
    done = setup(tmp_path, PYTHON=str(old_python(tmp_path / "with space/python")))
    assert done.returncode == 2
    assert "with space/python is Python 3.9: too old" in done.stderr
    assert "ensurepip" not in done.stderr


def test_a_named_python_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "/nowhere/python is not there" in setup(tmp_path, PYTHON="/nowhere/python").stderr


def test_makefile_reaches_the_script_and_stops_on_its_failure(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    # Those of `make test` are left out.
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(
        ["make", "test", "PYTHON=/nowhere/python"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**outside, "VENV": "none"},
    )
    assert done.returncode == 2
    assert "/nowhere/python is not there" in done.stderr
    assert done.stdout == ""


@pytest.fixture
def pip_settings():
    spec = importlib.util.spec_from_file_location("pip_settings", ROOT / "tools/pip_settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_pip_knows_reaches_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pip_settings) -> None:
    for name in [
        name for name in os.environ if name.startswith(("PIP_", "UV_")) or name in ("SSL_CERT_FILE", "ALL_PROXY")
    ]:
        monkeypatch.delenv(name)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nfind-links =\n    /wheels/a\n    /wheels/b\nextra-index-url = "
        "https://one.example/simple\ncert = /certificate.pem\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    expected = {
        "UV_FIND_LINKS": "/wheels/a,/wheels/b",
        "UV_INDEX": "https://one.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/certificate.pem",
    }
    assert expected.items() <= pip_settings.uv_variables(pip_settings.pip_settings()).items()
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels/c")
    monkeypatch.setenv("UV_INDEX", "https://mine.example/simple")
    variables = pip_settings.uv_variables(pip_settings.pip_settings())
    assert variables["UV_FIND_LINKS"] == "/wheels/c"
    assert "UV_INDEX" not in variables
