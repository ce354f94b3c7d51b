"""A package adds a format by an entry point: commands read it for training and for evaluation, by its name or by the
names of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import triglot
from tests.command import triglot as command
from tests.plugins import install
from triglot.corpus.formats.registry import FORMATS, TABLE, Format, detect
from triglot.files import InputError, read_json
from triglot.recipe import Benchmark, Source

ASKED = ("wann kommt der zug", "was kostet die karte", "wo ist der hafen", "wer hilft mir hier")


@pytest.fixture
def faq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the format of the example package, which is installed."""
    place, folder = tmp_path / "site-packages", tmp_path / "help"
    place.mkdir()
    folder.mkdir()
    install("triglot_faq", place, monkeypatch)
    for lang, ending in (("de", "?"), ("nl", " dan?")):
        lines = [f"Q: {text}{ending}\nA: {text} {lang} antwort {number}\n" for number, text in enumerate(ASKED)]
        (folder / f"{lang}.faq").write_text("\n".join(lines), "utf-8")
    return folder


def test_python_reads_it(faq: Path) -> None:
    assert FORMATS.names()[-1] == "faq"
    assert detect(faq) == "faq"
    corpus, _ = triglot.read_training(faq)
    assert (len(corpus), corpus.languages) == (4, ("de", "nl"))
    found = triglot.open_benchmark(f"faq={faq}", languages=["nl"])
    assert found.kinds == ("retrieval set",)
    assert (found.name, found.in_memory().languages) == ("help", ("nl",))
    with pytest.raises(InputError, match="format 'faq' has no option 'unit'"):
        triglot.read_training(faq, unit="sentence")


@pytest.mark.parametrize("prefix", ["faq=", ""])
def test_commands_read_it_for_training_and_for_evaluation(faq: Path, tmp_path: Path, prefix: str) -> None:
    mined = tmp_path / "mined.jsonl"
    done = command("mine", f"{prefix}{faq}", "--model", "bm25", "--out", mined, "negatives=1", "--quiet")
    assert done.code == 0, done.err
    assert {json.loads(line)["query_lang"] for line in mined.read_text("utf-8").splitlines()} == {"de", "nl"}
    done = command("evaluate", "bm25", "--on", f"faq={prefix}{faq}", "--out", tmp_path / "results", "--quiet")
    assert done.code == 0, done.err
    assert read_json(tmp_path / "results" / "results.json")["benchmarks"]["faq"]["mono"]["map"] > 0.9


def test_recipes_know_it(faq: Path) -> None:
    assert Source(format="faq", path=str(faq)).label == "help"
    assert Benchmark(name="faq", format="faq", path=str(faq)).format == "faq"


def test_without_the_package_it_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"format: 'faq' is not one of beir, .*"):
        Source(format="faq", path="x")
    assert command("mine", f"faq={tmp_path}", "--model", "bm25", "--out", tmp_path / "x.jsonl").code == 2


def test_a_row_that_is_added_in_python(tmp_path: Path) -> None:
    (tmp_path / "x.odd").touch()
    row = Format("odd", "odd files", "x.odd", training=lambda path: path, layout=lambda path: (path / "x.odd").exists())
    FORMATS.add(row)
    try:
        assert triglot.read_training(tmp_path) == tmp_path
        with pytest.raises(InputError, match="'odd' is not a retrieval format"):
            triglot.read_retrieval(tmp_path, name="x")
    finally:
        FORMATS.remove("odd")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_row_of_the_table_leads_somewhere(row: Format, tmp_path: Path) -> None:
    assert row.title
    assert row.help
    for task in ("training", "retrieval", "streamed", "classification"):
        if getattr(row, task):
            assert row.options(task)
    assert row.built_in or row.layout or row.names
    assert not row.recognises(tmp_path, [], by="layout")
    assert not row.recognises(tmp_path, ["notes.docx"], by="names")
