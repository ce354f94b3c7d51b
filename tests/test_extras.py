"""What the base install does alone, and how a package of an extra is missed. Child processes refuse the imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from triglot.extras import EXTRAS, MissingExtra, named

REFUSE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
"""
COMMAND = "from triglot.cli import main\nmain()"


def run(code: str, *arguments: str, refused: set[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    program = f"{REFUSE.format(refused=refused)}\n{code}"
    root = str(Path(__file__).resolve().parents[1])
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{program}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


def write_vectors(folder: Path) -> None:
    """Vectors of the built-in corpus made elsewhere, with their ids."""
    from triglot.corpus.formats.registry import read_retrieval

    benchmark = read_retrieval("atlas", format="atlas", name="atlas", languages=["de", "en"])
    rng = np.random.default_rng(0)
    for name, texts in (("queries", benchmark.queries), ("passages", benchmark.passages)):
        np.save(folder / f"{name}.npy", rng.standard_normal((len(texts.ids), 8)).astype(np.float32))
        (folder / f"{name}.ids.txt").write_text(
            "".join(f"{identifier}\n" for identifier in texts.ids), encoding="utf-8"
        )


@pytest.mark.slow
def test_vectors_are_evaluated_and_compared_by_the_base_install(tmp_path: Path) -> None:
    (tmp_path / "vectors").mkdir()
    write_vectors(tmp_path / "vectors")
    refused = set(EXTRAS)
    words = ("--on", "atlas=atlas", "--languages", "de,en", "--out", "run", "-q")
    done = run(COMMAND, "evaluate", "vectors", *words, refused=refused, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Multilingual mAP" in done.stdout
    done = run(COMMAND, "compare", "run", "--output-format", "markdown", refused=refused, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(COMMAND, "compare", "run", "--report", "report", refused=refused, cwd=tmp_path)
    assert done.returncode == 2
    assert 'is not installed; pip install "triglot[report]"' in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words", "extra"),
    [
        (COMMAND, ("train", "demo", "--out", "run"), "train"),
        ("import triglot; triglot.run_recipe(triglot.load_recipe('demo'), 'run')", (), "train"),
        ("import triglot; triglot.write_report([], 'out', title='x')", (), "report"),
        ("from triglot.losses import info_nce", (), "train"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    code: str, words: tuple[str, ...], extra: str, tmp_path: Path
) -> None:
    done = run(code, *words, refused={name for name, of in EXTRAS.items() if of == extra}, cwd=tmp_path)
    assert done.returncode == (2 if words else 1)
    assert f'is not installed; pip install "triglot[{extra}]"' in done.stderr
    assert not words or "Traceback" not in done.stderr


def test_other_modules_are_missed_as_they_are() -> None:
    with pytest.raises(MissingExtra, match=r'matplotlib is not installed; pip install "triglot\[report\]"'), named():
        raise ModuleNotFoundError("no", name="matplotlib.figure")
    with pytest.raises(ModuleNotFoundError, match="nonesuch"), named():
        import nonesuch  # type: ignore[import-not-found]  # noqa: F401
