"""One small picture of runs, as a file of its own."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.command import triglot
from tests.evaluate.evaluation_sets import make_set
from triglot.evaluate import evaluate_embeddings, write_results


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two results on one small benchmark; the first prefers its own language."""
    lang = [i % 3 for i in range(36)]
    judged = [(g * 3 + a, g * 3 + b, 1) for g in range(12) for a in range(3) for b in range(3)]
    made = make_set(lang, lang, judged)
    benchmark = replace(made, queries=replace(made.queries, group=np.arange(36, dtype=np.int32) // 3))
    about = np.repeat(np.eye(12, dtype=np.float32), 3, axis=0)
    own = np.eye(3, dtype=np.float32)[lang]
    for name, bias in (("before", 3.0), ("after", 0.1)):
        vectors = np.hstack([about, bias * own]) + 0.2 * np.random.default_rng(1).normal(size=(36, 15)).astype(
            np.float32
        )
        write_results(tmp_path / name, {"toy": evaluate_embeddings(vectors, vectors, benchmark)}, model=name)
    return [tmp_path / "before", tmp_path / "after"]


def test_a_picture_is_an_svg_of_its_own(runs: list[Path], tmp_path: Path) -> None:
    done = triglot("compare", *map(str, runs), "--picture", str(tmp_path / "p.svg"))
    assert (done.code, "p.svg" in done.err) == (0, True), done.err
    text = (tmp_path / "p.svg").read_text("utf-8")
    root = xml.fromstring(text)
    assert root.tag.endswith("svg")
    words = [(one.text or "").strip() for one in root.iter() if one.tag.endswith("text")]
    for word in ("before", "after", "Monolingual", "Cross-lingual", "Multilingual", "as mixed as the pool"):
        assert word in words
    named = set(re.findall(r"var\(--([\w-]+)\)", text))
    assert named
    assert all(f"--{name}: #" in text for name in named)  # no page gives them
    assert "prefers-color-scheme: dark" in text
    assert len(text) < 60_000
    again = triglot("compare", *map(str, runs), "--picture", str(tmp_path / "p.svg"))
    assert again.code == 0
    assert (tmp_path / "p.svg").read_text("utf-8") == text


def test_a_file_of_somebody_else_stays(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "mine.svg").write_text("<svg/>", "utf-8")
    done = triglot("compare", *map(str, runs), "--picture", str(tmp_path / "mine.svg"))
    assert done.code == 2
    assert (tmp_path / "mine.svg").read_text("utf-8") == "<svg/>"
