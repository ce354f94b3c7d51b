"""What does not fit: languages without translations, fewer lines than dimensions, vectors of another model."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tests.command import triglot
from tests.writing import inputs
from triglot.debias.steps import linear_maps


@pytest.fixture(scope="module")
def centred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and the same centred."""
    root = inputs(tmp_path_factory.mktemp("unfit"))
    done = triglot(
        "debias", root / "model", root / "pairs.jsonl", "--method", "centre", "-q", "--out", root / "centred"
    )
    assert done.code == 0, done.err
    return root


def test_languages_that_the_translations_lack(centred: Path, tmp_path: Path) -> None:
    words = ["debias", centred / "model", centred / "pairs.jsonl", "--out", tmp_path / "out"]
    done = triglot(*words, "--method", "shift", "--languages", "de,sw")
    assert (done.code, "has no text in 'sw'" in done.err) == (2, True), done.err
    done = triglot(*words, "--method", "map", "--pivot", "sw")
    assert (done.code, "pivot: no texts in 'sw'" in done.err) == (2, True), done.err
    assert not (tmp_path / "out").exists()


def test_fewer_lines_than_dimensions_are_said(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(1)
    own = rng.normal(size=(60, 64))
    with caplog.at_level(logging.WARNING, "triglot"):
        linear_maps({"de": (own, own), "fr": (np.tile(own, (2, 1)), np.tile(own, (2, 1)))}, "en")
    assert "map: 60 pairs of de for vectors of 64 dimensions; directions that they lack stay as they are" in caplog.text
    assert "pairs of fr" not in caplog.text


def vectors(root: Path, array: np.ndarray) -> list[object]:
    np.save(root / "in.npy", array)
    (root / "langs.txt").write_text("de\n" * len(array), "utf-8")
    return ["--vectors", root / "in.npy", "--languages", root / "langs.txt", "--out", root / "out.npy", "--force"]


def test_vectors_of_another_model(centred: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    done = triglot("debias", centred / "centred", *vectors(tmp_path, rng.normal(size=(4, 12))), "-q")
    assert (done.code, "vectors of 12 dimensions, but" in done.err) == (2, True), done.err
    assert not (tmp_path / "out.npy").exists()
    other = rng.normal(size=16) + 0.3 * rng.normal(size=(40, 16))
    done = triglot("debias", centred / "centred", *vectors(tmp_path, other))
    assert (done.code, "are they of another model?" in done.err) == (0, True), done.err
    done = triglot("encode", centred / "model", centred / "mixed.csv", "--out", tmp_path / "own.npy")
    own = np.resize(np.load(tmp_path / "own.npy"), (40, 16)) if done.code == 0 else None
    assert own is not None, done.err
    done = triglot("debias", centred / "centred", *vectors(tmp_path, own))
    assert (done.code, "another model" in done.err) == (0, False), done.err
