"""The texts of whatever there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from triglot.corpus.texts import is_built_in, read_texts
from triglot.files import InputError


def test_texts_of_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("one\n\ntwo\n", encoding="utf-8")
    (tmp_path / "table.csv").write_text("id,text\n1,three\n2,four\n", encoding="utf-8")
    (tmp_path / "log.jsonl").write_text(json.dumps({"query": "q", "positive": "p"}) + "\n", encoding="utf-8")
    (tmp_path / "plain.jsonl").write_text(json.dumps({"id": "1", "text": "five"}) + "\n", encoding="utf-8")
    folder = tmp_path / "both"
    folder.mkdir()
    for code, line in (("de", "sechs"), ("en", "six")):
        (folder / f"{code}.txt").write_text(f"{line}\n", encoding="utf-8")
    assert read_texts("lines.txt", base=tmp_path) == ["one", "two"]
    assert read_texts(str(tmp_path / "table.csv")) == ["three", "four"]
    assert sorted(read_texts("log.jsonl", base=tmp_path)) == ["p", "q"]
    assert read_texts("passages:plain.jsonl", base=tmp_path) == ["five"]
    assert sorted(read_texts("both", base=tmp_path)) == ["sechs", "six"]
    assert len(read_texts("atlas")) > 1000
    assert is_built_in("atlas")
    assert not is_built_in("lines.txt")
    with pytest.raises(InputError, match="no such file or folder"):
        read_texts("nothing.txt", base=tmp_path)
