"""Search in a file of texts: columns, languages, vectors that were prepared, many questions."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import help_centre
from tests.command import triglot
from triglot.encoder import EncoderSettings, init_encoder


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A help centre, and a tiny model of its words."""
    folder = help_centre.write(tmp_path_factory.mktemp("search"))
    words = {code: [*help_centre.ACTIONS[code], *help_centre.THINGS[code]] for code in help_centre.LANGUAGES}
    known = {code: dict.fromkeys(some, 5) for code, some in words.items()}
    init_encoder(EncoderSettings(kind="static", dim=16, vocab=300), known, seed=1).save(folder / "model")
    return folder


@pytest.fixture(autouse=True)
def inside(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)


def found(*words: object) -> list[dict[str, Any]]:
    done = triglot("search", "model", *words, "--json", "-q")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_columns_say_what_is_searched() -> None:
    (hit,) = found("articles.csv", "change your password", "-k", 1, "--columns", "text=title")
    assert hit["text"] == "change your password"
    assert hit["lang"] == "en"
    done = triglot("search", "model", "articles.csv", "x", "--columns", "text=titel")
    assert (done.code, "no column 'titel'; did you mean 'title'?" in done.err) == (2, True)


def test_languages_say_where_it_is_searched() -> None:
    hits = found("articles.csv", "change your password", "-k", 200, "--languages", "de,es")
    assert {hit["lang"] for hit in hits} == {"de", "es"}
    done = triglot("search", "model", "articles.csv", "x", "--languages", "fr")
    assert (done.code, "has no text in 'fr'; it has de, en, es" in done.err) == (2, True)


def test_prepared_vectors_find_the_same(tmp_path: Path) -> None:
    vectors = tmp_path / "v.npy"
    assert triglot("encode", "model", "articles.csv", "--out", vectors, "-q").code == 0
    for more in ((), ("--languages", "de")):
        words = ("articles.csv", "Passwort ändern", "-k", 7, *more)
        assert found(*words, "--vectors", vectors) == found(*words)
    np.save(vectors, np.load(vectors)[:, :3])
    done = triglot("search", "model", "articles.csv", "x", "--vectors", vectors)
    assert (done.code, "has 3 dimensions, and the model 16" in done.err) == (2, True)


def test_many_questions_from_a_file_and_from_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["change password", "Rechnung löschen"]
    (tmp_path / "q.jsonl").write_text(
        "".join(json.dumps({"id": f"q{n}", "text": t}) + "\n" for n, t in enumerate(asked))
    )
    hits = found("articles.csv", "factura", "--queries", tmp_path / "q.jsonl", "-k", 1)
    assert [(hit["query"], hit.get("query_id")) for hit in hits] == [
        ("factura", None),
        ("change password", "q0"),
        ("Rechnung löschen", "q1"),
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(["", *asked, ""])))
    assert [hit["query"] for hit in found("articles.csv", "--queries", "-", "-k", 1)] == asked
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    done = triglot("search", "model", "articles.csv", "--queries", "-")
    assert (done.code, "nothing on stdin" in done.err) == (2, True)


def test_the_passages_of_a_benchmark_are_searched(tmp_path: Path) -> None:
    done = triglot("data", "prepare", "articles.csv", "searchlog.csv", "--out", tmp_path / "help", "-q")
    assert done.code == 0, done.err
    of_folder, of_file = (
        found(place, "change your password", "-k", 3) for place in (tmp_path / "help", "articles.csv")
    )
    assert [hit["text"] for hit in of_folder] == [hit["text"] for hit in of_file]


def test_options_of_files_and_of_indexes_are_not_mixed_up(tmp_path: Path) -> None:
    made = triglot("index", "model", "articles.csv", "--out", tmp_path / "i", "-q")
    assert made.code == 0, made.err
    for option, value, hint in (
        ("--languages", "de,es", "use --filter lang=de,es"),
        ("--columns", "id=x", "has its fields from `triglot index`"),
        ("--vectors", "nowhere.npy", "has its own"),
    ):
        done = triglot("search", tmp_path / "i", "password", option, value)
        assert (done.code, done.out) == (2, "")
        assert f"{option}: goes with a file of passages" in done.err
        assert hint in done.err
    done = triglot("search", "model", "articles.csv", "password", "--filter", "lang=de")
    assert (done.code, "--filter: goes with an index" in done.err) == (2, True)
    for condition, kind in (("views>=99999999999999999999", "int"), ("group=\udcff", "string")):
        done = triglot("search", tmp_path / "i", "password", "--filter", condition)
        assert (done.code, f"is no {kind}, which this field holds" in done.err) == (2, True)


def test_a_study_lists_its_models_and_an_arm_with_one_is_that(tmp_path: Path) -> None:
    study = tmp_path / "study"
    for run in ("x-x/seed-1", "x-y/seed-1"):
        shutil.copytree("model", study / "arms" / run / "model")
    (study / "study.json").write_text("{}")
    done = triglot("search", study, "articles.csv", "x")
    assert done.code == 2
    assert f"is no model but 2 of them; name one:\n  {study / 'arms/x-x/seed-1'}\n" in done.err
    for run in ("before", "after"):
        shutil.copytree("model", tmp_path / "runs" / run / "model")
    done = triglot("search", tmp_path / "runs", "articles.csv", "x")
    assert (done.code, f"\n  {tmp_path / 'runs/after'}\n  {tmp_path / 'runs/before'}\n" in done.err) == (2, True)
    (tmp_path / "nothing").mkdir()
    done = triglot("search", tmp_path / "nothing", "articles.csv", "x")
    assert (done.code, "nothing: is no model (it has neither" in done.err) == (2, True)
    done = triglot("search", study / "arms" / "x-y", "articles.csv", "password", "-k", "1", "-q")
    assert done.code == 0, done.err
